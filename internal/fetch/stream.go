package fetch

import (
	"context"
	"errors"
	"io"

	"github.com/gopxeboot/gopxeboot/internal/resume"
)

// stream is a source that is read from a connection, and from another one when
// the first breaks off.
type stream struct {
	ctx     context.Context
	at      string // where it is after redirects; "" is where it was asked for
	body    io.ReadCloser
	size    int64
	patient bool // the server is waited for until the context ends
	silence *silence
	// open asks for the file again, beginning there if the server can, and
	// says where what comes begins: there, or at 0. Nil is not to ask.
	open    func(offset int64) (body io.ReadCloser, begin int64, err error)
	warn    func(format string, args ...any)
	resumed int64
}

// hopeless says whether so many connections in a row that brought no byte are
// enough. A server that is waited for may be silent as often as there is time.
func hopeless(useless int, patient, stalled bool) bool {
	switch {
	case !patient:
		return useless > 3
	case stalled:
		return false
	}
	return useless > 10
}

// maxEnds is how many connections of a server that is waited for may end, or say
// what is no HTTP, at the same byte: it has no more, whatever it announces.
const maxEnds = 3

// permanent is an error that another attempt would not change.
type permanent struct{ error }

func (f *permanent) Unwrap() error { return f.error }

func isPermanent(err error) bool {
	_, ok := errors.AsType[*permanent](err)
	return ok
}

func (s *stream) Size() int64  { return s.size }
func (s *stream) Close() error { return s.body.Close() }
func (s *stream) stats() Stats { return Stats{Retransmits: s.resumed} }

// WriteTo goes on where a connection broke off, for as long as each one brings
// something.
func (s *stream) WriteTo(w io.Writer) (int64, error) {
	buffer := make([]byte, 128<<10)
	got := resume.New(w, overlap, ErrChanged)
	for useless, ends := 0, 0; ; { // in a row, without a byte: connections, and those that ended
		before, from := got.Written(), &reader{Reader: s.body}
		_, err := io.CopyBuffer(got, from, buffer)
		if err == nil && got.Again() { // it is shorter than it was
			err = ErrChanged
		}
		if err == nil || from.err == nil || isPermanent(err) || s.open == nil {
			return got.Written(), err
		}
		if got.Written() > before {
			useless, ends = 0, 0
		}
		if ends++; got.Again() || passes(err) && !errors.Is(err, io.ErrUnexpectedEOF) {
			ends = 0
		}
		patient := s.patient && ends <= maxEnds
		s.body.Close()
		stalled := isTimeout(err)
		if stalled && s.patient { // the next one gets more time, as this was not enough
			s.silence.set(2 * s.silence.get())
		}
		for broke := err; ; {
			if useless++; hopeless(useless, patient, stalled) || !wait(s.ctx, useless, 0) {
				return got.Written(), broke
			}
			body, begin, err := s.open(got.From())
			if err == nil {
				s.body = body
				got.Restart(begin)
				break
			}
			if isPermanent(err) {
				return got.Written(), err
			}
		}
		s.resumed++
		s.warn("broke off after %d bytes (%v), resumed", got.Written(), err)
	}
}

// overlap is how much of what is there a server is asked for once more, in
// bytes: the rest of another file would not fit.
const overlap = 4 << 10

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
