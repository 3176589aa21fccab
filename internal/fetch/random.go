package fetch

import (
	"context"
	"io"
)

// random is a file that can be read from anywhere, by several goroutines at
// once.
type random interface {
	io.ReaderAt
	io.Closer
	Size() int64
}

// readAhead is how much of a random file is read at once, in bytes: enough to
// have several requests under way.
const readAhead = 1 << 20

// wholeFile is all of a random file as a source.
type wholeFile struct {
	ctx context.Context
	random
}

func (f *wholeFile) WriteTo(w io.Writer) (n int64, err error) {
	buffer := make([]byte, readAhead)
	for n < f.Size() {
		if err := f.ctx.Err(); err != nil {
			return n, err
		}
		m, err := f.ReadAt(buffer[:min(readAhead, f.Size()-n)], n)
		if m > 0 {
			if _, err := w.Write(buffer[:m]); err != nil {
				return n, err
			}
		}
		n += int64(m)
		if err == io.EOF && n < f.Size() {
			return n, io.ErrUnexpectedEOF
		}
		if err != nil && err != io.EOF {
			return n, err
		}
	}
	return n, nil
}

func (f *wholeFile) stats() Stats {
	if s, ok := f.random.(interface{ stats() Stats }); ok {
		return s.stats()
	}
	return Stats{}
}
