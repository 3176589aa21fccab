package kernel

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gopxeboot/gopxeboot/internal/kernel/fake"
	"github.com/gopxeboot/gopxeboot/xenout"
)

// at is a file of that size with these texts at these places.
func at(size int, parts map[int]string) []byte {
	b := bytes.Repeat([]byte{0x90}, size)
	for offset, text := range parts {
		copy(b[offset:], text)
	}
	return b
}

func noise(size int) []byte {
	b := make([]byte, size)
	rand.NewChaCha8([32]byte{1}).Read(b)
	b[0] = 1
	return b
}

const lfs = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"

// TestGate has every kind of file in a kernel's place, by name.
func TestGate(t *testing.T) {
	linux := func(pv, pvh bool) []byte {
		return fake.BzImage(pack(t, Gzip, fake.Vmlinux(elf.EM_X86_64, code(1000), fake.Notes(pv, pvh), elf.SHT_NULL)))
	}
	whole := linux(true, true)
	damaged := bytes.Clone(whole)
	copy(damaged[fake.PayloadAt+20:], noise(200))
	old := bytes.Clone(whole)
	copy(old[0x206:], "\x07\x02")
	machine := func(m elf.Machine) []byte { return fake.Vmlinux(m, code(100), linuxNotes, elf.SHT_NULL) }
	xenGuest := []byte("GUEST_OS=linux,GUEST_VER=2.6,XEN_VER=xen-3.0,VIRT_BASE=0xC0000000,LOADER=generic,PAE=yes[extended-cr3]\x00")
	netbsd := []byte("GUEST_OS=NetBSD,GUEST_VER=4.99,XEN_VER=xen-3.0,LOADER=generic,VIRT_BASE=0xffffffff80000000,VIRT_ENTRY=0xffffffff80100000,HYPERCALL_PAGE=0x00000101,BSD_SYMTAB=yes\x00")
	multiboot := binary.LittleEndian.AppendUint32(nil, 0x1badb002)
	multiboot = binary.LittleEndian.AppendUint32(multiboot, 3)
	multiboot = binary.LittleEndian.AppendUint32(multiboot, 1<<32-0x1badb002-3)

	const all, builders, none = "pv pvh pvshim - hvm direct", "pv pvh pvshim -", ""
	for _, c := range []struct {
		name    string
		image   []byte
		refused string // by which guests; - is one of no known type
		says    string
		fetched bool // the download is at fault
	}{
		{"Linux", whole, none, "", false},
		{"Linux, ELF", machine(elf.EM_X86_64), none, "", false},
		{"Linux, ELF, packed", pack(t, Gzip, machine(elf.EM_X86_64)), none, "", false},
		{"Linux, ELF, packed, and padded", append(pack(t, Gzip, machine(elf.EM_X86_64)), make([]byte, 100)...), none, "", false},
		{"Linux for i386", machine(elf.EM_386), none, "", false},
		{"Linux 2.6.18 with __xen_guest", fake.Vmlinux(elf.EM_386, code(100), xenGuest, elf.SHT_PROGBITS), "pvh", "this kernel has no PVH entry point (CONFIG_PVH)", false},
		{"NetBSD", pack(t, Gzip, fake.Vmlinux(elf.EM_X86_64, code(100), netbsd, elf.SHT_PROGBITS)), "pvh", "this kernel has no PVH entry point (CONFIG_PVH)", false},
		{"FreeBSD", fake.Vmlinux(elf.EM_X86_64, code(100), fake.Notes(false, true), elf.SHT_NULL), "pv pvshim", "this kernel has no PV entry point (CONFIG_XEN_PV), which a pv guest needs", false},
		{"a unikernel", fake.Vmlinux(elf.EM_X86_64, code(100), fake.Note(18, []byte{0, 0, 16, 0}), elf.SHT_NOTE), "pv pvshim", "this kernel has no PV entry", false},
		{"PV only", linux(true, false), "pvh", "this kernel has no PVH entry point (CONFIG_PVH)", false},
		{"PVH only", linux(false, true), "pv pvshim", "this kernel has no PV entry point", false},
		{"neither", linux(false, false), "pv pvh pvshim", "this kernel has no PV entry point", false},
		{"multiboot", at(8192, map[int]string{4096: string(multiboot)}), none, "", false},
		{"nothing", nil, all, "an empty file, and no kernel", true},
		{"a page", []byte("<!DOCTYPE HTML><html><head>\n<title>404 Not Found</title></head>"), all, `a page of HTML, "404 Not Found", and no kernel`, true},
		{"text", []byte("File not found\n"), all, `text, "File not found", and no kernel`, false},
		{"JSON", []byte(`{"errors": [{"status": 404}]}`), all, `text, "{\"errors\": [{\"status\": 404}]}", and no kernel`, false},
		{"a pointer", []byte(lfs), all, "a pointer of Git LFS, and no kernel", true},
		{"random bytes", noise(100_000), builders, "nothing that is known, and no kernel", false},
		{"COM32", at(4096, map[int]string{0: "\xb8\xff\x4c\xcd\x21"}), builders, "a COM32 module of SYSLINUX, and no kernel", false},
		{"COM32 of 6.x", at(4096, map[int]string{0: "\x7fELF\x01\x01\x01", 16: "\x03\x00\x03\x00"}), builders, "a COM32 module of SYSLINUX, and no kernel", false},
		{"memdisk", at(4096, map[int]string{0x1fe: "\x55\xaa", 0x202: "HdrS", 0x20e: "\x00\x01", 0x300: "MEMDISK 6.04 2020\x00"}), builders, "memdisk, and no kernel", false},
		{"pxelinux.0", at(4096, map[int]string{8: "\xac\xc8\x83\x29"}), builders, "PXELINUX itself, and no kernel", false},
		{"EFI", at(4096, map[int]string{0: "MZ", 0x3c: "\x80\x00\x00\x00", 0x80: "PE\x00\x00\x64\x86"}), builders, "an EFI program, and no kernel", false},
		{"cpio", []byte("070701000000"), builders, "an initrd (a cpio archive), and no kernel", false},
		{"cpio, packed", pack(t, Gzip, []byte("070701000000")), builders, "an initrd (a cpio archive), and no kernel", false},
		{"a disk", at(4096, map[int]string{0x1fe: "\x55\xaa"}), builders, "a boot sector or a disk image, and no kernel", false},
		{"cut short", whole[:len(whole)*2/3], all, "it is cut short: it has ", true},
		{"cut short, packed", pack(t, Gzip, machine(elf.EM_X86_64))[:200], builders, "it is cut short: unpack gzip: ", true},
		{"damaged", damaged, builders, "Xen can't read it: read the image: unpack gzip: ", false},
		{"too old", old, builders, "Xen can't read it: read the image: boot protocol 2.07 does not say where the kernel is", false},
		{"arm64", at(4096, map[int]string{0: "MZ", 0x38: "ARM\x64"}), all, "it is for arm64, and this host's guests are x86_64", false},
		{"PowerPC", machine(elf.EM_PPC64), all, "it is for EM_PPC64, and this host's guests are x86_64", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var refused []string
			for name, g := range map[string]Guest{
				"pv": {Type: xenout.PV}, "pvh": {Type: xenout.PVH}, "pvshim": {Type: xenout.PVShim}, "-": {}, "hvm": {Type: xenout.HVM, Direct: true}, "direct": {Direct: true},
			} {
				g.Host = X86_64
				file, size := bytes.NewReader(c.image), int64(len(c.image))
				m, _ := g.Looks(file, size)
				first := g.Refuses(bytes.NewReader(c.image[:min(len(c.image), headSize)]), size)
				if first != nil && cmp.Diff(first, m) != "" {
					t.Errorf("%s: by its beginning %v, then %v", name, first, m)
				}
				if m == nil {
					continue
				}
				refused = append(refused, name)
				if (name == "pv" || !strings.Contains(c.refused, "pv ")) && !strings.HasPrefix(m.Error(), c.says) || m.Download != c.fetched || m.Try == "" {
					t.Errorf("%s: %+v, want %s", name, m, c.says)
				}
			}
			for _, name := range strings.Fields("pv pvh pvshim - hvm direct") {
				want := strings.Contains(" "+c.refused+" ", " "+name+" ")
				if got := strings.Contains(" "+strings.Join(refused, " ")+" ", " "+name+" "); got != want {
					t.Errorf("a %s guest refuses it: %v, want %v", name, got, want)
				}
			}
		})
	}
}

func TestGateWarnings(t *testing.T) {
	kernel := func(c Compression, pv, pvh bool) []byte {
		return fake.BzImage(pack(t, c, fake.Vmlinux(elf.EM_X86_64, code(1000), fake.Notes(pv, pvh), elf.SHT_NULL)))
	}
	const zstd, entry = "it is packed with zstd in a way that Xen knows since 4.15", "this kernel has neither the PV nor the PVH entry point (CONFIG_XEN_PV, CONFIG_PVH)"
	for _, c := range []struct {
		name  string
		guest Guest
		image []byte
		want  []string
	}{
		{"none", Guest{Xen: "4.17"}, kernel(Gzip, true, true), nil},
		{"an unknown type", Guest{}, kernel(Gzip, false, false), []string{entry}},
		{"zstd, and Xen is not known", Guest{Type: xenout.PV}, kernel(Zstd, true, true), []string{zstd}},
		{"zstd, and an old Xen", Guest{Type: xenout.PV, Xen: "4.14"}, kernel(Zstd, true, true), []string{zstd}},
		{"zstd, and a new Xen", Guest{Type: xenout.PV, Xen: "4.15"}, kernel(Zstd, true, true), nil},
	} {
		m, warnings := c.guest.Looks(bytes.NewReader(c.image), int64(len(c.image)))
		if diff := cmp.Diff(c.want, warnings); diff != "" || m != nil {
			t.Errorf("%s: %v (-want +got):\n%s", c.name, m, diff)
		}
	}
}

// What is more than we look at is not refused.
func TestGateLimits(t *testing.T) {
	endless := fake.Vmlinux(elf.EM_X86_64, code(1000), linuxNotes, elf.SHT_NULL)
	binary.LittleEndian.PutUint64(endless[64+56+8:], 300<<20) // where its notes are
	image := pack(t, Gzip, endless)
	if m, _ := (Guest{Type: xenout.PV}).Looks(bytes.NewReader(image), int64(len(image))); m != nil {
		t.Error(m)
	}
}

func TestInspectInitrd(t *testing.T) {
	for _, c := range []struct {
		name string
		head []byte
		says string
	}{
		{"cpio", []byte("070701000000"), ""},
		{"gzip", pack(t, Gzip, []byte("070701")), ""},
		{"zstd", pack(t, Zstd, []byte("070701")), ""},
		{"nothing known", noise(4096), ""},
		{"an answer file", []byte("d-i debian-installer/locale string en_US\n"), ""},
		{"ELF", fake.Vmlinux(elf.EM_X86_64, nil, linuxNotes, elf.SHT_NULL), ""},
		{"a page", []byte("<html><head><title>Index of /</title>"), `a page of HTML, "Index of /", and no initrd`},
		{"a pointer", []byte(lfs), "a pointer of Git LFS, and no initrd"},
		{"a kernel", fake.BzImage(pack(t, Gzip, []byte("x"))), "bzImage, and no initrd"},
		{"COM32", at(4096, map[int]string{0: "\xb8\xff\x4c\xcd\x21"}), "a COM32 module of SYSLINUX, and no initrd"},
	} {
		_, m := InspectInitrd(c.head)
		if got := m; (got == nil) != (c.says == "") || got != nil && (got.Text != c.says || got.Try == "") {
			t.Errorf("%s: %+v, want %s", c.name, got, c.says)
		}
	}
}

// TestGateReal has real kernels pass and real boot programs fail.
func TestGateReal(t *testing.T) {
	servers := os.Getenv("GOPXEBOOT_SERVERS")
	if servers == "" {
		servers = "../../build/servers"
	}
	g := Guest{Type: xenout.PV, Host: X86_64, Xen: "4.17"}
	for _, c := range []struct {
		name, make string
		files      []string
		says       string
	}{
		{"Debian's installer", ".ci/servers", []string{servers + "/debian-installer-12-netboot-amd64/usr/lib/debian-installer/images/12/amd64/text/debian-installer/amd64/linux"}, ""},
		{"pxelinux.0", ".ci/servers", []string{"/usr/lib/PXELINUX/pxelinux.0", servers + "/pxelinux/usr/lib/PXELINUX/pxelinux.0"}, "PXELINUX itself"},
		{"memdisk", ".ci/servers", []string{"/usr/lib/syslinux/memdisk", servers + "/syslinux-common/usr/lib/syslinux/memdisk"}, "memdisk"},
		{"undionly.kpxe", ".ci/servers", []string{"/usr/lib/ipxe/undionly.kpxe", servers + "/ipxe/usr/lib/ipxe/undionly.kpxe"}, "iPXE itself"},
		{"ipxe.lkrn", ".ci/servers", []string{"/boot/ipxe.lkrn", servers + "/ipxe/boot/ipxe.lkrn"}, "iPXE itself"},
		{"menu.c32", ".ci/servers", []string{"/usr/lib/syslinux/modules/bios/menu.c32", servers + "/syslinux-common/usr/lib/syslinux/modules/bios/menu.c32"}, "a COM32 module"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, size := open(t, c.make, c.files)
			if m, warnings := g.Looks(f, size); (m == nil) != (c.says == "") || m != nil && !strings.HasPrefix(m.Text, c.says) || len(warnings) > 0 {
				t.Errorf("%v, %q, want %q", m, warnings, c.says)
			}
		})
	}
}
