package xenlab

import (
	"fmt"
	"io"
)

// archive writes a cpio archive as the kernel reads an initramfs (its
// Documentation/driver-api/early-userspace/buffer-format.rst, "newc"). All
// files belong to root, whoever writes them.
type archive struct {
	w   io.Writer
	ino int
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
	a.ino = -1 // the trailer is no file
	a.entry("TRAILER!!!", 0, nil)
	return a.err
}

func (a *archive) entry(name string, mode uint32, data []byte) {
	if a.err != nil {
		return
	}
	a.ino++
	const uid, gid, links, mtime, device, checksum = 0, 0, 1, 0, 0, 0
	header := fmt.Sprintf("070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%s\x00",
		a.ino, mode, uid, gid, links, mtime, len(data), device, device, device, device, len(name)+1, checksum, name)
	for _, part := range [][]byte{[]byte(header), data} {
		if _, a.err = a.w.Write(part); a.err != nil {
			return
		}
		// Both end at a multiple of 4; headers begin at one.
		if _, a.err = a.w.Write(make([]byte, -len(part)&3)); a.err != nil {
			return
		}
	}
}
