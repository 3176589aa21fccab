package kernel

import (
	"encoding/binary"
	"strconv"
	"strings"

	"github.com/gopxeboot/gopxeboot/internal/printable"
)

// Xen is what a kernel tells Xen about itself in its ELF notes
// (xen/include/public/elfnote.h), the zero value when it tells nothing.
type Xen struct {
	Entry   uint64 // XEN_ELFNOTE_ENTRY: where a PV guest begins
	Entry32 uint64 // XEN_ELFNOTE_PHYS32_ENTRY: where a PVH guest begins
	Version string // xen-3.0 is the interface of every Xen since
	PAE     string // yes, no, bimodal, of a 32 bit kernel
}

// PV is true if Xen's domain builder can start the kernel as a PV guest.
func (x *Xen) PV() bool {
	return x != nil && x.Entry != 0 && strings.HasPrefix(x.Version, "xen-3.0")
}

// PVH is true if it can be started as a PVH guest.
func (x *Xen) PVH() bool { return x != nil && x.Entry32 != 0 }

// notes reads ELF notes: the sizes of name and content, a type, both padded to
// four bytes. What does not fit ends them, as in the domain builder. It says
// whether any is Xen's.
func (x *Xen) notes(data []byte, order binary.ByteOrder) (found bool) {
	for len(data) >= 12 {
		name, size, kind := uint64(order.Uint32(data)), uint64(order.Uint32(data[4:])), order.Uint32(data[8:])
		begin := 12 + (name+3)&^3
		end := begin + size
		if end > uint64(len(data)) {
			break
		}
		if string(data[12:12+name]) == "Xen\x00" {
			x.note(kind, data[begin:end], order)
			found = true
		}
		data = data[min(uint64(len(data)), (end+3)&^3):]
	}
	return found
}

func (x *Xen) note(kind uint32, content []byte, order binary.ByteOrder) {
	number := func() uint64 {
		switch len(content) {
		case 4:
			return uint64(order.Uint32(content))
		case 8:
			return order.Uint64(content)
		}
		return 0
	}
	switch kind {
	case 1:
		x.Entry = number()
	case 5:
		x.Version = cString(string(content))
	case 9:
		x.PAE = cString(string(content))
	case 18:
		x.Entry32 = number()
	}
}

// guestSection takes the names and values of the section __xen_guest, which
// kernels had before they had notes (Xen 3.0). Their entry point is the ELF
// file's; that there is one is all that is said of it here.
func (x *Xen) guestSection(text string) {
	for field := range strings.SplitSeq(text, ",") {
		name, value, _ := strings.Cut(field, "=")
		value = cString(value)
		switch strings.TrimSpace(name) {
		case "XEN_VER":
			x.Version = value
			x.Entry = max(x.Entry, 1)
		case "VIRT_ENTRY":
			x.Entry, _ = strconv.ParseUint(value, 0, 64)
		case "PAE":
			x.PAE = value
		}
	}
}

// cString is a text up to its end, in what a user can read.
func cString(s string) string {
	s, _, _ = strings.Cut(s, "\x00")
	return printable.Line(s, 256)
}

// NeedsXen is the first release of Xen whose domain builder unpacks such a
// kernel, "" if all of those in use do (4.6 and later: gzip, bzip2, LZMA, xz,
// LZO, LZ4). It came to know zstd with 4.15. Up to 4.19 it gave xz and LZMA
// 128 MiB of memory, which is not enough for a dictionary of that size: Linux
// packs with one since 6.12.
func (info Info) NeedsXen() string {
	switch {
	case info.Compression == Zstd:
		return "4.15"
	case (info.Compression == XZ || info.Compression == LZMA) && info.Window >= maxWindow:
		return "4.20"
	}
	return ""
}
