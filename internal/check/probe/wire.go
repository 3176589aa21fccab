package probe

import (
	"errors"
	"io"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/gopxeboot/gopxeboot/dhcpclient"
)

// wire is one interface for several who listen at once.
type wire struct {
	dhcpclient.FrameConn

	mu    sync.Mutex
	ends  []*wireEnd
	ended bool
}

func newWire(conn dhcpclient.FrameConn) *wire {
	w := &wire{FrameConn: conn}
	go w.run()
	return w
}

// run hands the frames out until the interface is closed. Who does not listen
// loses them.
func (w *wire) run() {
	buffer := make([]byte, 64<<10)
	for {
		n, err := w.FrameConn.Read(buffer)
		w.mu.Lock()
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			w.ended = true
			for _, e := range w.ends {
				close(e.frames)
			}
			w.ends = nil
			w.mu.Unlock()
			return
		}
		frame := slices.Clone(buffer[:n])
		for _, e := range w.ends {
			if e.wants == nil || e.wants(frame) {
				select {
				case e.frames <- frame:
				default:
				}
			}
		}
		w.mu.Unlock()
	}
}

// wireEnd is one who listens.
type wireEnd struct {
	wire   *wire
	frames chan []byte
	wants  func([]byte) bool // nil is all

	mu       sync.Mutex
	deadline time.Time
	moved    chan struct{} // closed when the deadline moves
}

// end is a FrameConn for one more who listens, to what wants says.
func (w *wire) end(wants func([]byte) bool) *wireEnd {
	const room = 256
	e := &wireEnd{wire: w, frames: make(chan []byte, room), wants: wants, moved: make(chan struct{})}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended {
		close(e.frames)
	} else {
		w.ends = append(w.ends, e)
	}
	return e
}

// stop ends the listening.
func (e *wireEnd) stop() {
	e.wire.mu.Lock()
	defer e.wire.mu.Unlock()
	e.wire.ends = slices.DeleteFunc(e.wire.ends, func(o *wireEnd) bool { return o == e })
}

func (e *wireEnd) String() string { return e.wire.String() }

func (e *wireEnd) Write(frame []byte) (int, error) { return e.wire.Write(frame) }

func (e *wireEnd) SetReadDeadline(t time.Time) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.deadline = t
	close(e.moved)
	e.moved = make(chan struct{})
	return nil
}

func (e *wireEnd) Read(b []byte) (int, error) {
	for {
		e.mu.Lock()
		deadline, moved := e.deadline, e.moved
		e.mu.Unlock()
		var over <-chan time.Time
		if !deadline.IsZero() {
			wait := time.Until(deadline)
			if wait <= 0 {
				return 0, os.ErrDeadlineExceeded
			}
			timer := time.NewTimer(wait)
			defer timer.Stop()
			over = timer.C
		}
		select {
		case frame, ok := <-e.frames:
			if !ok {
				return 0, io.ErrClosedPipe
			}
			return copy(b, frame), nil
		case <-moved:
		case <-over:
			return 0, os.ErrDeadlineExceeded
		}
	}
}
