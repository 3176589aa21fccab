// Package room is how much may still be written to a file system of dom0's, which
// all of dom0 needs.
package room

import "golang.org/x/sys/unix"

// maxReserve is the most that is left free, in bytes. XAPI's output directory is on
// /run.
const maxReserve = 64 << 20

// Left is how many bytes may still be written: what is free without the reserve, a
// twentieth of the file system or maxReserve. It may be negative.
func Left(fs *unix.Statfs_t) int64 {
	unit := int64(fs.Frsize) // 32 bits on some platforms
	return int64(fs.Bavail)*unit - min(int64(fs.Blocks)*unit/20, maxReserve)
}
