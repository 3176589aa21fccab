package handover

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gopxeboot/gopxeboot/internal/fault"
	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// Output is where the result goes.
type Output struct {
	*os.File
	created string // the file's name, when it was not there before
	written bool
}

func (o *Output) Write(answer []byte) (int, error) {
	o.written = true
	if !term.IsTerminal(int(o.Fd())) {
		return o.File.Write(answer)
	}
	if _, err := o.File.Write(shown(answer)); err != nil {
		return 0, err
	}
	return len(answer), nil
}

// shown is an answer for a terminal: what it would act on is "?", but for what
// the formats have between their values. The arguments are the lab's.
func shown(answer []byte) []byte {
	return bytes.Map(func(r rune) rune {
		if unicode.IsControl(r) && !strings.ContainsRune("\x00\t\n", r) || r == utf8.RuneError {
			return '?'
		}
		return r
	}, answer)
}

// Unanswered says that somebody waits for an answer in this file and got
// none. Libxl takes that for a kernel without a name, and for a PVH guest dies
// of an assertion, if the exit status says success.
func (o *Output) Unanswered() bool { return o.File != os.Stdout && !o.written }

// ErrClosed is an output by which all would be lost.
var ErrClosed = errors.New("standard output is closed, or /dev/null opened for reading and writing")

// Closed is ErrClosed for a standard output that was closed when the program began:
// Go's runtime has opened /dev/null in its place, for reading and writing
// (runtime.checkfds). What a shell opens is for writing only; Python's
// subprocess.DEVNULL and daemon(3) have the same as the runtime.
func Closed(f *os.File) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var flags int
	var is unix.Stat_t
	err = raw.Control(func(fd uintptr) { // Fd would change the file's mode
		flags, _ = unix.FcntlInt(fd, unix.F_GETFL, 0)
		_ = unix.Fstat(int(fd), &is)
	})
	if err == nil && f == os.Stdout && flags&unix.O_ACCMODE == unix.O_RDWR && is.Mode&unix.S_IFMT == unix.S_IFCHR && is.Rdev == unix.Mkdev(1, 3) {
		err = ErrClosed
	}
	return err
}

// OpenOutput opens the result file; "" and "-" are standard output.
//
// It comes first of all: xend made a FIFO, and waits in open until somebody
// opens the other end (XendBootloader.py, bootloader). Libxl made a regular
// file and reads it by its name, so it must be written in place: no O_EXCL,
// no rename (libxl_bootloader.c, parse_bootloader_result).
func OpenOutput(ctx context.Context, path string) (*Output, error) {
	if path == "" || path == "-" {
		return &Output{File: os.Stdout}, nil
	}
	type opened struct {
		out *Output
		err error
	}
	done := make(chan opened, 1)
	go func() { // opening a FIFO that no process reads blocks
		out := &Output{}
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			out.created = path
		}
		var err error
		out.File, err = os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
		done <- opened{out, err}
	}()
	select {
	case o := <-done:
		if o.err != nil {
			return nil, fault.New(fault.NoOutput, "output", o.err, "--output names a file or FIFO that can be written")
		}
		return o.out, nil
	case <-ctx.Done():
		return nil, fault.New(fault.OutOfTime, "output", fmt.Errorf("no process reads %s: %w", path, context.Cause(ctx)), "")
	}
}

// Discard closes an output that stays empty.
func (o *Output) Discard() {
	o.Close()
	if o.created != "" {
		os.Remove(o.created)
	}
}
