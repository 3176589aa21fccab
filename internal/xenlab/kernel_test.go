package xenlab

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
)

func TestVmlinux(t *testing.T) {
	// A kernel that is not compressed: what can be is tested where it is unpacked.
	want := append([]byte("\x7fELF"), bytes.Repeat([]byte("kernel "), 1000)...)
	image := make([]byte, 1024+len(want))
	image[0x1f1] = 1
	copy(image[0x1fe:], "\x55\xaa")
	copy(image[0x202:], "HdrS\x0f\x02")
	binary.LittleEndian.PutUint32(image[0x24c:], uint32(len(want)))
	copy(image[1024:], want)
	file := filepath.Join(t.TempDir(), "vmlinuz")
	for name, c := range map[string]struct{ image, want []byte }{
		"kernel":         {image, want},
		"something else": {want, nil},
	} {
		if err := os.WriteFile(file, c.image, 0o644); err != nil {
			t.Fatal(err)
		}
		got, err := vmlinux(file)
		if !bytes.Equal(got, c.want) || (err == nil) != (c.want != nil) {
			t.Errorf("%s: %d bytes, %v; want %d bytes", name, len(got), err, len(c.want))
		}
	}
}

// module assembles an object file that says what it depends on.
func module(t *testing.T, file, depends string) {
	source := ".section .modinfo, \"a\"\n.asciz \"license=GPL\"\n.asciz \"depends=" + depends + "\"\n"
	as := exec.Command("as", "--64", "-o", file, "-")
	as.Stdin = bytes.NewReader([]byte(source))
	if output, err := as.CombinedOutput(); err != nil {
		t.Fatalf("as: %v: %s", err, output)
	}
}

func TestModuleFiles(t *testing.T) {
	labtest.Program(t, "as")
	dir := t.TempDir()
	for name, depends := range map[string]string{
		"bridge": "stp,llc", "stp": "llc", "llc": "", "xen-netback": "", "astray": "nowhere", "unused": "",
	} {
		module(t, filepath.Join(dir, name+".ko"), depends)
	}
	files, err := moduleFiles(dir, []string{"xen_netback", "bridge", "llc"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range files {
		got = append(got, filepath.Base(f))
	}
	if diff := cmp.Diff([]string{"xen-netback.ko", "llc.ko", "stp.ko", "bridge.ko"}, got); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
	for _, name := range []string{"nowhere", "astray"} {
		if _, err := moduleFiles(dir, []string{name}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
