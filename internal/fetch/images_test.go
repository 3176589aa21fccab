package fetch

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gopxeboot/gopxeboot/internal/fetch/nfs3"
	"github.com/gopxeboot/gopxeboot/internal/image"
)

const sector = 2048

// makeISO makes an ISO 9660 image with files in its root directory, and an
// empty directory D.
func makeISO(t testing.TB, files map[string]string) []byte {
	t.Helper()
	const rootAt = 18
	record := func(name string, at, size uint32, directory bool) []byte {
		r := make([]byte, (33+len(name)+1)&^1)
		r[0] = byte(len(r))
		binary.LittleEndian.PutUint32(r[2:], at)
		binary.BigEndian.PutUint32(r[6:], at)
		binary.LittleEndian.PutUint32(r[10:], size)
		binary.BigEndian.PutUint32(r[14:], size)
		if directory {
			r[25] = 2
		}
		r[28], r[31] = 1, 1
		r[32] = byte(len(name))
		copy(r[33:], name)
		return r
	}
	self := func(at uint32) []byte {
		return slices.Concat(record("\x00", at, sector, true), record("\x01", rootAt, sector, true))
	}
	root := append(self(rootAt), record("D", rootAt+1, sector, true)...)
	var contents []byte
	for _, name := range slices.Sorted(maps.Keys(files)) {
		at := uint32(rootAt + 2 + len(contents)/sector)
		root = append(root, record(name, at, uint32(len(files[name])), false)...)
		contents = append(contents, files[name]...)
		contents = append(contents, make([]byte, -len(contents)&(sector-1))...)
	}
	m := make([]byte, (rootAt+2)*sector)
	copy(m[rootAt*sector:], root)
	copy(m[(rootAt+1)*sector:], self(rootAt+1))
	m = append(m, contents...)
	primary := m[16*sector:]
	copy(primary, "\x01CD001\x01")
	binary.LittleEndian.PutUint32(primary[80:], uint32(len(m)/sector))
	binary.BigEndian.PutUint32(primary[84:], uint32(len(m)/sector))
	binary.LittleEndian.PutUint16(primary[120:], 1)
	binary.BigEndian.PutUint16(primary[122:], 1)
	binary.LittleEndian.PutUint16(primary[124:], 1)
	binary.BigEndian.PutUint16(primary[126:], 1)
	binary.LittleEndian.PutUint16(primary[128:], sector)
	binary.BigEndian.PutUint16(primary[130:], sector)
	copy(primary[156:], record("\x00", rootAt, sector, true))
	copy(m[17*sector:], "\xffCD001\x01")
	return m
}

// isoClient has an image as file:///x.iso, and counts how often it is opened.
func isoClient(t testing.TB, iso []byte) (*Client, *atomic.Int32) {
	t.Helper()
	c, _ := local(t, map[string]string{"x.iso": string(iso), "y.iso": string(iso)})
	var opened atomic.Int32
	open := c.Local
	c.Local = func(ctx context.Context, path string) (*os.File, error) {
		opened.Add(1)
		return open(ctx, path)
	}
	return c, &opened
}

func TestImage(t *testing.T) {
	big := strings.Repeat("0123456789abcde\n", 1<<16-1)
	iso := makeISO(t, map[string]string{"KERNEL.;1": "KERNEL", "BIG.BIN;1": big, "HUGE.;1": strings.Repeat("x", 1<<20+1)})
	damaged := makeISO(t, map[string]string{"KERNEL.;1": "KERNEL", "Z.;1": strings.Repeat("z", 5*sector)})
	c, _ := isoClient(t, iso)
	for name, want := range map[string]struct {
		content string
		err     error
	}{
		"kernel":         {content: "KERNEL"},
		"/kernel":        {content: "KERNEL"},
		"KERNEL":         {content: "KERNEL"},
		"d/../bi%67.bin": {content: big},
		"huge":           {err: ErrTooBig},
		"missing":        {err: ErrNotFound},
		"d/kernel":       {err: ErrNotFound},
		"d":              {err: ErrRefused},
		"":               {err: ErrRefused},
		"a%00b":          {err: ErrNotFound},
	} {
		got, err := get(t, c, "file:///x.iso!/"+name)
		if !errors.Is(err, want.err) || err == nil && got != want.content {
			t.Errorf("%s: got %d bytes, %v, want %d, %v", name, len(got), err, len(want.content), want.err)
		}
	}
	c, _ = isoClient(t, damaged[:len(damaged)-3*sector])
	if got, err := get(t, c, "file:///x.iso!/z"); !errors.Is(err, ErrRefused) || !errors.Is(err, image.ErrDamaged) {
		t.Errorf("a cut image: %d bytes, %v", len(got), err)
	}
	// In other schemes the two characters are part of a name.
	addr := tftpServer(t, map[string]string{"x.iso!/kernel": "a name"})
	if got, err := get(t, c, "tftp://"+addr+"/x.iso!/kernel"); err != nil || got != "a name" {
		t.Errorf("tftp: %q, %v", got, err)
	}
}

// However many files are read out of an image, by copies of the client and at
// once, the image is opened once.
func TestImages(t *testing.T) {
	kernel, initrd := strings.Repeat("KERNEL\n", 1<<16), strings.Repeat("INITRD", 1<<16)
	c, opened := isoClient(t, makeISO(t, map[string]string{"KERNEL.;1": kernel, "INITRD.;1": initrd}))
	c.Images = NewImages(t.Context())
	var wait sync.WaitGroup
	for i := range 20 {
		wait.Go(func() {
			name, want := "kernel", kernel
			if i%2 == 1 {
				name, want = "initrd", initrd
			}
			if got, err := get(t, c, "file:///x.iso!/"+name); err != nil || got != want {
				t.Errorf("%s: %d bytes, %v", name, len(got), err)
			}
		})
	}
	wait.Wait()
	if _, err := get(t, c, "file:///x.iso!/missing"); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	if n := opened.Load(); n != 1 {
		t.Errorf("opened %d times", n)
	}
	for range 2 {
		if _, err := get(t, c, "file:///missing.iso!/kernel"); !errors.Is(err, ErrNotFound) {
			t.Error(err)
		}
	}
	if n := opened.Load(); n != 2 {
		t.Errorf("opened %d times: what was not there the first time was looked for again", n)
	}
	f, err := c.Open(t.Context(), "file:///x.iso!/kernel")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Images.Close(); err != nil {
		t.Error(err)
	}
	if _, err := f.WriteTo(new(bytes.Buffer)); err == nil {
		t.Error("read from an image that is closed")
	}
	f.Close()
	if _, err := get(t, c, "file:///x.iso!/kernel"); !errors.Is(err, errImagesClosed) {
		t.Errorf("opened in an image that is closed: %v", err)
	}
	c.Images = nil
	if got, err := get(t, c, "file:///x.iso!/kernel"); err != nil || got != kernel {
		t.Errorf("without Images: %d bytes, %v", len(got), err)
	}
}

func TestNFSErrors(t *testing.T) {
	for status, want := range map[error]error{
		nfs3.NotFound: ErrNotFound, nfs3.NotDirectory: ErrNotFound, nfs3.NameTooLong: ErrNotFound,
		nfs3.NoAccess: ErrRefused, nfs3.NotPermitted: ErrRefused, nfs3.IsDirectory: ErrRefused, nfs3.Status(5): ErrRefused, nfs3.Status(4711): ErrRefused,
		nfs3.Stale: ErrChanged, nfs3.ErrDenied: ErrRefused, nfs3.ErrGarbled: ErrRefused, nfs3.ErrOutside: ErrRefused, nfs3.ErrSlow: ErrTooSlow, nfs3.ErrChanged: ErrChanged,
	} {
		got := fromNFS(status)
		if !errors.Is(got, want) || !errors.Is(got, status) || got.Error() != status.Error() {
			t.Errorf("%v became %v, want %v", status, got, want)
		}
	}
}
