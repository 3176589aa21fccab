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

// sharedConn is one interface for several who listen at once.
type sharedConn struct {
	dhcpclient.FrameConn

	mu    sync.Mutex
	ends  []*sharedEnd
	ended bool
}

func shareConn(conn dhcpclient.FrameConn) *sharedConn {
	w := &sharedConn{FrameConn: conn}
	go w.run()
	return w
}

// run hands the frames out until the interface is closed. Who does not listen
// loses them.
func (w *sharedConn) run() {
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

// sharedEnd is one who listens.
type sharedEnd struct {
	shared *sharedConn
	frames chan []byte
	wants  func([]byte) bool // nil is all

	mu       sync.Mutex
	deadline time.Time
	moved    chan struct{} // closed when the deadline moves
}

// end is a FrameConn for one more who listens, to what wants says.
func (w *sharedConn) end(wants func([]byte) bool) *sharedEnd {
	const room = 256
	e := &sharedEnd{shared: w, frames: make(chan []byte, room), wants: wants, moved: make(chan struct{})}
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
func (e *sharedEnd) stop() {
	e.shared.mu.Lock()
	defer e.shared.mu.Unlock()
	e.shared.ends = slices.DeleteFunc(e.shared.ends, func(o *sharedEnd) bool { return o == e })
}

func (e *sharedEnd) String() string { return e.shared.String() }

func (e *sharedEnd) Write(frame []byte) (int, error) { return e.shared.Write(frame) }

func (e *sharedEnd) SetReadDeadline(t time.Time) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.deadline = t
	close(e.moved)
	e.moved = make(chan struct{})
	return nil
}

func (e *sharedEnd) Read(b []byte) (int, error) {
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
			over = time.After(wait)
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
