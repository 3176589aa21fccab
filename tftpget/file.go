package tftpget

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// File is a file that the server has agreed to send. One goroutine at a time
// may use it.
type File struct {
	ctx          context.Context
	server, name string
	limit        int64
	patience     time.Duration // how long Close waits for the server

	transfer    transfer
	ended       chan error // the transfer's outcome; nil before it was started
	out         *output
	begin       time.Time
	took        time.Duration
	retransmits *atomic.Int64
}

// transfer is what a receiver makes of an accepted request. There is one
// receiver, lock-step; one for RFC 7440 windows fits in the same place.
type transfer interface {
	// Size is what the server announced, -1 when it did not.
	Size() int64

	// WriteTo writes each block in one piece, in order, and acknowledges it
	// when written. When a Write fails it tells the server, returns, and has
	// released its socket.
	io.WriterTo
}

// Stats are the figures of a transfer.
type Stats struct {
	Bytes       int64
	Duration    time.Duration // from the request to the end of WriteTo
	BlockSize   int           // as agreed; 0 while there was no second block to tell
	Retransmits int64         // packets that were sent again after a timeout
}

// Size is the size in bytes that the server announced (tsize, RFC 2349), -1
// when it did not. An announced 0 counts as not announced: servers send it for
// files whose size they don't know, and it is what pin/tftp makes of no
// answer to the option.
func (f *File) Size() int64 { return f.transfer.Size() }

// WriteTo downloads the file into w, one Write per block, and closes it. It
// can be called once. A nil error means that w has all that the server
// announced; after an error it may have some of it. Nothing is written once
// WriteTo has returned.
func (f *File) WriteTo(w io.Writer) (int64, error) {
	if f.ended != nil {
		return 0, f.fail(errors.New("downloaded or closed before"))
	}
	f.start(&output{w: w, size: f.Size(), limit: f.limit, stopped: f.ctx.Err()})
	err := f.wait()
	f.took = time.Since(f.begin)
	n, cause := f.out.result()
	switch {
	case cause != nil:
		err = cause
	case err == nil && f.Size() >= 0 && n < f.Size():
		err = fmt.Errorf("%w: %d of %d bytes", ErrShort, n, f.Size())
	}
	if err != nil {
		return n, f.fail(err)
	}
	return n, nil
}

// Close ends a transfer that was not finished, so that the server doesn't go
// on sending to nobody: it accepts the first block and answers it with an
// error. It waits for that, but not longer than one Timeout and not after the
// context has ended. After WriteTo it does nothing.
func (f *File) Close() error {
	if f.ended != nil {
		return nil
	}
	f.start(&output{stopped: errClosed})
	patience := time.NewTimer(f.patience)
	defer patience.Stop()
	select {
	case <-f.ended:
	case <-f.ctx.Done():
	case <-patience.C:
	}
	return nil
}

var errClosed = errors.New("closed")

// Stats returns the figures so far, and those of the whole transfer after
// WriteTo.
func (f *File) Stats() Stats {
	s := Stats{Duration: f.took, Retransmits: f.retransmits.Load()}
	if f.out != nil {
		s.Bytes, _ = f.out.result()
		s.BlockSize = f.out.blockSize()
	}
	return s
}

func (f *File) start(out *output) {
	f.out = out
	f.ended = make(chan error, 1)
	go func() {
		_, err := f.transfer.WriteTo(out)
		f.ended <- err
	}()
}

// wait returns when the transfer has ended or the context has.
func (f *File) wait() error {
	select {
	case err := <-f.ended:
		return err
	case <-f.ctx.Done():
		f.out.stop(f.ctx.Err())
		return f.ctx.Err()
	}
}

// fail makes err an *Error of this file.
func (f *File) fail(err error) error {
	e := &Error{Server: f.server, File: f.name, Code: -1, Err: err}
	var said *serverError
	if errors.As(err, &said) {
		e.Code, e.Message, e.Err = said.code, said.message, said.kind()
	}
	return e
}

// output stands between a receiver and the caller's writer. It lets through
// what was announced and allowed, until it is stopped: a receiver that waits
// for a packet can't be interrupted, but it can be kept from writing.
type output struct {
	w           io.Writer
	size, limit int64

	mu      sync.Mutex
	n       int64
	blocks  int64
	first   int   // length of the first block
	stopped error // why nothing more is taken
}

// errStopped is all that a server gets to read of why we don't go on; a
// writer's own error could name files of ours.
var errStopped = errors.New("transfer cancelled")

func (o *output) Write(block []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.stopped == nil {
		o.stopped = o.take(block)
	}
	if o.stopped != nil {
		return 0, errStopped
	}
	return len(block), nil
}

func (o *output) take(block []byte) error {
	if o.blocks == 0 {
		o.first = len(block)
	}
	o.blocks++
	switch end := o.n + int64(len(block)); {
	case o.size >= 0 && end > o.size:
		return fmt.Errorf("%w: more than %d bytes", ErrLong, o.size)
	case o.limit > 0 && end > o.limit:
		return ErrTooBig
	}
	n, err := o.w.Write(block)
	o.n += int64(n)
	if err == nil && n < len(block) {
		err = io.ErrShortWrite
	}
	return err
}

// stop returns when no Write is under way, and none will follow.
func (o *output) stop(why error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.stopped == nil {
		o.stopped = why
	}
}

func (o *output) result() (int64, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.n, o.stopped
}

// blockSize is known as soon as a second block came: then the first was full.
func (o *output) blockSize() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.blocks < 2 {
		return 0
	}
	return o.first
}
