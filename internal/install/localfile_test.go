package install

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A child that was taken over asks for whatever it likes. It gets what a
// person named, and what is below the directory that a person named.
func TestLocalFiles(t *testing.T) {
	root := t.TempDir()
	write := func(name, text string) string {
		name = filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return name
	}
	link := func(target, name string) {
		if err := os.Symlink(target, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	image := write("x.iso", "image")
	write("secret", "secret")
	write("dir/kernel", "kernel")
	write("dir/images/initrd", "initrd")
	write("directory/kernel", "another")
	link("../dir/images/../kernel", "dir/back") // out and in again
	link("images/initrd", "dir/inside")
	link("../secret", "dir/outside")
	link(filepath.Join(root, "dir/kernel"), "dir/absolute")
	link("..", "dir/up")
	link("dir", "linked")
	link("x.iso", "image-link")
	if err := syscall.Mkfifo(filepath.Join(root, "dir/fifo"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		location, kernel string // below root
		file             string // to open, below root
		want             string
		err              error
	}{
		{location: "dir", file: "dir/kernel", want: "kernel"},
		{location: "dir", file: "dir/images/initrd", want: "initrd"},
		{location: "dir", file: "dir/inside", want: "initrd"},
		{location: "linked", file: "linked/kernel", want: "kernel"},
		{location: "dir", file: "dir/nothing", err: fs.ErrNotExist},
		{location: "dir", file: "dir/outside", err: fs.ErrPermission},
		{location: "dir", file: "dir/absolute", err: fs.ErrPermission},
		{location: "dir", file: "dir/up/secret", err: fs.ErrPermission},
		{location: "dir", file: "dir/back", err: fs.ErrPermission},
		{location: "dir", file: "secret", err: fs.ErrPermission},
		{location: "dir", file: "directory/kernel", err: fs.ErrPermission},
		{location: "dir", file: "dir/../secret", err: fs.ErrPermission},
		{location: "dir", file: "dir//kernel", err: fs.ErrPermission},
		{location: "x.iso", file: "x.iso", want: "image"},
		{location: "image-link", file: "image-link", want: "image"}, // a person's own link
		{location: "x.iso", file: "image-link", err: fs.ErrPermission},
		{location: "x.iso", file: "secret", err: fs.ErrPermission},
		{location: "x.iso", file: "x.iso/../secret", err: fs.ErrPermission},
		{kernel: "dir/kernel", file: "dir/kernel", want: "kernel"},
		{kernel: "dir/kernel", file: "dir/images/initrd", err: fs.ErrPermission},
		{location: "dir", kernel: "x.iso", file: "x.iso", want: "image"},
		{location: "dir", kernel: "x.iso", file: "dir/kernel", want: "kernel"},
	} {
		w := Wanted{}
		if test.kernel != "" {
			w.Kernel = "file://" + filepath.Join(root, test.kernel)
		}
		where := ""
		if test.location != "" {
			where = filepath.Join(root, test.location)
		}
		repository, err := NewRepository(where, w)
		if err != nil {
			t.Fatal(err)
		}
		local, err := repository.LocalFiles()
		if err != nil {
			t.Fatal(err)
		}
		f, err := local.Open(root + "/" + test.file)
		if !errors.Is(err, test.err) || (err == nil) != (test.err == nil) {
			t.Errorf("%s %s: %s: got error %v, want %v", test.location, test.kernel, test.file, err, test.err)
		}
		if err == nil {
			if text, err := io.ReadAll(f); string(text) != test.want || err != nil {
				t.Errorf("%s: %q, %v", test.file, text, err)
			}
			f.Close()
		}
		local.Close()
	}
	// Relative names, and those of another directory, with any location.
	repository, err := NewRepository(filepath.Dir(image), Wanted{})
	if err != nil {
		t.Fatal(err)
	}
	local, err := repository.LocalFiles()
	if err != nil {
		t.Fatal(err)
	}
	defer local.Close()
	for _, name := range []string{"x.iso", "", ".", "/etc/passwd", "/proc/self/mem", "/"} {
		if _, err := local.Open(name); err == nil || strings.ContainsAny(err.Error(), "\n") {
			t.Errorf("%q: %v", name, err)
		}
	}
	f, err := local.Open(filepath.Join(root, "dir/fifo")) // does not wait; the package guest refuses it
	if err == nil {
		f.Close()
	}
}

// What is on servers only needs no file of dom0's.
func TestNoLocalFiles(t *testing.T) {
	repository, err := NewRepository("http://h/p", Wanted{Kernel: "k"})
	if err != nil {
		t.Fatal(err)
	}
	if local, err := repository.LocalFiles(); local != nil || err != nil {
		t.Errorf("%v, %v", local, err)
	}
	repository, err = NewRepository("", Wanted{Kernel: "file:///there/is/none"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := repository.LocalFiles(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}
