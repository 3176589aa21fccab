package handover

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gopxeboot/gopxeboot/xenout"
)

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// A result has no name until it is complete, then one that nobody can guess.
func TestResultFile(t *testing.T) {
	dir := t.TempDir()
	f, err := newResult("kernel", newPlace(dir).kernel, 8)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("kernel"); err != nil {
		t.Fatal(err)
	}
	if left := names(t, dir); left != nil && !f.named {
		t.Errorf("before: %v", left)
	}
	if err := f.publish(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(f.name)
	if err != nil || string(text) != "kernel" || !strings.HasPrefix(f.name, filepath.Join(dir, "kernel.")) {
		t.Errorf("%s: %q, %v", f.name, text, err)
	}
	if info, err := os.Stat(f.name); err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	f.discard()
	if left := names(t, dir); left != nil {
		t.Errorf("after: %v", left)
	}
}

// Of a directory's files those go that another result left there.
func TestRemoveEarlier(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "vm")
	old, current := newPlace(dir), newPlace(dir)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(dir, "kernel.mine")
	for _, file := range []string{old.kernel, old.ramdisk, current.kernel, current.ramdisk, other} {
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := RemoveEarlier(dir, xenout.Result{Kernel: current.kernel}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{filepath.Base(current.kernel), "kernel.mine"}, names(t, dir)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	os.Remove(other)
	for range 2 { // the second time there is no directory
		if err := RemoveEarlier(dir, xenout.Result{}); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the directory: %v", err)
	}
}

// What is there already stays as it is.
func TestPublishTaken(t *testing.T) {
	f, err := newResult("kernel", newPlace(t.TempDir()).kernel, 8)
	if err != nil {
		t.Fatal(err)
	}
	defer f.discard()
	if f.named {
		t.Skip("this file system has no O_TMPFILE")
	}
	if err := os.WriteFile(f.name, []byte("other"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := f.publish(); !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %v", err)
	}
	if text, _ := os.ReadFile(f.name); string(text) != "other" {
		t.Errorf("it became %q", text)
	}
}

func TestPlace(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a")
	place := newPlace(dir)
	if err := place.make(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v %v", info, err)
	}
	place.clear()
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is still there: %v", err)
	}

	// All that was made goes, but not what somebody else has put there.
	base := t.TempDir()
	place = newPlace(filepath.Join(base, "xen", "pygrub"))
	if err := errors.Join(place.make(), os.WriteFile(filepath.Join(base, "xen", "other"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	place.clear()
	if got := names(t, filepath.Join(base, "xen")); len(got) != 1 || got[0] != "other" {
		t.Errorf("left %v", got)
	}

	dir = t.TempDir() // one that was there before stays
	place = newPlace(dir)
	if err := place.make(); err != nil {
		t.Fatal(err)
	}
	place.clear()
	if _, err := os.Stat(dir); err != nil {
		t.Error(err)
	}
}

// Another boot takes the directory away that both of them use.
func TestDirectoryGone(t *testing.T) {
	place := newPlace(filepath.Join(t.TempDir(), "pygrub"))
	if err := place.make(); err != nil {
		t.Fatal(err)
	}
	f, err := newResult("kernel", place.kernel, 8)
	if err != nil {
		t.Fatal(err)
	}
	defer f.discard()
	if f.named {
		t.Skip("this file system has no O_TMPFILE")
	}
	place.clear()
	if err := f.publish(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(f.name); err != nil {
		t.Error(err)
	}
}
