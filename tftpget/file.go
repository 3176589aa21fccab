package tftpget

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"
)

// File is a file that the server has agreed to send: an io.WriterTo, and an
// io.ReadCloser for who wants to read it. One goroutine at a time may use it.
type File struct {
	ctx          context.Context
	cancel       context.CancelFunc // of ctx
	server, name string
	limit        int64

	transfer transfer
	out      *output // nil before WriteTo, Read and Close
	reader   *reader // nil before Read
	begin    time.Time
	took     time.Duration
	counts   counts
}

// transfer is what a receiver makes of an accepted request.
type transfer interface {
	// Size is what the server announced, -1 when it did not.
	Size() int64

	// WriteTo writes the file in order. When a Write fails, or soon after the
	// context has ended, it tells the server and returns, and writes nothing
	// more. Its count means nothing.
	io.WriterTo

	// Close is called instead of WriteTo.
	io.Closer

	// agreed are the block size, 0 while that is not known, and the window.
	agreed() (block, window int)
}

// Stats are the figures of a transfer.
type Stats struct {
	Bytes       int64
	Duration    time.Duration // from the request to the end of WriteTo
	BlockSize   int           // in bytes, as agreed; 0 where one block was all
	WindowSize  int           // in blocks, as agreed; 1 is lock-step
	Retransmits int64         // packets that were sent again, after silence or a gap
	Blocks      int64         // that came, each counted once; 0 where they are not counted
	Lost        int64         // blocks that had to be asked for again, however often
	Last        time.Time     // when the last new block came; zero where they are not counted
}

// counts are those of Stats that grow while a transfer goes on.
type counts struct {
	retransmits, blocks, lost atomic.Int64
	last                      atomic.Int64 // UnixNano
}

func (s *Stats) take(c *counts) {
	s.Retransmits, s.Blocks, s.Lost = c.retransmits.Load(), c.blocks.Load(), c.lost.Load()
	if s.Blocks > 0 {
		s.Last = time.Unix(0, c.last.Load())
	}
}

// Size is the size in bytes that the server announced (tsize, RFC 2349), -1
// when it did not. An announced 0 counts as not announced: servers send it for
// files whose size they don't know, and it is what pin/tftp makes of no
// answer to the option.
func (f *File) Size() int64 { return f.transfer.Size() }

// WriteTo downloads the file into w and closes it. It can be called once. A
// nil error means that w has all that the server announced; after an error it
// may have some of it. Nothing is written once WriteTo has returned.
func (f *File) WriteTo(w io.Writer) (int64, error) {
	if f.out != nil {
		return 0, f.fail(errUsed)
	}
	f.out = &output{w: w, size: f.Size(), limit: f.limit}
	defer f.cancel()
	return f.download()
}

var errUsed = errors.New("downloaded or closed before")

// download is WriteTo, once f.out is there.
func (f *File) download() (int64, error) {
	_, err := f.transfer.WriteTo(f.out)
	f.took = time.Since(f.begin)
	switch n := f.out.n; {
	case f.out.err != nil:
		err = f.out.err
	case err == nil && n < f.out.size:
		err = fmt.Errorf("%w: %d of %d bytes", ErrShort, n, f.out.size)
	}
	if err != nil {
		return f.out.n, f.fail(err)
	}
	return f.out.n, nil
}

// Read downloads the file piece by piece, in place of WriteTo, which is faster.
// It returns io.EOF when all that the server announced was read; bytes that came
// before another error are the file's beginning. Who stops before must Close.
func (f *File) Read(p []byte) (int, error) {
	if f.reader == nil {
		if f.out != nil {
			return 0, f.fail(errUsed)
		}
		f.read()
	}
	n, err := f.reader.Read(p)
	f.reader.stats.Bytes += int64(n)
	return n, err
}

// reader is the end of a pipe that a goroutine downloads into. The receiver is
// in charge of the time, and keeps the server waiting while Read is not called.
type reader struct {
	*io.PipeReader
	stats Stats         // while the goroutine runs
	ended chan struct{} // it has, and before Read has said so
}

func (f *File) read() {
	in, out := io.Pipe()
	r := &reader{PipeReader: in, ended: make(chan struct{})}
	r.stats.BlockSize, r.stats.WindowSize = f.transfer.agreed()
	f.out, f.reader = &output{w: out, size: f.Size(), limit: f.limit}, r
	// Neither Read nor the receiver is to wait for the other any longer then.
	stop := context.AfterFunc(f.ctx, func() { out.CloseWithError(f.fail(f.ctx.Err())) })
	go func() {
		defer f.cancel()
		_, err := f.download()
		stop()
		close(r.ended)
		out.CloseWithError(err) // io.EOF for nil
	}()
}

// Close ends a transfer that was not finished, so that the server doesn't go
// on sending to no one. It waits for the server not longer than one Timeout and
// not after the context has ended. After WriteTo it does nothing.
func (f *File) Close() error {
	switch {
	case f.reader != nil:
		f.cancel()
		<-f.reader.ended
		return nil
	case f.out != nil:
		return nil
	}
	defer f.cancel()
	f.out = new(output)
	return f.transfer.Close()
}

// Stats returns the figures so far, and those of the whole transfer after
// WriteTo or the end of Read.
func (f *File) Stats() Stats {
	if r := f.reader; r != nil {
		select {
		case <-r.ended:
		default:
			s := r.stats
			s.take(&f.counts)
			return s
		}
	}
	s := Stats{Duration: f.took}
	s.take(&f.counts)
	s.BlockSize, s.WindowSize = f.transfer.agreed()
	if f.out != nil {
		s.Bytes = f.out.n
	}
	return s
}

// fail makes err an *Error of this file.
func (f *File) fail(err error) error {
	e := &Error{Server: f.server, File: f.name, Code: -1, Err: err}
	if reply, ok := errors.AsType[*serverError](err); ok {
		e.Code, e.Message, e.Err = reply.code, reply.message, reply.kind()
	}
	return e
}

// output stands between a receiver and the caller's writer. It lets through
// what was announced and allowed, and keeps the reason why it did not.
type output struct {
	w              io.Writer
	size, limit, n int64
	err            error
}

func (o *output) Write(p []byte) (int, error) {
	if o.err == nil {
		o.err = o.take(p)
	}
	if o.err != nil {
		return 0, o.err
	}
	return len(p), nil
}

func (o *output) take(p []byte) error {
	switch end := o.n + int64(len(p)); {
	case o.size >= 0 && end > o.size:
		return fmt.Errorf("%w: more than %d bytes", ErrLong, o.size)
	case o.limit > 0 && end > o.limit:
		return ErrTooBig
	}
	n, err := o.w.Write(p)
	o.n += int64(n)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	return err
}
