package wire

import (
	"encoding/binary"
	"fmt"
	"io"
	"net/netip"
	"sync"
	"time"
)

const (
	// MaxFile bounds a capture of all that an interface carries, in bytes.
	MaxFile = 64 << 20
	// wholeFile is up to where all frames are kept whole: what boots before it is
	// a configuration, and mostly all of a kernel. Behind it, that holds for the
	// first wholeFlow bytes of each connection, and of other frames shortFrame
	// bytes are kept: all headers, and some of the content.
	wholeFile  = 24 << 20
	wholeFlow  = 64 << 10
	shortFrame = 256
	// maxFlows is how many connections are remembered.
	maxFlows = 4096
)

// Writer writes frames as a packet capture that tcpdump and tshark read: pcap,
// with times in microseconds. What a virtual interface of the same host sent has
// no valid checksum of UDP or TCP in it. It may be used by several goroutines.
type Writer struct {
	mu    sync.Mutex
	w     io.Writer
	room  int // bytes that may follow
	whole int // bytes up to which all frames are kept whole
	flows map[flow]int
	lost  int
}

// flow is one direction of a connection: a TFTP transfer, or TCP.
type flow struct {
	protocol uint8
	from, to netip.AddrPort // port 0 where a fragment does not tell it
}

// NewWriter begins a capture. It ends by itself before it has more bytes than
// that.
func NewWriter(w io.Writer, most int) (*Writer, error) {
	header := binary.LittleEndian.AppendUint32(nil, magicMicro)
	header = binary.LittleEndian.AppendUint16(header, 2) // version 2.4
	header = binary.LittleEndian.AppendUint16(header, 4)
	header = append(header, make([]byte, 8)...) // UTC, and no known precision
	header = binary.LittleEndian.AppendUint32(header, maxPacket)
	header = binary.LittleEndian.AppendUint32(header, uint32(linkEthernet))
	if _, err := w.Write(header); err != nil {
		return nil, fmt.Errorf("begin a packet capture: %w", err)
	}
	return &Writer{w: w, room: most - len(header), whole: wholeFile, flows: make(map[flow]int)}, nil
}

// Write writes one frame in one piece: what reads along never sees half of one.
// What comes late in a large transfer is cut. A frame that there is no room for
// is left out, and counted by Lost.
func (c *Writer) Write(at time.Time, frame []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	kept := frame[:min(len(frame), c.keep(frame))]
	if c.room < 16+len(kept) {
		c.lost++
		return nil
	}
	record := binary.LittleEndian.AppendUint32(nil, uint32(at.Unix()))
	record = binary.LittleEndian.AppendUint32(record, uint32(at.Nanosecond()/1000))
	record = binary.LittleEndian.AppendUint32(record, uint32(len(kept)))
	record = binary.LittleEndian.AppendUint32(record, uint32(len(frame)))
	record = append(record, kept...)
	c.room -= len(record)
	c.whole -= len(record)
	if _, err := c.w.Write(record); err != nil {
		c.room = 0
		return fmt.Errorf("write the packet capture: %w", err)
	}
	return nil
}

// Lost is how many frames were left out.
func (c *Writer) Lost() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lost
}

// keep is how many bytes of a frame are written.
func (c *Writer) keep(frame []byte) int {
	f, ok := flowOf(frame)
	if !ok {
		return maxPacket
	}
	if len(c.flows) == maxFlows {
		clear(c.flows)
	}
	seen := c.flows[f]
	c.flows[f] = seen + len(frame)
	if seen < wholeFlow || c.whole > 0 {
		return maxPacket
	}
	return shortFrame
}

// flowOf finds the connection that a frame belongs to; not ok where it is not
// of UDP or TCP over IPv4.
func flowOf(frame []byte) (f flow, ok bool) {
	ethernet, _ := ParseFrame(frame)
	p, ok := ParseIPv4(ethernet)
	if !ok || p.Protocol != ProtocolTCP && p.Protocol != ProtocolUDP {
		return f, false
	}
	from, to := p.Ports()
	return flow{p.Protocol, netip.AddrPortFrom(p.Source, from), netip.AddrPortFrom(p.Destination, to)}, true
}
