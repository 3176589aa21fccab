package xenlab

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
)

func TestArchive(t *testing.T) {
	var got bytes.Buffer
	a := &archive{w: &got}
	a.dir("d")
	a.file("d/f", 0o644, []byte("hello"))
	a.symlink("s", "d/f")
	if err := a.close(); err != nil {
		t.Fatal(err)
	}
	const zeros = "000000000000000000000000000000000000000000000000"
	want := "070701" + "00000000" + "000041ed" + "0000000000000000" + "00000001" + "00000000" + "00000000" + zeros[:32] + "00000002" + "00000000" + "d\x00" +
		"070701" + "00000000" + "000081a4" + "0000000000000000" + "00000001" + "00000000" + "00000005" + zeros[:32] + "00000004" + "00000000" + "d/f\x00\x00\x00" +
		"hello\x00\x00\x00" +
		"070701" + "00000000" + "0000a1ff" + "0000000000000000" + "00000001" + "00000000" + "00000003" + zeros[:32] + "00000002" + "00000000" + "s\x00" +
		"d/f\x00" +
		"070701" + "00000000" + "00000000" + "0000000000000000" + "00000001" + "00000000" + "00000000" + zeros[:32] + "0000000b" + "00000000" + "TRAILER!!!\x00\x00\x00\x00"
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Errorf("archive (-want +got):\n%s", diff)
	}
	if got.Len()%4 != 0 {
		t.Errorf("%d bytes: another archive could not follow", got.Len())
	}
}

// TestArchiveUnpacks has the real cpio read what archive writes.
func TestArchiveUnpacks(t *testing.T) {
	labtest.Program(t, "cpio")
	var data bytes.Buffer
	a := &archive{w: &data}
	a.dir("d")
	a.file("d/program", 0o755, []byte("#!/bin/sh\n"))
	a.file("d/empty", 0o644, nil)
	a.symlink("link", "d/program")
	if err := a.close(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cpio := exec.Command("cpio", "--extract", "--quiet", "--no-preserve-owner")
	cpio.Dir, cpio.Stdin = dir, &data
	if output, err := cpio.CombinedOutput(); err != nil {
		t.Fatalf("cpio: %v: %s", err, output)
	}
	if info, err := os.Stat(filepath.Join(dir, "link")); err != nil || info.Mode() != 0o755 || info.Size() != 10 {
		t.Errorf("link: %v, %v; want a program of 10 bytes", info, err)
	}
	if info, err := os.Stat(filepath.Join(dir, "d/empty")); err != nil || info.Size() != 0 {
		t.Errorf("d/empty: %v, %v", info, err)
	}
}

func TestArchiveKeepsFirstError(t *testing.T) {
	full := errors.New("disk full")
	a := &archive{w: failing{after: 1, err: full}}
	for range 3 {
		a.file("f", 0o644, []byte(strings.Repeat("x", 100)))
	}
	if err := a.close(); !errors.Is(err, full) {
		t.Errorf("close: %v, want %v", err, full)
	}
}

type failing struct {
	after int
	err   error
}

func (f failing) Write(p []byte) (int, error) {
	if len(p) > f.after {
		return 0, f.err
	}
	return len(p), nil
}
