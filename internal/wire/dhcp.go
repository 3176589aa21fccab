package wire

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
)

// UDP ports.
const (
	PortDHCPServer = 67
	PortDHCPClient = 68
	PortPXE        = 4011 // of proxyDHCP and boot servers (PXE 2.1 §2.2)
	PortTFTP       = 69   // of TFTP servers, for requests (RFC 1350)
)

// Codes of the two options that have no length.
const (
	optionPad = 0
	optionEnd = 255
)

// DHCPHeader is the length of what is before the options, with their cookie.
const DHCPHeader = 240

// Where a message has what.
const (
	snameOffset, fileOffset = 44, 108
	cookieOffset            = 236
)

// magicCookie is what options begin with (RFC 1497).
const magicCookie = 0x63825363

// DHCP is a DHCP or BOOTP message.
type DHCP struct {
	DHCPFields
	Options []byte // behind the cookie; nil where there is none
}

// DHCPFields are the header's fields (RFC 2131 §2), by their names there.
// Addresses are never invalid: 0.0.0.0 is none.
type DHCPFields struct {
	Op                             uint8 // 1 is a client's, 2 a server's
	Hops                           uint8
	XID                            uint32
	Secs                           uint16
	Flags                          uint16 // 0x8000 asks for broadcast answers
	CIAddr, YIAddr, SIAddr, GIAddr netip.Addr
	CHAddr                         net.HardwareAddr
	SName, File                    []byte // 64 and 128 bytes
}

// ParseDHCP reads the payload of a datagram.
func ParseDHCP(b []byte) (m DHCP, ok bool) {
	if len(b) < DHCPHeader {
		return m, false
	}
	m.DHCPFields = DHCPFields{
		Op: b[0], Hops: b[3], XID: binary.BigEndian.Uint32(b[4:]),
		Secs: binary.BigEndian.Uint16(b[8:]), Flags: binary.BigEndian.Uint16(b[10:]),
		CHAddr: b[28 : 28+min(int(b[2]), 16)],
		SName:  b[snameOffset:fileOffset], File: b[fileOffset:cookieOffset],
	}
	for i, a := range []*netip.Addr{&m.CIAddr, &m.YIAddr, &m.SIAddr, &m.GIAddr} {
		*a = netip.AddrFrom4([4]byte(b[12+4*i:]))
	}
	if binary.BigEndian.Uint32(b[cookieOffset:]) == magicCookie {
		m.Options = b[DHCPHeader:]
	}
	return m, true
}

// WalkOptions calls take for each option of a field, up to End or the field's
// end. It is not ok when one says that it is longer than the field.
func WalkOptions(field []byte, take func(code uint8, value []byte)) (ok bool) {
	for len(field) > 0 && field[0] != optionEnd {
		if field[0] == optionPad {
			field = field[1:]
			continue
		}
		if len(field) < 2 || len(field) < 2+int(field[1]) {
			return false
		}
		take(field[0], field[2:2+int(field[1])])
		field = field[2+int(field[1]):]
	}
	return true
}

// Overload is what option 52 says of a whole message: whether the file field
// holds options, and sname. It is not ok where it says nonsense.
func Overload(value []byte) (file, sname, ok bool) {
	switch {
	case len(value) == 0:
		return false, false, true
	case len(value) != 1 || value[0] < 1 || value[0] > 3:
		return false, false, false
	}
	return value[0]&1 != 0, value[0]&2 != 0, true
}

// Text reads a string that may end with NUL, or be filled up with 0xff.
func Text(b []byte) string {
	b, _, _ = bytes.Cut(b, []byte{0})
	return string(bytes.TrimRight(b, "\xff"))
}

// SwapUUID turns the bytes of a UUID's text into those that PXE clients send,
// and back: the SMBIOS of a real machine has the first three fields
// little-endian.
func SwapUUID(b []byte) {
	slices.Reverse(b[0:4])
	slices.Reverse(b[4:6])
	slices.Reverse(b[6:8])
}
