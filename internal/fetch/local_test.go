package fetch

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// local is a client that may read all of a directory, which is its root.
func local(t testing.TB, files map[string]string) (c *Client, dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, content := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	c = quick()
	c.Local = func(_ context.Context, path string) (*os.File, error) {
		if strings.HasSuffix(path, "locked") {
			return nil, &os.PathError{Op: "open", Path: path, Err: syscall.EACCES}
		}
		return os.OpenFile(filepath.Join(dir, path), os.O_RDONLY|unix.O_NONBLOCK, 0)
	}
	return c, dir
}

func TestLocal(t *testing.T) {
	c, dir := local(t, map[string]string{
		"kernel": "KERNEL", "empty": "", "a/b": "B", "a b%": "odd", "a!/b": "exclaimed", "locked": "LOCKED",
		"big": strings.Repeat("x", 1<<20+1), "large": strings.Repeat("x", 1<<20),
	})
	if err := unix.Mkfifo(filepath.Join(dir, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(os.DevNull, filepath.Join(dir, "device")); err != nil {
		t.Fatal(err)
	}
	for url, want := range map[string]struct {
		content string
		err     error
		text    string
	}{
		"file:///kernel":           {content: "KERNEL"},
		"file://localhost/kernel":  {content: "KERNEL"},
		"file:////kernel":          {content: "KERNEL"},
		"file:///a/b":              {content: "B"},
		"file:///a%20b%25":         {content: "odd"},
		"file:///a%21/b":           {content: "exclaimed"},
		"file:///empty":            {},
		"file:///large":            {content: strings.Repeat("x", 1<<20)},
		"file:///big":              {err: ErrTooBig, text: "1048577 bytes of 1048576"},
		"file:///missing":          {err: ErrNotFound, text: "file:///missing: no such file or directory"},
		"file:///kernel/x":         {err: ErrNotFound, text: "file:///kernel/x: not a directory"},
		"file:///locked":           {err: ErrRefused, text: "file:///locked: permission denied"},
		"file:///a":                {err: ErrRefused, text: "file:///a: is a directory"},
		"file:///":                 {err: ErrRefused, text: "is a directory"},
		"file:///fifo":             {err: ErrRefused, text: "neither a file nor a block device"},
		"file:///device":           {err: ErrRefused, text: "neither a file nor a block device"},
		"file://server/kernel":     {err: ErrRefused, text: "file:///path, without a host"},
		"file:///a%00b":            {err: ErrRefused, text: "invalid argument"},
		"file:///missing.iso!/x":   {err: ErrNotFound, text: "file:///missing.iso!/x: no such file or directory"},
		"file:///kernel!/x":        {err: ErrUnsupported, text: "no ISO 9660, ext, FAT, squashfs or XFS in it"},
		"file:///empty!/x":         {err: ErrUnsupported},
		"file:///a!/b":             {err: ErrRefused, text: "is a directory"},
		"nothing:///kernel":        {err: ErrUnsupported, text: "unsupported URL scheme"},
		"nothing:///kernel.iso!/x": {err: ErrUnsupported, text: "unsupported URL scheme"},
	} {
		got, err := get(t, c, url)
		if want.err == nil && (err != nil || got != want.content) {
			t.Errorf("%s: got %d bytes, %v, want %d", url, len(got), err, len(want.content))
		}
		if want.err != nil && (!errors.Is(err, want.err) || !strings.HasSuffix(err.Error(), want.text)) {
			t.Errorf("%s: got %v, want %v, %s", url, err, want.err, want.text)
		}
	}
	if _, err := get(t, quick(), "file://"+filepath.Join(dir, "kernel")); !errors.Is(err, ErrRefused) {
		t.Errorf("without Local: %v", err)
	}
}

// A block device has no size in its inode. Only root has one to read.
func TestLocalBlockDevice(t *testing.T) {
	image := filepath.Join(t.TempDir(), "image")
	iso := makeISO(t, map[string]string{"KERNEL.;1": "KERNEL"})
	if err := os.WriteFile(image, iso, 0o644); err != nil {
		t.Fatal(err)
	}
	device := loopDevice(t, image)
	c := quick()
	c.Local = func(_ context.Context, path string) (*os.File, error) {
		return os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	}
	content, err := get(t, c, "file://"+device)
	if err != nil || !bytes.Equal([]byte(content), iso) {
		t.Errorf("%d bytes, %v; want %d", len(content), err, len(iso))
	}
	if content, err := get(t, c, "file://"+device+"!/kernel"); err != nil || content != "KERNEL" {
		t.Errorf("in the device: %q, %v", content, err)
	}
}

// loopDevice is a block device with that file's content.
func loopDevice(t testing.TB, file string) string {
	t.Helper()
	control, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		t.Skip("no loop device to be had:", err)
	}
	defer control.Close()
	number, err := unix.IoctlRetInt(int(control.Fd()), unix.LOOP_CTL_GET_FREE)
	if err != nil {
		t.Skip("no loop device to be had:", err)
	}
	name := "/dev/loop" + strconv.Itoa(number)
	device, err := os.OpenFile(name, os.O_RDONLY, 0)
	if err != nil {
		t.Skip("no loop device to be had:", err)
	}
	defer device.Close()
	backing, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer backing.Close()
	if err := unix.IoctlSetInt(int(device.Fd()), unix.LOOP_SET_FD, int(backing.Fd())); err != nil {
		t.Skip("no loop device to be had:", err)
	}
	t.Cleanup(func() {
		device, err := os.OpenFile(name, os.O_RDONLY, 0)
		if err == nil {
			unix.IoctlSetInt(int(device.Fd()), unix.LOOP_CLR_FD, 0)
			device.Close()
		}
	})
	return name
}

// A file that changes under our hands is as long as announced, or an error.
func TestLocalChanges(t *testing.T) {
	c, dir := local(t, map[string]string{"file": strings.Repeat("x", 3<<20)})
	for size, want := range map[int64]error{1 << 20: ErrShort, 9 << 20: nil} {
		if err := os.Truncate(filepath.Join(dir, "file"), 3<<20); err != nil {
			t.Fatal(err)
		}
		f, err := c.Open(t.Context(), "file:///file")
		if err != nil {
			t.Fatal(err)
		}
		n, err := f.WriteTo(writerFunc(func(p []byte) (int, error) {
			return len(p), os.Truncate(filepath.Join(dir, "file"), size)
		}))
		f.Close()
		if !errors.Is(err, want) || err == nil && n != 3<<20 {
			t.Errorf("became %d bytes: %d bytes, %v, want %v", size, n, err, want)
		}
	}
}

func TestLocalContext(t *testing.T) {
	c, _ := local(t, map[string]string{"file": strings.Repeat("x", 3<<20)})
	ctx, cancel := context.WithCancel(t.Context())
	f, err := c.Open(ctx, "file:///file")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n, err := f.WriteTo(writerFunc(func(p []byte) (int, error) {
		cancel()
		return len(p), nil
	}))
	if n >= 3<<20 || !errors.Is(err, context.Canceled) {
		t.Errorf("%d bytes, %v", n, err)
	}
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
