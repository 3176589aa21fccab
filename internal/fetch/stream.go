package fetch

import (
	"context"
	"errors"
	"io"
	"time"
)

// stream is a source that is read from a connection, and from another one when
// the first breaks off.
type stream struct {
	ctx     context.Context
	body    io.ReadCloser
	size    int64
	resume  func(offset int64) (io.ReadCloser, error) // nil where the server can't
	warn    func(format string, args ...any)
	resumed int64
}

const (
	maxResumes = 20 // of one file
	maxUseless = 3  // in a row, without a byte
)

// errNoRanges is the end of a download from a server that knows only whole
// files.
var errNoRanges = errors.New("the server can't resume a download")

// final is an error that another attempt would not change.
type final struct{ error }

func (f *final) Unwrap() error { return f.error }

func (s *stream) Size() int64  { return s.size }
func (s *stream) Close() error { return s.body.Close() }
func (s *stream) stats() Stats { return Stats{Retransmits: s.resumed} }

// WriteTo goes on where a connection broke off, for as long as each one brings
// something.
func (s *stream) WriteTo(w io.Writer) (n int64, err error) {
	buffer := make([]byte, 128<<10)
	useless := 0
	for {
		from := &reader{Reader: s.body}
		// Without these wrappers io.Copy would look for other methods than
		// ours.
		m, err := io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{from}, buffer)
		n += m
		if m > 0 {
			useless = 0
		}
		if err == nil || from.err == nil || s.resume == nil {
			return n, err
		}
		s.body.Close()
		for broke := err; ; {
			if useless++; useless > maxUseless || s.resumed >= maxResumes || !wait(s.ctx, useless) {
				return n, broke
			}
			body, err := s.resume(n)
			if err == nil {
				s.body = body
				break
			}
			var f *final
			if errors.As(err, &f) {
				return n, err
			}
		}
		s.resumed++
		s.warn("broke off after %d bytes (%v), resumed", n, err)
	}
}

// wait gives a server time to come back.
func wait(ctx context.Context, try int) bool {
	pause := time.NewTimer(100 * time.Millisecond << (2 * (try - 1)))
	defer pause.Stop()
	select {
	case <-pause.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// reader remembers that it was the reader that failed.
type reader struct {
	io.Reader
	err error
}

func (r *reader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if err != nil && err != io.EOF {
		r.err = err
	}
	return n, err
}
