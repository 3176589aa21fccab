package main

import (
	"crypto/sha256"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"golang.org/x/sys/unix"
)

// cacheLab boots from a web server that counts, with a list of digests.
type cacheLab struct {
	tree  string
	sums  []string // options
	asked atomic.Int64
}

func newCacheLab(t *testing.T) *cacheLab {
	t.Helper()
	l := labtest.New(t, lab.Config{})
	tree, keys := signedTree(t)
	c := &cacheLab{tree: tree, sums: []string{"--sums=" + filepath.Join(keys, "urls")}}
	var listener net.Listener
	labtest.Check(t, l.Servers.Do(func() (err error) {
		listener, err = net.Listen("tcp4", "192.168.1.166:80")
		return err
	}))
	web := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.asked.Add(1)
		http.ServeFile(w, r, filepath.Join(tree, r.URL.Path))
	})}
	go web.Serve(listener)
	t.Cleanup(func() { web.Close() })
	writeFile(t, filepath.Join(tree, "pxelinux.cfg/01-00-16-3e-72-79-e3"), "default linux\nlabel linux\n kernel http://192.168.1.166/vmlinuz\n initrd http://192.168.1.166/initrd.gz\n")
	writeFile(t, filepath.Join(keys, "urls"), strings.ReplaceAll(string(sumsOf(t, tree)), " ./", " http://192.168.1.166/"))
	labtest.Check(t, servers["embedded"](t.Context(), l.Servers, tree))
	return c
}

// boots is a boot with a cache that downloads so many files. It returns what it
// says.
func (c *cacheLab) boots(t *testing.T, dir, what string, want int64, args ...string) string {
	t.Helper()
	c.asked.Store(0)
	results := t.TempDir()
	o := gopxeboot(t, append(append([]string{"--cache=" + dir, "--output-format=simple0", "--output-directory=" + results, vif}, c.sums...), args...)...)
	if o.Code != 0 || c.asked.Load() != want {
		t.Errorf("%s: exit %d, %d downloads, want %d: %s", what, o.Code, c.asked.Load(), want, o.Stderr)
		return o.Stderr
	}
	names := entries(t, results)
	if len(names) != 2 {
		t.Errorf("%s: %q", what, names)
	}
	for _, name := range names {
		of := map[bool]string{true: "vmlinuz", false: "initrd.gz"}[strings.HasPrefix(name, "kernel")]
		sameFile(t, filepath.Join(results, name), filepath.Join(c.tree, of))
	}
	return o.Stderr
}

// kept is the kernel's name in a cache.
func (c *cacheLab) kept(dir string) string {
	return filepath.Join(dir, "listed", fmt.Sprintf("%x", sha256.Sum256(kernelOf("signed"))))
}

// TestCache has boots download a file once, and again when what is kept has
// become another.
func TestCache(t *testing.T) {
	c := newCacheLab(t)
	dir := filepath.Join(t.TempDir(), "cache")
	c.boots(t, dir, "the first", 2)
	c.boots(t, dir, "the second", 0)
	whole := string(kernelOf("signed"))
	for what, other := range map[string]string{
		"another":                           "poison",
		"an empty file, by a power cut":     "",
		"one cut short":                     whole[:len(whole)-1],
		"one with another byte":             whole[:len(whole)-1] + "\x01",
		"a longer one":                      whole + "longer",
		"one longer than a kernel may have": strings.Repeat(whole, 2+(1<<20)/len(whole)),
	} {
		labtest.Check(t, os.WriteFile(c.kept(dir), []byte(other), 0o600))
		said := c.boots(t, dir, what, 1, "--max-kernel=1M")
		if !strings.Contains(said, "has become") {
			t.Errorf("%s: %s", what, said)
		}
		c.boots(t, dir, "the next after "+what, 0)
	}
	labtest.Check(t, os.Truncate(c.kept(dir), 1<<40)) // a hole
	c.boots(t, dir, "one that takes minutes to read", 1, "--timeout=20")
	c.boots(t, dir, "the next after that", 0)
	labtest.Check(t, os.Chmod(dir, 0o755))
	if o := gopxeboot(t, "--cache="+dir, c.sums[0], vif); o.Code != 2 || !strings.Contains(o.Stderr, "chmod 700") {
		t.Errorf("others may use it: %+v", o)
	}
	if o := gopxeboot(t, "--cache="+dir, vif); o.Code != 2 || !strings.Contains(o.Stderr, "no digest is known") {
		t.Errorf("without digests: %+v", o)
	}
}

// A cache that can't be written is a warning at most, and what it has is used.
func TestCacheDirectories(t *testing.T) {
	c := newCacheLab(t)

	elsewhere := labtest.Tmpfs(t, "100m") // than the results
	dir := filepath.Join(elsewhere, "cache")
	c.boots(t, dir, "on another file system", 2)
	c.boots(t, dir, "on another file system, the second", 0)

	readOnly := func(flag uintptr) { labtest.Check(t, unix.Mount("", elsewhere, "", unix.MS_REMOUNT|flag, "")) }
	readOnly(unix.MS_RDONLY)
	if said := c.boots(t, dir, "on a read-only one", 0); strings.Contains(said, "warning") {
		t.Errorf("on a read-only one: %s", said)
	}
	readOnly(0)
	labtest.Check(t, os.WriteFile(c.kept(dir), []byte("poison"), 0o600))
	readOnly(unix.MS_RDONLY)
	c.boots(t, dir, "on a read-only one, of which a file has become another", 1)
	readOnly(0)
	labtest.Check(t, os.RemoveAll(filepath.Join(dir, "listed")))
	readOnly(unix.MS_RDONLY)
	if said := c.boots(t, dir, "on a read-only one that is empty", 2); !strings.Contains(said, "read-only file system") {
		t.Errorf("on a read-only one that is empty: %s", said)
	}
	missing := filepath.Join(elsewhere, "missing")
	if o := gopxeboot(t, "--cache="+missing, c.sums[0], vif); o.Code != 2 || !strings.Contains(o.Stderr, "--cache: mkdir "+missing) {
		t.Errorf("where none can be made: %+v", o)
	}

	full := labtest.Tmpfs(t, "16k")
	dir = filepath.Join(full, "cache")
	labtest.Check(t, os.Mkdir(dir, 0o700))
	writeFile(t, filepath.Join(full, "filler"), strings.Repeat("x", 16<<10))
	for _, what := range []string{"on a full one", "on a full one, once more"} {
		if said := c.boots(t, dir, what, 2); !strings.Contains(said, "is not kept") {
			t.Errorf("%s: %s", what, said)
		}
	}
	if left := entries(t, filepath.Join(dir, "listed")); len(left) > 0 {
		t.Errorf("left on a full one: %q", left)
	}
}
