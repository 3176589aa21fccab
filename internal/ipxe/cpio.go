package ipxe

import "github.com/gopxeboot/gopxeboot/internal/cpio"

// Header is what iPXE puts before a file of size bytes that has a Path: the
// head of a cpio archive's entry, so that the kernel finds the file by that name
// (core/cpio.c, cpio_header). It is empty for a file without one.
func (f File) Header(size int64) []byte {
	if f.Path == "" {
		return nil
	}
	return cpio.Header(f.Path, f.Mode, size)
}
