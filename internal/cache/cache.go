// Package cache keeps files by their SHA-256, for all guests of a host: the
// first one downloads a file, the others copy it. A process may die at any
// moment: what it was writing is then the next one's to begin anew.
//
// DIGEST is a file that is whole, DIGEST.part one that somebody downloads: who
// has its lock (flock(2)). Both lie in a directory of a space, whose guests may
// have each other's files.
package cache

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/room"
	"github.com/gopxeboot/gopxeboot/internal/verify"
	"golang.org/x/sys/unix"
)

var (
	// ErrMiss is a file that is not there. Who is told so has to Put it, or Drop
	// it: others wait for that.
	ErrMiss = fmt.Errorf("not in the cache: %w", syscall.ENOENT)
	// ErrBusy is a file that another process downloads.
	ErrBusy = fmt.Errorf("another boot downloads it: %w", syscall.EAGAIN)
)

// A Cache is one boot's view of a directory. Its methods may be called by several
// goroutines at once.
type Cache struct {
	// Largest is the most bytes that a file of use to this boot has; 0 for any.
	Largest int64

	dir   string
	limit int64 // bytes, of all files together

	closed atomic.Bool // which ends what is under way

	mu   sync.Mutex
	held map[string]*os.File // parts by their names, with their locks
}

// Open opens a cache, and makes its directory where it is missing. It has to be
// ours alone.
func Open(dir string, limit int64) (*Cache, error) {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	info, err := os.Lstat(dir)
	switch {
	case err != nil:
		return nil, err
	case !info.IsDir():
		return nil, fmt.Errorf("%s is no directory", dir)
	case info.Mode().Perm()&0o077 != 0:
		return nil, fmt.Errorf("others may use %s (mode %04o): chmod 700", dir, info.Mode().Perm())
	case info.Sys().(*syscall.Stat_t).Uid != uint32(os.Geteuid()):
		return nil, fmt.Errorf("%s is another user's", dir)
	}
	return &Cache{dir: dir, limit: limit, held: make(map[string]*os.File)}, nil
}

// Close gives up what was not Put, a Put that is under way, too: what a guest
// asks for is not waited for.
func (c *Cache) Close() {
	c.closed.Store(true)
	c.mu.Lock()
	defer c.mu.Unlock()
	for name := range c.held {
		c.drop(name)
	}
}

// name is a file's, in its space, which is a word.
func (c *Cache) name(space string, d verify.Digest) string {
	return filepath.Join(c.dir, space, d.String())
}

// Get opens a file for reading. The error may be ErrMiss or ErrBusy.
func (c *Cache) Get(space string, d verify.Digest) (*os.File, error) {
	name := c.name(space, d)
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed.Load():
		return nil, os.ErrClosed
	case c.held[name] != nil:
		return nil, ErrMiss
	}
	if err := os.Mkdir(filepath.Dir(name), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	for {
		file, err := openFile(name, os.O_RDONLY)
		switch size := sizeOf(file); {
		case err != nil:
		case size > c.limit: // to read it, a hole of a terabyte too, would cost the boot its time
			if sameFile(file, name) {
				err = os.Remove(name)
			}
			file.Close()
			if err == nil {
				continue
			}
		case c.Largest > 0 && size > c.Largest: // for another guest it may be right
			file.Close()
			return nil, fmt.Errorf("%s has %d bytes, %d allowed", name, size, c.Largest)
		default:
			now := time.Now()
			os.Chtimes(name, now, now) // who was used last goes last; read-only, there is no order
			return file, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		part, err := openFile(name+".part", os.O_RDWR|os.O_CREATE)
		if err != nil {
			return nil, err
		}
		if err := unix.Flock(int(part.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
			part.Close()
			if errors.Is(err, unix.EWOULDBLOCK) {
				return nil, ErrBusy
			}
			return nil, err
		}
		ours := sameFile(part, name+".part") // else it was whole, or given up, before the lock was ours
		_, err = os.Lstat(name)
		if ours && errors.Is(err, fs.ErrNotExist) {
			c.held[name] = part
			return nil, ErrMiss
		}
		if ours { // the file became whole before we made a part
			os.Remove(name + ".part")
		}
		part.Close()
	}
}

// sizeOf is a file's size, in bytes; 0 for none.
func sizeOf(f *os.File) int64 {
	info, err := f.Stat()
	if err != nil {
		return 0
	}
	return info.Size()
}

// openFile opens a regular file, and waits for nothing else, such as a FIFO's other
// end. What is to be written has no other name.
func openFile(name string, flags int) (*os.File, error) {
	file, err := os.OpenFile(name, flags|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	switch {
	case err != nil:
	case !info.Mode().IsRegular():
		err = fmt.Errorf("%s is no file", name)
	case flags&os.O_RDWR != 0 && info.Sys().(*syscall.Stat_t).Nlink > 1:
		err = fmt.Errorf("%s has other names (hard links)", name)
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

// sameFile says whether a file still has a name.
func sameFile(f *os.File, name string) bool {
	a, err := f.Stat()
	b, err2 := os.Lstat(name)
	return err == nil && err2 == nil && os.SameFile(a, b)
}

// Put keeps a part of a file under its digest, and returns what it has then. Get
// must have said ErrMiss. A guest that was taken over may claim anything: nothing
// is written, or makes room, before the part has that digest. It may change
// meanwhile, so what is written is compared once more.
func (c *Cache) Put(space string, d verify.Digest, from io.ReaderAt, offset, size int64) (_ *os.File, err error) {
	name := c.name(space, d)
	c.mu.Lock()
	defer c.mu.Unlock()
	part := c.held[name]
	if part == nil {
		return nil, errors.New("no guest waits for it")
	}
	defer func() {
		if err != nil {
			c.drop(name)
		}
	}()
	if size > c.limit {
		return nil, fmt.Errorf("%d bytes are more than the cache may have", size)
	}
	if err := c.copy(io.Discard, io.NewSectionReader(from, offset, size), size, d); err != nil {
		return nil, err
	}
	unlock, err := c.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := part.Truncate(0); err != nil {
		return nil, err
	}
	if err := c.makeRoom(space, size); err != nil {
		return nil, err
	}
	if err := c.copy(io.NewOffsetWriter(part, 0), io.NewSectionReader(from, offset, size), size, d); err != nil {
		return nil, err
	}
	if err := os.Rename(name+".part", name); err != nil {
		return nil, err
	}
	delete(c.held, name)
	part.Close()
	return openFile(name, os.O_RDONLY)
}

// copy copies what has to have that size and digest, until Close.
func (c *Cache) copy(to io.Writer, from io.Reader, size int64, d verify.Digest) error {
	sum := verify.NewHasher()
	n, err := io.Copy(io.MultiWriter(to, sum), untilClosed{from, c})
	got := sum.Sum()
	switch {
	case err != nil:
		return err
	case n != size:
		return fmt.Errorf("it has %d bytes, and not %d", n, size)
	case got != d:
		return &digestError{got, d}
	}
	return nil
}

// untilClosed is a reader that ends with the cache.
type untilClosed struct {
	io.Reader
	c *Cache
}

func (r untilClosed) Read(p []byte) (int, error) {
	if r.c.closed.Load() {
		return 0, os.ErrClosed
	}
	return r.Reader.Read(p)
}

// digestError is a file that is another one.
type digestError struct{ got, want verify.Digest }

func (e *digestError) Error() string {
	return fmt.Sprintf("its SHA-256 is %s, and not %s", e.got, e.want)
}

// Drop gives up a file that could not be downloaded: another process may try.
func (c *Cache) Drop(space string, d verify.Digest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drop(c.name(space, d))
}

func (c *Cache) drop(name string) {
	if part := c.held[name]; part != nil {
		os.Remove(name + ".part") // before the lock goes
		part.Close()
		delete(c.held, name)
	}
}

// Check removes a file that is not what its name says.
func (c *Cache) Check(space string, d verify.Digest) {
	name := c.name(space, d)
	file, err := openFile(name, os.O_RDONLY)
	if err != nil {
		return
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return
	}
	err = c.copy(io.Discard, file, info.Size(), d)
	if _, other := errors.AsType[*digestError](err); other && sameFile(file, name) {
		os.Remove(name)
	}
}

// lockTime is how long another boot's copy is waited for.
const lockTime = 5 * time.Second

// lock is for who changes how much there is.
func (c *Cache) lock() (unlock func(), err error) {
	dir, err := os.Open(c.dir)
	if err != nil {
		return nil, err
	}
	for end := time.Now().Add(lockTime); ; time.Sleep(20 * time.Millisecond) {
		if err = unix.Flock(int(dir.Fd()), unix.LOCK_EX|unix.LOCK_NB); err == nil {
			return func() { dir.Close() }, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) || c.closed.Load() || time.Now().After(end) {
			dir.Close()
			return nil, fmt.Errorf("lock %s: %w", c.dir, err)
		}
	}
}

// entry is a file of the cache.
type entry struct {
	space, name string
	size        int64
	used        time.Time
}

// makeRoom removes files until one of that size fits in a space. Those go first
// that were not used for longest, of the space that has most: a guest that was
// taken over may fill its own with anything, and takes others' room only down to
// an equal share. What was left by who was killed goes in any case.
func (c *Cache) makeRoom(space string, size int64) error {
	var all []entry
	total, of := size, map[string]int64{space: size}
	err := filepath.WalkDir(c.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		part := strings.HasSuffix(path, ".part")
		if part && remove(path) {
			return nil
		}
		info, err := d.Info()
		if err == nil {
			e := entry{filepath.Base(filepath.Dir(path)), path, info.Size(), info.ModTime()}
			total += e.size
			of[e.space] += e.size
			if !part { // else somebody downloads it
				all = append(all, e)
			}
		}
		if errors.Is(err, fs.ErrNotExist) { // it has become whole
			err = nil
		}
		return err
	})
	if err != nil {
		return err
	}
	limit := c.limit
	var disk unix.Statfs_t
	if err := unix.Statfs(c.dir, &disk); err == nil {
		limit = min(limit, total-size+room.Left(&disk))
	}
	slices.SortFunc(all, func(a, b entry) int { return a.used.Compare(b.used) })
	for total > limit {
		largest := space
		for name, bytes := range of {
			if bytes > of[largest] {
				largest = name
			}
		}
		i := slices.IndexFunc(all, func(e entry) bool { return e.space == largest })
		if i < 0 {
			return fmt.Errorf("%d bytes are kept for other guests, and there is no room for %d more", total-size, size)
		}
		e := all[i]
		if err := os.Remove(e.name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		all = slices.Delete(all, i, i+1)
		total -= e.size
		of[e.space] -= e.size
	}
	return nil
}

// remove removes a part that no process downloads.
func remove(name string) bool {
	part, err := openFile(name, os.O_RDWR)
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	defer part.Close()
	return unix.Flock(int(part.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil && sameFile(part, name) && os.Remove(name) == nil
}
