package wire

import (
	"encoding/binary"
	"fmt"
)

// linkType is what a capture's packets begin with (the registry of
// LINKTYPE_ values).
type linkType uint16

const (
	linkEthernet linkType = 1
	linkRawBSD   linkType = 12 // LINKTYPE_RAW as some systems write it
	linkRaw      linkType = 101
	linkCooked   linkType = 113 // tcpdump -i any
	linkIPv4     linkType = 228
	linkCooked2  linkType = 276 // the same, since libpcap 1.10
)

// room is what a frame's header may take more than what it replaces.
const room = EthernetHeader

// known is nil when frame can make a frame of it.
func (l linkType) known() error {
	switch l {
	case linkEthernet, linkRawBSD, linkRaw, linkCooked, linkIPv4, linkCooked2:
		return nil
	}
	return fmt.Errorf("%w: it was taken where there are no guest's frames (link type %d)", ErrFormat, l)
}

// frame makes an Ethernet frame of a packet that stands behind the room in b.
func (l linkType) frame(b []byte) []byte {
	packet := b[room:]
	// The headers of libpcap's cooked sockets: SLL of 16 bytes, SLL2 of 20.
	switch {
	case l == linkEthernet:
		return packet
	case l == linkCooked && len(packet) >= 16:
		known := binary.BigEndian.Uint16(packet[4:]) == 6
		return cooked(b, 16, binary.BigEndian.Uint16(packet), known, packet[6:], binary.BigEndian.Uint16(packet[14:]))
	case l == linkCooked2 && len(packet) >= 20:
		return cooked(b, 20, uint16(packet[10]), packet[11] == 6, packet[12:], binary.BigEndian.Uint16(packet))
	case l == linkCooked || l == linkCooked2:
		return nil
	}
	header := b[:EthernetHeader]
	clear(header)
	kind := uint16(TypeIPv4)
	if len(packet) > 0 && packet[0]>>4 == 6 {
		kind = typeIPv6
	}
	binary.BigEndian.PutUint16(header[12:], kind)
	return b
}

// cooked replaces a cooked header of so many bytes. It may tell the sender's
// MAC, and of the receiver only whether it is everybody.
func cooked(b []byte, size int, packetType uint16, known bool, sender []byte, protocol uint16) []byte {
	const toEverybody = 1 // LINUX_SLL_BROADCAST
	var header [EthernetHeader]byte
	if packetType == toEverybody {
		copy(header[:6], "\xff\xff\xff\xff\xff\xff")
	}
	if known {
		copy(header[6:12], sender)
	}
	binary.BigEndian.PutUint16(header[12:], protocol)
	frame := b[room+size-EthernetHeader:]
	copy(frame, header[:])
	return frame
}
