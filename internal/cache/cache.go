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
	"syscall"
	"time"

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
	dir   string
	limit int64 // bytes, of all files together

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

// Close gives up what was not Put.
func (c *Cache) Close() {
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
	if c.held[name] != nil {
		return nil, ErrMiss
	}
	if err := os.Mkdir(filepath.Dir(name), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	for {
		file, err := os.OpenFile(name, os.O_RDONLY|unix.O_NOFOLLOW, 0)
		if err == nil {
			now := time.Now()
			os.Chtimes(name, now, now) // who was used last goes last; read-only, there is no order
			return file, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		part, err := os.OpenFile(name+".part", os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
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

// sameFile says whether a file still has a name.
func sameFile(f *os.File, name string) bool {
	a, err := f.Stat()
	b, err2 := os.Lstat(name)
	return err == nil && err2 == nil && os.SameFile(a, b)
}

// Put keeps a part of a file under its digest, which it compares, and returns
// what it has then. Get must have said ErrMiss.
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
	unlock, err := c.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := part.Truncate(0); err != nil {
		return nil, err
	}
	if err := c.makeRoom(size); err != nil {
		return nil, err
	}
	sum := verify.NewHasher()
	n, err := io.Copy(io.MultiWriter(io.NewOffsetWriter(part, 0), sum), io.NewSectionReader(from, offset, size))
	got := sum.Sum()
	switch {
	case err != nil:
		return nil, err
	case n != size || got != d:
		return nil, fmt.Errorf("its SHA-256 is %s, and not %s", got, d)
	}
	if err := os.Rename(name+".part", name); err != nil {
		return nil, err
	}
	delete(c.held, name)
	part.Close()
	return os.OpenFile(name, os.O_RDONLY|unix.O_NOFOLLOW, 0)
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
	file, err := os.OpenFile(name, os.O_RDONLY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return
	}
	defer file.Close()
	sum := verify.NewHasher()
	_, err = io.Copy(sum, file)
	if got := sum.Sum(); err == nil && got != d && sameFile(file, name) {
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
		if !errors.Is(err, unix.EWOULDBLOCK) || time.Now().After(end) {
			dir.Close()
			return nil, fmt.Errorf("lock %s: %w", c.dir, err)
		}
	}
}

// entry is a file of the cache.
type entry struct {
	name string
	size int64
	used time.Time
}

// makeRoom removes files until one of that size fits: those first that nobody
// used for longest.
func (c *Cache) makeRoom(size int64) error {
	if size > c.limit {
		return fmt.Errorf("%d bytes are more than the cache may have", size)
	}
	var all []entry
	err := filepath.WalkDir(c.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err == nil && c.held[strings.TrimSuffix(path, ".part")] == nil {
			all = append(all, entry{path, info.Size(), info.ModTime()})
		}
		if errors.Is(err, fs.ErrNotExist) { // it has become whole
			err = nil
		}
		return err
	})
	if err != nil {
		return err
	}
	slices.SortFunc(all, func(a, b entry) int { return a.used.Compare(b.used) })
	total := size
	for _, e := range all {
		total += e.size
	}
	for _, e := range all {
		if total <= c.limit {
			return nil
		}
		if remove(e.name) {
			total -= e.size
		}
	}
	if total > c.limit {
		return fmt.Errorf("%d bytes are under way: there is no room", total-size)
	}
	return nil
}

// remove removes a file, but for a part that somebody downloads.
func remove(name string) bool {
	if !strings.HasSuffix(name, ".part") {
		return os.Remove(name) == nil
	}
	part, err := os.OpenFile(name, os.O_RDWR|unix.O_NOFOLLOW, 0)
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	defer part.Close()
	return unix.Flock(int(part.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil && sameFile(part, name) && os.Remove(name) == nil
}
