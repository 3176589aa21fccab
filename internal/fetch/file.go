package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// File is a file that a server has agreed to send. One goroutine at a time may
// use it.
type File struct {
	ctx   context.Context
	from  location
	src   source
	limit int64
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
	out := &output{w: w, size: f.Size(), limit: f.limit}
	_, err := f.src.WriteTo(out)
	switch {
	case out.err != nil:
		return out.n, &Error{f.URL(), out.err}
	case errors.Is(err, io.ErrUnexpectedEOF), err == nil && out.n < f.Size():
		err = fmt.Errorf("%w: %d of %d bytes", ErrShort, out.n, f.Size())
		if f.Size() < 0 {
			err = fmt.Errorf("%w: broke off after %d bytes", ErrShort, out.n)
		}
	}
	if err != nil {
		return out.n, failed(f.ctx, f.from, err)
	}
	return out.n, nil
}

// Close ends the transfer. It must be called, also after WriteTo.
func (f *File) Close() error { return f.src.Close() }

// output lets through what was announced and allowed, and keeps apart what
// went wrong on this side.
type output struct {
	w              io.Writer
	size, limit, n int64
	err            error
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
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	o.err = err
	return n, err
}

// stream is a source that is read from a connection.
type stream struct {
	io.ReadCloser
	size int64
}

func (s *stream) Size() int64 { return s.size }

func (s *stream) WriteTo(w io.Writer) (int64, error) {
	// Without these wrappers io.Copy would look for other methods than ours.
	return io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{s.ReadCloser}, make([]byte, 128<<10))
}
