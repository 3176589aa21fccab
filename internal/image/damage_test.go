package image_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/metrics"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/gopxeboot/gopxeboot/internal/image"
)

var (
	update = flag.Bool("update", false, "make testdata/*.img.zst anew")
	images = flag.Int("images", 10_000, "damaged images to read of each format")
)

// TestUpdate makes the small images that the tests below damage. That of the
// kernel's XFS is made by hand: see testdata/README.md.
func TestUpdate(t *testing.T) {
	if !*update {
		t.Skip("without -update")
	}
	content := newTrees(t, newTree(6000, 8, 60))
	file := filepath.Join(t.TempDir(), "image")
	store := func(name string) {
		b, err := os.ReadFile(file)
		noError(t, err)
		noError(t, os.Remove(file))
		w, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBestCompression))
		noError(t, err)
		noError(t, os.WriteFile("testdata/"+name+suffix, w.EncodeAll(b, nil), 0o644))
	}
	for _, m := range makers(4 << 20) {
		m.make(t, m.tree(content), file)
		store(m.name)
	}
	for i, p := range partitioned {
		makePartitioned(t, i, file)
		store(p.name)
	}
}

const suffix = ".img.zst"

// stored returns the names of the images in testdata.
func stored(tb testing.TB) (names []string) {
	files, err := filepath.Glob("testdata/*" + suffix)
	noError(tb, err)
	for _, file := range files {
		names = append(names, strings.TrimSuffix(filepath.Base(file), suffix))
	}
	if len(names) < 20 {
		tb.Fatalf("only %d images in testdata", len(names))
	}
	return names
}

func load(tb testing.TB, name string) []byte {
	tb.Helper()
	b, err := os.ReadFile("testdata/" + name + suffix)
	noError(tb, err)
	r, err := zstd.NewReader(nil)
	noError(tb, err)
	defer r.Close()
	b, err = r.DecodeAll(b, nil)
	noError(tb, err)
	return b
}

// subject is an image that is read damaged.
type subject struct {
	content []byte
	files   map[string][]byte // what it holds of paths
	pages   []int64           // where it was read to find them, by page
	tables  []int64           // the bytes there that are not zero
}

const page = 512

// paths are what is looked for in images; not all are in each.
var paths = []string{"kernel", "sieve", "sub/deep/file", "many/e0010", "long", "longest", "sub/absolute", "Mixed Case, ünï and more than thirty-one.Conf", "second", "a/b", "nothing"}

func newSubject(tb testing.TB, name string) *subject {
	tb.Helper()
	s := &subject{content: load(tb, name), files: make(map[string][]byte)}
	r := &recorder{patched: patched{base: s.content, size: int64(len(s.content))}, seen: make(map[int64]bool)}
	m, err := image.Open(r, r.size)
	noError(tb, err)
	for _, path := range paths {
		if f, err := m.Open(path); err == nil {
			noError(tb, f.Close())
			r.off = true
			s.files[path], err = read(m, path)
			noError(tb, err)
			r.off = false
		}
	}
	if len(s.files) < 2 {
		tb.Fatalf("%s has only %d of the files", name, len(s.files))
	}
	for p := range r.seen {
		s.pages = append(s.pages, p)
	}
	slices.Sort(s.pages)
	for _, p := range s.pages {
		for at := p * page; at < min((p+1)*page, r.size); at++ {
			if s.content[at] != 0 {
				s.tables = append(s.tables, at)
			}
		}
	}
	return s
}

// patched is an image with other bytes in some places, and an end elsewhere.
type patched struct {
	base    []byte
	size    int64
	patches []patch
}

type patch struct {
	at    int64
	value byte
}

func (p *patched) ReadAt(b []byte, at int64) (int, error) {
	if at < 0 || at > p.size {
		return 0, fmt.Errorf("a read at %d of %d", at, p.size)
	}
	n := copy(b, p.base[at:p.size])
	for _, patch := range p.patches {
		if i := patch.at - at; i >= 0 && i < int64(n) {
			b[i] = patch.value
		}
	}
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// recorder keeps where was read.
type recorder struct {
	patched
	seen map[int64]bool
	off  bool
}

func (r *recorder) ReadAt(b []byte, at int64) (int, error) {
	for p := at / page; !r.off && p <= (at+int64(len(b))-1)/page; p++ {
		r.seen[p] = true
	}
	return r.patched.ReadAt(b, at)
}

// outcome counts what became of files.
type outcome struct{ right, other, failed int }

// open reads what is in a damaged image, as far as it should be when it is not,
// and reports what must not be.
func (s *subject) open(tb testing.TB, r *patched) (o outcome) {
	tb.Helper()
	m, err := image.Open(r, r.size)
	s.typed(tb, err)
	if err != nil {
		return outcome{failed: len(s.files)}
	}
	for _, path := range paths {
		content, err := s.read(m, path)
		s.typed(tb, err)
		right, there := s.files[path]
		switch {
		case err != nil && there:
			o.failed++
		case err == nil && there && bytes.Equal(content, right):
			o.right++
		case err == nil:
			o.other++
		}
	}
	return o
}

// read reads a MiB of a file, which is more than there should be.
func (s *subject) read(m *image.Image, path string) ([]byte, error) {
	f, err := m.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	const most = 1 << 20
	content, err := io.ReadAll(io.LimitReader(f, most))
	if err == nil && int64(len(content)) != min(most, f.Size()) {
		return nil, fmt.Errorf("%d bytes of %d without an error", len(content), f.Size())
	}
	return content, err
}

// typed reports an error that is of none of the kinds, or was a panic.
func (s *subject) typed(tb testing.TB, err error) {
	tb.Helper()
	kinds := []error{image.ErrNotFound, image.ErrNotRegular, image.ErrDamaged, image.ErrUnsupported}
	if err == nil || slices.ContainsFunc(kinds, func(kind error) bool { return errors.Is(err, kind) }) {
		if err == nil || !strings.Contains(err.Error(), "panic") {
			return
		}
	}
	tb.Error(err)
}

// damage makes an image with 1 to 8 bytes changed where it is read to find
// files: half of them numbers and text, half anything.
func (s *subject) damage(random *rand.Rand) *patched {
	r := &patched{base: s.content, size: int64(len(s.content))}
	for range 1 + random.IntN(8) {
		at := s.tables[random.IntN(len(s.tables))]
		if random.IntN(4) == 0 {
			at = s.pages[random.IntN(len(s.pages))]*page + random.Int64N(page)
		}
		r.patches = append(r.patches, patch{at, values[random.IntN(len(values))](random, s.content[at])})
	}
	return r
}

// values are what a byte becomes: what is at limits as often as anything.
var values = []func(random *rand.Rand, old byte) byte{
	func(random *rand.Rand, _ byte) byte { return byte(random.Uint32()) },
	func(random *rand.Rand, old byte) byte { return old ^ 1<<random.IntN(8) },
	func(*rand.Rand, byte) byte { return 0 },
	func(*rand.Rand, byte) byte { return 0xff },
	func(_ *rand.Rand, old byte) byte { return old + 1 },
	func(_ *rand.Rand, old byte) byte { return old - 1 },
}

// TestDamage reads 10,000 damaged images of each format.
func TestDamage(t *testing.T) {
	if testing.Short() {
		*images /= 20
	}
	kinds := make(map[string]int)
	for _, name := range stored(t) {
		kinds[format(name)]++
	}
	const (
		mostTime   = 20 * time.Second // of one image: a machine may be busy
		mostMemory = 256 << 20        // allocated for one image, all together
	)
	for _, name := range stored(t) {
		t.Run(name, func(t *testing.T) {
			s := newSubject(t, name)
			rounds := *images / kinds[format(name)]
			random := rand.New(rand.NewPCG(7, 7))
			var sum outcome
			var longest time.Duration
			var memory uint64
			start := time.Now()
			for i := range rounds {
				r := s.damage(random)
				before, began := allocated(), time.Now()
				o := s.open(t, r)
				took, used := time.Since(began), allocated()-before
				if t.Failed() || took > mostTime || used > mostMemory {
					t.Fatalf("image %d: %v, %d bytes: %v", i, took, used, r.patches)
				}
				longest, memory = max(longest, took), max(memory, used)
				sum = outcome{sum.right + o.right, sum.other + o.other, sum.failed + o.failed}
			}
			t.Logf("%d images in %v: %d files right, %d other bytes, %d errors; at most %v and %d KiB for one",
				rounds, time.Since(start).Round(time.Millisecond), sum.right, sum.other, sum.failed, longest.Round(time.Microsecond), memory>>10)
		})
	}
}

// format is the first word of an image's name, without a version.
func format(name string) string {
	word, _, _ := strings.Cut(name, "-")
	return strings.TrimRight(word, "0123456789")
}

// allocated is how many bytes were allocated so far.
func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// TestTruncated cuts images off: what can still be read must be right.
func TestTruncated(t *testing.T) {
	rounds := 200
	if testing.Short() {
		rounds = 20
	}
	for _, name := range stored(t) {
		t.Run(name, func(t *testing.T) {
			s := newSubject(t, name)
			random := rand.New(rand.NewPCG(8, 8))
			var failed int
			for range rounds {
				size := random.Int64N(int64(len(s.content)))
				if random.IntN(2) == 0 {
					size = min(size, s.tables[random.IntN(len(s.tables))])
				}
				o := s.open(t, &patched{base: s.content, size: size})
				if o.other > 0 {
					t.Fatalf("%d files with other bytes when cut at %d", o.other, size)
				}
				failed += o.failed
			}
			if failed == 0 {
				t.Error("nothing failed")
			}
		})
	}
}

// TestReaderError lets each read fail once: its error comes back, or the file
// is complete for all that, but never a short one.
func TestReaderError(t *testing.T) {
	broken := errors.New("cable pulled")
	for _, name := range stored(t) {
		s := newSubject(t, name)
		for n := 0; ; n++ {
			r := &failing{patched{base: s.content, size: int64(len(s.content))}, n, broken}
			m, err := image.Open(r, r.size)
			for path, right := range s.files {
				var content []byte
				if err == nil {
					content, err = read(m, path)
				}
				if err == nil && !bytes.Equal(content, right) {
					t.Fatalf("%s: %s has other bytes when read %d fails", name, path, n)
				}
			}
			if r.left >= 0 {
				break // it was never reached
			}
			if err != nil && !errors.Is(err, broken) {
				t.Fatalf("%s: %v when read %d fails", name, err, n)
			}
		}
	}
}

type failing struct {
	patched
	left int
	err  error
}

func (r *failing) ReadAt(b []byte, at int64) (int, error) {
	if r.left--; r.left == -1 {
		return 0, r.err
	}
	return r.patched.ReadAt(b, at)
}

// fuzz damages the images whose names begin with prefix: by data's places, of
// three bytes each, among those that matter, and the bytes for them.
func fuzz(f *testing.F, prefix string) {
	var subjects []*subject
	for _, name := range stored(f) {
		if strings.HasPrefix(name, prefix) {
			subjects = append(subjects, newSubject(f, name))
			f.Add(uint8(len(subjects)-1), []byte{})
			f.Add(uint8(len(subjects)-1), []byte{0, 0, 20, 0xff, 1, 0, 0, 0})
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, data []byte) {
		s := subjects[int(which)%len(subjects)]
		r := &patched{base: s.content, size: int64(len(s.content))}
		for ; len(data) >= 4 && len(r.patches) < 64; data = data[4:] {
			place := int64(binary.BigEndian.Uint32(data) >> 8)
			at := s.pages[place/page%int64(len(s.pages))]*page + place%page
			r.patches = append(r.patches, patch{at, data[3]})
		}
		s.open(t, r)
	})
}

func FuzzISO9660(f *testing.F)    { fuzz(f, "iso") }
func FuzzExt(f *testing.F)        { fuzz(f, "ext") }
func FuzzFAT(f *testing.F)        { fuzz(f, "fat") }
func FuzzSquashfs(f *testing.F)   { fuzz(f, "squashfs") }
func FuzzXFS(f *testing.F)        { fuzz(f, "xfs") }
func FuzzPartitions(f *testing.F) { fuzz(f, "mbr") }
func FuzzGPT(f *testing.F)        { fuzz(f, "gpt") }
