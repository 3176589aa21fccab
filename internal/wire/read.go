package wire

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"time"
)

// maxPacket is the largest packet that is read, in bytes: what libpcap itself
// takes (MAXIMUM_SNAPLEN).
const maxPacket = 256 << 10

// ErrFormat is what an error wraps when a file is no capture, or one of
// something that carries no guest's frames.
var ErrFormat = errors.New("not a packet capture that can be read")

// Packet is one packet of a capture.
type Packet struct {
	At time.Time
	// Data is an Ethernet frame without its checksum, also where the capture
	// has no link layer: a MAC that it does not tell is then
	// 00:00:00:00:00:00. It may be changed, and is valid until the next packet.
	Data []byte
	// Length is how long the frame was on the wire. It is more than len(Data)
	// where the capture has only the frame's beginning.
	Length int
}

// ReadCapture returns the packets of a capture in the order of the file: pcap or
// pcapng of Ethernet, Linux cooked sockets (tcpdump -i any) and raw IP. It may
// be ranged over more than once. The last item may be an error, without a
// packet: the file ends in the middle of one, as where the program that wrote
// it was killed (io.ErrUnexpectedEOF), or it can't be read further.
func ReadCapture(r io.ReaderAt) iter.Seq2[Packet, error] {
	return func(yield func(Packet, error) bool) {
		f := &captureFile{r: bufio.NewReaderSize(io.NewSectionReader(r, 0, math.MaxInt64), 64<<10)}
		next, err := f.begin()
		for err == nil {
			var p Packet
			if p, err = next(); err == nil && !yield(p, nil) {
				return
			}
		}
		if !errors.Is(err, errEnd) {
			yield(Packet{}, fmt.Errorf("read the capture: %w", err))
		}
	}
}

// errEnd is the end of a file where it may end.
var errEnd = errors.New("end of the capture")

// captureFile is a capture while it is read.
type captureFile struct {
	r      *bufio.Reader
	order  binary.ByteOrder
	buffer []byte

	// Of pcap.
	link linkType
	unit int64 // of the fraction of a second, in nanoseconds

	// Of pcapng.
	interfaces []netInterface
}

// The first bytes of the files, as written on a little-endian machine.
const (
	magicMicro = 0xa1b2c3d4
	magicNano  = 0xa1b23c4d
)

// begin looks what kind of file it is.
func (f *captureFile) begin() (next func() (Packet, error), err error) {
	magic, err := f.r.Peek(4)
	if err != nil {
		return nil, fmt.Errorf("%w: it has %d bytes", ErrFormat, len(magic))
	}
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		f.order = order
		switch order.Uint32(magic) {
		case magicMicro:
			f.unit = 1000
			return f.nextRecord, f.pcapHeader()
		case magicNano:
			f.unit = 1
			return f.nextRecord, f.pcapHeader()
		case blockSection:
			return f.nextBlock, nil
		}
	}
	return nil, fmt.Errorf("%w: it begins with % x", ErrFormat, magic)
}

// read is the next n bytes, valid until the next read. Room for a frame's
// header is left before them.
func (f *captureFile) read(n int) ([]byte, error) {
	if cap(f.buffer) < room+n {
		f.buffer = make([]byte, room+n)
	}
	b := f.buffer[room : room+n : room+n]
	if _, err := io.ReadFull(f.r, b); err != nil {
		return nil, cut(err)
	}
	return b, nil
}

// cut makes of an end where none should be the error for it.
func cut(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// ended says whether nothing follows.
func (f *captureFile) ended() bool {
	_, err := f.r.Peek(1)
	return errors.Is(err, io.EOF)
}

// pcapHeader reads the file's header (draft-ietf-opsawg-pcap §4).
func (f *captureFile) pcapHeader() error {
	b, err := f.read(24)
	if err != nil {
		return fmt.Errorf("%w: it ends in its header", ErrFormat)
	}
	// The upper bits are the length of a checksum behind the frames, which
	// does no harm.
	f.link = linkType(f.order.Uint32(b[20:]) & 0xffff)
	return f.link.known()
}

// nextRecord reads a packet of pcap (§5).
func (f *captureFile) nextRecord() (Packet, error) {
	if f.ended() {
		return Packet{}, errEnd
	}
	h, err := f.read(16)
	if err != nil {
		return Packet{}, err
	}
	at := time.Unix(int64(f.order.Uint32(h)), int64(f.order.Uint32(h[4:]))*f.unit)
	size, length := f.order.Uint32(h[8:]), f.order.Uint32(h[12:])
	if size > maxPacket {
		return Packet{}, fmt.Errorf("%w: a packet of %d bytes", ErrFormat, size)
	}
	b, err := f.read(int(size))
	if err != nil {
		return Packet{}, err
	}
	return f.packet(f.link, at, b, length), nil
}

// packet makes a frame of what was captured; before b is room for a header.
func (f *captureFile) packet(link linkType, at time.Time, b []byte, length uint32) Packet {
	data := link.frame(f.buffer[:room+len(b)])
	return Packet{At: at.UTC(), Data: data, Length: len(data) + int(min(max(length, uint32(len(b)))-uint32(len(b)), maxPacket))}
}
