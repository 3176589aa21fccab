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
	"time"

	"github.com/gopxeboot/gopxeboot/internal/fault"
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

// createResult makes an empty file that will have that name. Only root can
// read it.
func createResult(name string) (*resultFile, error) {
	dir := filepath.Dir(name)
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
func (f *resultFile) adopt(path string, most int64) error {
	file, err := os.OpenFile(path, os.O_RDWR|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	f.Close()
	f.File = file
	if err := f.settle(most); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := f.Chmod(0o600); err != nil {
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

// place is where a boot puts its files: everything that it may leave behind,
// by names that are known before the first of it is made.
type place struct {
	kernel, ramdisk string
	pygrub          string   // the directory that pygrub works in
	missing         []string // of the output directory and those above it, the innermost first
}

// newPlace chooses names in dir that cannot be guessed.
func newPlace(dir string) place {
	name := func(kind string) string { return filepath.Join(dir, kind+"."+randomName()) }
	p := place{kernel: name("kernel"), ramdisk: name("ramdisk"), pygrub: name("pygrub")}
	for path := filepath.Clean(dir); ; path = filepath.Dir(path) {
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			return p // it is there, or make says what is wrong
		}
		p.missing = append(p.missing, path)
	}
}

// words are the place as a process's arguments, which placeOf reads.
func (p place) words() []string { return append([]string{p.kernel, p.ramdisk, p.pygrub}, p.missing...) }

func placeOf(words []string) (place, bool) {
	if len(words) < 3 {
		return place{}, false
	}
	return place{words[0], words[1], words[2], words[3:]}, true
}

// make makes the output directory, and those above it, when they are missing:
// xenopsd does not make those that it takes files from.
func (p place) make() error {
	for i, path := range slices.Backward(p.missing) {
		mode := fs.FileMode(0o755)
		if i == 0 {
			mode = 0o700
		}
		if err := os.Mkdir(path, mode); err != nil && !errors.Is(err, fs.ErrExist) { // another boot may have made it meanwhile
			return err
		}
	}
	return nil
}

// clear removes all that there is, and the directories that were missing where
// they are empty.
func (p place) clear() {
	os.Remove(p.kernel)
	os.Remove(p.ramdisk)
	// When we die pygrub gets its SIGKILL a moment after the cleanup process
	// has heard of it, and may make one more file until then.
	for range 100 {
		if os.RemoveAll(p.pygrub) == nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	for _, dir := range p.missing {
		os.Remove(dir)
	}
}

func randomName() string {
	var b [8]byte
	rand.Read(b[:]) // never fails (crypto/rand)
	return hex.EncodeToString(b[:])
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
