package image_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gopxeboot/gopxeboot/internal/image"
)

// open opens an image file.
func open(tb testing.TB, file string) *image.Image {
	tb.Helper()
	f, err := os.Open(file)
	noError(tb, err)
	tb.Cleanup(func() { f.Close() })
	info, err := f.Stat()
	noError(tb, err)
	m, err := image.Open(f, info.Size())
	noError(tb, err)
	return m
}

// read reads a whole file of an image.
func read(m *image.Image, name string) ([]byte, error) {
	f, err := m.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := io.ReadAll(f)
	if err == nil && int64(len(content)) != f.Size() {
		return nil, fmt.Errorf("%d bytes instead of %d without an error", len(content), f.Size())
	}
	return content, err
}

// want reads name and compares it.
func want(tb testing.TB, m *image.Image, name string, content []byte) {
	tb.Helper()
	switch got, err := read(m, name); {
	case err != nil:
		tb.Fatal(err)
	case !bytes.Equal(got, content):
		tb.Fatalf("%s: %d bytes that are not the %d that were written", name, len(got), len(content))
	}
}

// wantError opens name and compares the error.
func wantError(tb testing.TB, m *image.Image, name string, kind error) {
	tb.Helper()
	if f, err := m.Open(name); !errors.Is(err, kind) {
		tb.Fatalf("%s: %v, %v; want %v", name, f, err, kind)
	}
}

// check looks for everything that was put into an image, and for what was not.
func (m maker) check(tb testing.TB, img *image.Image, t tree) {
	tb.Helper()
	for name, content := range t.files {
		var i int
		if _, err := fmt.Sscanf(name, "many/e%d", &i); err == nil && i%70 != 0 && i != 1499 {
			continue // each looks through all
		}
		if strings.HasPrefix(m.name, "xfs") && strings.Contains(name, " ") {
			continue
		}
		want(tb, img, name, content)
		if m.fold {
			want(tb, img, strings.ToUpper(name), content)
		} else if upper := strings.ToUpper(name); upper != name {
			wantError(tb, img, upper, image.ErrNotFound)
		}
	}
	kernel, deep := t.files["kernel"], t.files["sub/deep/file"]
	want(tb, img, "/kernel", kernel)
	want(tb, img, "//sub/./../sub//deep/../../kernel", kernel)
	want(tb, img, "../../kernel", kernel)
	for _, name := range []string{"nothing", "sub/nothing", "many/e9999", "kernel/x", "kernel/..", "e0000", "kern", "kernel2"} {
		wantError(tb, img, name, image.ErrNotFound)
	}
	for _, name := range []string{"", "/", ".", "sub", "sub/deep", "many/"} {
		wantError(tb, img, name, image.ErrNotRegular)
	}
	if !m.links {
		return
	}
	names := []string{"linux", "sub/up", "dirlink/../up", "medium", "long", "hop39"}
	switch m.name {
	case "xfs", "xfs-1k": // mkfs.xfs writes it without its header: see TestXFSOfLinux
	case "iso-rockridge", "iso-rockridge-joliet":
		wantError(tb, img, "longest", image.ErrDamaged) // genisoimage has a bug there
	default:
		names = append(names, "longest")
	}
	for _, name := range names {
		want(tb, img, name, kernel)
	}
	for _, name := range []string{"sub/absolute", "sub/climb", "dirlink/file"} {
		want(tb, img, name, deep)
	}
	for _, name := range []string{"passwd", "absent", "loop", "loop2", "hop40", "dirlink/nothing"} {
		wantError(tb, img, name, image.ErrNotFound)
	}
	wantError(tb, img, "dirlink", image.ErrNotRegular)
}

func TestRead(t *testing.T) {
	content := newTrees(t, newTree(5<<20+123, 400, 1500))
	for _, m := range makers(64 << 20) {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "image")
			tree := m.tree(content)
			m.make(t, tree, file)
			m.check(t, open(t, file), tree)
		})
	}
}
