package handover

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/fault"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
)

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

// A person's terminal gets nothing that it would act on; who reads an answer gets
// all of it.
func TestOutputOnTerminal(t *testing.T) {
	const answer = "args é\x1b[2J\x07\u009b2J\xff\t\x00\n"
	if got, want := string(shown([]byte(answer))), "args é?[2J??2J?\t\x00\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	person, terminal := labtest.Terminal(t)
	out := &Output{File: terminal}
	if n, err := out.Write([]byte(answer)); n != len(answer) || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	got := make([]byte, 100)
	n, err := person.Read(got)
	if err != nil || bytes.ContainsAny(got[:n], "\x1b\a") || !bytes.HasPrefix(got[:n], []byte("args é?[2J")) {
		t.Errorf("%q, %v", got[:n], err)
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
