package dhcpclient

import (
	"io"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/wire"
)

// maxCapture bounds a capture, in bytes. A lease takes a few KiB; what comes
// after this much is a flood.
const maxCapture = 16 << 20

// Capture writes frames as a packet capture that tcpdump and tshark read: the
// pcap format, with times in microseconds. What a virtual interface of the same
// host sent has no valid UDP checksum in it.
type Capture struct{ w *wire.Writer }

// NewCapture begins a capture. It ends by itself after 16 MiB.
func NewCapture(w io.Writer) (*Capture, error) {
	writer, err := wire.NewWriter(w, maxCapture)
	if err != nil {
		return nil, err
	}
	return &Capture{writer}, nil
}

// Tap is conn, with all that is read and written there captured: DHCP and ARP,
// without the tag of a VLAN. That the capture can't be written does not disturb
// the traffic; it ends then.
func (c *Capture) Tap(conn FrameConn) FrameConn { return tap{conn, c.w} }

type tap struct {
	FrameConn
	w *wire.Writer
}

func (t tap) Read(b []byte) (int, error) {
	n, err := t.FrameConn.Read(b)
	if err == nil {
		_ = t.w.Write(time.Now(), b[:n])
	}
	return n, err
}

func (t tap) Write(frame []byte) (int, error) {
	_ = t.w.Write(time.Now(), frame)
	return t.FrameConn.Write(frame)
}
