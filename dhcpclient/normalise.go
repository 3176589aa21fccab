package dhcpclient

import (
	"errors"
	"fmt"
	"slices"

	"github.com/gopxeboot/gopxeboot/internal/wire"
	"github.com/insomniacslk/dhcp/dhcpv4"
)

var errMalformed = errors.New("malformed DHCP message")

// normalise rewrites a message so that package dhcpv4 reads all of it: that
// package drops a message without an End option, which some servers send, and
// takes options in an overloaded file or sname field for a name.
//
// RFC 2131 §4.1: option 52 says that those fields hold options. RFC 3396 §5:
// the order is options, file, sname. In the result all options are in the
// options field, and the fields are blank; in says in which field each option
// began. A message with an option that ends behind its field is refused.
func normalise(message []byte) (normal []byte, in map[uint8]Field, err error) {
	m, ok := wire.ParseDHCP(message)
	if !ok {
		return nil, nil, fmt.Errorf("%w: %d bytes, where %d are the least", errMalformed, len(message), wire.DHCPHeader)
	}
	if m.Options == nil {
		return nil, nil, fmt.Errorf("%w: no options (no magic cookie)", errMalformed)
	}
	var options, overload []byte
	in = make(map[uint8]Field)
	collect := func(field []byte, name Field) bool {
		return wire.WalkOptions(field, func(code uint8, value []byte) {
			switch {
			case code != dhcpv4.OptionOptionOverload.Code():
				options = append(append(options, code, byte(len(value))), value...)
				if _, begun := in[code]; !begun {
					in[code] = name
				}
			case name == "": // it means nothing in the fields it speaks of
				overload = append(overload, value...)
			}
		})
	}
	ok = collect(m.Options, "")
	file, sname, sound := wire.Overload(overload)
	if !sound {
		return nil, nil, fmt.Errorf("%w: option 52 says neither 1, 2 nor 3", errMalformed)
	}
	if !ok || file && !collect(m.File, FieldFile) || sname && !collect(m.SName, FieldSName) {
		return nil, nil, fmt.Errorf("%w: an option ends behind its field", errMalformed)
	}
	normal = slices.Clone(message[:wire.DHCPHeader])
	header, _ := wire.ParseDHCP(normal)
	if file {
		clear(header.File)
	}
	if sname {
		clear(header.SName)
	}
	return append(append(normal, options...), dhcpv4.OptionEnd.Code()), in, nil
}
