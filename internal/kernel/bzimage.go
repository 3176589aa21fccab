package kernel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/gopxeboot/gopxeboot/internal/printable"
)

// bzImage reads a Linux kernel for x86, with the notes of what is packed in it.
func (info *Info) bzImage(r io.ReaderAt, head []byte, notes bool) error {
	payload, err := info.setup(r, head)
	if err != nil || !notes {
		return err
	}
	inside, err := inBzImage(payload)
	if err != nil {
		return err
	}
	info.Compression = inside.compression
	err = info.elf(inside, false, true)
	info.Window = inside.window
	if inside.compression == None {
		return err
	}
	return damage("unpack "+string(inside.compression), err)
}

// setup reads a bzImage's setup header (the kernel's
// Documentation/arch/x86/boot.rst) and returns the kernel that is packed in it.
func (info *Info) setup(r io.ReaderAt, head []byte) (*io.SectionReader, error) {
	if len(head) < 0x250 {
		return nil, ErrTruncated
	}
	protocol := binary.LittleEndian.Uint16(head[0x206:])
	setup := 512 * (1 + int64(head[0x1f1]))
	if head[0x1f1] == 0 {
		setup = 512 * 5 // boot.rst, "setup_sects"
	}
	size := 16 * int64(binary.LittleEndian.Uint32(head[0x1f4:]))
	if protocol < 0x204 {
		size = 16 * int64(binary.LittleEndian.Uint16(head[0x1f4:]))
	}
	info.Length = setup + size
	info.Version = setupVersion(head)
	info.Arch = I386
	const kernel64 = 1 // XLF_KERNEL_64
	if protocol >= 0x20c && head[0x236]&kernel64 != 0 {
		info.Arch = X86_64
	} else if strings.Contains(strings.ToLower(info.Version), "pae") {
		info.Arch = I386PAE
	}
	if protocol < 0x208 {
		return nil, fmt.Errorf("boot protocol %d.%02d does not say where the kernel is, as Xen has to know", protocol>>8, protocol&0xff)
	}
	payload := setup + int64(binary.LittleEndian.Uint32(head[0x248:]))
	length := int64(binary.LittleEndian.Uint32(head[0x24c:]))
	info.Length = max(info.Length, payload+length)
	return io.NewSectionReader(r, payload, length), nil
}

// inBzImage is what a bzImage has packed.
func inBzImage(payload *io.SectionReader) (*unpacked, error) {
	if payload.Size() == 0 { // memtest86+, which is its own kernel
		return nil, errors.New("no kernel is packed in it")
	}
	var magic [8]byte
	if _, err := payload.ReadAt(magic[:], 0); err != nil {
		return nil, damage("read the kernel", err)
	}
	inside := &unpacked{packed: payload, compression: compressionOf(magic[:])}
	switch inside.compression {
	case None:
		if string(magic[:4]) != elfMagic {
			return nil, fmt.Errorf("unknown compression of the kernel: it begins with % x", magic[:6])
		}
	case Gzip:
	default:
		// The build appends the unpacked size to all but gzip, which has its
		// own (scripts/Makefile.lib, size_append).
		end := max(payload.Size()-4, 0)
		var size [4]byte
		if _, err := payload.ReadAt(size[:], end); err == nil {
			inside.size = int64(binary.LittleEndian.Uint32(size[:]))
		}
		inside.packed = io.NewSectionReader(payload, 0, end)
	}
	return inside, nil
}

// Vmlinux is the ELF file in a bzImage, unpacked while it is read. Checksums
// are not looked at.
func Vmlinux(bzImage io.ReaderAt, size int64) (io.Reader, error) {
	file := io.NewSectionReader(bzImage, 0, size)
	head, err := readHead(file)
	if err != nil {
		return nil, err
	}
	if formatOf(head) != BzImage {
		return nil, errors.New("no bzImage")
	}
	payload, err := new(Info).setup(file, head)
	if err != nil {
		return nil, err
	}
	inside, err := inBzImage(payload)
	if err != nil {
		return nil, err
	}
	return inside.open()
}

// setupText is the text that a bzImage's kernel_version points to.
func setupText(head []byte) string {
	if len(head) < 0x210 {
		return ""
	}
	begin := 0x200 + int(binary.LittleEndian.Uint16(head[0x20e:]))
	if begin == 0x200 || begin >= len(head) {
		return ""
	}
	text, _, _ := strings.Cut(string(head[begin:min(len(head), begin+256)]), "\x00")
	return text
}

// setupVersion is the version in that text: its first word, and behind
// MEMDISK the second one.
func setupVersion(head []byte) string {
	words := strings.Fields(strings.TrimPrefix(setupText(head), "MEMDISK"))
	if len(words) == 0 {
		return ""
	}
	return printable.Line(words[0], 64)
}
