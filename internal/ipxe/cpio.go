package ipxe

import "fmt"

// Header is what iPXE puts before a file of size bytes that has a Path: the
// head of a cpio archive's entry, so that the kernel finds the file by that name
// (core/cpio.c, cpio_header). It is empty for a file without one.
func (f File) Header(size int64) []byte {
	if f.Path == "" {
		return nil
	}
	h := "070701" // magic; then inode, mode, uid, gid, links, time, size, four device numbers, length of the name, checksum
	for _, n := range []int64{0, int64(f.Mode), 0, 0, 1, 0, size, 0, 0, 0, 0, int64(len(f.Path) + 1), 0} {
		h += fmt.Sprintf("%08x", uint32(n))
	}
	h += f.Path + "\x00"
	for len(h)%4 != 0 {
		h += "\x00"
	}
	return []byte(h)
}
