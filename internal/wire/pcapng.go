package wire

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"math/big"
	"time"
)

// The blocks that matter (draft-ietf-opsawg-pcapng §4).
const (
	blockSection   = 0x0a0d0d0a
	blockInterface = 1
	blockPacket    = 2 // obsolete
	blockSimple    = 3
	blockEnhanced  = 6
)

const (
	// maxBlock is the largest block that is looked into. Others, such as the
	// names that Wireshark resolved, are passed over.
	maxBlock = maxPacket + 64<<10
	// maxInterfaces is how many a section may have: a host with many guests has
	// some hundred.
	maxInterfaces = 4096
)

// netInterface is one of a section's, in the order in which packets refer to
// them.
type netInterface struct {
	link   linkType
	snap   uint32   // the most that is captured of a packet; 0 is all of it
	ticks  *big.Int // in a second
	offset int64    // added to times, in seconds
}

// nextBlock reads blocks up to the next packet.
func (f *captureFile) nextBlock() (Packet, error) {
	for {
		if f.ended() {
			return Packet{}, errEnd
		}
		kind, body, err := f.block()
		if err != nil {
			return Packet{}, err
		}
		switch kind {
		case blockInterface:
			if err := f.addInterface(body); err != nil {
				return Packet{}, err
			}
		case blockPacket, blockSimple, blockEnhanced:
			return f.blockPacket(kind, body)
		}
	}
}

// block reads one block; of one that does not matter, body is nil.
func (f *captureFile) block() (kind uint32, body []byte, err error) {
	h, err := f.r.Peek(8)
	if err != nil {
		return 0, nil, cut(err)
	}
	kind = f.order.Uint32(h)
	if binary.LittleEndian.Uint32(h) == blockSection { // a palindrome
		kind = blockSection
		if err := f.section(); err != nil {
			return 0, nil, err
		}
	}
	length := int64(f.order.Uint32(h[4:]))
	if length < 12 || length%4 != 0 {
		return 0, nil, fmt.Errorf("%w: a block of %d bytes", ErrFormat, length)
	}
	switch kind {
	case blockInterface, blockPacket, blockSimple, blockEnhanced:
		if length > maxBlock {
			return 0, nil, fmt.Errorf("%w: a block of %d bytes", ErrFormat, length)
		}
		body, err = f.read(int(length))
		if err != nil {
			return 0, nil, err
		}
		return kind, body[8 : length-4], nil
	}
	if _, err := io.CopyN(io.Discard, f.r, length); err != nil {
		return 0, nil, cut(err)
	}
	return kind, nil, nil
}

// section begins a section, which has an order of bytes and interfaces of its
// own (§4.1).
func (f *captureFile) section() error {
	h, err := f.r.Peek(12)
	if err != nil {
		return cut(err)
	}
	const magic = 0x1a2b3c4d
	switch {
	case binary.LittleEndian.Uint32(h[8:]) == magic:
		f.order = binary.LittleEndian
	case binary.BigEndian.Uint32(h[8:]) == magic:
		f.order = binary.BigEndian
	default:
		return fmt.Errorf("%w: a section whose order of bytes is % x", ErrFormat, h[8:])
	}
	f.interfaces = nil
	return nil
}

// addInterface reads the description of an interface (§4.2).
func (f *captureFile) addInterface(body []byte) error {
	if len(body) < 8 {
		return fmt.Errorf("%w: an interface that is described in %d bytes", ErrFormat, len(body))
	}
	if len(f.interfaces) == maxInterfaces {
		return fmt.Errorf("%w: more than %d interfaces", ErrFormat, maxInterfaces)
	}
	i := netInterface{link: linkType(f.order.Uint16(body)), snap: f.order.Uint32(body[4:]), ticks: big.NewInt(1e6)}
	for options := body[8:]; len(options) >= 4; {
		code, size := f.order.Uint16(options), int(f.order.Uint16(options[2:]))
		padded := 4 + (size+3)&^3
		if padded > len(options) {
			break
		}
		const resolution, offset = 9, 14
		switch value := options[4 : 4+size]; {
		case code == resolution && size == 1 && value[0]&0x80 != 0:
			i.ticks = new(big.Int).Lsh(big.NewInt(1), uint(value[0]&0x7f))
		case code == resolution && size == 1:
			i.ticks = new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(value[0])), nil)
		case code == offset && size == 8:
			i.offset = int64(f.order.Uint64(value))
		}
		options = options[padded:]
	}
	f.interfaces = append(f.interfaces, i)
	return nil
}

// time is so many of the interface's ticks since 1970. It is zero where it
// makes no sense.
func (i *netInterface) time(ticks uint64) time.Time {
	t := new(big.Int).Mul(new(big.Int).SetUint64(ticks), big.NewInt(int64(time.Second)))
	t.Quo(t, i.ticks)
	t.Add(t, new(big.Int).Mul(big.NewInt(i.offset), big.NewInt(int64(time.Second))))
	if !t.IsInt64() || t.Sign() < 0 {
		return time.Unix(0, 0)
	}
	return time.Unix(0, t.Int64())
}

// blockPacket reads a packet's block (§4.3, §4.4 and appendix A).
func (f *captureFile) blockPacket(kind uint32, body []byte) (Packet, error) {
	head, index := 20, uint32(0)
	switch {
	case kind == blockSimple:
		head = 4
	case len(body) < head:
	case kind == blockEnhanced:
		index = f.order.Uint32(body)
	default:
		index = uint32(f.order.Uint16(body))
	}
	if len(body) < head {
		return Packet{}, fmt.Errorf("%w: a packet's block of %d bytes", ErrFormat, len(body))
	}
	if int64(index) >= int64(len(f.interfaces)) {
		return Packet{}, fmt.Errorf("%w: a packet of interface %d, and there are %d", ErrFormat, index, len(f.interfaces))
	}
	i := &f.interfaces[index]
	if err := i.link.known(); err != nil {
		return Packet{}, err
	}
	at, size, length := time.Unix(0, 0), uint32(0), uint32(0)
	if kind == blockSimple { // it has no time
		length = f.order.Uint32(body)
		size = min(length, uint32(len(body)-head))
		if i.snap > 0 {
			size = min(size, i.snap)
		}
	} else {
		at = i.time(uint64(f.order.Uint32(body[4:]))<<32 | uint64(f.order.Uint32(body[8:])))
		size, length = f.order.Uint32(body[12:]), f.order.Uint32(body[16:])
	}
	data := body[head:]
	if size > uint32(len(data)) || size > maxPacket || length > math.MaxInt32 {
		return Packet{}, fmt.Errorf("%w: a packet of %d bytes in a block of %d", ErrFormat, size, len(body))
	}
	return f.packet(i.link, at, f.moved(data[:size]), length), nil
}

// moved is data at the beginning of the buffer, behind the room.
func (f *captureFile) moved(data []byte) []byte {
	return f.buffer[room : room+copy(f.buffer[room:], data)]
}
