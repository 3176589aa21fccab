package pxelinux

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"testing/fstest"
)

func TestOpenFS(t *testing.T) {
	server := netip.MustParseAddr("192.168.1.2")
	open := OpenFS(fstest.MapFS{
		"a":              {Data: []byte("A")},
		"b/c d%":         {Data: []byte("C")},
		"pxelinux.cfg/x": {Data: []byte("X")},
	}, server)
	for link, want := range map[string]string{
		"a":                  "A",
		"/a":                 "A",
		"b/c%20d%25":         "C",
		"../b/../a":          "A",
		"b//./c%20d%25":      "C",
		"b":                  "not found", // a directory
		"":                   "not found",
		"nowhere":            "not found",
		"a/b":                "not found",
		"%zz":                "not found",
		"%ff":                "not found",
		"%00":                "not found",
		"pxelinux.cfg/x?y#z": "not found",
	} {
		diff(t, link, want, readAll(t, open, serverURL+link))
	}
	for _, link := range []string{"tftp://192.168.1.3/a", "http://192.168.1.2/a", "a"} {
		diff(t, link, "not found", readAll(t, open, link))
	}
	diff(t, "no server", "A", readAll(t, OpenFS(fstest.MapFS{"a": {Data: []byte("A")}}, netip.Addr{}), "tftp://0.0.0.0/a"))

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := open(ctx, serverURL+"a"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that it is cancelled", err)
	}
}

// A FIFO would block, and a file that a path goes through is no directory.
func TestOpenDirFS(t *testing.T) {
	dir := t.TempDir()
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "file"), []byte("F"), 0o600), syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o600)); err != nil {
		t.Fatal(err)
	}
	open := OpenFS(os.DirFS(dir), netip.MustParseAddr("192.168.1.2"))
	for link, want := range map[string]string{"file": "F", "fifo": "not found", "file/x": "not found"} {
		diff(t, link, want, readAll(t, open, serverURL+link))
	}
}

// readAll is a file's text, or "not found".
func readAll(t *testing.T, open Opener, link string) string {
	t.Helper()
	r, err := open(t.Context(), link)
	if errors.Is(err, ErrNotFound) {
		return "not found"
	}
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
