package dhcpclient

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"
)

const (
	serverPort = 67
	clientPort = 68
	pxePort    = 4011 // of proxyDHCP and boot servers (PXE 2.1 §2.2)

	ethernetHeader = 14
	ipv4Header     = 20 // without options
	udpHeader      = 8

	etherTypeIPv4 = 0x0800
	etherTypeVLAN = 0x8100
	protocolUDP   = 17

	// maxFrame is the largest frame that is read. What a server sends is at
	// most maxMessage and these headers.
	maxFrame = 2048
)

// everybody on the wire.
var everybody = netip.AddrFrom4([4]byte{255, 255, 255, 255})

var ethernetBroadcast = net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// datagram is a UDP datagram over IPv4.
type datagram struct {
	source, destination netip.AddrPort
	payload             []byte
}

// frame wraps d for the wire, from one MAC to another.
func (d datagram) frame(from, to net.HardwareAddr) []byte {
	b := make([]byte, ethernetHeader+ipv4Header+udpHeader+len(d.payload))
	copy(b[0:], to)
	copy(b[6:], from)
	binary.BigEndian.PutUint16(b[12:], etherTypeIPv4)

	source, destination := d.source.Addr().As4(), d.destination.Addr().As4()
	ip := b[ethernetHeader:]
	ip[0] = 4<<4 | ipv4Header/4
	binary.BigEndian.PutUint16(ip[2:], uint16(len(ip)))
	ip[8] = 64 // time to live
	ip[9] = protocolUDP
	copy(ip[12:], source[:])
	copy(ip[16:], destination[:])
	binary.BigEndian.PutUint16(ip[10:], ^onesSum(0, ip[:ipv4Header]))

	udp := ip[ipv4Header:]
	binary.BigEndian.PutUint16(udp[0:], d.source.Port())
	binary.BigEndian.PutUint16(udp[2:], d.destination.Port())
	binary.BigEndian.PutUint16(udp[4:], uint16(len(udp)))
	copy(udp[udpHeader:], d.payload)
	// RFC 768: the sum covers a pseudo header too, and a sum of zero is sent
	// as all ones, for zero says that there is none.
	pseudo := onesSum(uint32(protocolUDP)+uint32(len(udp)), ip[12:ipv4Header])
	sum := ^onesSum(uint32(pseudo), udp)
	if sum == 0 {
		sum = 0xffff
	}
	binary.BigEndian.PutUint16(udp[6:], sum)
	return b
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

// parseFrame returns the datagram of a frame that is for mac or for everybody.
// The payload is part of frame.
//
// Checksums are not looked at: a frame that comes from another virtual
// interface of the same host has none yet, for the kernel leaves the sum to a
// network card that is never reached.
func parseFrame(frame []byte, mac net.HardwareAddr) (d datagram, ok bool) {
	if len(frame) < ethernetHeader || binary.BigEndian.Uint16(frame[12:]) != etherTypeIPv4 {
		return d, false
	}
	if to := frame[:6]; !bytes.Equal(to, mac) && !bytes.Equal(to, ethernetBroadcast) {
		return d, false
	}
	ip := frame[ethernetHeader:]
	if len(ip) < ipv4Header || ip[0]>>4 != 4 {
		return d, false
	}
	header, total := int(ip[0]&0xf)*4, int(binary.BigEndian.Uint16(ip[2:]))
	// Bytes behind the total length are Ethernet's padding.
	if header < ipv4Header || total < header+udpHeader || total > len(ip) {
		return d, false
	}
	const moreFragments, fragmentOffset = 0x2000, 0x1fff
	if ip[9] != protocolUDP || binary.BigEndian.Uint16(ip[6:])&(moreFragments|fragmentOffset) != 0 {
		return d, false
	}
	udp := ip[header:total]
	length := int(binary.BigEndian.Uint16(udp[4:]))
	if length < udpHeader || length > len(udp) {
		return d, false
	}
	address := func(b []byte) netip.Addr { return netip.AddrFrom4([4]byte(b)) }
	return datagram{
		source:      netip.AddrPortFrom(address(ip[12:16]), binary.BigEndian.Uint16(udp[0:])),
		destination: netip.AddrPortFrom(address(ip[16:20]), binary.BigEndian.Uint16(udp[2:])),
		payload:     udp[udpHeader:length],
	}, true
}
