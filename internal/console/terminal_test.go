package console

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gopxeboot/gopxeboot/internal/menu"
	"golang.org/x/sys/unix"
)

// pty is a terminal, and who sits at it.
func pty(t *testing.T) (person, terminal *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { person.Close() })
	n, err := unix.IoctlGetInt(int(person.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	if terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { terminal.Close() })
	return person, terminal
}

func settings(t *testing.T, f *os.File) unix.Termios {
	t.Helper()
	s, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return *s
}

// Keys come one by one, and the terminal is left as it was.
func TestTerminal(t *testing.T) {
	person, terminal := pty(t)
	before := settings(t, terminal)
	opened, restore, err := OpenTerminal(terminal, terminal)
	if err != nil {
		t.Fatal(err)
	}
	go io.Copy(io.Discard, person)
	io.WriteString(person, "\x00\x1b[99Zx\x1b[A\r")
	if err := opened.Key(t.Context()); err != nil { // x: what is before it is noise
		t.Error(err)
	}
	opened.Idle = time.Minute
	choice, err := opened.Choose(t.Context(), sample(), right)
	if diff := cmp.Diff(menu.Choice{}, choice); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	during := settings(t, terminal)
	if during.Lflag&(unix.ICANON|unix.ECHO) != 0 || during.Lflag&unix.ISIG == 0 {
		t.Errorf("local modes %#x", during.Lflag)
	}
	restore()
	if diff := cmp.Diff(before, settings(t, terminal)); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
}

// A terminal that is full, as no one reads, ends the menu, whoever types.
func TestTerminalUnread(t *testing.T) {
	person, terminal := pty(t)
	opened, restore, err := OpenTerminal(terminal, terminal)
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := opened.Output.Write(make([]byte, 4096)); err != nil {
			break
		}
	}
	go io.Copy(person, strings.NewReader(strings.Repeat("\x1b[A\x1b[B", 1<<18)))
	opened.Idle = time.Minute
	if _, err := opened.Choose(t.Context(), sample(), right); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	restore()
}

// A terminal that closes is an end.
func TestTerminalGone(t *testing.T) {
	person, terminal := pty(t)
	opened, restore, err := OpenTerminal(terminal, terminal)
	if err != nil {
		t.Fatal(err)
	}
	defer restore()
	person.Close()
	if err := opened.Key(t.Context()); err == nil {
		t.Error("a key of nobody's")
	}
	if _, err := opened.Choose(t.Context(), sample(), right); err == nil {
		t.Error("a choice of nobody's")
	}
}

func TestNoTerminal(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	if _, _, err := OpenTerminal(r, w); err == nil {
		t.Error("a pipe is a terminal")
	}
}

// A cancelled wait for a key ends, and so does the reading.
func TestKeyCancelled(t *testing.T) {
	_, terminal := pty(t)
	opened, restore, err := OpenTerminal(terminal, terminal)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := opened.Key(ctx); err == nil {
		t.Error("a key of nobody's")
	}
	restore()
}

// A burst of keys is drawn once, as what is drawn is kept in a log.
func TestTerminalBurst(t *testing.T) {
	person, terminal := pty(t)
	opened, restore, err := OpenTerminal(terminal, terminal)
	if err != nil {
		t.Fatal(err)
	}
	var drawn bytes.Buffer
	all := make(chan int64)
	go func() { n, _ := io.Copy(&drawn, person); all <- n }()
	go io.WriteString(person, strings.Repeat("\x1b[A\x1b[B", 1<<17)+"\x1b[A\r")
	opened.Idle = time.Minute
	choice, err := opened.Choose(t.Context(), sample(), right)
	if diff := cmp.Diff(menu.Choice{Entry: 0}, choice); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	restore()
	terminal.Close()
	if n := <-all; n > 1<<20 {
		t.Errorf("%d bytes are drawn", n)
	}
}

// What a terminal that no one reads does not take is lost, and keeps no one waiting.
func TestGoOn(t *testing.T) {
	_, terminal := pty(t)
	c := New(terminal, Normal)
	c.GoOn()
	began := time.Now()
	for range 1000 {
		c.Stage(strings.Repeat("x", 1000))
	}
	if took := time.Since(began); took > 10*writeTime {
		t.Errorf("it took %v", took)
	}
}
