package grub

import (
	"archive/tar"
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/ulikunitz/xz/lzma"
)

// objects is what an image holds, behind its header of that many bits.
func objects(bits int, objects map[uint32]string) []byte {
	var body []byte
	for kind := uint32(0); kind < 5; kind++ {
		if text, found := objects[kind]; found {
			for text += "\x00"; len(text)%8 != 0; text += "\x00" {
			}
			body = binary.LittleEndian.AppendUint32(body, kind)
			body = binary.LittleEndian.AppendUint32(body, uint32(8+len(text)))
			body = append(body, text...)
		}
	}
	head := []byte("mimg")
	if bits == 64 {
		head = append(head, 0, 0, 0, 0)
		head = binary.LittleEndian.AppendUint64(head, 24)
		return append(binary.LittleEndian.AppendUint64(head, uint64(24+len(body))), body...)
	}
	head = binary.LittleEndian.AppendUint32(head, 12)
	return append(binary.LittleEndian.AppendUint32(head, uint32(12+len(body))), body...)
}

func efi(rest ...[]byte) []byte {
	b := make([]byte, 0x100)
	copy(b, "MZ")
	b[0x3c] = 0x80
	copy(b[0x80:], "PE\x00\x00\x64\x86")
	return append(b, bytes.Join(rest, nil)...)
}

func core0(t *testing.T, rest []byte) []byte {
	t.Helper()
	b := make([]byte, 1536+2848)
	copy(b, "\xb2\x7f\xea\x00\x82\x00\x00")
	copy(b[1536:], "\xea\x1c\x82\x00\x00")
	plain := append(bytes.Repeat([]byte("mimg GRUB"), 1000), rest...)
	binary.LittleEndian.PutUint32(b[1536+12:], uint32(len(plain)))
	var packed bytes.Buffer
	w, err := lzma.WriterConfig{Properties: &lzma.Properties{LC: 3, LP: 0, PB: 2}, Size: int64(len(plain)), SizeInHeader: true}.NewWriter(&packed)
	if err != nil {
		t.Fatal(err)
	}
	w.Write(plain)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return append(b, packed.Bytes()[13:]...)
}

func TestReadImage(t *testing.T) {
	var disk bytes.Buffer
	w := tar.NewWriter(&disk)
	w.WriteHeader(&tar.Header{Name: "boot/grub/grub.cfg", Size: 5, Typeflag: tar.TypeReg, Mode: 0o644})
	w.Write([]byte("exit\n"))
	w.Close()
	for _, c := range []struct {
		name string
		data []byte
		want Image
	}{
		{"nothing", nil, Image{}},
		{"text", []byte("#!ipxe\n"), Image{}},
		{"another EFI program", efi([]byte("iPXE mimg ")), Image{}},
		{"EFI", efi(objects(64, map[uint32]string{3: "/EFI/fedora"}), []byte("x fw_path x")), Image{Known: true, EFI: true, CPU: "x86_64", Prefix: "/EFI/fedora", FirmwarePath: true}},
		{"EFI with a file system that is not read", efi(objects(64, map[uint32]string{1: "hsqs...", 2: "normal (memdisk)/grub.cfg\n", 3: "/grub"})),
			Image{Known: true, EFI: true, CPU: "x86_64", Prefix: "/grub", Config: "normal (memdisk)/grub.cfg\n", Memdisk: map[string]string{"/grub.cfg": signedConfig}}},
		{"grub-mkstandalone", efi(objects(64, map[uint32]string{1: disk.String(), 3: "(memdisk)/boot/grub"})),
			Image{Known: true, EFI: true, CPU: "x86_64", Prefix: "(memdisk)/boot/grub", Memdisk: map[string]string{"/boot/grub/grub.cfg": "exit\n"}}},
		{"core.0", core0(t, objects(32, map[uint32]string{3: "/boot/grub"})), Image{Known: true, CPU: "i386", Prefix: "/boot/grub"}},
		{"core.0 cut short", core0(t, objects(32, map[uint32]string{3: "/boot/grub"}))[:4400], Image{}},
		{"shim", efi([]byte("shim,3,UEFI shim,shim"), utf16(`\grubx64.efi`)), Image{EFI: true, CPU: "x86_64", Next: "grubx64.efi"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(&c.want, ReadImage(c.data)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// The images of Debian's installer, if .ci/servers was here.
func TestDebianImages(t *testing.T) {
	dir := os.Getenv("GOPXEBOOT_SERVERS")
	if dir == "" {
		dir = "../../build/servers"
	}
	dir = filepath.Join(dir, "debian-installer-12-netboot-amd64/usr/lib/debian-installer/images/12/amd64/text/debian-installer/amd64")
	for name, want := range map[string]Image{
		"bootnetx64.efi": {EFI: true, CPU: "x86_64", Next: "grubx64.efi"},
		"grubx64.efi": {Known: true, EFI: true, CPU: "x86_64", Prefix: "/debian-installer/amd64/grub",
			Config: "normal (memdisk)/grub.cfg\n", Memdisk: map[string]string{"/grub.cfg": signedConfig}},
	} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Skipf("missing: debian-installer-12-netboot-amd64, which .ci/servers fetches: %v", err)
		}
		if diff := cmp.Diff(&want, ReadImage(data)); diff != "" {
			t.Errorf("%s: (-want +got):\n%s", name, diff)
		}
	}
}

func FuzzImage(f *testing.F) {
	f.Add([]byte("MZ"))
	f.Add([]byte("\xb2\x7f\xea\x00\x82\x00\x00"))
	f.Add(efi(objects(64, map[uint32]string{1: "x", 2: "y", 3: "/boot/grub"})))
	f.Fuzz(func(t *testing.T, data []byte) {
		if i := ReadImage(data); i.Known && i.Next != "" {
			t.Errorf("%+v is both GRUB and shim", i)
		}
	})
}
