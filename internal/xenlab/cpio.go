package xenlab

import (
	"io"

	"github.com/gopxeboot/gopxeboot/internal/cpio"
)

// archive writes a cpio archive as the kernel reads an initramfs (its
// Documentation/driver-api/early-userspace/buffer-format.rst, "newc"). All
// files belong to root, whoever writes them.
type archive struct {
	w   io.Writer
	err error // the first that happened; later calls do nothing
}

// The types of files, as st_mode has them.
const (
	modeDir     = 0o040000
	modeFile    = 0o100000
	modeSymlink = 0o120000
)

func (a *archive) dir(name string) { a.entry(name, modeDir|0o755, nil) }

func (a *archive) file(name string, perm uint32, data []byte) { a.entry(name, modeFile|perm, data) }

func (a *archive) symlink(name, target string) { a.entry(name, modeSymlink|0o777, []byte(target)) }

// close ends the archive. What is written to w afterwards can be another
// archive, whose files come over those of this one.
func (a *archive) close() error {
	a.entry("TRAILER!!!", 0, nil)
	return a.err
}

func (a *archive) entry(name string, mode uint32, data []byte) {
	padding := make([]byte, -len(data)&3) // headers begin at a multiple of 4
	for _, part := range [][]byte{cpio.Header(name, mode, int64(len(data))), data, padding} {
		if a.err == nil {
			_, a.err = a.w.Write(part)
		}
	}
}
