package wire

import (
	"encoding/binary"
	"net"
	"net/netip"
)

// Operations of ARP.
const (
	ARPRequest = 1
	ARPReply   = 2
)

// ARP is an ARP packet for IPv4 over Ethernet (RFC 826).
type ARP struct {
	Operation            uint16 // ARPRequest or ARPReply
	SenderMAC, TargetMAC net.HardwareAddr
	Sender, Target       netip.Addr
}

// arpHeader says Ethernet, IPv4, and the lengths of their addresses.
const arpHeader = "\x00\x01\x08\x00\x06\x04"

// arpLength is of a packet.
const arpLength = 28

// WhoHas is the question for the MAC of an address. From 0.0.0.0 it is a probe,
// by which no station learns the asker's address (RFC 5227 §1.1).
func WhoHas(target netip.Addr, mac net.HardwareAddr, own netip.Addr) ARP {
	return ARP{Operation: ARPRequest, SenderMAC: mac, TargetMAC: NoMAC, Sender: own, Target: target}
}

// Frame is the packet in a frame. A request goes to every station.
func (p ARP) Frame() []byte {
	to := p.TargetMAC
	if p.Operation == ARPRequest {
		to = Broadcast
	}
	b := append(header(to, p.SenderMAC, TypeARP, arpLength), arpHeader...)
	b = binary.BigEndian.AppendUint16(b, p.Operation)
	b = append(append(b, p.SenderMAC...), p.Sender.AsSlice()...)
	return append(append(b, p.TargetMAC...), p.Target.AsSlice()...)
}

// ParseARP reads the packet of a frame, whoever it is for.
func ParseARP(f Frame) (p ARP, ok bool) {
	b := f.Payload
	if f.Type != TypeARP || len(b) < arpLength || string(b[:6]) != arpHeader {
		return p, false
	}
	p = ARP{
		Operation: binary.BigEndian.Uint16(b[6:]),
		SenderMAC: b[8:14:14], Sender: netip.AddrFrom4([4]byte(b[14:18])),
		TargetMAC: b[18:24:24], Target: netip.AddrFrom4([4]byte(b[24:28])),
	}
	if p.Operation != ARPRequest && p.Operation != ARPReply || !IsStation(p.SenderMAC) {
		return ARP{}, false
	}
	return p, true
}
