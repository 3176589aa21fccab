package image

import (
	"errors"
	"io"
	"io/fs"
)

// File is a regular file of an image.
type File struct {
	r      io.Reader
	disk   *disk
	size   int64
	offset int64
	err    error
}

// maxRead keeps a Read within the budget.
const maxRead = 1 << 20

// Size is the size in bytes. A hostile image can announce any, and a sparse
// file has that many zeros indeed: it is for the caller to set a limit.
func (f *File) Size() int64 { return f.size }

// Read reads on. It returns io.EOF when Size bytes were read and never before.
func (f *File) Read(p []byte) (n int, err error) {
	switch {
	case f.err != nil:
		return 0, f.err
	case f.offset == f.size:
		return 0, io.EOF
	case len(p) == 0:
		return 0, nil
	}
	f.disk.refill()
	n, f.err = f.read(p[:min(int64(len(p)), f.size-f.offset, maxRead)])
	f.offset += int64(n)
	return n, f.err
}

func (f *File) read(p []byte) (n int, err error) {
	defer rescue(&err)
	n, err = f.r.Read(p)
	if n > 0 {
		err = nil // comes again, if it is not the end
	}
	return n, short(err)
}

// Close ends the reading. It does not close what the image is read from.
func (f *File) Close() error {
	f.err = fs.ErrClosed
	return nil
}

// short is the error of something that ends before its announced size.
func short(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return damaged("a file that is shorter than its size")
	}
	return err
}
