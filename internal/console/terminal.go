package console

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// writeTime is how long a terminal may take to take what is written to it. One
// that no one reads takes nothing when it is full.
const writeTime = time.Second

// OpenTerminal makes a terminal one that a menu can be shown on; in and out have
// to be one. Keys come at once and are not shown, but those that end us still do.
// The function that it returns leaves the terminal as it was.
func OpenTerminal(in, out *os.File) (*Terminal, func(), error) {
	before, err := unix.IoctlGetTermios(int(in.Fd()), unix.TCGETS)
	if err != nil {
		return nil, nil, fmt.Errorf("no terminal to read from: %w", err)
	}
	if group, err := unix.IoctlGetInt(int(in.Fd()), unix.TIOCGPGRP); err == nil && group != unix.Getpgrp() {
		return nil, nil, errors.New("the terminal is another program's") // who sets it gets SIGTTOU
	}
	reader, err := again(in, unix.O_RDONLY)
	if err != nil {
		return nil, nil, err
	}
	writer, err := again(out, unix.O_WRONLY)
	if err != nil {
		reader.Close()
		return nil, nil, err
	}
	raw := *before
	raw.Lflag &^= unix.ICANON | unix.ECHO | unix.ECHONL | unix.IEXTEN
	raw.Iflag &^= unix.ICRNL | unix.INLCR | unix.IXON
	raw.Cc[unix.VMIN], raw.Cc[unix.VTIME] = 1, 0
	if err := unix.IoctlSetTermios(int(in.Fd()), unix.TCSETS, &raw); err != nil {
		reader.Close()
		writer.Close()
		return nil, nil, err
	}
	input, stop := make(chan byte, 256), make(chan struct{})
	go func() {
		defer close(input)
		buffer := make([]byte, 256)
		for {
			n, err := reader.Read(buffer)
			if err != nil || n == 0 {
				return
			}
			for _, b := range buffer[:n] {
				select {
				case input <- b:
				case <-stop:
					return
				}
			}
		}
	}()
	t := &Terminal{Input: input, Output: patient{writer}}
	if size, err := unix.IoctlGetWinsize(int(out.Fd()), unix.TIOCGWINSZ); err == nil {
		t.Width, t.Height = int(size.Col), int(size.Row)
	}
	return t, func() {
		close(stop)
		reader.Close()
		for range input { // until it has ended
		}
		writer.Close()
		unix.IoctlSetTermios(int(in.Fd()), unix.TCSETS, before)
	}, nil
}

// again opens a terminal anew, for reads and writes that can be given up.
func again(f *os.File, mode int) (*os.File, error) {
	fd, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", f.Fd()), mode|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open the terminal: %w", err)
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}

// patient is a terminal that is written to for some time only.
type patient struct{ f *os.File }

func (p patient) Write(text []byte) (int, error) {
	if err := p.f.SetWriteDeadline(time.Now().Add(writeTime)); err != nil {
		return 0, err
	}
	return p.f.Write(text)
}

// GoOn says that no one has to read: what a terminal does not take in writeTime is
// lost, and so is what follows until it does. A boot waits for its servers only.
func (c *Console) GoOn() {
	if c.end == "\r\n" {
		c.w = &unread{c.w, make(chan struct{}, 1)}
	}
}

// unread is a terminal that may not be read.
type unread struct {
	w    io.Writer
	turn chan struct{}
}

func (u *unread) Write(text []byte) (int, error) {
	select {
	case u.turn <- struct{}{}:
	default: // what was written before is not taken yet
		return len(text), nil
	}
	taken, text := make(chan struct{}), bytes.Clone(text)
	go func() {
		defer close(taken)
		defer func() { <-u.turn }()
		u.w.Write(text)
	}()
	select {
	case <-taken:
	case <-time.After(writeTime):
	}
	return len(text), nil
}

// Key waits for one that was pressed, all of its bytes. Noise is none. The error
// is the terminal's end, or ctx's.
func (t *Terminal) Key(ctx context.Context) error {
	for {
		switch k := (keys{t.Input}).next(ctx, nil); k {
		case keyNone, 0:
		case keyGone:
			return errors.New("the terminal is gone")
		default:
			return nil
		}
	}
}
