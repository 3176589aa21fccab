package wire

import (
	"fmt"
	"io"
	"time"

	"golang.org/x/sys/unix"
)

// Recorder records what an interface sends and receives.
type Recorder struct {
	socket *Socket
	writer *Writer
	done   chan struct{}
	err    error
}

// Record begins to record all frames of an interface of the caller's network
// namespace to w, as Writer does, with their VLAN tags. It needs CAP_NET_RAW for
// the moment; a process may confine itself afterwards. That the capture can't be
// written does not disturb the traffic.
func Record(name string, w io.Writer) (*Recorder, error) {
	socket, err := Open(name, SocketConfig{Promiscuous: true, Tagged: true})
	if err != nil {
		return nil, fmt.Errorf("record %s: %w", name, err)
	}
	writer, err := NewWriter(w, MaxFile)
	if err != nil {
		socket.Close()
		return nil, err
	}
	r := &Recorder{socket: socket, writer: writer, done: make(chan struct{})}
	go r.record()
	return r, nil
}

// Stop writes what has arrived until now, and ends. The error is the first one
// of writing, or says how many frames had no room.
func (r *Recorder) Stop() error {
	r.socket.SetReadDeadline(time.Unix(1, 0))
	<-r.done
	r.socket.Close()
	if r.err == nil && r.writer.Lost() > 0 {
		return fmt.Errorf("record %s: the capture is full: %d frames are left out", r.socket.name, r.writer.Lost())
	}
	return r.err
}

// record writes until Stop, and then what is left.
func (r *Recorder) record() {
	defer close(r.done)
	buffer := make([]byte, TagLength+maxPacket)
	wait := r.socket.raw.Read // until the deadline that Stop sets
	atOnce := func(f func(uintptr) bool) error { return r.socket.raw.Control(func(fd uintptr) { f(fd) }) }
	r.recordFrom(func(stopped bool) ([]byte, time.Time, error) {
		read := wait
		if stopped {
			read = atOnce
		}
		n, at, err := r.socket.readTagged(buffer, read)
		return buffer[:n], at, err
	})
}

// recordFrom is record for what is read. Frames that arrive faster than they are
// written must not hold Stop: what is left is what was there by then, and a second
// has to do for it.
func (r *Recorder) recordFrom(read func(stopped bool) ([]byte, time.Time, error)) {
	stopped, end := false, time.Time{}
	for {
		frame, at, err := read(stopped)
		switch {
		case err == nil && stopped && (at.After(end) || time.Since(end) > time.Second):
			return
		case err == nil:
			r.keep(r.writer.Write(at, frame))
		case err == unix.ENETDOWN: // it may come up again
		case stopped:
			return
		case isSystem(err):
			r.keep(fmt.Errorf("record %s: %w", r.socket.name, err))
			return
		default: // the deadline, or Close
			stopped, end = true, time.Now()
		}
	}
}

// isSystem tells a failure of the socket's from the end of the waiting.
func isSystem(err error) bool {
	_, ok := err.(unix.Errno)
	return ok
}

func (r *Recorder) keep(err error) {
	if r.err == nil {
		r.err = err
	}
}
