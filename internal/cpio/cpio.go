// Package cpio writes what boot programs lay before a file, so that a kernel
// finds it by a name: an archive of the "newc" kind, entry by entry.
package cpio

import "fmt"

// Header is the head of an entry, whose length is a multiple of 4: a file of
// size bytes, or a directory of none. The mode is stat's st_mode.
func Header(name string, mode uint32, size int64) []byte {
	h := "070701" // magic; then inode, mode, uid, gid, links, time, size, four device numbers, length of the name, checksum
	for _, n := range []int64{0, int64(mode), 0, 0, 1, 0, size, 0, 0, 0, 0, int64(len(name) + 1), 0} {
		h += fmt.Sprintf("%08x", uint32(n))
	}
	h += name + "\x00"
	for len(h)%4 != 0 {
		h += "\x00"
	}
	return []byte(h)
}
