package boot

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// resultFile is a kernel or ramdisk on its way to the toolstack. It has no
// name until it is complete, so that nothing is left behind even when we are
// killed: not by SIGKILL, not by a power cut.
type resultFile struct {
	*os.File
	name string // where it will be, or is
	open bool   // named already: a file system without O_TMPFILE
}

// createResult makes an empty file in dir with an unpredictable name that
// begins with kind. Only root can read it.
func createResult(dir, kind string) (*resultFile, error) {
	name := filepath.Join(dir, kind+"."+randomName())
	fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	switch {
	case err == nil:
		return &resultFile{File: os.NewFile(uintptr(fd), name), name: name}, nil
	case !errors.Is(err, unix.EOPNOTSUPP) && !errors.Is(err, unix.EISDIR):
		return nil, &fs.PathError{Op: "create a file in", Path: dir, Err: err}
	}
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	return &resultFile{File: f, name: name, open: true}, nil
}

// publish gives the file its name. It fails when the name is taken.
func (f *resultFile) publish() error {
	if f.open {
		return nil
	}
	// By way of /proc: linking a bare descriptor needs CAP_DAC_READ_SEARCH
	// (open(2), O_TMPFILE).
	self := fmt.Sprintf("/proc/self/fd/%d", f.Fd())
	link := func() error { return unix.Linkat(unix.AT_FDCWD, self, unix.AT_FDCWD, f.name, unix.AT_SYMLINK_FOLLOW) }
	err := link()
	if errors.Is(err, fs.ErrNotExist) {
		// Another boot that failed took the directory away that it had made
		// and that seemed empty.
		if err = os.MkdirAll(filepath.Dir(f.name), 0o700); err == nil {
			err = link()
		}
	}
	if err != nil {
		return &fs.PathError{Op: "name the file", Path: f.name, Err: err}
	}
	f.open = true
	return nil
}

// adopt takes a file that another program made, in place of this empty one.
func (f *resultFile) adopt(path string) error {
	f.Close()
	if err := os.Chmod(path, 0o600); err != nil {
		return err
	}
	if err := os.Rename(path, f.name); err != nil {
		return err
	}
	f.open = true
	return nil
}

// discard makes the file not have been.
func (f *resultFile) discard() {
	f.Close()
	if f.open {
		os.Remove(f.name)
	}
}

func randomName() string {
	var b [8]byte
	rand.Read(b[:]) // never fails (crypto/rand)
	return hex.EncodeToString(b[:])
}

// outputDirectory makes the directory, and those above it, when they are
// missing: xenopsd does not make those that it takes files from. The function
// that it returns takes away again what it made and what is empty.
func outputDirectory(dir string) (undo func(), err error) {
	var made []string
	undo = func() {
		for _, dir := range slices.Backward(made) {
			os.Remove(dir)
		}
	}
	var missing []string
	for path := filepath.Clean(dir); ; path = filepath.Dir(path) {
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			break // it is there, or Mkdir says what is wrong
		}
		missing = append(missing, path)
	}
	for i, path := range slices.Backward(missing) {
		mode := fs.FileMode(0o755)
		if i == 0 {
			mode = 0o700
		}
		switch err := os.Mkdir(path, mode); {
		case err == nil:
			made = append(made, path)
		case !errors.Is(err, fs.ErrExist): // another boot may have made it meanwhile
			undo()
			return nil, err
		}
	}
	return undo, nil
}

// Output is where the result goes.
type Output struct {
	*os.File
	created string // the file's name, when it was not there before
	written bool
}

func (o *Output) Write(answer []byte) (int, error) {
	o.written = true
	return o.File.Write(answer)
}

// Unanswered says that somebody waits for an answer in this file and got
// none. Libxl takes that for a kernel without a name, and for a PVH guest dies
// of an assertion, if the exit status says success.
func (o *Output) Unanswered() bool { return o.File != os.Stdout && !o.written }

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
	go func() { // opening a FIFO that nobody reads blocks
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
			return nil, &Error{NoOutput, "output", o.err, "--output names a file or FIFO that can be written"}
		}
		return o.out, nil
	case <-ctx.Done():
		return nil, &Error{OutOfTime, "output", fmt.Errorf("nobody reads %s: %w", path, context.Cause(ctx)), ""}
	}
}

// Discard closes an output that stays empty.
func (o *Output) Discard() {
	o.Close()
	if o.created != "" {
		os.Remove(o.created)
	}
}
