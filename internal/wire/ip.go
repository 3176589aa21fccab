package wire

import (
	"encoding/binary"
	"net"
	"net/netip"
)

// Protocols over IPv4.
const (
	ProtocolICMP = 1
	ProtocolTCP  = 6
	ProtocolUDP  = 17
)

// IPv4 is a packet, or a fragment of one (RFC 791). A capture may have cut it.
type IPv4 struct {
	Source, Destination netip.Addr
	ID                  uint16
	Protocol            uint8
	Offset              int  // of a fragment, in bytes
	More                bool // fragments follow
	Header              int  // its length, with options
	Total               int  // length by the header; 0 where that is left to the network card, which makes packets of it
	Payload             []byte
}

// ParseIPv4 reads the packet of a frame. Checksums are not looked at: what
// another virtual interface of the same host sent has none yet, for the kernel
// leaves them to a network card that is never reached.
func ParseIPv4(f Frame) (p IPv4, ok bool) {
	b := f.Payload
	if f.Type != TypeIPv4 || len(b) < IPv4Header || b[0]>>4 != 4 {
		return p, false
	}
	const more, offset = 0x2000, 0x1fff
	fragment := binary.BigEndian.Uint16(b[6:])
	p = IPv4{
		Source: netip.AddrFrom4([4]byte(b[12:16])), Destination: netip.AddrFrom4([4]byte(b[16:20])),
		ID: binary.BigEndian.Uint16(b[4:]), Protocol: b[9],
		Offset: int(fragment&offset) * 8, More: fragment&more != 0,
		Header: int(b[0]&0xf) * 4, Total: int(binary.BigEndian.Uint16(b[2:])),
	}
	end := len(b)
	if p.Total != 0 { // bytes behind it are Ethernet's padding
		end = min(end, p.Total)
	}
	if p.Header < IPv4Header || end < p.Header {
		return IPv4{}, false
	}
	p.Payload = b[p.Header:end]
	return p, true
}

// Ports are those of UDP and TCP; 0 where the packet does not tell them.
func (p IPv4) Ports() (source, destination uint16) {
	if p.Offset != 0 || len(p.Payload) < 4 {
		return 0, 0
	}
	return binary.BigEndian.Uint16(p.Payload), binary.BigEndian.Uint16(p.Payload[2:])
}

// ParseUDP reads a datagram of so many bytes, of which a capture may lack the
// end; length is the payload's own (RFC 768).
func ParseUDP(b []byte, size int) (payload []byte, length int, ok bool) {
	if len(b) < UDPHeader {
		return nil, 0, false
	}
	length = int(binary.BigEndian.Uint16(b[4:]))
	if length < UDPHeader || length > size {
		return nil, 0, false
	}
	return b[UDPHeader:min(len(b), length)], length - UDPHeader, true
}

// Datagram is a UDP datagram over IPv4.
type Datagram struct {
	Source, Destination netip.AddrPort
	Payload             []byte
}

// ParseDatagram reads the datagram of a frame, where all of it is there and in
// one packet.
func ParseDatagram(f Frame) (d Datagram, ok bool) {
	p, ok := ParseIPv4(f)
	if !ok || p.Protocol != ProtocolUDP || p.Offset != 0 || p.More || p.Total != p.Header+len(p.Payload) {
		return d, false
	}
	if d.Payload, _, ok = ParseUDP(p.Payload, len(p.Payload)); !ok {
		return Datagram{}, false
	}
	source, destination := p.Ports()
	d.Source, d.Destination = netip.AddrPortFrom(p.Source, source), netip.AddrPortFrom(p.Destination, destination)
	return d, true
}

// Frame is the datagram in a frame, with its checksums.
func (d Datagram) Frame(from, to net.HardwareAddr) []byte {
	size := UDPHeader + len(d.Payload)
	b := header(to, from, TypeIPv4, IPv4Header+size)
	ip := [IPv4Header]byte{0: 4<<4 | IPv4Header/4, 8: 64 /* time to live */, 9: ProtocolUDP}
	binary.BigEndian.PutUint16(ip[2:], uint16(IPv4Header+size))
	copy(ip[12:], d.Source.Addr().AsSlice())
	copy(ip[16:], d.Destination.Addr().AsSlice())
	binary.BigEndian.PutUint16(ip[10:], ^onesSum(0, ip[:]))
	b = append(b, ip[:]...)
	udp := binary.BigEndian.AppendUint16(nil, d.Source.Port())
	udp = binary.BigEndian.AppendUint16(udp, d.Destination.Port())
	udp = append(binary.BigEndian.AppendUint16(udp, uint16(size)), 0, 0)
	udp = append(udp, d.Payload...)
	// RFC 768: the sum covers a pseudo header too, and a sum of zero is sent
	// as all ones, for zero says that there is none.
	sum := ^onesSum(uint32(onesSum(uint32(ProtocolUDP+size), ip[12:])), udp)
	if sum == 0 {
		sum = 0xffff
	}
	binary.BigEndian.PutUint16(udp[6:], sum)
	return append(b, udp...)
}

// onesSum adds b to sum, as RFC 1071 does.
func onesSum(sum uint32, b []byte) uint16 {
	for ; len(b) >= 2; b = b[2:] {
		sum += uint32(b[0])<<8 | uint32(b[1])
	}
	if len(b) == 1 {
		sum += uint32(b[0]) << 8
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return uint16(sum)
}
