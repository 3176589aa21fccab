package room

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestLeft(t *testing.T) {
	const mib = 1 << 20
	for _, test := range []struct{ blocks, available, want int64 }{ // MiB
		{100, 50, 45},
		{100, 5, 0},
		{100, 0, -5},
		{1280, 1280, 1216},
		{1 << 20, 1 << 19, 1<<19 - 64},
	} {
		fs := unix.Statfs_t{Bsize: 1, Frsize: 4096, Blocks: uint64(test.blocks * mib / 4096), Bavail: uint64(test.available * mib / 4096)}
		if got := Left(&fs); got != test.want*mib {
			t.Errorf("%d of %d MiB are free: room for %d MiB, want %d", test.available, test.blocks, got/mib, test.want)
		}
	}
}
