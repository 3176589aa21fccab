package fetch

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// openLocal opens a file or a block device of dom0's.
func (c *Client) openLocal(ctx context.Context, l location) (readerAt, error) {
	if l.host != "" && l.host != "localhost" || l.port != 0 {
		return nil, as(ErrRefused, errors.New("a file of dom0's is file:///path, without a host"))
	}
	if c.Local == nil {
		return nil, as(ErrRefused, errors.New("no file of dom0's may be read here"))
	}
	file, err := c.Local(ctx, "/"+l.name())
	if err != nil {
		return nil, fromLocal(err)
	}
	size, err := contentSize(file)
	if err != nil {
		file.Close()
		return nil, fromLocal(err)
	}
	return &localFile{file, size}, nil
}

type localFile struct {
	*os.File
	size int64
}

func (f *localFile) Size() int64 { return f.size }

// contentSize is how much can be read from a file. What could wait without end,
// as a FIFO or a terminal, is an error.
func contentSize(file *os.File) (int64, error) {
	info, err := file.Stat()
	if err != nil {
		return 0, err
	}
	switch mode := info.Mode(); {
	case mode.IsRegular():
		return info.Size(), nil
	case mode&fs.ModeDevice != 0 && mode&fs.ModeCharDevice == 0:
		return file.Seek(0, io.SeekEnd)
	case mode.IsDir():
		return 0, syscall.EISDIR
	}
	return 0, errors.New("neither a file nor a block device")
}

// fromLocal gives a system's answers their kinds, and leaves out the name.
func fromLocal(err error) error {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		err = path.Err
	}
	kind := ErrRefused
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		kind = ErrNotFound
	}
	return as(kind, err)
}
