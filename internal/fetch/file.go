package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"
	"time"
)

// File is a file that a server has agreed to send. One goroutine at a time may
// use it.
type File struct {
	ctx   context.Context
	from  location
	src   source
	limit int64
	// patient is to leave slowness to the context's deadline.
	patient bool
	held    *held              // of Hold; nil before
	cancel  context.CancelFunc // of ctx, where that is the file's own; else nil
}

// source is a File as its scheme makes it. Nothing but WriteTo needs to know
// the limit, or whether as much came as was announced.
type source interface {
	Size() int64 // as announced, else -1
	io.WriterTo  // a nil error when the server said that this is the end
	io.Closer    // also in the middle, without waiting for the rest
}

// URL is where the file is, printable, without a password.
func (f *File) URL() string { return f.from.String() }

// Size is the size in bytes that the server announced, -1 when it did not.
func (f *File) Size() int64 { return f.src.Size() }

// WriteTo downloads the file into w. It can be called once. A nil error means
// that w has all of it; after an error it may have some of it. An error of w's
// comes back wrapped in an *Error like all others.
func (f *File) WriteTo(w io.Writer) (int64, error) {
	if f.held != nil {
		return f.held.release(w)
	}
	return f.download(w)
}

func (f *File) download(w io.Writer) (int64, error) {
	out := &output{w: w, size: f.Size(), limit: f.limit, patient: f.patient, now: time.Now}
	out.since = out.now()
	out.came = out.since
	_, err := f.src.WriteTo(out)
	switch {
	case out.err != nil:
		return out.n, &Error{f.URL(), out.err}
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), err == nil && out.n < f.Size():
		err = fmt.Errorf("%w: %d of %d bytes", ErrShort, out.n, f.Size())
		if f.Size() < 0 {
			err = fmt.Errorf("%w: broke off after %d bytes", ErrShort, out.n)
		}
	}
	if err != nil && errors.Is(f.ctx.Err(), context.DeadlineExceeded) {
		return out.n, &Error{f.URL(), as(f.ctx.Err(), out.unfinished(f.Stats()))}
	}
	if err != nil {
		return out.n, failed(f.ctx, f.from, err)
	}
	return out.n, nil
}

// Head reads the first bytes, most at most, in place of WriteTo.
func (f *File) Head(most int) ([]byte, error) { return f.Hold(most, nil, 0) }

// Close ends the transfer. It must be called, also after WriteTo.
func (f *File) Close() error {
	if f.cancel != nil {
		defer f.cancel()
	}
	if f.held != nil {
		f.held.drop()
	}
	return f.src.Close()
}

// A server that sends, but less than this, is given up: 4 KiB/s over half a
// minute; but see Client.Servers. Silence is each scheme's own matter, and ends sooner.
const (
	leastBytes = 120 << 10
	leastTime  = 30 * time.Second
)

// output lets through what was announced and allowed, and keeps apart what
// went wrong on this side.
type output struct {
	w              io.Writer
	size, limit, n int64
	err            error
	patient        bool

	now    func() time.Time
	came   time.Time // when something came last
	since  time.Time // the rate is measured from here
	before int64     // and this was there already
}

func (o *output) Write(p []byte) (int, error) {
	switch end := o.n + int64(len(p)); {
	case o.err != nil:
		return 0, o.err
	case o.size >= 0 && end > o.size:
		o.err = fmt.Errorf("%w: more than %d bytes", ErrLong, o.size)
		return 0, o.err
	case o.limit > 0 && end > o.limit:
		o.err = fmt.Errorf("%w: more than %d bytes", ErrTooBig, o.limit)
		return 0, o.err
	}
	n, err := o.w.Write(p)
	o.n += int64(n)
	o.came = o.now()
	if now := o.came; err == nil && !o.patient && now.Sub(o.since) >= leastTime {
		if got := o.n - o.before; got < leastBytes && o.n != o.size {
			err = fmt.Errorf("%w: %d bytes in %v", ErrTooSlow, got, now.Sub(o.since).Round(time.Second))
		}
		o.since, o.before = now, o.n
	}
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	o.err = err
	return n, err
}

// unfinished says how far a download was when its time was over, and whether
// anything still came. What came of TFTP's blocks may not be written yet.
func (o *output) unfinished(s Stats) error {
	came := max(o.n, s.Blocks*int64(s.BlockSize))
	text := fmt.Sprintf("no time is left: %d bytes had come", came)
	if o.size >= 0 {
		text = fmt.Sprintf("no time is left: %d of %d bytes had come", min(came, o.size), o.size)
	}
	last := o.came
	if s.Last.After(last) {
		last = s.Last
	}
	quiet := o.now().Sub(last)
	if quiet >= time.Second {
		text += fmt.Sprintf(", and none for the last %.0f s", quiet.Seconds())
	}
	if s.Lost >= fewLost && s.Lost*100 >= s.Blocks && quiet < gone {
		return as(ErrLossy, fmt.Errorf("%s, and %d blocks of %d had to be asked for again", text, s.Lost, s.Blocks))
	}
	return errors.New(text)
}

// fewLost are lost packets that any network has. A server from which nothing has come
// for so long is gone, whatever got lost before.
const (
	fewLost = 3
	gone    = 10 * time.Second
)

// Stats are the figures of a download, for people and for --json.
type Stats struct {
	BlockSize, WindowSize int       // TFTP's, as agreed; 0 with other protocols
	Retransmits           int64     // TFTP packets that were sent again, or connections that were resumed
	Blocks, Lost          int64     // of TFTP: how many came, and how many of them had to be asked for again; 0 where not counted
	Last                  time.Time // when the last block came; zero where not counted
}

// Stats returns the figures so far; all of them after WriteTo.
func (f *File) Stats() Stats { return statsOf(f.src) }

func statsOf(file any) Stats {
	if s, ok := file.(interface{ stats() Stats }); ok {
		return s.stats()
	}
	return Stats{}
}
