package image_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/gopxeboot/gopxeboot/internal/image"
)

// openStored opens an image of testdata.
func openStored(tb testing.TB, name string) *image.Image {
	tb.Helper()
	b := load(tb, name)
	m, err := image.Open(bytes.NewReader(b), int64(len(b)))
	noError(tb, err)
	return m
}

// TestXFSOfLinux reads what only the kernel makes.
func TestXFSOfLinux(t *testing.T) {
	m := openStored(t, "xfs-linux")
	const pieces = 60
	sieve := make([]byte, (pieces*2-1)*sieveBlock)
	for i := range pieces {
		copy(sieve[i*2*sieveBlock:], bytes.Repeat(fmt.Appendf(nil, "%15d\n", i), sieveBlock/16))
	}
	want(t, m, "sieve", sieve)
	want(t, m, "longest", sieve)
	want(t, m, "absolute", []byte("deep\n"))
	want(t, m, "many/e0390", []byte("entry 390"))
	want(t, m, "empty", nil)
	want(t, m, "unwritten", append([]byte("begin"), make([]byte, 20000-5)...))
	wantError(t, m, "many/e0391", image.ErrNotFound) // removed
	wantError(t, m, "device", image.ErrNotRegular)
	wantError(t, m, "pipe", image.ErrNotRegular)
}

// TestExtents makes one file of two extents out of two files that follow each
// other: genisoimage does the same from 4 GiB on.
func TestExtents(t *testing.T) {
	one, two := bytes.Repeat([]byte("1"), 3*2048), bytes.Repeat([]byte("2"), 2500)
	tree := tree{files: map[string][]byte{"a.bin": one, "b.bin": two, "c.bin": nil}}
	file := filepath.Join(t.TempDir(), "iso")
	run(t, "", "genisoimage", "-quiet", "-iso-level", "1", "-o", file, tree.write(t))
	b, err := os.ReadFile(file)
	noError(t, err)
	const flags, identifier = 25, 33
	first, second := bytes.Index(b, []byte("A.BIN;1"))-identifier, bytes.Index(b, []byte("B.BIN;1"))-identifier
	b[first+flags] |= 0x80
	b[second+identifier] = 'A'
	m, err := image.Open(bytes.NewReader(b), int64(len(b)))
	noError(t, err)
	want(t, m, "a.bin", append(one, two...))
	want(t, m, "c.bin", nil)

	b[second+identifier] = 'B'
	m, err = image.Open(bytes.NewReader(b), int64(len(b)))
	noError(t, err)
	wantError(t, m, "a.bin", image.ErrDamaged)
}

// TestDeep has directories deeper than ISO 9660 allows: genisoimage puts them
// elsewhere, with a link that only Rock Ridge knows.
func TestDeep(t *testing.T) {
	const name = "1/2/3/4/5/6/7/8/9/10/11/file"
	tree := tree{files: map[string][]byte{name: []byte("deep\n")}}
	file := filepath.Join(t.TempDir(), "iso")
	run(t, "", "genisoimage", "-quiet", "-R", "-o", file, tree.write(t))
	m := open(t, file)
	want(t, m, name, []byte("deep\n"))
	want(t, m, "1/2/3/4/5/6/7/8/../8/9/../../../../../../../../2/3/4/5/6/7/8/9/10/11/file", []byte("deep\n"))
}

func TestUnsupported(t *testing.T) {
	for name, content := range map[string][]byte{
		"empty":  nil,
		"zeros":  make([]byte, 1<<20),
		"text":   bytes.Repeat([]byte("text "), 1<<16),
		"mbr":    append(make([]byte, 510), 0x55, 0xaa),
		"magic":  []byte("hsqs"),
		"NTFS":   append(append([]byte("\xeb\x52\x90NTFS    \x00\x02\x08"), make([]byte, 498)...), 0x55, 0xaa),
		"sector": make([]byte, 511),
	} {
		t.Run(name, func(t *testing.T) {
			kind := image.ErrUnsupported
			if name == "magic" {
				kind = image.ErrDamaged
			}
			if _, err := image.Open(bytes.NewReader(content), int64(len(content))); !errors.Is(err, kind) {
				t.Errorf("%v, want %v", err, kind)
			}
		})
	}
}

func TestFile(t *testing.T) {
	f, err := openStored(t, "ext4-4k").Open("sub/deep/file")
	noError(t, err)
	if f.Size() != 5 {
		t.Errorf("size %d", f.Size())
	}
	if n, err := f.Read(nil); n != 0 || err != nil {
		t.Errorf("read of nothing: %d, %v", n, err)
	}
	var b [3]byte
	_, err = io.ReadFull(f, b[:])
	noError(t, err)
	rest, err := io.ReadAll(f)
	noError(t, err)
	if got := string(b[:]) + string(rest); got != "deep\n" {
		t.Errorf("read %q", got)
	}
	if n, err := f.Read(b[:]); n != 0 || err != io.EOF {
		t.Errorf("at the end: %d, %v", n, err)
	}
	noError(t, f.Close())
	if _, err := f.Read(b[:]); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// endless is an ISO 9660 image whose root directory is 4 GiB of one sector.
type endless struct{ start, sector []byte }

func (e endless) ReadAt(p []byte, at int64) (n int, err error) {
	for n < len(p) {
		if at < int64(len(e.start)) {
			n += copy(p[n:], e.start[at:])
			at = int64(len(e.start))
			continue
		}
		m := copy(p[n:], e.sector[at%2048:])
		n, at = n+m, at+int64(m)
	}
	return n, nil
}

// TestEndless looks for a file where there is no end of looking.
func TestEndless(t *testing.T) {
	iso := load(t, "iso-plain")[:24*2048]
	record := make([]byte, 34)
	copy(record, []byte{34, 0})
	copy(record[32:], "\x01X")
	sector := append(bytes.Repeat(record, 2048/34), make([]byte, 2048%34)...)
	root := iso[16*2048+156:]
	copy(root[10:14], []byte{0, 0xf8, 0xff, 0xff}) // size
	m, err := image.Open(endless{iso, sector}, 1<<40)
	noError(t, err)
	wantError(t, m, "nothing", image.ErrDamaged)

	// A FAT directory whose only cluster is followed by itself.
	fat := load(t, "fat16")
	at := bytes.Index(fat, []byte("SUB     "))
	cluster := int(fat[at+26]) | int(fat[at+27])<<8
	table := (int(fat[14]) | int(fat[15])<<8) * 512
	copy(fat[table+2*cluster:], fat[at+26:at+28])
	data := bytes.Index(fat, []byte("DEEP    ")) &^ 511
	for i := data; i < data+512; i += 32 {
		if fat[i] == 0 {
			fat[i] = 0xe5 // deleted, so that the directory goes on
		}
	}
	m, err = image.Open(bytes.NewReader(fat), int64(len(fat)))
	noError(t, err)
	want(t, m, "sub/deep/file", []byte("deep\n"))
	wantError(t, m, "sub/nothing", image.ErrDamaged)
}

type panicking struct {
	patched
	left int
}

func (r *panicking) ReadAt(p []byte, at int64) (int, error) {
	if r.left--; r.left < 0 {
		panic("as a library may")
	}
	return r.patched.ReadAt(p, at)
}

// TestPanic panics while the image is opened, a file in it, and that is read.
func TestPanic(t *testing.T) {
	b := load(t, "ext4-4k")
	for left := range 5 {
		r := &panicking{patched{base: b, size: int64(len(b))}, left}
		m, err := image.Open(r, r.size)
		if err == nil {
			_, err = read(m, "kernel")
		}
		if !errors.Is(err, image.ErrDamaged) {
			t.Errorf("panic in read %d: %v", left, err)
		}
	}
}
