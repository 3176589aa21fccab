package kernel

import (
	"errors"
	"fmt"
	"io"
	"math"
)

// Limits of what is unpacked. Linux itself is below a quarter of the first
// one; its build packs with windows of up to the second one (xz since Linux
// 6.12, zstd always).
const (
	maxUnpacked = 256 << 20
	maxWindow   = 128 << 20
)

// headSize is what a format is told by: all of a bzImage's setup code, in
// which the version stands.
const headSize = 64 * 512

// ErrTruncated is the error of an image that is shorter than it says: the
// whole file when it is damaged, or its first part when that is all the
// caller has fetched.
var ErrTruncated = errors.New("the image is cut short")

// Format is what an image is.
type Format string

// The formats. Of a compressed file it is that of what is in it.
const (
	Unknown    Format = ""
	Empty      Format = "empty file"
	HTML       Format = "HTML page"
	Text       Format = "text"
	BzImage    Format = "bzImage"
	ELF        Format = "ELF"
	ARM64Image Format = "arm64 Image"
	Multiboot  Format = "multiboot kernel" // the Xen hypervisor is one
	EFI        Format = "EFI program"
	PXELINUX   Format = "PXELINUX"
	IPXE       Format = "iPXE"
	COM32      Format = "COM32 module"
	Memdisk    Format = "memdisk"
	Initrd     Format = "initrd" // a cpio archive
	BootSector Format = "boot sector"
)

// Arch is the processor that an image is for.
type Arch string

// The architectures that matter to Xen. Other ELF files have the name that
// ELF has for theirs, as EM_PPC64.
const (
	X86_64  Arch = "x86_64"
	I386    Arch = "i386"
	I386PAE Arch = "i386 PAE"
	ARM     Arch = "arm"
	ARM64   Arch = "arm64"
)

// Info is what could be told of an image.
type Info struct {
	Format      Format
	Arch        Arch
	Version     string      // of a bzImage or memdisk, as 6.1.0-56-amd64
	Compression Compression // of a bzImage's kernel, or of the whole file
	// Window is how many bytes of what it has unpacked an xz or LZMA unpacker
	// has to remember, 0 for others. Old domain builders have a limit.
	Window int64
	// Length is how many bytes the file has at least, by its own headers; 0
	// when they don't say.
	Length int64
	// Line is the title of a page of HTML or the first line of a text.
	Line string
	// Xen is what the kernel says to Xen. It is nil for what is no kernel, and
	// when the kernel couldn't be read so far.
	Xen *Xen
}

// Inspect says what the image of size bytes is. When r is only the first part
// of a file, it says what can be told by that. An error says why Xen's notes
// could not be read or that r failed; Info holds what was found until then.
// ErrTruncated is the one for an image that goes on behind size.
func Inspect(r io.ReaderAt, size int64) (Info, error) { return look(r, size, true) }

// errLimit is the error of what may be right, but is more than we look at.
var errLimit = errors.New("more than is looked at")

// look is Inspect, or tells without notes what the first bytes do. Size is -1
// when it is not known.
func look(r io.ReaderAt, size int64, notes bool) (info Info, err error) {
	// The unpackers are other people's, and the bytes too.
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("unpack the kernel: %w: %v", errLimit, p)
		}
	}()
	if size < 0 {
		size = math.MaxInt64
	}
	file := io.NewSectionReader(r, 0, size)
	head, err := readHead(file)
	if err != nil {
		return info, err
	}
	info.Compression = compressionOf(head)
	if info.Compression == None {
		err = damage("read the image", info.image(file, head, notes))
		if err == nil && info.Length > size {
			err = ErrTruncated
		}
		return info, err
	}
	inside := &unpacked{packed: file, compression: info.Compression}
	head, err = readHead(inside)
	info.Window = inside.window
	if err == nil {
		err = info.image(inside, head, notes)
		info.Length = 0 // of what is inside: no one knows how it is packed
	}
	return info, damage("unpack "+string(info.Compression), err)
}

// image says what the bytes are that head is the beginning of.
func (info *Info) image(r io.ReaderAt, head []byte, notes bool) error {
	info.Format = formatOf(head)
	switch info.Format {
	case BzImage:
		return info.bzImage(r, head, notes)
	case Memdisk:
		info.Arch, info.Version = I386, setupVersion(head)
	case ELF, Multiboot:
		if string(head[:4]) == elfMagic {
			// Kernels from before bzImages for Xen (Linux 2.6.26) may have
			// their notes in sections only.
			return info.elf(r, true, notes)
		}
		info.Arch = I386
	case ARM64Image:
		info.Arch = ARM64
	case EFI:
		info.Arch = efiArch(head)
	case HTML, Text:
		info.Line = firstLine(head)
	case PXELINUX, IPXE, COM32, BootSector:
		info.Arch = I386
	}
	return nil
}

func readHead(r io.ReaderAt) ([]byte, error) {
	head := make([]byte, headSize)
	n, err := r.ReadAt(head, 0)
	if err == io.EOF || n == len(head) || n > 0 && errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the image: %w", err)
	}
	return head[:n], nil
}

// damage is the error of something that can't be read to where it has to be;
// what ended too early is ErrTruncated.
func damage(doing string, err error) error {
	switch {
	case err == nil || errors.Is(err, ErrTruncated):
		return err
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		err = ErrTruncated
	}
	return fmt.Errorf("%s: %w", doing, err)
}
