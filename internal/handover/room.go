package handover

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/console"
	"github.com/gopxeboot/gopxeboot/internal/fault"
	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/internal/room"
	"golang.org/x/sys/unix"
)

const (
	// maxAhead is how many bytes more than its size a file may take on disk:
	// XFS gives a growing file blocks ahead of its end.
	maxAhead = 64 << 20
	// The parent looks at what the child writes before that can have used up what
	// it may still write: memory takes some 10 GB/s. Not more often, as a look costs
	// some 0.1 ms of CPU with its wake-up, and of many guests that start together
	// each has a parent that looks.
	fastest                    = 10 << 30 // bytes a second
	leastPeriod, longestPeriod = 5 * time.Millisecond, 200 * time.Millisecond
)

// period is when to look again, where so many bytes may still be written.
func period(left int64) time.Duration {
	return min(max(time.Duration(left/(fastest/1000))*time.Millisecond, leastPeriod), longestPeriod)
}

// MakeRoom is what to try where there is not enough.
const MakeRoom = "make room, or name a larger --output-directory"

// WithDirectory has an error whose advice is MakeRoom say where: who downloads is not
// told.
func (h *Handover) WithDirectory(err error) error {
	if e, ok := errors.AsType[*fault.Error](err); ok && e.Try == MakeRoom {
		return fault.New(e.Code, e.Stage, e.Err, fmt.Sprintf("make room in %s, or name a larger --output-directory", h.spec.OutputDirectory))
	}
	return err
}

// use is a file's size and what it takes on disk, both in bytes.
func (f *resultFile) use() (size, taken int64, err error) {
	info, err := f.Stat()
	if err != nil {
		return 0, 0, err
	}
	return info.Size(), info.Sys().(*syscall.Stat_t).Blocks * 512, nil // 512 whatever the file system's (inode(7))
}

// settle is the check of a file that nothing writes to any more. One limit
// for both files is all that the kernel has (RLIMIT_FSIZE), and blocks behind
// a file's end count for none (fallocate(2), FALLOC_FL_KEEP_SIZE): truncating
// gives them back.
func (f *resultFile) settle() error {
	size, _, err := f.use()
	if err != nil {
		return err
	}
	if size < 1 || size > f.most {
		return fmt.Errorf("its size is %d bytes, which is not between 1 and %d", size, f.most)
	}
	if err := f.Truncate(size); err != nil {
		return err
	}
	size, taken, err := f.use()
	if err == nil && taken > size+maxAhead {
		err = fmt.Errorf("it is %s long and takes %s on disk", console.Size(size), console.Size(taken))
	}
	return err
}

// WatchFile returns a context that ends when a file that a child writes grows
// beyond its limit in bytes, which it keeps to as long as it is not taken over.
func WatchFile(ctx context.Context, stage plan.Stage, file *os.File, most int64) (context.Context, func()) {
	return watchByClock(ctx, func() (int64, error) {
		return overgrown([]*resultFile{{File: file, stage: stage, most: most}})
	})
}

// watchByClock is watch by the clock. tooMuch also says how much may still be written.
func watchByClock(ctx context.Context, tooMuch func() (int64, error)) (context.Context, func()) {
	look := time.NewTimer(leastPeriod)
	ctx, stop := watch(ctx, look.C, func() error {
		left, err := tooMuch()
		look.Reset(period(left))
		return err
	})
	return ctx, func() {
		stop()
		look.Stop()
	}
}

// watch returns a context that ends when too much is written: the *Error that says
// so is its cause. It looks when it is told to, until the function is called.
func watch(ctx context.Context, look <-chan time.Time, tooMuch func() error) (context.Context, func()) {
	ctx, end := context.WithCancelCause(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-ctx.Done():
				return
			case <-look:
				if err := tooMuch(); err != nil {
					end(err)
				}
			}
		}
	}()
	return ctx, func() {
		end(nil)
		<-ended
	}
}

// overgrown says how much may still be written to files, all together, or what is
// wrong with what was.
func overgrown(files []*resultFile) (left int64, err error) {
	var all int64
	for _, f := range files {
		size, taken, err := f.use()
		switch {
		case err != nil:
			return 0, fault.New(fault.Own, f.stage, err, "")
		case size > f.most:
			return 0, fault.New(fault.NotFetched, f.stage, fmt.Errorf("its size is %d bytes and grows, %s allowed: larger than allowed", size, console.Size(f.most)), "")
		case taken > 2*f.most+maxAhead: // XFS: as much ahead as a file has
			return 0, fault.New(fault.NotFetched, f.stage, fmt.Errorf("it takes %s on disk, %s allowed: larger than allowed", console.Size(taken), console.Size(f.most)), "")
		}
		all += taken
		left += f.most - size
	}
	room, err := intoReserve(files[0].File, all)
	return min(left, room), err
}

// intoReserve says how much may still be written to a file's file system. It is the
// error of so many bytes that leave less than the reserve.
func intoReserve(f *os.File, all int64) (left int64, err error) {
	var fs unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &fs); err != nil {
		return 0, nil
	}
	if left = room.Left(&fs); all > 0 && left < 0 {
		return 0, fault.New(fault.NoOutput, "output", fmt.Errorf("%s written, and no more than the reserve is free there", console.Size(all)), MakeRoom)
	}
	return left, nil
}

// overgrownIn says what is wrong with what pygrub writes to a directory of its own:
// which file is which it says at the end, and on a guest's disk they may have any
// size.
func (h *Handover) overgrownIn(dir string) (left int64, err error) {
	var size, taken int64
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			if info, err := d.Info(); err == nil { // else it is gone
				size += info.Size()
				taken += info.Sys().(*syscall.Stat_t).Blocks * 512
			}
		}
		return nil
	})
	if most := h.kernel.most + h.ramdisk.most; size > most {
		return 0, fault.New(fault.NotBootable, "localboot", fmt.Errorf("what %s boots has %s and grows, %s allowed: larger than allowed", h.spec.Disk, console.Size(size), console.Size(most)), "")
	}
	// Its directory has to be gone through, and it is one boot's: by the least period.
	_, err = intoReserve(h.kernel.File, taken)
	return 0, err
}
