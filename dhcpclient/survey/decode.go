package survey

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/gopxeboot/gopxeboot/internal/wire"
	"github.com/insomniacslk/dhcp/dhcpv4"
)

// ErrNotDHCP is what the error of Decode wraps for a frame that is none of
// DHCP's: ARP, IPv6, a fragment, another port.
var ErrNotDHCP = errors.New("not a DHCP message")

// Message is a DHCP or BOOTP message as a frame brought it: any client's or
// server's, with what is wrong in it left as it is. It is for people to look
// at; what a client makes of it is a dhcpclient.Offer, and then a Lease.
type Message struct {
	SourceMAC      net.HardwareAddr
	DestinationMAC net.HardwareAddr
	VLANs          []uint16 // of the frame's tags, the outer one first; VLAN 0, a mere priority, is none
	From, To       netip.AddrPort

	// The header's fields (RFC 2131 §2), by their names there: Op, which is 1 of a
	// client and 2 of a server, Hops, XID, Secs, Flags, CIAddr, YIAddr, SIAddr and
	// GIAddr, of which 0.0.0.0 is none, CHAddr, and SName and File without the
	// NULs at their end, also where option 52 says that they hold options.
	wire.DHCPFields

	// Options are in the order of RFC 3396 §5: first the field of options, then
	// what option 52 has put into file, then into sname. A long option may stand
	// in several parts; Option puts them together. Pad and End are left out.
	Options []Option
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
// Of options that are wrong, Options has what could be read. The error is one line, and wraps ErrNotDHCP where the
// frame is not meant to be DHCP.
func Decode(frame []byte) (Message, error) {
	var m Message
	f, ok := wire.ParseFrame(frame)
	if !ok {
		return m, fmt.Errorf("%w: %d bytes are no Ethernet frame", ErrNotDHCP, len(frame))
	}
	d, ok := wire.ParseDatagram(f)
	if !ok {
		return m, fmt.Errorf("%w: no whole UDP datagram over IPv4", ErrNotDHCP)
	}
	switch d.Destination.Port() {
	case wire.PortDHCPServer, wire.PortDHCPClient, wire.PortPXE:
	default:
		return m, fmt.Errorf("%w: UDP port %d", ErrNotDHCP, d.Destination.Port())
	}
	h, ok := wire.ParseDHCP(d.Payload)
	if !ok {
		return m, fmt.Errorf("a DHCP message from %s of %d bytes, where %d are the least", d.Source, len(d.Payload), wire.DHCPHeader)
	}
	m = Message{
		SourceMAC: bytes.Clone(f.From), DestinationMAC: bytes.Clone(f.To), VLANs: f.VLANs(), From: d.Source, To: d.Destination,
		DHCPFields: h.DHCPFields,
	}
	m.CHAddr, m.SName, m.File = bytes.Clone(h.CHAddr), bytes.TrimRight(bytes.Clone(h.SName), "\x00"), bytes.TrimRight(bytes.Clone(h.File), "\x00")
	m.field(h.Options, "")
	file, sname, _ := wire.Overload(m.Option(dhcpv4.OptionOptionOverload.Code()))
	if file {
		m.field(h.File, "file")
	}
	if sname {
		m.field(h.SName, "sname")
	}
	return m, nil
}

// field reads the options of one field.
func (m *Message) field(b []byte, in string) {
	wire.WalkOptions(b, func(code uint8, value []byte) {
		m.Options = append(m.Options, Option{code, bytes.Clone(value), in})
	})
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

// Type is what a message is: an RFC 2131 message, one of BOOTP's, which has no
// option 53, or "type N".
type Type string

// The types of messages.
const (
	TypeDiscover     Type = "DISCOVER"
	TypeOffer        Type = "OFFER"
	TypeRequest      Type = "REQUEST"
	TypeDecline      Type = "DECLINE"
	TypeAck          Type = "ACK"
	TypeNak          Type = "NAK"
	TypeRelease      Type = "RELEASE"
	TypeInform       Type = "INFORM"
	TypeBOOTPRequest Type = "BOOTP request"
	TypeBOOTPReply   Type = "BOOTP reply"
)

// types are those of option 53, by its value.
var types = []Type{1: TypeDiscover, TypeOffer, TypeRequest, TypeDecline, TypeAck, TypeNak, TypeRelease, TypeInform}

// Type is the message's.
func (m *Message) Type() Type {
	kind := m.Option(dhcpv4.OptionDHCPMessageType.Code())
	switch {
	case kind == nil && m.Op == uint8(dhcpv4.OpcodeBootRequest):
		return TypeBOOTPRequest
	case kind == nil:
		return TypeBOOTPReply
	case len(kind) != 1:
		return "type ?"
	case kind[0] > 0 && int(kind[0]) < len(types):
		return types[kind[0]]
	}
	return Type(fmt.Sprintf("type %d", kind[0]))
}

// Broadcast says whether the frame went to every station.
func (m *Message) Broadcast() bool { return bytes.Equal(m.DestinationMAC, wire.Broadcast) }

// String is a line about the message: what, from where to where, and what
// people look for first. All of it is printable.
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
	holdsOptions, _, _ := wire.Overload(m.Option(dhcpv4.OptionOptionOverload.Code()))
	if len(m.File) > 0 && !holdsOptions {
		fmt.Fprintf(&s, " file %s", quote(m.File))
	}
	for _, code := range []dhcpv4.OptionCode{dhcpv4.OptionBootfileName, dhcpv4.OptionTFTPServerName, dhcpv4.OptionMessage} {
		if value := m.Option(code.Code()); len(value) > 0 {
			fmt.Fprintf(&s, " %s %s", Option{Code: code.Code()}.Name(), quote(value))
		}
	}
	return s.String()
}

// quote makes a server's words safe to print, and short.
func quote(b []byte) string {
	const most = 80
	s := wire.Text(b)
	return fmt.Sprintf("%q", s[:min(len(s), most)])
}

// fromPXE says whether it is a PXE server's answer to a REQUEST what to boot.
// It comes from port 4011, where it was asked, or at least gives no address.
func (m *Message) fromPXE() bool {
	return m.From.Port() == wire.PortPXE || m.Type() == TypeAck && m.YIAddr.IsUnspecified()
}

// fromServer says whether it is a server's message to a client.
func (m *Message) fromServer() bool {
	return m.Op == uint8(dhcpv4.OpcodeBootReply) && m.To.Port() == wire.PortDHCPClient
}
