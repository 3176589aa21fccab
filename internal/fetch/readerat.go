package fetch

import (
	"context"
	"io"
)

// readerAt is a file that can be read from anywhere, by several goroutines at
// once.
type readerAt interface {
	io.ReaderAt
	io.Closer
	Size() int64
}

// readAhead is how much of such a file is read at once, in bytes: enough to
// have several requests under way.
const readAhead = 1 << 20

// wholeFile is all of such a file as a source.
type wholeFile struct {
	ctx context.Context
	readerAt
}

func (f *wholeFile) WriteTo(w io.Writer) (int64, error) {
	return copyAll(f.ctx, w, io.NewSectionReader(f.readerAt, 0, f.Size()))
}

// copyAll reads to the end, or to that of the context.
func copyAll(ctx context.Context, w io.Writer, r io.Reader) (int64, error) {
	return io.CopyBuffer(w, untilDone{ctx, r}, make([]byte, readAhead))
}

// untilDone is a Reader that ends with a context. It has no other methods of the
// Reader's, so that io.CopyBuffer reads from it piece by piece.
type untilDone struct {
	ctx context.Context
	io.Reader
}

func (u untilDone) Read(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.Reader.Read(p)
}

func (f *wholeFile) stats() Stats { return statsOf(f.readerAt) }
