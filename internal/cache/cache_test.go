package cache

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"github.com/gopxeboot/gopxeboot/internal/room"
	"github.com/gopxeboot/gopxeboot/internal/verify"
	"golang.org/x/sys/unix"
)

// holds is the variable that makes this test program a boot which dies while it
// downloads: its value is the cache's directory.
const holds = "CACHE_TEST_HOLDS"

func TestMain(m *testing.M) {
	if dir := os.Getenv(holds); dir != "" {
		c, err := Open(dir, 1000)
		if err == nil {
			_, err = c.Get("a", digest("x"))
		}
		fmt.Println(err)
		select {}
	}
	labtest.Main(m)
}

func digest(content string) verify.Digest { return sha256.Sum256([]byte(content)) }

func open(t *testing.T, dir string, limit int64) *Cache {
	t.Helper()
	c, err := Open(dir, limit)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// put has a boot find that a file is missing, and keep it.
func put(t *testing.T, c *Cache, content string) {
	t.Helper()
	if _, err := c.Get("a", digest(content)); !errors.Is(err, ErrMiss) {
		t.Fatalf("%.20s: got %v, want a miss", content, err)
	}
	file, err := c.Put("a", digest(content), strings.NewReader("__"+content+"__"), 2, int64(len(content)))
	labtest.Check(t, err)
	file.Close()
}

// has reads a file of the cache, "" where there is none.
func has(t *testing.T, c *Cache, space, content string) string {
	t.Helper()
	file, err := c.Get(space, digest(content))
	if errors.Is(err, ErrMiss) {
		c.Drop(space, digest(content))
		return ""
	}
	labtest.Check(t, err)
	defer file.Close()
	got, err := io.ReadAll(file)
	labtest.Check(t, err)
	return string(got)
}

func TestCache(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	first, second := open(t, dir, 1000), open(t, dir, 1000)
	if _, err := first.Get("a", digest("x")); !errors.Is(err, ErrMiss) {
		t.Fatalf("got %v", err)
	}
	if _, err := second.Get("a", digest("x")); !errors.Is(err, ErrBusy) {
		t.Errorf("while another one downloads: %v", err)
	}
	if _, err := second.Put("a", digest("x"), strings.NewReader("x"), 0, 1); err == nil {
		t.Error("put what another one downloads")
	}
	first.Drop("a", digest("x"))
	if _, err := second.Get("a", digest("x")); !errors.Is(err, ErrMiss) {
		t.Errorf("after it was given up: %v", err)
	}
	if _, err := second.Put("a", digest("x"), strings.NewReader("y"), 0, 1); err == nil {
		t.Error("kept what is something else")
	}
	put(t, first, "x")
	if got := has(t, second, "a", "x"); got != "x" {
		t.Errorf("got %q", got)
	}
	if got := has(t, second, "b", "x"); got != "" {
		t.Errorf("another space has %q", got)
	}
	if _, err := second.Get("a", digest("y")); !errors.Is(err, ErrMiss) {
		t.Errorf("got %v", err)
	}
	second.Close()
	if _, err := first.Get("a", digest("y")); !errors.Is(err, ErrMiss) {
		t.Errorf("after the other one has ended: %v", err)
	}
}

// Who dies leaves nothing that others wait for.
func TestKilled(t *testing.T) {
	dir := t.TempDir()
	labtest.Check(t, os.Chmod(dir, 0o700))
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), holds+"="+dir)
	out, err := cmd.StdoutPipe()
	labtest.Check(t, err)
	labtest.Check(t, cmd.Start())
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != ErrMiss.Error()+"\n" {
		t.Fatalf("%q, %v", line, err)
	}
	c := open(t, dir, 1000)
	if _, err := c.Get("a", digest("x")); !errors.Is(err, ErrBusy) {
		t.Errorf("while it lives: %v", err)
	}
	labtest.Check(t, cmd.Process.Kill())
	cmd.Wait()
	put(t, c, "x")
	if got := has(t, c, "a", "x"); got != "x" {
		t.Errorf("got %q", got)
	}
}

// Those that were used last stay.
func TestLimit(t *testing.T) {
	dir := t.TempDir()
	labtest.Check(t, os.Chmod(dir, 0o700))
	c := open(t, dir, 300)
	content := func(n int) string { return strings.Repeat(fmt.Sprint(n), 100) }
	for n := range 3 {
		put(t, c, content(n))
		past := time.Now().Add(time.Duration(n-10) * time.Minute)
		labtest.Check(t, os.Chtimes(c.name("a", digest(content(n))), past, past))
	}
	has(t, c, "a", content(0))
	put(t, c, content(3))
	var left []string
	for n := range 4 {
		if has(t, c, "a", content(n)) != "" {
			left = append(left, fmt.Sprint(n))
		}
	}
	if diff := cmp.Diff([]string{"0", "2", "3"}, left); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	big := strings.Repeat("b", 301)
	if _, err := c.Get("a", digest(big)); !errors.Is(err, ErrMiss) {
		t.Error(err)
	}
	if _, err := c.Put("a", digest(big), strings.NewReader(big), 0, 301); err == nil {
		t.Error("kept more than the limit")
	}
}

// What is not what its name says costs others nothing: a guest that was taken over
// may claim any size.
func TestPutComparesFirst(t *testing.T) {
	dir := t.TempDir()
	labtest.Check(t, os.Chmod(dir, 0o700))
	c := open(t, dir, 300)
	big := strings.Repeat("b", 300)
	put(t, c, "x")
	for content, size := range map[string]int64{strings.Repeat("c", 300): 300, "b": 300, big + "b": 301} {
		if _, err := c.Get("a", digest(big)); !errors.Is(err, ErrMiss) {
			t.Fatal(err)
		}
		if _, err := c.Put("a", digest(big), strings.NewReader(content), 0, size); err == nil {
			t.Errorf("kept %d bytes of %.5s", size, content)
		}
		if got := has(t, c, "a", "x"); got != "x" {
			t.Fatalf("%d bytes of %.5s removed another file", size, content)
		}
	}
}

// Who may fill one space with anything takes others' room only down to an equal
// share.
func TestShares(t *testing.T) {
	dir := t.TempDir()
	labtest.Check(t, os.Chmod(dir, 0o700))
	c := open(t, dir, 400)
	keep := func(space, content string) error {
		if _, err := c.Get(space, digest(content)); !errors.Is(err, ErrMiss) {
			t.Fatal(err)
		}
		file, err := c.Put(space, digest(content), strings.NewReader(content), 0, int64(len(content)))
		if err == nil {
			file.Close()
		}
		return err
	}
	content := func(n, size int) string { return strings.Repeat(string(rune('a'+n)), size) }
	for n := range 4 { // a space alone has all of it
		labtest.Check(t, keep("listed", content(n, 100)))
		past := time.Now().Add(time.Duration(n-10) * time.Minute)
		labtest.Check(t, os.Chtimes(c.name("listed", digest(content(n, 100))), past, past))
	}
	for n := range 20 {
		labtest.Check(t, keep("key-1", content(n, 100)))
	}
	if err := keep("key-1", content(0, 350)); err == nil {
		t.Error("kept more than a share, where it is others' room")
	}
	var left []string
	for n := range 4 {
		if has(t, c, "listed", content(n, 100)) != "" {
			left = append(left, content(n, 1))
		}
	}
	if diff := cmp.Diff([]string{"c", "d"}, left); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Whatever it may have, it leaves the file system the reserve that a boot leaves.
func TestReserve(t *testing.T) {
	dir := filepath.Join(labtest.Tmpfs(t, "8M"), "cache")
	c := open(t, dir, 1<<30)
	content := func(n int) string { return strings.Repeat(string(rune('a'+n)), 1<<20) }
	for n := range 12 {
		put(t, c, content(n))
		past := time.Now().Add(time.Duration(n-20) * time.Minute)
		labtest.Check(t, os.Chtimes(c.name("a", digest(content(n))), past, past))
		var fs unix.Statfs_t
		labtest.Check(t, unix.Statfs(dir, &fs))
		if left := room.Left(&fs); left < 0 {
			t.Errorf("after %d files %d bytes are missing of the reserve", n+1, -left)
		}
	}
	if has(t, c, "a", content(0)) != "" || has(t, c, "a", content(11)) == "" {
		t.Error("it is not the oldest that went")
	}
}

// endless is a file without an end.
type endless struct{ began chan struct{} }

func (e endless) ReadAt(p []byte, _ int64) (int, error) {
	select {
	case e.began <- struct{}{}:
	default:
	}
	return len(p), nil
}

// Close waits for nothing that a guest has asked for, and nothing is made after it.
func TestClose(t *testing.T) {
	dir := t.TempDir()
	labtest.Check(t, os.Chmod(dir, 0o700))
	c := open(t, dir, 1<<62)
	if _, err := c.Get("a", digest("x")); !errors.Is(err, ErrMiss) {
		t.Fatal(err)
	}
	from, done := endless{make(chan struct{})}, make(chan error, 1)
	go func() {
		_, err := c.Put("a", digest("x"), from, 0, 1<<61)
		done <- err
	}()
	<-from.began
	c.Close()
	if err := <-done; err == nil {
		t.Error("kept what has no end")
	}
	if _, err := c.Get("a", digest("y")); !errors.Is(err, os.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	labtest.Check(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			t.Errorf("left %s", path)
		}
		return err
	}))
}

// What who was killed left is removed with the next file that is kept.
func TestRemains(t *testing.T) {
	dir := t.TempDir()
	labtest.Check(t, os.Chmod(dir, 0o700))
	c := open(t, dir, 1000)
	put(t, c, "x")
	remains := c.name("a", digest("y")) + ".part"
	labtest.Check(t, os.WriteFile(remains, []byte("half of it"), 0o600))
	put(t, c, "z")
	if _, err := os.Lstat(remains); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it is still there (%v)", err)
	}
}

// What has become something else does not stay.
func TestCheck(t *testing.T) {
	dir := t.TempDir()
	labtest.Check(t, os.Chmod(dir, 0o700))
	c := open(t, dir, 1000)
	put(t, c, "x")
	put(t, c, "y")
	labtest.Check(t, os.WriteFile(c.name("a", digest("y")), []byte("z"), 0o600))
	for _, content := range []string{"x", "y", "none"} {
		c.Check("a", digest(content))
	}
	if x, y := has(t, c, "a", "x"), has(t, c, "a", "y"); x != "x" || y != "" {
		t.Errorf("x is %q, y %q", x, y)
	}
}

// What is larger than any file that was kept, or that is wanted, is not read: a hole
// of a terabyte would take minutes.
func TestOversized(t *testing.T) {
	dir := t.TempDir()
	labtest.Check(t, os.Chmod(dir, 0o700))
	c, err := Open(dir, 1000)
	labtest.Check(t, err)
	defer c.Close()
	c.Largest = 100
	for size, want := range map[int64]error{1 << 40: ErrMiss, 1001: ErrMiss, 101: errAny, 100: nil} {
		put(t, c, "x")
		name := c.name("a", digest("x"))
		labtest.Check(t, os.Truncate(name, size))
		file, err := c.Get("a", digest("x"))
		if err == nil {
			file.Close()
		}
		if !errors.Is(err, want) && (want != errAny || err == nil || errors.Is(err, ErrMiss)) {
			t.Errorf("%d bytes: %v, want %v", size, err, want)
		}
		// What is too large for this boot only stays for others.
		if _, err := os.Lstat(name); (err == nil) != (want != ErrMiss) {
			t.Errorf("%d bytes: afterwards %v", size, err)
		}
		c.Drop("a", digest("x"))
		labtest.Check(t, os.RemoveAll(name))
	}
}

// errAny is one that the boot goes on without the cache for.
var errAny = errors.New("any")

func TestOpenErrors(t *testing.T) {
	shared, file := filepath.Join(t.TempDir(), "shared"), filepath.Join(t.TempDir(), "file")
	labtest.Check(t, os.Mkdir(shared, 0o755))
	labtest.Check(t, os.Chmod(shared, 0o755))
	labtest.Check(t, os.WriteFile(file, nil, 0o600))
	link := filepath.Join(t.TempDir(), "link")
	labtest.Check(t, os.Symlink(t.TempDir(), link))
	for dir, want := range map[string]string{shared: "others may use " + shared + " (mode 0755): chmod 700", file: "is no directory", link: "is no directory", shared + "/a/b": "no such file"} {
		if _, err := Open(dir, 1); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", dir, err, want)
		}
	}
}

// TestStorm has many want one file at once: one downloads it.
func TestStorm(t *testing.T) {
	dir := t.TempDir()
	labtest.Check(t, os.Chmod(dir, 0o700))
	content := bytes.Repeat([]byte("0123456789"), 100_000)
	var downloads atomic.Int64
	var guests sync.WaitGroup
	for range 64 {
		guests.Go(func() {
			c, err := Open(dir, 10<<20)
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			for {
				file, err := c.Get("a", digest(string(content)))
				switch {
				case errors.Is(err, ErrBusy):
					time.Sleep(time.Millisecond)
					continue
				case errors.Is(err, ErrMiss):
					downloads.Add(1)
					file, err = c.Put("a", digest(string(content)), bytes.NewReader(content), 0, int64(len(content)))
				}
				if err != nil {
					t.Error(err)
					return
				}
				got, err := io.ReadAll(file)
				file.Close()
				if err != nil || !bytes.Equal(got, content) {
					t.Errorf("%d bytes, %v", len(got), err)
				}
				return
			}
		})
	}
	guests.Wait()
	if downloads.Load() != 1 {
		t.Errorf("%d downloads", downloads.Load())
	}
}

// What has a name in the cache and is no file is an error, at once.
func TestNoFile(t *testing.T) {
	for _, suffix := range []string{"", ".part"} {
		for kind, make := range map[string]func(name string) error{
			"FIFO":      func(name string) error { return unix.Mkfifo(name, 0o600) },
			"directory": func(name string) error { return os.Mkdir(name, 0o700) },
			"link":      func(name string) error { return os.Symlink("/dev/null", name) },
		} {
			dir := t.TempDir()
			c := open(t, filepath.Join(dir, "cache"), 1000)
			name := c.name("a", digest("x"))
			labtest.Check(t, os.Mkdir(filepath.Dir(name), 0o700))
			labtest.Check(t, make(name+suffix))
			ended := time.AfterFunc(10*time.Second, func() { panic(kind + suffix + " is waited for") })
			if file, err := c.Get("a", digest("x")); err == nil || errors.Is(err, ErrMiss) || errors.Is(err, ErrBusy) {
				t.Errorf("%s%s: got %v, %v", kind, suffix, file, err)
			}
			c.Check("a", digest("x"))
			ended.Stop()
		}
	}
}

// A part that is another file, too, is not written.
func TestHardLink(t *testing.T) {
	dir := t.TempDir()
	c := open(t, filepath.Join(dir, "cache"), 1000)
	name, other := c.name("a", digest("x")), filepath.Join(dir, "other")
	labtest.Check(t, os.Mkdir(filepath.Dir(name), 0o700))
	labtest.Check(t, os.WriteFile(other, []byte("other"), 0o600))
	labtest.Check(t, os.Link(other, name+".part"))
	if _, err := c.Get("a", digest("x")); err == nil || errors.Is(err, ErrMiss) {
		t.Errorf("got %v", err)
	}
	put(t, c, "y") // which looks for parts to remove
	if got, err := os.ReadFile(other); err != nil || string(got) != "other" {
		t.Errorf("it became %q, %v", got, err)
	}
}
