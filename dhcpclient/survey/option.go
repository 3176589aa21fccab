package survey

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/gopxeboot/gopxeboot/internal/wire"
)

// valueKind is how the value of an option is to be read.
type valueKind int

const (
	asBytes     valueKind = iota // bytes
	asText                       // text
	asAddress                    // one address
	asAddresses                  // one address or more
	asPairs                      // pairs of them
	as8                          // the numbers, of so many bits
	as16                         //
	as32                         //
	asSeconds                    // 32 bits of seconds
	asCodes                      // of options
	asType                       // of message
	asClientID                   // a type and an identifier
	asArchs                      // 16 bits each
	asInterface                  // a type and a version
	asMachine                    // a type and a UUID
	asOptions                    // options inside the option
)

// optionKinds are the options that matter to machines that boot, with the names
// of dhcp-options(5), or of the RFC where that has none.
var optionKinds = map[uint8]struct {
	name string
	kind valueKind
}{
	1:  {"subnet-mask", asAddress},
	2:  {"time-offset", as32},
	3:  {"routers", asAddresses},
	4:  {"time-servers", asAddresses},
	5:  {"ien116-name-servers", asAddresses},
	6:  {"domain-name-servers", asAddresses},
	7:  {"log-servers", asAddresses},
	9:  {"lpr-servers", asAddresses},
	12: {"host-name", asText},
	13: {"boot-size", as16},
	15: {"domain-name", asText},
	16: {"swap-server", asAddress},
	17: {"root-path", asText},
	18: {"extensions-path", asText},
	22: {"max-dgram-reassembly", as16},
	23: {"default-ip-ttl", as8},
	26: {"interface-mtu", as16},
	28: {"broadcast-address", asAddress},
	33: {"static-routes", asPairs},
	40: {"nis-domain", asText},
	41: {"nis-servers", asAddresses},
	42: {"ntp-servers", asAddresses},
	43: {"vendor-encapsulated-options", asOptions},
	44: {"netbios-name-servers", asAddresses},
	50: {"dhcp-requested-address", asAddress},
	51: {"dhcp-lease-time", asSeconds},
	52: {"dhcp-option-overload", as8},
	53: {"dhcp-message-type", asType},
	54: {"dhcp-server-identifier", asAddress},
	55: {"dhcp-parameter-request-list", asCodes},
	56: {"dhcp-message", asText},
	57: {"dhcp-max-message-size", as16},
	58: {"dhcp-renewal-time", asSeconds},
	59: {"dhcp-rebinding-time", asSeconds},
	60: {"vendor-class-identifier", asText},
	61: {"dhcp-client-identifier", asClientID},
	66: {"tftp-server-name", asText},
	67: {"bootfile-name", asText},
	77: {"user-class", asText},
	81: {"fqdn", asBytes},
	82: {"relay-agent-information", asOptions},
	93: {"pxe-system-type", asArchs},
	94: {"pxe-interface-id", asInterface},
	97: {"pxe-client-id", asMachine},

	114: {"v4-captive-portal", asText},
	116: {"auto-configuration", as8},
	119: {"domain-search", asBytes},
	121: {"classless-static-routes", asBytes},
	150: {"tftp-server-address", asAddresses},
	175: {"etherboot-options", asOptions},
	208: {"pxelinux-magic", asBytes},
	209: {"pxelinux-configfile", asText},
	210: {"pxelinux-pathprefix", asText},
	211: {"pxelinux-reboottime", asSeconds},
	249: {"ms-classless-static-routes", asBytes},
	252: {"wpad", asText},
}

func kindOf(code uint8) valueKind { return optionKinds[code].kind }

// fits says whether a value can have that length.
func (k valueKind) fits(b []byte) bool {
	switch k {
	case asAddress, as32, asSeconds:
		return len(b) == 4
	case asAddresses:
		return len(b) > 0 && len(b)%4 == 0
	case asPairs:
		return len(b) > 0 && len(b)%8 == 0
	case as8, asType:
		return len(b) == 1
	case as16:
		return len(b) == 2
	case asArchs:
		return len(b) > 0 && len(b)%2 == 0
	case asInterface:
		return len(b) == 3
	case asMachine:
		return len(b) == 17
	case asClientID:
		return len(b) >= 2
	case asText, asCodes:
		return len(b) > 0
	}
	return true
}

// Name is the option's name as in dhcp-options(5), or "option N".
func (o Option) Name() string {
	if known, ok := optionKinds[o.Code]; ok {
		return known.name
	}
	return fmt.Sprintf("option %d", o.Code)
}

// maxPrinted bounds what Text prints, in bytes of the value.
const maxPrinted = 128

// Text is the value as people read it: addresses, numbers, quoted text, else
// hexadecimal. All of it is printable, and it is not long.
func (o Option) Text() string {
	kind, b := kindOf(o.Code), o.Value
	if !kind.fits(b) {
		return hexadecimal(b)
	}
	switch kind {
	case asText:
		if len(b) > maxPrinted {
			return fmt.Sprintf("%q (%d bytes)", b[:maxPrinted], len(b))
		}
		return fmt.Sprintf("%q", b)
	case asAddress, asAddresses, asPairs:
		return list(b, 4, func(b []byte) string { return netip.AddrFrom4([4]byte(b)).String() })
	case as8, asCodes:
		return list(b, 1, func(b []byte) string { return strconv.Itoa(int(b[0])) })
	case as16, asArchs:
		return list(b, 2, func(b []byte) string { return strconv.Itoa(int(binary.BigEndian.Uint16(b))) })
	case as32:
		return strconv.Itoa(int(int32(binary.BigEndian.Uint32(b))))
	case asSeconds:
		if s := binary.BigEndian.Uint32(b); s != 0xffffffff {
			return fmt.Sprintf("%d s", s)
		}
		return "infinite" // RFC 2131 §3.3
	case asType:
		return string((&Message{Options: []Option{o}}).Type())
	case asClientID:
		if b[0] == 1 && len(b) == 7 {
			return net.HardwareAddr(b[1:]).String()
		}
	case asInterface:
		return fmt.Sprintf("type %d, version %d.%d", b[0], b[1], b[2])
	case asMachine:
		u := append([]byte(nil), b[1:]...)
		wire.SwapUUID(u)
		return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
	case asOptions:
		if s, ok := nestedText(b); ok {
			return s
		}
	}
	return hexadecimal(b)
}

// String is "67 bootfile-name "pxelinux.0"", with the field that an overloaded
// option stands in.
func (o Option) String() string {
	name, in := o.Name(), ""
	if _, known := optionKinds[o.Code]; known {
		name = fmt.Sprintf("%d %s", o.Code, name)
	}
	if o.In != "" {
		in = " (in " + o.In + ")"
	}
	return name + in + " " + o.Text()
}

// list is each item of some bytes; text says how.
func list(b []byte, size int, text func([]byte) string) string {
	var items []string
	all := len(b) / size
	for ; len(b) >= size && len(items)*size < maxPrinted; b = b[size:] {
		items = append(items, text(b[:size]))
	}
	if len(items) < all {
		items = append(items, fmt.Sprintf("... (%d in all)", all))
	}
	return strings.Join(items, ", ")
}

func hexadecimal(b []byte) string {
	if len(b) > maxPrinted {
		return fmt.Sprintf("0x%x... (%d bytes)", b[:maxPrinted], len(b))
	}
	return fmt.Sprintf("0x%x", b)
}

// nestedText lists options that are in an option; not ok where they are none.
func nestedText(b []byte) (s string, ok bool) {
	if len(b) > maxPrinted {
		return "", false
	}
	var items []string
	ok = wire.WalkOptions(b, func(code uint8, value []byte) {
		if isText(value) {
			items = append(items, fmt.Sprintf("%d: %q", code, value))
		} else {
			items = append(items, fmt.Sprintf("%d: 0x%x", code, value))
		}
	})
	return strings.Join(items, ", "), ok
}

// isText says whether bytes are likely meant as text.
func isText(b []byte) bool {
	for _, c := range b {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return len(b) > 1
}
