package dhcpclient

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"
)

const (
	etherTypeARP = 0x0806

	arpRequest = 1
	arpReply   = 2
	arpLength  = 28 // of a packet for IPv4 over Ethernet
)

// arpPacket is an ARP packet for IPv4 over Ethernet (RFC 826).
type arpPacket struct {
	operation            uint16
	senderMAC, targetMAC net.HardwareAddr
	sender, target       netip.Addr
}

// frame wraps p for the wire. A request goes to everybody.
func (p arpPacket) frame() []byte {
	to := p.targetMAC
	if p.operation == arpRequest {
		to = ethernetBroadcast
	}
	b := make([]byte, ethernetHeader+arpLength)
	copy(b[0:], to)
	copy(b[6:], p.senderMAC)
	binary.BigEndian.PutUint16(b[12:], etherTypeARP)
	arp := b[ethernetHeader:]
	copy(arp, []byte{0, 1, 8, 0, 6, 4}) // Ethernet, IPv4, and the lengths of their addresses
	binary.BigEndian.PutUint16(arp[6:], p.operation)
	copy(arp[8:], p.senderMAC)
	copy(arp[14:], p.sender.AsSlice())
	copy(arp[18:], p.targetMAC)
	copy(arp[24:], p.target.AsSlice())
	return b
}

// parseARP reads a frame, whoever it is for. The MACs are part of frame.
func parseARP(frame []byte) (p arpPacket, ok bool) {
	if len(frame) < ethernetHeader+arpLength || binary.BigEndian.Uint16(frame[12:]) != etherTypeARP {
		return p, false
	}
	arp := frame[ethernetHeader:]
	p.operation = binary.BigEndian.Uint16(arp[6:])
	p.senderMAC = net.HardwareAddr(arp[8:14])
	if !bytes.Equal(arp[:6], []byte{0, 1, 8, 0, 6, 4}) || p.operation != arpRequest && p.operation != arpReply ||
		!isStation(p.senderMAC) {
		return arpPacket{}, false
	}
	p.sender = netip.AddrFrom4([4]byte(arp[14:18]))
	p.targetMAC = net.HardwareAddr(arp[18:24])
	p.target = netip.AddrFrom4([4]byte(arp[24:28]))
	return p, true
}

// isStation says whether mac can be that of an Ethernet card.
func isStation(mac net.HardwareAddr) bool {
	return len(mac) == 6 && mac[0]&1 == 0 && !bytes.Equal(mac, make([]byte, 6))
}
