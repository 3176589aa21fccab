package tftpget

import (
	"errors"
	"sync"
	"time"
)

// socket is a way to a server and back. The receiver knows no other, so that
// its tests need neither network nor clock.
type socket interface {
	send(p []byte) error
	// repeat sends p each time that so much time has passed, until stopped.
	repeat(p []byte, every time.Duration) (stop func())
	// receive puts the next packet into p and returns its length, also when
	// not all of it fitted in. It returns errQuiet when none came for that
	// long, or a little sooner.
	receive(p []byte, wait time.Duration) (int, error)
	now() time.Time
	close()
}

// requestSocket is a socket that has not been answered yet.
type requestSocket interface {
	socket
	// fit makes the window that is asked for small enough for the buffer.
	fit(*terms)
	// connect takes packets only from where the last one came from: a server
	// answers from a port of its own (RFC 1350, section 4).
	connect() error
}

var (
	errQuiet  = errors.New("nothing came")
	errHungUp = errors.New("the context ended")
)

func (s *udpSocket) repeat(p []byte, every time.Duration) (stop func()) {
	var mu sync.Mutex // nothing may be sent on a socket that is closed
	mu.Lock()
	defer mu.Unlock()
	var timer *time.Timer
	timer = time.AfterFunc(every, func() {
		mu.Lock()
		defer mu.Unlock()
		if timer != nil {
			_ = s.send(p)
			timer.Reset(every)
		}
	})
	return func() {
		mu.Lock()
		defer mu.Unlock()
		timer.Stop()
		timer = nil
	}
}
