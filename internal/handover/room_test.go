package handover

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/fault"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"golang.org/x/sys/unix"
)

// written is a file in dir with that content.
func written(t *testing.T, dir, content string, most int64) *resultFile {
	t.Helper()
	f, err := newResult("kernel", newPlace(dir).kernel, most)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.discard)
	if _, err := f.WriteString(content); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestSettle(t *testing.T) {
	dir := labtest.Tmpfs(t, "100M")
	for name, test := range map[string]struct {
		content       string
		offset, ahead int64 // of what is allocated beyond the size
		says          string
	}{
		"as it should be":         {"kernel", 0, 0, ""},
		"empty":                   {"", 0, 0, "its size is 0 bytes"},
		"too large":               {"too large", 0, 0, "its size is 9 bytes"},
		"blocks behind its end":   {"kernel", 0, 80 << 20, ""},
		"blocks far behind it":    {"kernel", 1 << 40, 80 << 20, ""},
		"nothing, and its blocks": {"", 0, 80 << 20, "its size is 0 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			f := written(t, dir, test.content, 8)
			if test.ahead > 0 {
				if err := unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_KEEP_SIZE, test.offset, test.ahead); err != nil {
					t.Fatal(err)
				}
			}
			err := f.settle()
			if test.says == "" && err != nil || test.says != "" && (err == nil || !strings.Contains(err.Error(), test.says)) {
				t.Fatalf("got %v, want %q", err, test.says)
			}
			if info, err := f.Stat(); test.says == "" && (err != nil || info.Size() != 6 || info.Sys().(*syscall.Stat_t).Blocks*512 > 1<<20) {
				t.Errorf("%+v (%v)", info.Sys(), err)
			}
		})
	}
}

// What a child writes is looked at while it writes.
func TestWatch(t *testing.T) {
	for name, test := range map[string]struct {
		kernel, initrd int64 // bytes, of 1 MiB and 8 MiB allowed
		code           fault.Code
		says           string
	}{
		"nothing yet":    {0, 0, fault.Done, ""},
		"all":            {1 << 20, 8 << 20, fault.Done, ""},
		"a larger one":   {1<<20 + 1, 0, fault.NotFetched, "kernel: its size is 1048577 bytes and grows, 1.0 MiB allowed"},
		"into reserve":   {1 << 20, 8<<20 - 4096, fault.NoOutput, "output: 9.0 MiB written"},
		"a larger other": {0, 8<<20 + 1, fault.NotFetched, "initrd: its size is 8388609 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			size := "100M"
			if test.code == fault.NoOutput {
				size = "9M"
			}
			dir := labtest.Tmpfs(t, size)
			kernel, initrd := written(t, dir, "", 1<<20), written(t, dir, "", 8<<20)
			initrd.stage = "initrd"
			look := make(chan time.Time)
			ctx, stop := watch(t.Context(), look, func() error {
				_, err := overgrown([]*resultFile{kernel, initrd})
				return err
			})
			defer stop()
			look <- time.Time{}
			for f, size := range map[*resultFile]int64{kernel: test.kernel, initrd: test.initrd} {
				if _, err := f.Write(make([]byte, size)); err != nil {
					t.Fatal(err)
				}
			}
			look <- time.Time{}
			if test.code == fault.Done {
				look <- time.Time{} // it has looked before
				if err := ctx.Err(); err != nil {
					t.Errorf("got %v", context.Cause(ctx))
				}
				return
			}
			<-ctx.Done()
			if err := fault.In(ctx, fault.Own, "network", errors.New("killed"), ""); fault.CodeOf(err) != test.code || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %d, %v", fault.CodeOf(err), err)
			}
		})
	}
}

// A file system that is full of other things is no reason against a boot that
// writes nothing, such as LOCALBOOT.
func TestWatchFull(t *testing.T) {
	dir := labtest.Tmpfs(t, "1M")
	if err := os.WriteFile(filepath.Join(dir, "other"), make([]byte, 1<<20-8192), 0o600); err != nil {
		t.Fatal(err)
	}
	f := written(t, dir, "", 8)
	if _, err := overgrown([]*resultFile{f}); err != nil {
		t.Errorf("nothing is written: %v", err)
	}
	if _, err := f.WriteString("k"); err != nil {
		t.Fatal(err)
	}
	if _, err := overgrown([]*resultFile{f}); fault.CodeOf(err) != fault.NoOutput {
		t.Errorf("a byte is written: %v", err)
	}
}

// The less may still be written, the sooner is looked again.
func TestPeriod(t *testing.T) {
	dir := labtest.Tmpfs(t, "4G")
	kernel, initrd := written(t, dir, "", 128<<20), written(t, dir, "", 2<<30)
	for _, test := range []struct {
		kernel, initrd int64 // sizes
		period         time.Duration
	}{
		{0, 0, longestPeriod},
		{127 << 20, 0, longestPeriod}, // together they may still have 2 GiB
		{0, 1 << 30, 112 * time.Millisecond},
		{128 << 20, 1 << 30, 100 * time.Millisecond},
		{128 << 20, 2<<30 - 1, leastPeriod},
	} {
		if err := errors.Join(kernel.Truncate(test.kernel), initrd.Truncate(test.initrd)); err != nil {
			t.Fatal(err)
		}
		left, err := overgrown([]*resultFile{kernel, initrd})
		if got := period(left); err != nil || got != test.period {
			t.Errorf("%d and %d bytes: after %v, want %v (%v)", test.kernel, test.initrd, got, test.period, err)
		}
	}
	dir = labtest.Tmpfs(t, "1G") // with less room than they may have
	kernel, initrd = written(t, dir, "", 128<<20), written(t, dir, "", 2<<30)
	left, err := overgrown([]*resultFile{kernel, initrd})
	if got := period(left); err != nil || got != 95*time.Millisecond {
		t.Errorf("with %d MiB left after %v (%v)", left>>20, got, err)
	}
	if got := period(-1); got != leastPeriod {
		t.Errorf("with nothing left after %v", got)
	}
}
