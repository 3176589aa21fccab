package handover

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/xenout"
	"golang.org/x/sys/unix"
)

// resultFile is a kernel or ramdisk on its way to the toolstack. It has no
// name until it is complete, so that nothing is left behind even when we are
// killed: not by SIGKILL, not by a power cut.
type resultFile struct {
	*os.File
	stage plan.Stage
	name  string // where it will be, or is
	most  int64  // bytes
	named bool   // already: a file system without O_TMPFILE
}

// newResult makes an empty file that will have that name. Only root can
// read it.
func newResult(stage plan.Stage, name string, most int64) (*resultFile, error) {
	f := &resultFile{stage: stage, name: name, most: most}
	dir := filepath.Dir(name)
	fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	switch {
	case err == nil:
		f.File = os.NewFile(uintptr(fd), name)
		return f, nil
	case !errors.Is(err, unix.EOPNOTSUPP) && !errors.Is(err, unix.EISDIR):
		return nil, &fs.PathError{Op: "create a file in", Path: dir, Err: err}
	}
	f.named = true
	if f.File, err = os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600); err != nil {
		return nil, err
	}
	return f, nil
}

// publish gives the file its name. It fails when the name is taken.
func (f *resultFile) publish() error {
	if f.named {
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
	f.named = true
	return nil
}

// adopt takes a file that another program made, in place of this empty one.
func (f *resultFile) adopt(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	f.Close()
	f.File = file
	if err := f.settle(); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := f.Chmod(0o600); err != nil {
		return err
	}
	if err := os.Rename(path, f.name); err != nil {
		return err
	}
	f.named = true
	return nil
}

// discard makes the file not have been.
func (f *resultFile) discard() {
	f.Close()
	if f.named {
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

// resultName matches what newPlace calls kernels and ramdisks.
var resultName = regexp.MustCompile(`^(kernel|ramdisk)\.[0-9a-f]{16}$`)

// RemoveEarlier removes what earlier results left in a directory, where no
// toolstack does: all but the files of this one. The directory goes, too, where
// it is empty then.
func RemoveEarlier(dir string, r xenout.Result) error {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		file := filepath.Join(dir, e.Name())
		if !resultName.MatchString(e.Name()) || file == r.Kernel || file == r.Ramdisk {
			continue
		}
		if err := os.Remove(file); err != nil {
			return err
		}
	}
	os.Remove(dir)
	return nil
}

func randomName() string {
	var b [8]byte
	rand.Read(b[:]) // never fails (crypto/rand)
	return hex.EncodeToString(b[:])
}
