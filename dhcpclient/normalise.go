package dhcpclient

import (
	"errors"
	"slices"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// Where a DHCP message has what (RFC 2131 §2).
const (
	snameOffset, snameEnd = 44, 108
	fileOffset, fileEnd   = 108, 236
	cookieOffset          = 236
	optionsOffset         = 240
)

var errMalformed = errors.New("malformed DHCP message")

// normalise rewrites a message so that package dhcpv4 reads all of it: that
// package drops a message without an End option, which some servers send, and
// takes options in an overloaded file or sname field for a name.
//
// RFC 2131 §4.1: option 52 says that those fields hold options. RFC 3396 §5:
// the order is options, file, sname. In the result all options are in the
// options field, and the fields are blank. A message with an option that ends
// behind its field is refused.
func normalise(message []byte) ([]byte, error) {
	if len(message) < optionsOffset {
		return nil, errMalformed
	}
	var overload []byte
	collect := func(to, field []byte, main bool) ([]byte, error) {
		for len(field) > 0 && field[0] != dhcpv4.OptionEnd.Code() {
			if field[0] == dhcpv4.OptionPad.Code() {
				field = field[1:]
				continue
			}
			if len(field) < 2 || len(field) < 2+int(field[1]) {
				return nil, errMalformed
			}
			option := field[:2+int(field[1])]
			field = field[len(option):]
			if option[0] != dhcpv4.OptionOptionOverload.Code() {
				to = append(to, option...)
			} else if main { // it means nothing in the fields it speaks of
				overload = append(overload, option[2:]...)
			}
		}
		return to, nil
	}

	out := slices.Clone(message[:optionsOffset])
	out, err := collect(out, message[optionsOffset:], true)
	if err != nil {
		return nil, err
	}
	var inFile, inSname bool
	switch {
	case len(overload) == 0:
	case len(overload) == 1 && overload[0] >= 1 && overload[0] <= 3:
		inFile, inSname = overload[0]&1 != 0, overload[0]&2 != 0
	default:
		return nil, errMalformed
	}
	if inFile {
		if out, err = collect(out, message[fileOffset:fileEnd], false); err != nil {
			return nil, err
		}
		clear(out[fileOffset:fileEnd])
	}
	if inSname {
		if out, err = collect(out, message[snameOffset:snameEnd], false); err != nil {
			return nil, err
		}
		clear(out[snameOffset:snameEnd])
	}
	return append(out, dhcpv4.OptionEnd.Code()), nil
}
