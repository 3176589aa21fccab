package xenlab

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
)

func TestMerged(t *testing.T) {
	for name, want := range map[string]string{
		"bin/busybox":         "usr/bin/busybox",
		"lib64/ld.so":         "usr/lib64/ld.so",
		"sbin/brctl":          "usr/sbin/brctl",
		"usr/bin/flock":       "usr/bin/flock",
		"etc/xen/scripts/bin": "etc/xen/scripts/bin",
	} {
		if got := merged(name); got != want {
			t.Errorf("merged(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestNeeded(t *testing.T) {
	data, err := os.ReadFile("/bin/sh")
	if err != nil {
		labtest.Missing(t, err)
	}
	got, err := needed(data)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) == 0 {
		t.Skip("/bin/sh is static here")
	}
	if !slices.ContainsFunc(got, func(name string) bool { return strings.HasPrefix(name, "ld-") }) {
		t.Errorf("needed libraries %q: no loader", got)
	}
	if got, err := needed([]byte("#!/bin/sh\n")); err != nil || got != nil {
		t.Errorf("a script needs %q, %v", got, err)
	}
	if _, err := needed([]byte("\x7fELF and no more")); err == nil {
		t.Error("a broken program: no error")
	}
}

// TestAddFile adds what a package may have, from a root as a package is
// unpacked to.
func TestAddFile(t *testing.T) {
	root := t.TempDir()
	for name, content := range map[string]string{"bin/program": "#!/bin/sh\n", "etc/xen/scripts/vif": "script"} {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("program", filepath.Join(root, "bin/link")); err != nil {
		t.Fatal(err)
	}
	var data bytes.Buffer
	a := &archive{w: &data}
	for _, dir := range []string{"bin", "etc/xen"} {
		if err := filepath.WalkDir(filepath.Join(root, dir), func(file string, entry os.DirEntry, err error) error {
			if err == nil {
				_, err = a.addFile(root, file, entry)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.close(); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"usr": "", "usr/bin": "", "usr/bin/program": "#!/bin/sh\n", "usr/bin/link": "program",
		"etc": "", "etc/xen": "", "etc/xen/scripts": "", "etc/xen/scripts/vif": "script",
	}
	if diff := cmp.Diff(want, contents(t, data.Bytes())); diff != "" {
		t.Errorf("archive (-want +got):\n%s", diff)
	}
}

// TestAddLibrary finds a library where its link leads nowhere, as Debian 11 has
// Open vSwitch's.
func TestAddLibrary(t *testing.T) {
	root := t.TempDir()
	for _, dir := range []string{"usr/lib/x86_64-linux-gnu", "usr/lib/openvswitch-common"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("libovs.so.0.0.0", filepath.Join(root, "usr/lib/x86_64-linux-gnu/libovs.so.0")); err != nil {
		t.Fatal(err)
	}
	var data bytes.Buffer
	a := &archive{w: &data}
	if _, err := a.addLibrary(root, "libovs.so.0"); err == nil {
		t.Error("a link that leads nowhere: no error")
	}
	if err := os.WriteFile(filepath.Join(root, "usr/lib/openvswitch-common/libovs.so.0.0.0"), []byte("library"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := a.addLibrary(root, "libovs.so.0"); err != nil {
		t.Fatal(err)
	}
	if err := a.close(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"usr/lib/x86_64-linux-gnu/libovs.so.0": "library"}, contents(t, data.Bytes())); diff != "" {
		t.Errorf("archive (-want +got):\n%s", diff)
	}
}

// contents reads an archive.
func contents(t *testing.T, data []byte) map[string]string {
	field := func(i int) int {
		n, err := strconv.ParseUint(string(data[6+8*i:14+8*i]), 16, 32)
		if err != nil {
			t.Fatal(err)
		}
		return int(n)
	}
	files := map[string]string{}
	for {
		size, nameSize := field(6), field(11)
		name := string(data[110 : 110+nameSize-1])
		if name == "TRAILER!!!" {
			return files
		}
		begin := (110 + nameSize + 3) &^ 3
		files[name] = string(data[begin : begin+size])
		data = data[(begin+size+3)&^3:]
	}
}

func TestOnce(t *testing.T) {
	dir := t.TempDir()
	file, pattern := filepath.Join(dir, "vmlinux"), filepath.Join(dir, "vmlinuz-*")
	upper := func(source string) ([]byte, error) {
		data, err := os.ReadFile(source)
		return bytes.ToUpper(data), err
	}
	if _, err := once(file, pattern, upper); err == nil {
		t.Error("nothing to make it from: no error")
	}
	if err := os.WriteFile(filepath.Join(dir, "vmlinuz-6.1"), []byte("kernel"), 0o644); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		got, err := once(file, pattern, upper)
		if err != nil || got != file {
			t.Fatalf("once: %q, %v", got, err)
		}
		if data, err := os.ReadFile(file); err != nil || string(data) != "KERNEL" {
			t.Errorf("made %q, %v", data, err)
		}
		// The second time there is nothing to make it from any more.
		os.Remove(filepath.Join(dir, "vmlinuz-6.1"))
	}
}
