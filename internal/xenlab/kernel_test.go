package xenlab

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// bzImage is one whose payload is this; the setup code has one sector.
func bzImage(payload []byte) []byte {
	image := make([]byte, 1024+0x100+len(payload))
	image[0x1f1] = 1
	copy(image[0x202:], "HdrS")
	binary.LittleEndian.PutUint32(image[0x248:], 0x100)
	binary.LittleEndian.PutUint32(image[0x24c:], uint32(len(payload)))
	copy(image[1024+0x100:], payload)
	return image
}

func TestVmlinux(t *testing.T) {
	if _, err := exec.LookPath("xz"); err != nil {
		t.Skip("xz is not installed")
	}
	want := bytes.Repeat([]byte("kernel "), 1000)
	xz := exec.Command("xz", "--check=crc32", "-c")
	xz.Stdin = bytes.NewReader(want)
	compressed, err := xz.Output()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "vmlinuz")
	payload := binary.LittleEndian.AppendUint32(compressed, uint32(len(want)))
	if err := os.WriteFile(file, bzImage(payload), 0o644); err != nil {
		t.Fatal(err)
	}
	got, err := vmlinux(file)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("vmlinux: %d bytes, %v; want %d bytes", len(got), err, len(want))
	}
}

func TestPayloadOfRefuses(t *testing.T) {
	whole := bzImage([]byte("\xfd7zXZ\x00stream"))
	if _, err := payloadOf(whole); err != nil {
		t.Fatal(err)
	}
	for name, image := range map[string][]byte{
		"nothing":       nil,
		"no signature":  make([]byte, 4096),
		"cut short":     whole[:len(whole)-1],
		"other packing": bzImage([]byte("\x1f\x8bgzip stream")),
		"no stream":     bzImage([]byte("\xfd7zXZ\x00")),
	} {
		if _, err := payloadOf(image); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func FuzzPayloadOf(f *testing.F) {
	f.Add(bzImage([]byte("\xfd7zXZ\x00stream")))
	f.Add([]byte("HdrS"))
	f.Fuzz(func(t *testing.T, image []byte) {
		if payload, err := payloadOf(image); err == nil && !bytes.Contains(image, payload) {
			t.Error("the payload is no part of the image")
		}
	})
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
	if _, err := exec.LookPath("as"); err != nil {
		t.Skip("as is not installed")
	}
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
