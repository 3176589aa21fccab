package dhcpclient

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// ErrNotDHCP is what the error of Decode wraps for a frame that is none of
// DHCP's: ARP, IPv6, a fragment, another port.
var ErrNotDHCP = errors.New("not a DHCP message")

// etherTypeQinQ is the outer one of two VLAN tags (IEEE 802.1ad).
const etherTypeQinQ = 0x88a8

// maxTags is how many VLAN tags a frame may have.
const maxTags = 2

// Message is a DHCP or BOOTP message as a frame brought it: any client's or
// server's, with what is wrong in it left as it is. It is for people to look
// at; what a client makes of it is an Offer, and then a Lease.
type Message struct {
	SourceMAC      net.HardwareAddr
	DestinationMAC net.HardwareAddr
	VLANs          []uint16 // of the frame's tags, the outer one first; VLAN 0, a mere priority, is none
	From, To       netip.AddrPort

	// The header's fields (RFC 2131 §2), by their names there. Addresses are
	// never invalid: 0.0.0.0 is none.
	Op                             uint8 // 1 is a client's, 2 a server's
	Hops                           uint8
	XID                            uint32
	Secs                           uint16
	Flags                          uint16 // 0x8000 asks for broadcast answers
	CIAddr, YIAddr, SIAddr, GIAddr netip.Addr
	CHAddr                         net.HardwareAddr
	SName, File                    []byte // without the NULs at their end; also where option 52 says that they hold options

	// Options are in the order of RFC 3396 §5: first the field of options, then
	// what option 52 has put into file, then into sname. A long option may stand
	// in several parts; Option puts them together. Pad and End are left out.
	Options []Option

	Anomalies []Anomaly // what is wrong in this message
}

// Option is one option, or a part of one.
type Option struct {
	Code  uint8
	Value []byte
	In    string // "file" or "sname" where it is in that field (option 52), else ""
}

// Decode reads an Ethernet frame with a DHCP or BOOTP message, from or to
// whomever: UDP over IPv4 to port 67, 68 or 4011. Checksums are not looked at,
// as a capture of a virtual interface has none that are valid.
//
// What is wrong with the options is no error, but in Anomalies, and Options has
// what could be read. The error is one line, and wraps ErrNotDHCP where the
// frame is not meant to be DHCP.
func Decode(frame []byte) (Message, error) {
	var m Message
	if len(frame) < ethernetHeader {
		return m, fmt.Errorf("%w: %d bytes are no Ethernet frame", ErrNotDHCP, len(frame))
	}
	untagged, tags := takeTags(frame)
	for _, tag := range tags {
		if id := tag & 0x0fff; id != 0 {
			m.VLANs = append(m.VLANs, id)
		}
	}
	d, ok := parseFrame(untagged, net.HardwareAddr(untagged[:6]))
	if !ok {
		return m, fmt.Errorf("%w: no whole UDP datagram over IPv4", ErrNotDHCP)
	}
	switch d.destination.Port() {
	case serverPort, clientPort, pxePort:
	default:
		return m, fmt.Errorf("%w: UDP port %d", ErrNotDHCP, d.destination.Port())
	}
	m.DestinationMAC, m.SourceMAC = bytes.Clone(untagged[:6]), bytes.Clone(untagged[6:12])
	m.From, m.To = d.source, d.destination
	if len(d.payload) < optionsOffset {
		return m, fmt.Errorf("a DHCP message from %s of %d bytes, where %d are the least", d.source, len(d.payload), optionsOffset)
	}
	m.header(d.payload)
	if binary.BigEndian.Uint32(d.payload[cookieOffset:]) != magicCookie {
		m.wrong(NoCookie, 0, nil)
		return m, nil
	}
	m.options(d.payload)
	m.judge()
	return m, nil
}

// takeTags takes the VLAN tags off a frame; frame itself stays as it is.
func takeTags(frame []byte) (untagged []byte, tags []uint16) {
	for len(frame) >= ethernetHeader+4 && len(tags) < maxTags {
		kind := binary.BigEndian.Uint16(frame[12:])
		if kind != etherTypeVLAN && kind != etherTypeQinQ {
			break
		}
		tags = append(tags, binary.BigEndian.Uint16(frame[14:]))
		frame = slices.Concat(frame[:12], frame[16:])
	}
	return frame, tags
}

// magicCookie is what options begin with (RFC 1497).
const magicCookie = 0x63825363

// header reads the fields before the options.
func (m *Message) header(b []byte) {
	m.Op, m.Hops = b[0], b[3]
	m.XID = binary.BigEndian.Uint32(b[4:])
	m.Secs, m.Flags = binary.BigEndian.Uint16(b[8:]), binary.BigEndian.Uint16(b[10:])
	for i, a := range []*netip.Addr{&m.CIAddr, &m.YIAddr, &m.SIAddr, &m.GIAddr} {
		*a = netip.AddrFrom4([4]byte(b[12+4*i:]))
	}
	m.CHAddr = bytes.Clone(b[28 : 28+min(int(b[2]), 16)])
	m.SName = bytes.TrimRight(bytes.Clone(b[snameOffset:snameEnd]), "\x00")
	m.File = bytes.TrimRight(bytes.Clone(b[fileOffset:fileEnd]), "\x00")
}

// options reads the options wherever they are.
func (m *Message) options(b []byte) {
	if !m.field(b[optionsOffset:], "") {
		m.wrong(NoEnd, 0, nil)
	}
	overload := m.Option(dhcpv4.OptionOptionOverload.Code())
	switch {
	case overload == nil:
		return
	case len(overload) != 1 || overload[0] < 1 || overload[0] > 3:
		return // judge will say so
	}
	if overload[0]&1 != 0 {
		m.field(b[fileOffset:fileEnd], inFile)
	}
	if overload[0]&2 != 0 {
		m.field(b[snameOffset:snameEnd], inSName)
	}
}

// Where options are, in Option.In.
const (
	inFile  = "file"
	inSName = "sname"
)

// field reads the options of one field, and says whether it ends as it should.
func (m *Message) field(b []byte, in string) (ended bool) {
	for len(b) > 0 {
		switch b[0] {
		case dhcpv4.OptionEnd.Code():
			return true
		case dhcpv4.OptionPad.Code():
			b = b[1:]
			continue
		}
		if len(b) < 2 || len(b) < 2+int(b[1]) {
			m.wrong(CutOption, b[0], b[1:])
			return true // one fault is enough
		}
		value := b[2 : 2+int(b[1])]
		m.Options = append(m.Options, Option{b[0], bytes.Clone(value), in})
		b = b[2+len(value):]
	}
	return false
}

// Option is the whole value of an option, put together from its parts; nil when
// it is not there, not nil when it is there and empty.
func (m *Message) Option(code uint8) []byte {
	var value []byte
	for _, o := range m.Options {
		if o.Code == code {
			value = append(value, o.Value...)
			if value == nil {
				value = []byte{}
			}
		}
	}
	return value
}

// in is the overloaded field that an option begins in; "" for none.
func (m *Message) in(code uint8) string {
	for _, o := range m.Options {
		if o.Code == code {
			return o.In
		}
	}
	return ""
}

// overloads says whether option 52 makes that field one of options.
func (m *Message) overloads(bit byte) bool {
	o := m.Option(dhcpv4.OptionOptionOverload.Code())
	return len(o) == 1 && o[0]&bit != 0
}

// Type is "DISCOVER", "OFFER" and so on, "BOOTP request" or "BOOTP reply" when
// option 53 is not there, or "type N".
func (m *Message) Type() string {
	kind := m.Option(dhcpv4.OptionDHCPMessageType.Code())
	switch {
	case kind == nil && m.Op == uint8(dhcpv4.OpcodeBootRequest):
		return "BOOTP request"
	case kind == nil:
		return "BOOTP reply"
	case len(kind) != 1:
		return "type ?"
	case kind[0] >= byte(dhcpv4.MessageTypeDiscover) && kind[0] <= byte(dhcpv4.MessageTypeInform):
		return dhcpv4.MessageType(kind[0]).String()
	}
	return fmt.Sprintf("type %d", kind[0])
}

// Broadcast says whether the frame went to everybody.
func (m *Message) Broadcast() bool { return bytes.Equal(m.DestinationMAC, ethernetBroadcast) }

// String is a line about the message: what, from whom to whom, and what a
// person looks for first. All of it is printable.
func (m *Message) String() string {
	var s strings.Builder
	fmt.Fprintf(&s, "%s %s > %s xid %08x", m.Type(), m.From, m.To, m.XID)
	for _, vlan := range m.VLANs {
		fmt.Fprintf(&s, " VLAN %d", vlan)
	}
	for _, a := range []struct {
		name string
		addr netip.Addr
	}{{"ciaddr", m.CIAddr}, {"yiaddr", m.YIAddr}, {"siaddr", m.SIAddr}, {"giaddr", m.GIAddr}} {
		if a.addr.IsValid() && !a.addr.IsUnspecified() {
			fmt.Fprintf(&s, " %s %s", a.name, a.addr)
		}
	}
	if len(m.File) > 0 && !m.overloads(1) {
		fmt.Fprintf(&s, " file %s", quote(text(m.File)))
	}
	for _, code := range []dhcpv4.OptionCode{dhcpv4.OptionBootfileName, dhcpv4.OptionTFTPServerName, dhcpv4.OptionMessage} {
		if value := m.Option(code.Code()); len(value) > 0 {
			fmt.Fprintf(&s, " %s %s", Option{Code: code.Code()}.Name(), quote(text(value)))
		}
	}
	return s.String()
}

// fromPXE says whether it is a PXE server's answer to a REQUEST what to boot.
// It comes from port 4011, where it was asked, or at least gives no address.
func (m *Message) fromPXE() bool {
	return m.From.Port() == pxePort || m.Type() == dhcpv4.MessageTypeAck.String() && m.YIAddr.IsUnspecified()
}

// fromServer says whether it is a server's message to a client.
func (m *Message) fromServer() bool {
	return m.Op == uint8(dhcpv4.OpcodeBootReply) && m.To.Port() == clientPort
}
