package guest_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gopxeboot/gopxeboot/internal/guest"
	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"golang.org/x/sys/unix"
)

// readOpened is what the child does with a file that it asked for. That it
// can't write to it is part of the bargain.
func readOpened(c *guest.Child, name string) (string, error) {
	f, err := c.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte("x"), 0); !errors.Is(err, unix.EBADF) {
		return "", fmt.Errorf("written to: %v", err)
	}
	text, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<20))
	return string(text), err
}

// A child that can open nothing itself gets the files that Spec.Open gives
// it, and no more than those.
func TestOpen(t *testing.T) {
	l := labtest.New(t, lab.Config{})
	dir := t.TempDir()
	for name, text := range map[string]string{"kernel": "KERNEL", "empty": "", "secret": "dom0's"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Mkfifo(filepath.Join(dir, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "directory"), 0o700); err != nil {
		t.Fatal(err)
	}
	socket, err := net.Listen("unix", filepath.Join(dir, "socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	open := func(name string) (*os.File, error) {
		switch name {
		case "secret":
			return nil, unix.EACCES
		case "writable":
			return root.OpenFile("kernel", os.O_RDWR, 0)
		case "path":
			return root.OpenFile("kernel", unix.O_PATH, 0)
		case "device":
			return os.OpenFile(os.DevNull, guest.OpenFlags, 0)
		}
		return root.OpenFile(name, guest.OpenFlags, 0)
	}
	result, err := os.CreateTemp(dir, "result")
	if err != nil {
		t.Fatal(err)
	}
	defer result.Close()
	g := start(t, guest.Spec{MAC: mac, Bridge: l.Bridge(), Net: guest.Own, Open: open, Files: []*os.File{result}})

	long := strings.Repeat("x", 5000)
	names := []string{"kernel", "empty", "missing", "secret", "fifo", "directory", "socket", "device", "writable", "path", "../x", "", long}
	r := do(t, g, order{Confine: true, Write: true, Open: names})
	want := map[string]string{
		"result": "allowed", "kernel": "allowed", "empty": "allowed",
		"missing": "ENOENT", "secret": "EACCES", "directory": "EISDIR", "socket": "ENXIO",
		"fifo":     "fifo: neither a file nor a block device (prw-------)",
		"device":   "device: neither a file nor a block device (Dcrw-rw-rw-)",
		"writable": "writable: not opened for reading only",
		"path":     "path: not opened for reading only",
		"../x":     "openat ../x: path escapes from parent",
		"":         "ENAMETOOLONG", long: "ENAMETOOLONG",
	}
	if diff := cmp.Diff(want, r.Errors); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"kernel": "KERNEL", "empty": ""}, r.Opened); diff != "" {
		t.Errorf("contents (-want +got):\n%s", diff)
	}
	if text, _ := os.ReadFile(result.Name()); string(text) != "kernel" {
		t.Errorf("the result is %q", text)
	}
}

// A child that asks without end is not answered without end.
func TestOpenBounded(t *testing.T) {
	l := labtest.New(t, lab.Config{})
	file := filepath.Join(t.TempDir(), "kernel")
	if err := os.WriteFile(file, []byte("KERNEL"), 0o600); err != nil {
		t.Fatal(err)
	}
	var asked atomic.Int32
	g := start(t, guest.Spec{MAC: mac, Bridge: l.Bridge(), Net: guest.Own, Open: func(name string) (*os.File, error) {
		asked.Add(1)
		return os.OpenFile(file, guest.OpenFlags, 0)
	}})
	var names []string
	for i := range 300 {
		names = append(names, fmt.Sprint(i))
	}
	r := do(t, g, order{Open: names})
	if asked.Load() != 256 || len(r.Opened) != 256 || r.Opened["255"] != "KERNEL" {
		t.Errorf("asked %d times, got %d files", asked.Load(), len(r.Opened))
	}
	if want := "256: the parent opens no more files"; r.Errors["256"] != want {
		t.Errorf("got %q, want %q", r.Errors["256"], want)
	}
	g.Close()
	g = start(t, guest.Spec{MAC: mac, Bridge: l.Bridge(), Net: guest.Own})
	if r := do(t, g, order{Open: []string{file}}); r.Errors[file] != file+": no file of dom0's was named" {
		t.Errorf("without Spec.Open: %q", r.Errors[file])
	}
}
