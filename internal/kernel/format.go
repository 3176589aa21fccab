package kernel

import (
	"bytes"
	"encoding/binary"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gopxeboot/gopxeboot/internal/printable"
)

const elfMagic = "\x7fELF"

// formatOf tells a format by a file's first bytes. The order matters: a Linux
// kernel with an EFI stub is a PE file and a boot sector too.
func formatOf(head []byte) Format {
	at := func(offset int, magic string) bool {
		return len(head) >= offset+len(magic) && string(head[offset:offset+len(magic)]) == magic
	}
	switch {
	case len(head) == 0:
		return Empty
	case at(0x1fe, "\x55\xaa") && at(0x202, "HdrS"):
		if strings.HasPrefix(setupText(head), "MEMDISK") {
			return Memdisk
		}
		if lkrn.MatchString(setupText(head)) {
			return IPXE
		}
		return BzImage
	case at(0x38, "ARM\x64"):
		return ARM64Image
	case at(0, "MZ"):
		return EFI // xen.efi has a multiboot header too
	case hasMultiboot(head):
		return Multiboot
	case at(0, elfMagic):
		if isModule(head) {
			return COM32
		}
		return ELF
	case at(0, "\xb8\xff\x4c\xcd\x21"), at(0, "\xb8\xfe\x4c\xcd\x21"):
		// SYSLINUX up to 4: an instruction that is harmless in DOS.
		return COM32
	case at(8, "\xac\xc8\x83\x29"):
		// Where PXELINUX has it so that options can be patched in.
		return PXELINUX
	case bytes.Contains(head[:min(len(head), 1024)], []byte("PXE->EB:")):
		return IPXE // its first message (arch/x86/prefix/pxeprefix.S)
	case at(0, "070701"), at(0, "070702"):
		return Initrd
	case at(0x1fe, "\x55\xaa"):
		return BootSector
	case isText(head):
		if isPage(head) {
			return HTML
		}
		return Text
	}
	return Unknown
}

// lkrn is the version that ipxe.lkrn has in a Linux kernel's place, which says who built
// it, and as which: 6.1.0 (builder) #1.
var lkrn = regexp.MustCompile(`^[0-9]+\.[0-9]+\.[0-9]+\+[^#]*$`)

// hasMultiboot is true if the file has a header of multiboot version 1 in its
// first 8 KiB: a magic number, flags, and what makes the sum of the three zero
// (Multiboot Specification, section 3.1).
func hasMultiboot(head []byte) bool {
	head = head[:min(len(head), 8<<10)]
	for i := 0; i+12 <= len(head); i += 4 {
		magic := binary.LittleEndian.Uint32(head[i:])
		if magic == 0x1badb002 && magic+binary.LittleEndian.Uint32(head[i+4:])+binary.LittleEndian.Uint32(head[i+8:]) == 0 {
			return true
		}
	}
	return false
}

// isModule is true for an ELF file that is a shared object of i386, which is
// what a COM32 module is since SYSLINUX 5 and a kernel never is.
func isModule(head []byte) bool {
	return len(head) >= 20 && head[4] == 1 && head[5] == 1 && head[16] == 3 && head[18] == 3
}

// efiArch is the processor in a PE file's header.
func efiArch(head []byte) Arch {
	if len(head) < 0x40 {
		return ""
	}
	pe := int64(binary.LittleEndian.Uint32(head[0x3c:]))
	if pe+6 > int64(len(head)) || string(head[pe:pe+4]) != "PE\x00\x00" {
		return ""
	}
	return map[uint16]Arch{0x14c: I386, 0x8664: X86_64, 0x1c0: ARM, 0x1c2: ARM, 0x1c4: ARM, 0xaa64: ARM64}[binary.LittleEndian.Uint16(head[pe+4:])]
}

var (
	tag   = regexp.MustCompile(`(?i)<(!doctype html|html|head|body|title)\b`)
	title = regexp.MustCompile(`(?is)<(?:title|h1)[^>]*>\s*([^<]+)`)
)

// isPage is true for HTML, which begins with one of these tags, or nearly so.
func isPage(text []byte) bool {
	at := tag.FindIndex(text)
	if at == nil {
		return false
	}
	before := text[:at[0]]
	return utf8.RuneCount(before) <= 400 && !bytes.ContainsAny(before, "{}")
}

// isText is true for printable UTF-8, as servers send it instead of a file.
func isText(head []byte) bool {
	for rest := head[:min(len(head), 1024)]; len(rest) > 0; {
		r, n := utf8.DecodeRune(rest)
		if r == utf8.RuneError && n == 1 {
			return len(rest) < utf8.UTFMax && len(head) > 1024 // cut by us
		}
		if !unicode.IsPrint(r) && !unicode.IsSpace(r) && r != '\ufeff' {
			return false
		}
		rest = rest[n:]
	}
	return true
}

// firstLine is what a user would call a page or a text by: up to 80 bytes
// that print.
func firstLine(head []byte) string {
	text := head
	if m := title.FindSubmatch(head); m != nil {
		text = m[1]
	}
	text = bytes.TrimLeftFunc(text, func(r rune) bool { return !unicode.IsPrint(r) || unicode.IsSpace(r) })
	if i := bytes.IndexAny(text, "\r\n"); i >= 0 {
		text = text[:i]
	}
	return printable.Line(string(text), 80)
}
