package replay

import (
	"encoding/binary"
	"fmt"
	"iter"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/wire"
	"github.com/insomniacslk/dhcp/dhcpv4"
)

// story is a capture that a test tells: a guest, a DHCP server 10.0.0.1 that is
// the router, and a server of files 10.0.0.2.
type story struct {
	packets []wire.Packet
	at      time.Time
	vlan    uint16
	xid     byte
}

var (
	guestMAC  = net.HardwareAddr{0x00, 0x16, 0x3e, 0x72, 0x79, 0xe3}
	dhcpMAC   = net.HardwareAddr{0x52, 0x54, 0x00, 0x00, 0x00, 0x01}
	filesMAC  = net.HardwareAddr{0x52, 0x54, 0x00, 0x00, 0x00, 0x02}
	allMAC    = net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	guestIP   = netip.MustParseAddr("10.0.0.42")
	dhcpIP    = netip.MustParseAddr("10.0.0.1")
	filesIP   = netip.MustParseAddr("10.0.0.2")
	guestPort = uint16(2000)
)

func newStory() *story {
	return &story{at: time.Date(2026, 11, 21, 9, 30, 0, 0, time.UTC), xid: 1}
}

// wait lets time go by.
func (s *story) wait(d time.Duration) *story { s.at = s.at.Add(d); return s }

// frame adds a frame, a millisecond after the one before.
func (s *story) frame(to, from net.HardwareAddr, kind uint16, payload []byte) {
	b := append(append([]byte{}, to...), from...)
	if s.vlan != 0 {
		b = binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(b, wire.TypeVLAN), s.vlan)
	}
	b = append(binary.BigEndian.AppendUint16(b, kind), payload...)
	s.packets = append(s.packets, wire.Packet{At: s.at, Data: b, Length: len(b)})
	s.wait(time.Millisecond)
}

// macOf is whose address it is.
func macOf(a netip.Addr) net.HardwareAddr {
	switch a {
	case dhcpIP:
		return dhcpMAC
	case filesIP:
		return filesMAC
	case guestIP, netip.IPv4Unspecified():
		return guestMAC
	}
	return allMAC
}

// ip adds packets of IPv4, as many fragments as the mtu demands.
func (s *story) ip(protocol uint8, from, to netip.Addr, payload []byte, mtu int) {
	const header = 20
	id := uint16(len(s.packets) + 1)
	for offset := 0; offset < len(payload); {
		n := min(len(payload)-offset, (mtu-header)&^7)
		b := []byte{0x45, 0}
		b = binary.BigEndian.AppendUint16(b, uint16(header+n))
		b = binary.BigEndian.AppendUint16(b, id)
		flags := uint16(offset / 8)
		if offset+n < len(payload) {
			flags |= 0x2000
		}
		b = binary.BigEndian.AppendUint16(b, flags)
		b = append(b, 64, protocol, 0, 0)
		b = append(append(b, from.AsSlice()...), to.AsSlice()...)
		s.frame(macOf(to), macOf(from), wire.TypeIPv4, append(b, payload[offset:offset+n]...))
		offset += n
	}
}

func (s *story) udp(from, to netip.AddrPort, payload []byte) *story {
	s.ip(wire.ProtocolUDP, from.Addr(), to.Addr(), udpDatagram(from.Port(), to.Port(), payload), 1500)
	return s
}

func udpDatagram(from, to uint16, payload []byte) []byte {
	b := binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, from), to)
	b = binary.BigEndian.AppendUint16(b, uint16(8+len(payload)))
	return append(append(b, 0, 0), payload...)
}

var everybody = netip.MustParseAddr("255.255.255.255")

// discover is the guest's question, as a PXE ROM asks it unless told otherwise.
func (s *story) discover(more ...dhcpv4.Modifier) *story {
	return s.dhcp(netip.IPv4Unspecified(), everybody, dhcpv4.MessageTypeDiscover, append([]dhcpv4.Modifier{
		dhcpv4.WithBroadcast(true),
		dhcpv4.WithOption(dhcpv4.OptClassIdentifier("PXEClient:Arch:00000:UNDI:002001")),
		dhcpv4.WithGeneric(dhcpv4.OptionClientSystemArchitectureType, []byte{0, 0}),
		dhcpv4.WithGeneric(dhcpv4.OptionClientMachineIdentifier, append([]byte{0}, "\x4f\x1c\x4d\x56\x1b\x0a\x3d\x4c\x8e\x5f\xa0\xb1\xc2\xd3\xe4\xf5"...)),
	}, more...)...)
}

// offer is a server's answer.
func (s *story) offer(more ...dhcpv4.Modifier) *story {
	return s.answer(dhcpv4.MessageTypeOffer, more...)
}

func (s *story) answer(kind dhcpv4.MessageType, more ...dhcpv4.Modifier) *story {
	return s.dhcp(dhcpIP, everybody, kind, append([]dhcpv4.Modifier{
		dhcpv4.WithReply(&dhcpv4.DHCPv4{OpCode: dhcpv4.OpcodeBootRequest, HWType: 1, ClientHWAddr: guestMAC, TransactionID: dhcpv4.TransactionID{0, 0, 0, s.xid}}),
		dhcpv4.WithYourIP(guestIP.AsSlice()), dhcpv4.WithServerIP(filesIP.AsSlice()), dhcpv4.WithNetmask(net.CIDRMask(24, 32)),
		dhcpv4.WithRouter(dhcpIP.AsSlice()), dhcpv4.WithOption(dhcpv4.OptServerIdentifier(dhcpIP.AsSlice())),
		dhcpv4.WithOption(dhcpv4.OptBootFileName("pxelinux.0")),
	}, more...)...)
}

func (s *story) request() *story {
	return s.dhcp(netip.IPv4Unspecified(), everybody, dhcpv4.MessageTypeRequest,
		dhcpv4.WithOption(dhcpv4.OptClassIdentifier("PXEClient:Arch:00000:UNDI:002001")),
		dhcpv4.WithOption(dhcpv4.OptServerIdentifier(dhcpIP.AsSlice())), dhcpv4.WithOption(dhcpv4.OptRequestedIPAddress(guestIP.AsSlice())))
}

// asksProxy is the guest's question to a proxyDHCP server at filesIP.
func (s *story) asksProxy() *story {
	m, err := dhcpv4.New(dhcpv4.WithHwAddr(guestMAC), dhcpv4.WithMessageType(dhcpv4.MessageTypeRequest), dhcpv4.WithClientIP(guestIP.AsSlice()))
	if err != nil {
		panic(err)
	}
	m.TransactionID = dhcpv4.TransactionID{0, 0, 0, s.xid}
	return s.udp(netip.AddrPortFrom(guestIP, 68), netip.AddrPortFrom(filesIP, 4011), m.ToBytes())
}

// leased is the whole exchange.
func (s *story) leased(more ...dhcpv4.Modifier) *story {
	return s.discover().offer(more...).request().answer(dhcpv4.MessageTypeAck, more...)
}

func (s *story) dhcp(from, to netip.Addr, kind dhcpv4.MessageType, more ...dhcpv4.Modifier) *story {
	m, err := dhcpv4.New(append([]dhcpv4.Modifier{dhcpv4.WithHwAddr(guestMAC)}, append(more, dhcpv4.WithMessageType(kind))...)...)
	if err != nil {
		panic(err)
	}
	m.TransactionID = dhcpv4.TransactionID{0, 0, 0, s.xid}
	source, destination := uint16(68), uint16(67)
	if m.OpCode == dhcpv4.OpcodeBootReply {
		source, destination = destination, source
	}
	return s.udp(netip.AddrPortFrom(from, source), netip.AddrPortFrom(to, destination), m.ToBytes())
}

// arp is the guest's question, and the answer of somebody who is there.
func (s *story) arp(target netip.Addr, there bool) *story {
	packet := func(operation byte, from, to net.HardwareAddr, sender, target netip.Addr) []byte {
		b := append([]byte{0, 1, 8, 0, 6, 4, 0, operation}, from...)
		b = append(append(b, sender.AsSlice()...), to...)
		return append(b, target.AsSlice()...)
	}
	s.frame(allMAC, guestMAC, wire.TypeARP, packet(1, guestMAC, make([]byte, 6), guestIP, target))
	if there {
		mac := macOf(target)
		if target == guestIP {
			mac = filesMAC
		}
		s.frame(guestMAC, mac, wire.TypeARP, packet(2, mac, guestMAC, target, guestIP))
	}
	return s
}

// asks for a file by TFTP; answers go to the port that is returned.
func (s *story) asks(name string) netip.AddrPort {
	guestPort++
	from := netip.AddrPortFrom(guestIP, guestPort)
	s.udp(from, netip.AddrPortFrom(filesIP, 69), []byte("\x00\x01"+name+"\x00octet\x00tsize\x000\x00blksize\x001408\x00"))
	return from
}

// server is where TFTP answers come from.
var server = netip.AddrPortFrom(filesIP, 40000)

func (s *story) tftpError(name string, code byte, text string) *story {
	to := s.asks(name)
	return s.udp(server, to, append([]byte{0, 5, 0, code}, text+"\x00"...))
}

// gets a file in blocks of that size.
func (s *story) gets(name, content string, size int) *story {
	to := s.asks(name)
	s.udp(server, to, fmt.Appendf(nil, "\x00\x06tsize\x00%d\x00blksize\x00%d\x00", len(content), size))
	s.udp(to, server, []byte{0, 4, 0, 0})
	for number := byte(1); ; number++ {
		n := min(len(content), size)
		s.udp(server, to, append([]byte{0, 3, 0, number}, content[:n]...))
		s.udp(to, server, []byte{0, 4, 0, number})
		if content = content[n:]; n < size {
			return s
		}
	}
}

// tcp adds a segment of a connection with a web server.
func (s *story) tcp(sent bool, port uint16, sequence uint32, flags byte, data string) {
	from, to := netip.AddrPortFrom(filesIP, 80), netip.AddrPortFrom(guestIP, port)
	if sent {
		from, to = to, from
	}
	b := binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, from.Port()), to.Port())
	b = binary.BigEndian.AppendUint32(b, sequence)
	b = append(b, 0, 0, 0, 0, 5<<4, flags, 0, 0, 0, 0, 0, 0)
	s.ip(wire.ProtocolTCP, from.Addr(), to.Addr(), append(b, data...), 1500)
}

// fetches a file by HTTP, whose segments come in disorder and more than once.
func (s *story) fetches(path, status, content string) *story {
	guestPort++
	const fin, syn, up, down = 1, 2, 0xfffffff0, 0x7ffffff0 // numbers that wrap
	s.tcp(true, guestPort, up, syn, "")
	s.tcp(false, guestPort, down, syn, "")
	request := "GET /" + path + " HTTP/1.0\r\nHost: 10.0.0.2\r\nUser-Agent: Syslinux/6.04\r\n\r\n"
	s.tcp(true, guestPort, up+1, 0, request[:20])
	s.tcp(true, guestPort, (up+21)&0xffffffff, 0, request[20:])
	response := fmt.Sprintf("HTTP/1.0 %s\r\nContent-Length: %d\r\n\r\n%s", status, len(content), content)
	third := len(response) / 3
	s.tcp(false, guestPort, down+1, 0, response[:third])
	s.tcp(false, guestPort, down+1+uint32(2*third), fin, response[2*third:])
	s.tcp(false, guestPort, down+1+uint32(third)-5, 0, response[third-5:2*third])
	s.wait(20 * time.Millisecond)
	s.tcp(false, guestPort, down+1, 0, response[:third])
	return s
}

// refused is the server's kernel, which says that nothing listens.
func (s *story) refused(name string) *story { return s.rejected(name, filesIP, 3) }

// rejected is what a machine says by ICMP (RFC 792) to the guest's question.
func (s *story) rejected(name string, by netip.Addr, code byte) *story {
	s.asks(name)
	return s.unreachable(by, code)
}

// connects is a connection that a machine rejects in that way.
func (s *story) connects(by netip.Addr, code byte) *story {
	guestPort++
	s.tcp(true, guestPort, 1, 2, "")
	return s.unreachable(by, code)
}

// unreachable is about the last packet.
func (s *story) unreachable(by netip.Addr, code byte) *story {
	asked := s.packets[len(s.packets)-1].Data[wire.EthernetHeader:]
	s.ip(wire.ProtocolICMP, by, guestIP, append([]byte{3, code, 0, 0, 0, 0, 0, 0}, asked[:28]...), 1500)
	return s
}

// all is the capture.
func (s *story) all() iter.Seq2[wire.Packet, error] {
	return func(yield func(wire.Packet, error) bool) {
		for _, p := range s.packets {
			p.Data = append([]byte{}, p.Data...)
			if !yield(p, nil) {
				return
			}
		}
	}
}

// searched is that all names were asked for in vain.
func (s *story) searched() *story {
	for _, name := range []string{"4f1c4d56-1b0a-3d4c-8e5f-a0b1c2d3e4f5", "01-00-16-3e-72-79-e3", "0A00002A", "0A00002", "0A0000", "0A000", "0A00", "0A0", "0A", "0", "default"} {
		s.tftpError("pxelinux.cfg/"+name, 1, "File not found")
	}
	return s
}

const macConfig = "pxelinux.cfg/01-00-16-3e-72-79-e3"

// configured is that the guest has found this configuration.
func (s *story) configured(text string) *story {
	return s.leased().arp(filesIP, true).gets("pxelinux.0", strings.Repeat("x", 3000), 1408).gets(macConfig, text, 1408)
}
