package wire

import (
	"bytes"
	"encoding/binary"
	"net"
	"slices"
)

// EtherTypes.
const (
	TypeIPv4 = 0x0800
	TypeARP  = 0x0806
	TypeVLAN = 0x8100
	TypeQinQ = 0x88a8 // of the outer one of two tags (IEEE 802.1ad)

	typeIPv6 = 0x86dd
)

// The lengths of headers, IPv4's without options.
const (
	EthernetHeader = 14
	IPv4Header     = 20
	UDPHeader      = 8
	TagLength      = 4
)

// maxTags is how many VLAN tags a frame may have.
const maxTags = 2

var (
	// Broadcast goes to every station.
	Broadcast = net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	// NoMAC is the unknown one, in ARP and in captures without a link layer.
	NoMAC = make(net.HardwareAddr, 6)
)

// IsStation says whether mac can be that of an Ethernet card.
func IsStation(mac net.HardwareAddr) bool {
	return len(mac) == 6 && mac[0]&1 == 0 && !bytes.Equal(mac, NoMAC)
}

// Frame is an Ethernet frame, without the checksum at its end.
type Frame struct {
	To, From net.HardwareAddr
	Tags     []uint16 // the VLAN tags' control information, the outer one first; at most two
	Type     uint16   // EtherType behind the tags
	Payload  []byte
}

// ParseFrame reads a frame.
func ParseFrame(b []byte) (f Frame, ok bool) {
	if len(b) < EthernetHeader {
		return f, false
	}
	f.To, f.From, f.Type, f.Payload = b[:6:6], b[6:12:12], binary.BigEndian.Uint16(b[12:]), b[14:]
	for (f.Type == TypeVLAN || f.Type == TypeQinQ) && len(f.Tags) < maxTags && len(f.Payload) >= TagLength {
		f.Tags = append(f.Tags, binary.BigEndian.Uint16(f.Payload))
		f.Type, f.Payload = binary.BigEndian.Uint16(f.Payload[2:]), f.Payload[4:]
	}
	return f, true
}

// VLANs are the VLANs of the tags. VLAN 0 is a priority and no VLAN (IEEE 802.1Q
// §9.6).
func (f Frame) VLANs() (ids []uint16) {
	for _, tag := range f.Tags {
		if id := tag & vlanMask; id != 0 {
			ids = append(ids, id)
		}
	}
	return ids
}

// vlanMask is the VLAN in a tag; what is left is a priority.
const vlanMask = 0x0fff

// Tagged is the frame with a VLAN tag more, outside of those it has.
func Tagged(frame []byte, kind, tag uint16) []byte {
	b := binary.BigEndian.AppendUint16(slices.Clone(frame[:12]), kind)
	return append(binary.BigEndian.AppendUint16(b, tag), frame[12:]...)
}

// header begins a frame.
func header(to, from net.HardwareAddr, kind uint16, payload int) []byte {
	b := make([]byte, 0, EthernetHeader+payload)
	return binary.BigEndian.AppendUint16(append(append(b, to...), from...), kind)
}
