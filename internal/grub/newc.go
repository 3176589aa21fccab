package grub

import "github.com/gopxeboot/gopxeboot/internal/cpio"

// NewcMode is the mode that newc: gives a file.
const NewcMode = 0o100777

// maxNewc bounds such a name, in bytes: each directory in it has a head.
const maxNewc = 1 << 10

// NewcHeader is what GRUB lays before a file of size bytes that gets a name by
// newc: the directories on the way to it, and its own head (loader/linux.c).
// Up to 2.06 GRUB leaves the name's last byte, which is 0, out of its length,
// and the end of the archive away; kernels want both.
func NewcHeader(name string, size int64) (h []byte) {
	for i := range name {
		if name[i] == '/' {
			h = append(h, cpio.Header(name[:i], 0o40777, 0)...)
		}
	}
	return append(h, cpio.Header(name, NewcMode, size)...)
}

// NewcEnd ends the archive behind the last file that has a name, before one
// that has none and at the end.
func NewcEnd() []byte { return cpio.Header("TRAILER!!!", 0, 0) }
