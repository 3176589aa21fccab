package boot

import (
	"crypto/sha256"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gopxeboot/gopxeboot/internal/cache"
	"github.com/gopxeboot/gopxeboot/internal/verify"
)

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
