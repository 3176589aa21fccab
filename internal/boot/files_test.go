package boot

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/fault"
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
	f, err := createResult(newPlace(dir).kernel)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("kernel"); err != nil {
		t.Fatal(err)
	}
	if left := names(t, dir); left != nil && !f.open {
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

// What is there already stays as it is.
func TestPublishTaken(t *testing.T) {
	f, err := createResult(newPlace(t.TempDir()).kernel)
	if err != nil {
		t.Fatal(err)
	}
	defer f.discard()
	if f.open {
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
	f, err := createResult(place.kernel)
	if err != nil {
		t.Fatal(err)
	}
	defer f.discard()
	if f.open {
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

func TestUnanswered(t *testing.T) {
	out, err := OpenOutput(t.Context(), filepath.Join(t.TempDir(), "answer"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if !out.Unanswered() {
		t.Error("nothing was written, but it is answered")
	}
	if _, err := out.Write([]byte("kernel")); err != nil || out.Unanswered() {
		t.Errorf("written, but unanswered (%v)", err)
	}
	stdout, err := OpenOutput(t.Context(), "-")
	if err != nil || stdout.Unanswered() {
		t.Errorf("nobody waits for an answer on stdout (%v)", err)
	}
}

func TestOutput(t *testing.T) {
	dir := t.TempDir()
	there := filepath.Join(dir, "there")
	if err := os.WriteFile(there, []byte("of the last boot"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{there, filepath.Join(dir, "new")} {
		out, err := OpenOutput(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		out.Discard()
	}
	// The toolstack's file stays, empty; ours goes.
	if text, err := os.ReadFile(there); err != nil || len(text) > 0 {
		t.Errorf("%q, %v", text, err)
	}
	if got := names(t, dir); len(got) != 1 {
		t.Errorf("left %v", got)
	}
	_, err := OpenOutput(t.Context(), filepath.Join(dir, "no", "file"))
	if fault.CodeOf(err) != fault.NoOutput {
		t.Errorf("got %v", err)
	}
}

// Nobody reads the FIFO: that must not hold us for ever.
func TestOutputCancelled(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := OpenOutput(ctx, fifo); fault.CodeOf(err) != fault.OutOfTime {
		t.Errorf("got %v", err)
	}
	// Let the opening go on, so that the goroutine ends.
	if f, err := os.Open(fifo); err == nil {
		f.Close()
	}
}
