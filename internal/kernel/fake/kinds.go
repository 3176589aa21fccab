package fake

import (
	"bytes"
	"compress/gzip"
	"debug/elf"
	"encoding/binary"
	"math/rand/v2"
)

// A Kind is a kind of file that may lie in a kernel's place, and what is said of
// it there on an amd64 host.
type Kind struct {
	Name    string
	Content []byte
	// Refused is for which guests it is no kernel: pv, pvh, pvshim, hvm, "-" for one
	// of no known type, "direct" for one of which that is so with a format of direct
	// kernel boot.
	Refused string
	Says    string // to a pv guest, if that one refuses it; else to the others
	// Download says that it is the download that is at fault, or the server's copy.
	Download bool
	// Inside says that it shows only to who looks into what is packed.
	Inside bool
}

// Who refuses what is no kernel.
const (
	all      = "pv pvh pvshim - hvm direct"
	builders = "pv pvh pvshim -" // Xen's, which know fewer kernels than firmware does
)

// Pointer is what Git LFS has in a file's place.
const Pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"

// At is a file of that size with these texts at these places.
func At(size int, parts map[int]string) []byte {
	b := bytes.Repeat([]byte{0x90}, size)
	for offset, text := range parts {
		copy(b[offset:], text)
	}
	return b
}

// Noise is random, and always the same.
func Noise(size int) []byte {
	b := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(b) // never fails
	b[0] = 1
	return b
}

func gzipped(data []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(data) // into a buffer
	_ = w.Close()
	return b.Bytes()
}

// Kinds are all kinds that are told apart.
func Kinds() []Kind {
	linux := func(pv, pvh bool) []byte {
		return BzImage(gzipped(Vmlinux(elf.EM_X86_64, Noise(5000), Notes(pv, pvh), elf.SHT_NULL)))
	}
	vmlinux := func(m elf.Machine) []byte { return Vmlinux(m, Noise(5000), Notes(true, true), elf.SHT_NULL) }
	changed := func(image []byte, at int, text string) []byte {
		image = bytes.Clone(image)
		copy(image[at:], text)
		return image
	}
	section := func(m elf.Machine, text string) []byte {
		return Vmlinux(m, Noise(100), []byte(text+"\x00"), elf.SHT_PROGBITS)
	}
	multiboot := binary.LittleEndian.AppendUint32(nil, 0x1badb002)
	multiboot = binary.LittleEndian.AppendUint32(multiboot, 3)
	multiboot = binary.LittleEndian.AppendUint32(multiboot, 1<<32-0x1badb002-3)
	whole, lkrn := linux(true, true), linux(true, true)
	copy(lkrn[0x300:], "1.21.1+ (somebody@example.org) \x00")
	const noPVH, noPV = "this kernel has no PVH entry point (CONFIG_PVH)", "this kernel has no PV entry point (CONFIG_XEN_PV), which a pv guest needs"
	return []Kind{
		{Name: "Linux", Content: whole},
		{Name: "Linux, ELF", Content: vmlinux(elf.EM_X86_64)},
		{Name: "Linux, ELF, packed", Content: gzipped(vmlinux(elf.EM_X86_64))},
		{Name: "Linux, ELF, packed, and padded", Content: append(gzipped(vmlinux(elf.EM_X86_64)), make([]byte, 100)...)},
		{Name: "Linux for i386", Content: vmlinux(elf.EM_386)},
		{Name: "Linux 2.6.18", Content: section(elf.EM_386, "GUEST_OS=linux,GUEST_VER=2.6,XEN_VER=xen-3.0,VIRT_BASE=0xC0000000,LOADER=generic,PAE=yes[extended-cr3]"), Refused: "pvh", Says: noPVH, Inside: true},
		{Name: "NetBSD", Content: gzipped(section(elf.EM_X86_64, "GUEST_OS=NetBSD,GUEST_VER=4.99,XEN_VER=xen-3.0,LOADER=generic,VIRT_BASE=0xffffffff80000000,VIRT_ENTRY=0xffffffff80100000,HYPERCALL_PAGE=0x00000101,BSD_SYMTAB=yes")), Refused: "pvh", Says: noPVH, Inside: true},
		{Name: "FreeBSD", Content: Vmlinux(elf.EM_X86_64, Noise(100), Notes(false, true), elf.SHT_NULL), Refused: "pv pvshim", Says: noPV, Inside: true},
		{Name: "a unikernel", Content: Vmlinux(elf.EM_X86_64, Noise(100), Note(18, []byte{0, 0, 16, 0}), elf.SHT_NOTE), Refused: "pv pvshim", Says: noPV, Inside: true},
		{Name: "a kernel without PVH", Content: linux(true, false), Refused: "pvh", Says: noPVH, Inside: true},
		{Name: "a kernel without PV", Content: linux(false, true), Refused: "pv pvshim", Says: noPV, Inside: true},
		{Name: "a kernel without either", Content: linux(false, false), Refused: "pv pvh pvshim", Says: noPV, Inside: true},
		{Name: "Xen", Content: At(8192, map[int]string{4096: string(multiboot)})},

		{Name: "a page of HTML", Content: []byte("<!DOCTYPE HTML><html><head>\n<title>Please log in</title></head>"), Refused: all, Says: `a page of HTML, "Please log in", and no kernel`, Download: true},
		{Name: "a text", Content: []byte("File not found\n"), Refused: all, Says: `text, "File not found", and no kernel`},
		{Name: "JSON", Content: []byte(`{"status": 404}`), Refused: all, Says: `text, "{\"status\": 404}", and no kernel`},
		{Name: "a pointer of Git LFS", Content: []byte(Pointer), Refused: all, Says: "a pointer of Git LFS, and no kernel", Download: true},
		{Name: "random bytes", Content: Noise(100_000), Refused: builders, Says: "nothing that is known, and no kernel"},
		{Name: "a COM32 module", Content: At(4096, map[int]string{0: "\x7fELF\x01\x01\x01", 16: "\x03\x00\x03\x00"}), Refused: builders, Says: "a COM32 module of SYSLINUX, and no kernel"},
		{Name: "a COM32 module of SYSLINUX 4", Content: At(4096, map[int]string{0: "\xb8\xff\x4c\xcd\x21"}), Refused: builders, Says: "a COM32 module of SYSLINUX, and no kernel"},
		{Name: "memdisk", Content: At(4096, map[int]string{0x1f1: "\x03\x00\x00\x7f\x00\x00\x00", 0x1fe: "\x55\xaa", 0x202: "HdrS", 0x20e: "\x00\x01", 0x300: "MEMDISK 6.04 2020\x00"}), Refused: builders, Says: "memdisk, and no kernel"},
		{Name: "pxelinux.0", Content: At(4096, map[int]string{8: "\xac\xc8\x83\x29"}), Refused: builders, Says: "PXELINUX itself, and no kernel"},
		{Name: "ipxe.lkrn", Content: lkrn, Refused: builders, Says: "iPXE itself, and no kernel"},
		{Name: "an EFI program", Content: At(4096, map[int]string{0: "MZ", 0x3c: "\x80\x00\x00\x00", 0x80: "PE\x00\x00\x64\x86"}), Refused: builders, Says: "an EFI program, and no kernel"},
		{Name: "a cpio archive", Content: []byte("070701000000"), Refused: builders, Says: "an initrd (a cpio archive), and no kernel"},
		{Name: "a packed cpio archive", Content: gzipped([]byte("070701000000")), Refused: builders, Says: "an initrd (a cpio archive), and no kernel", Inside: false},
		{Name: "a disk image", Content: At(4096, map[int]string{0x1fe: "\x55\xaa"}), Refused: builders, Says: "a boot sector or a disk image, and no kernel"},
		{Name: "a kernel that is cut short", Content: whole[:len(whole)*2/3], Refused: all, Says: "it is cut short: it has ", Download: true},
		{Name: "an ELF kernel that is cut short", Content: vmlinux(elf.EM_X86_64)[:3000], Refused: all, Says: "it is cut short: it has ", Download: true},
		{Name: "a packed ELF kernel that is cut short", Content: gzipped(vmlinux(elf.EM_X86_64))[:3000], Refused: all, Says: "it is cut short: unpack gzip: ", Download: true, Inside: true},
		{Name: "a kernel whose packed part is damaged", Content: changed(whole, PayloadAt+20, string(Noise(400))), Refused: builders, Says: "Xen can't read it: read the image: unpack gzip: ", Inside: true},
		{Name: "a kernel with another packing", Content: changed(whole, PayloadAt, "other"), Refused: builders, Says: "Xen can't read it: read the image: unknown compression of the kernel: ", Inside: true},
		{Name: "a kernel from before Linux 2.6.26", Content: changed(whole, 0x206, "\x07\x02"), Refused: builders, Says: "Xen can't read it: read the image: boot protocol 2.07 does not say where the kernel is", Inside: true},
		{Name: "memtest86+", Content: changed(whole, 0x248, "\x00\x00\x00\x00\x00\x00\x00\x00"), Refused: builders, Says: "Xen can't read it: read the image: no kernel is packed in it", Inside: true},
		{Name: "a kernel for arm64", Content: At(4096, map[int]string{0: "MZ", 0x38: "ARM\x64"}), Refused: all, Says: "it is for arm64, and this host's guests are x86_64"},
		{Name: "a kernel for PowerPC", Content: vmlinux(elf.EM_PPC64), Refused: all, Says: "it is for EM_PPC64, and this host's guests are x86_64"},
	}
}
