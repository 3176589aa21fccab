package dhcpclient

import (
	"encoding/binary"
	"fmt"
	"io"
	"sync"
	"time"
)

// maxCapture bounds a capture, in bytes. A lease takes a few KiB; what comes
// after this much is a flood.
const maxCapture = 16 << 20

// Capture writes frames as a packet capture that tcpdump and tshark read: the
// pcap format, with times in microseconds. What a virtual interface of the same
// host sent has no valid UDP checksum in it.
type Capture struct {
	mu   sync.Mutex
	w    io.Writer
	room int
}

// NewCapture begins a capture. It ends by itself after 16 MiB.
func NewCapture(w io.Writer) (*Capture, error) {
	const version, linkEthernet = 2<<16 | 4, 1
	header := binary.LittleEndian.AppendUint32(nil, 0xa1b2c3d4)
	header = binary.LittleEndian.AppendUint16(header, version>>16)
	header = binary.LittleEndian.AppendUint16(header, version&0xffff)
	header = append(header, make([]byte, 8)...) // UTC, and no known precision
	header = binary.LittleEndian.AppendUint32(header, maxFrame)
	header = binary.LittleEndian.AppendUint32(header, linkEthernet)
	if _, err := w.Write(header); err != nil {
		return nil, fmt.Errorf("begin a packet capture: %w", err)
	}
	return &Capture{w: w, room: maxCapture - len(header)}, nil
}

// Tap is conn, with all that is read and written there captured: DHCP and ARP,
// without the tag of a VLAN. That the capture can't be written does not disturb
// the traffic; it ends then.
func (c *Capture) Tap(conn FrameConn) FrameConn { return tap{conn, c} }

type tap struct {
	FrameConn
	capture *Capture
}

func (t tap) Read(b []byte) (int, error) {
	n, err := t.FrameConn.Read(b)
	if err == nil {
		t.capture.add(b[:n])
	}
	return n, err
}

func (t tap) Write(frame []byte) (int, error) {
	t.capture.add(frame)
	return t.FrameConn.Write(frame)
}

// add writes one frame, in one piece: what reads along never sees half of one.
func (c *Capture) add(frame []byte) {
	now := time.Now()
	record := binary.LittleEndian.AppendUint32(nil, uint32(now.Unix()))
	record = binary.LittleEndian.AppendUint32(record, uint32(now.Nanosecond()/1000))
	record = binary.LittleEndian.AppendUint32(record, uint32(min(len(frame), maxFrame)))
	record = binary.LittleEndian.AppendUint32(record, uint32(len(frame)))
	record = append(record, frame[:min(len(frame), maxFrame)]...)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.room -= len(record); c.room < 0 {
		return
	}
	if _, err := c.w.Write(record); err != nil {
		c.room = 0
	}
}
