package boot

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"aead.dev/minisign"
	"github.com/gopxeboot/gopxeboot/internal/cache"
	"github.com/gopxeboot/gopxeboot/internal/verify"
)

// keyed are options with a cache and a key.
func keyed(t *testing.T, dir string, limit int64) *Options {
	t.Helper()
	c, err := cache.Open(dir, limit)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	o := &Options{Cache: c}
	public, _, err := minisign.GenerateKey(rand.Reader)
	if err == nil {
		o.Transfer.Policy.Key, err = public.MarshalText()
	}
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// A child may not have the parent read and write without end: it keeps as much as
// it can hand over twice, and has a file looked at once.
func TestOpenerBounded(t *testing.T) {
	o := keyed(t, filepath.Join(t.TempDir(), "cache"), 1<<20)
	o.MaxKernel, o.MaxInitrd = 60, 40
	result, err := os.Create(filepath.Join(t.TempDir(), "result"))
	if err != nil {
		t.Fatal(err)
	}
	defer result.Close()
	open := o.opener([]*os.File{result}, nil)
	ask := func(r cacheRequest) error {
		file, err := open(cacheScheme + string(must(json.Marshal(r))))
		if err == nil {
			file.Close()
		}
		return err
	}
	var digests []verify.Digest
	for n := range 3 {
		content := []byte(strings.Repeat(string(rune('a'+n)), 100))
		if _, err := result.WriteAt(content, 0); err != nil {
			t.Fatal(err)
		}
		digests = append(digests, sha256.Sum256(content))
		if err := ask(cacheRequest{Digest: digests[n]}); !errors.Is(err, cache.ErrMiss) {
			t.Fatal(err)
		}
		if err := ask(cacheRequest{Digest: digests[n], Put: &part{0, 0, 100}}); (err == nil) != (n < 2) {
			t.Errorf("file %d: %v", n, err)
		}
	}
	for _, want := range []error{cache.ErrMiss, syscall.EACCES} {
		if err := ask(cacheRequest{Digest: digests[0], Check: true}); !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
	}
}

// A digest that is none is refused before anything is done with it.
func TestOpenerRefuses(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	o := keyed(t, dir, 100)
	open := o.opener(nil, nil)
	digit := strings.Repeat("a", 64)
	for _, text := range []string{
		``, `{}`, `{"Digest":""}`, `{"Digest":[1]}`, `{"Digest":null}`, `{"Digest":"` + digit[1:] + `"}`, `{"Digest":"` + digit + `a"}`,
		`{"Digest":"` + digit[1:] + `/"}`, `{"Digest":"` + digit[3:] + `../"}`, `{"Digest":"` + strings.Repeat("0", 64) + `"}`,
	} {
		if _, err := open(cacheScheme + text); err == nil || errors.Is(err, cache.ErrMiss) {
			t.Errorf("%s: %v", text, err)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("made %v (%v)", left, err)
	}
	if _, err := open(cacheScheme + `{"Digest":"` + digit + `"}`); !errors.Is(err, cache.ErrMiss) {
		t.Errorf("got %v", err)
	}
}

// Another boot's download is waited for two thirds of the time that is left.
func TestPatienceWithOthers(t *testing.T) {
	for _, timeout := range []time.Duration{90 * time.Second, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), timeout)
			defer cancel()
			begin, asked := time.Now(), 0
			_, err := whileBusy(ctx, func() (*os.File, error) {
				asked++
				return nil, cache.ErrBusy
			})
			if took := time.Since(begin); !errors.Is(err, cache.ErrBusy) || took != timeout*2/3 {
				t.Errorf("%v after %v", err, took)
			}
			if asked > 256/2 { // files that a child may ask for, which waits for two at once
				t.Errorf("%v: it asked %d times", timeout, asked)
			}
		})
	}
}

// What another boot has downloaded is there a moment later.
func TestSoonAfterOthers(t *testing.T) {
	for download := 10 * time.Millisecond; download < 10*time.Second; download += download / 3 {
		synctest.Test(t, func(t *testing.T) {
			begin := time.Now()
			_, err := whileBusy(t.Context(), func() (*os.File, error) {
				if time.Since(begin) < download {
					return nil, cache.ErrBusy
				}
				return nil, nil
			})
			if late := time.Since(begin) - download; err != nil || late > 20*time.Millisecond+download/8 {
				t.Errorf("%v later than a download of %v (%v)", late, download, err)
			}
		})
	}
}

// FuzzOpener has a child that was taken over ask for anything: it gets what its
// list has, and nothing is made but files of the cache.
func FuzzOpener(f *testing.F) {
	listed := verify.Digest(sha256.Sum256([]byte("listed")))
	for _, r := range []cacheRequest{
		{Digest: listed}, {}, {Digest: listed, Put: &part{0, 0, 6}}, {Digest: listed, Put: &part{-1, 0, 6}}, {Digest: listed, Put: &part{0, 1 << 62, 1 << 62}}, {Digest: listed, Check: true},
	} {
		text, err := json.Marshal(r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(cacheScheme + string(text))
	}
	f.Add("/etc/passwd")
	f.Add(cacheScheme + `{"Digest":"../../etc"}`)
	top := f.TempDir()
	result := filepath.Join(top, "result")
	if err := os.WriteFile(result, []byte("listed"), 0o600); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, name string) {
		file, err := os.Open(result)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		dir := filepath.Join(top, "cache")
		var o Options
		o.MaxKernel = 1 << 10
		o.Transfer.Policy.Sums = []byte(listed.String() + "  linux\n")
		if o.Cache, err = cache.Open(dir, 100); err != nil {
			t.Fatal(err)
		}
		defer o.Cache.Close()
		open := o.opener([]*os.File{file}, nil)
		for range 2 { // a miss may be followed by what puts it there
			got, err := open(name)
			if err == nil {
				if got.Name() != filepath.Join(dir, "listed", listed.String()) {
					t.Errorf("%q opens %s", name, got.Name())
				}
				got.Close()
			}
			open(cacheScheme + `{"Digest":` + string(must(json.Marshal(listed))) + `}`)
		}
		filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
			if !d.IsDir() && path != result && !strings.HasPrefix(path, filepath.Join(dir, "listed", listed.String())) {
				t.Errorf("%q made %s", name, path)
			}
			return nil
		})
	})
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}
