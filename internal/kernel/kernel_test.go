package kernel

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gopxeboot/gopxeboot/internal/kernel/fake"
)

func inspect(image []byte) (Info, error) {
	return Inspect(bytes.NewReader(image), int64(len(image)))
}

var compressions = []Compression{None, Gzip, Bzip2, LZMA, XZ, LZO, LZ4, Zstd}

// windows are those of pack.
var windows = map[Compression]int64{XZ: 1 << 20, LZMA: 256 << 10}

func TestCompression(t *testing.T) {
	// So long that what is behind it is not in the first block of anything.
	text := append(code(600<<10), make([]byte, 300<<10)...)
	kernel := fake.Vmlinux(elf.EM_X86_64, text, linuxNotes, elf.SHT_NULL)
	for _, c := range compressions {
		t.Run("bzImage "+string(c), func(t *testing.T) {
			image := fake.BzImage(pack(t, c, kernel))
			got, err := inspect(image)
			want := Info{
				Format: BzImage, Arch: X86_64, Version: "6.1.0-test", Compression: c,
				Window: windows[c], Length: int64(len(image)), Xen: linuxXen,
			}
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
			if !got.Xen.PV() || !got.Xen.PVH() {
				t.Error("no PV or PVH entry")
			}

			// Only its beginning.
			want.Xen = nil
			got, err = inspect(image[:len(image)*2/3])
			if c == LZMA || c == XZ {
				want.Window = got.Window
			}
			if diff := cmp.Diff(want, got); diff != "" || !errors.Is(err, ErrTruncated) {
				t.Errorf("cut short: %v (-want +got):\n%s", err, diff)
			}
		})
		t.Run("ELF "+string(c), func(t *testing.T) {
			got, err := inspect(pack(t, c, kernel))
			want := Info{Format: ELF, Arch: X86_64, Compression: c, Window: windows[c], Xen: linuxXen}
			if c == None {
				want.Length = int64(len(kernel))
			}
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
}

// TestX86 compares the filter with that of xz, byte for byte.
func TestX86(t *testing.T) {
	for _, size := range []int{0, 1, 4, 5, 6, 1000, 64<<10 - 1, 64 << 10, 64<<10 + 3, 1 << 20} {
		want := code(size)
		for _, filter := range []string{"--x86", "--x86=start=4096"} {
			packed := run(t, want, "xz", "--check=crc32", filter, "--lzma2=preset=0")
			u := &unpacked{packed: io.NewSectionReader(bytes.NewReader(packed), 0, int64(len(packed))), compression: XZ}
			r, err := u.open()
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(&byteReader{r, rand.New(rand.NewPCG(3, 4))})
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%d bytes, %s: differ, %v", size, filter, err)
			}
		}
	}
}

// byteReader reads in parts of some length.
type byteReader struct {
	r   io.Reader
	rnd *rand.Rand
}

func (b *byteReader) Read(p []byte) (int, error) {
	return b.r.Read(p[:min(len(p), 1+b.rnd.IntN(5000))])
}

func TestFormats(t *testing.T) {
	filled := func(size int, parts map[int]string) string { return string(fake.At(size, parts)) }
	multiboot := binary.LittleEndian.AppendUint32(nil, 0x1badb002)
	multiboot = binary.LittleEndian.AppendUint32(multiboot, 3)
	multiboot = binary.LittleEndian.AppendUint32(multiboot, 1<<32-0x1badb002-3)
	for name, c := range map[string]struct {
		image string
		want  Info
	}{
		"empty":               {"", Info{Format: Empty}},
		"one byte":            {"\x00", Info{}},
		"page":                {"<!DOCTYPE HTML><html><head>\n<title>404 Not Found</title></head>", Info{Format: HTML, Line: "404 Not Found"}},
		"page, nginx":         {"<html>\r\n<head><title>403 Forbidden</title></head>\r\n<body>", Info{Format: HTML, Line: "403 Forbidden"}},
		"page with a comment": {"\ufeff\n<!-- x -->\n<html><body><h1>It works!</h1>", Info{Format: HTML, Line: "It works!"}},
		"text":                {"\nFile not found\r\nmore", Info{Format: Text, Line: "File not found"}},
		"long text":           {strings.Repeat("ä", 2000), Info{Format: Text, Line: strings.Repeat("ä", 40)}},
		"config":              {"DEFAULT linux\nLABEL linux\n", Info{Format: Text, Line: "DEFAULT linux"}},
		"noise":               {"\x01\x02\x03\x04", Info{}},
		"PXELINUX":            {filled(4096, map[int]string{0: "\xea\x24\x7c\x00\x00\x90\x90\x90\xac\xc8\x83\x29"}), Info{Format: PXELINUX, Arch: I386}},
		"COM32 of 4.x":        {filled(4096, map[int]string{0: "\xb8\xff\x4c\xcd\x21"}), Info{Format: COM32, Arch: I386}},
		"COM32 of 6.x":        {filled(4096, map[int]string{0: "\x7fELF\x01\x01\x01", 16: "\x03\x00\x03\x00"}), Info{Format: COM32, Arch: I386}},
		"multiboot":           {filled(8192, map[int]string{4096: string(multiboot)}), Info{Format: Multiboot, Arch: I386}},
		"initrd":              {filled(4096, map[int]string{0: "070701000000"}), Info{Format: Initrd}},
		"disk":                {filled(4096, map[int]string{0x1fe: "\x55\xaa"}), Info{Format: BootSector, Arch: I386}},
		"arm64":               {filled(4096, map[int]string{0: "MZ", 0x38: "ARM\x64"}), Info{Format: ARM64Image, Arch: ARM64}},
		"EFI":                 {filled(4096, map[int]string{0: "MZ", 0x3c: "\x80\x00\x00\x00", 0x80: "PE\x00\x00\x64\x86"}), Info{Format: EFI, Arch: X86_64}},
		"EFI, broken":         {filled(4096, map[int]string{0: "MZ", 0x3c: "\xff\xff\xff\xff"}), Info{Format: EFI}},
		"memdisk":             {filled(4096, map[int]string{0x1fe: "\x55\xaa", 0x202: "HdrS", 0x20e: "\x00\x01", 0x300: "MEMDISK 6.04 2020\x00"}), Info{Format: Memdisk, Arch: I386, Version: "6.04"}},
	} {
		for _, c2 := range []Compression{None, Gzip} {
			t.Run(name+" "+string(c2), func(t *testing.T) {
				got, err := inspect(pack(t, c2, []byte(c.image)))
				want := c.want
				want.Compression = c2
				if diff := cmp.Diff(want, got); diff != "" || err != nil {
					t.Errorf("%v (-want +got):\n%s", err, diff)
				}
			})
		}
	}
}

func TestXen(t *testing.T) {
	guest := []byte("GUEST_OS=linux,GUEST_VER=2.6,XEN_VER=xen-3.0,VIRT_BASE=0xC0000000,LOADER=generic,PAE=yes[extended-cr3]\x00")
	old := &Xen{Entry: 1, Version: "xen-3.0", PAE: "yes[extended-cr3]"}
	for _, c := range []struct {
		name  string
		image []byte
		want  Info
	}{
		{"no notes", fake.Vmlinux(elf.EM_X86_64, nil, nil, elf.SHT_NULL), Info{Arch: X86_64, Xen: &Xen{}}},
		{"section of notes", fake.Vmlinux(elf.EM_386, code(100), linuxNotes, elf.SHT_NOTE), Info{Arch: I386PAE, Xen: linuxXen}},
		{"__xen_guest", fake.Vmlinux(elf.EM_386, code(100), guest, elf.SHT_PROGBITS), Info{Arch: I386PAE, Xen: old}},
		{"a section of something", fake.Vmlinux(elf.EM_386, nil, make([]byte, 64), elf.SHT_PROGBITS), Info{Arch: I386, Xen: &Xen{}}},
		{"another one's note", fake.Vmlinux(elf.EM_X86_64, nil, bytes.Replace(fake.Note(1, make([]byte, 4)), []byte("Xen"), []byte("BSD"), 1), elf.SHT_NULL), Info{Arch: X86_64, Xen: &Xen{}}},
		{"note that is too long", fake.Vmlinux(elf.EM_AARCH64, nil, fake.Note(1, make([]byte, 8))[:20], elf.SHT_NULL), Info{Arch: ARM64, Xen: &Xen{}}},
		{"note with a size that turns round", fake.Vmlinux(elf.EM_PPC64, nil, append([]byte("\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00\x00\x00Xen\x00"), make([]byte, 64)...), elf.SHT_NULL), Info{Arch: "EM_PPC64", Xen: &Xen{}}},
	} {
		for _, packed := range []Compression{None, Gzip} {
			t.Run(c.name+" "+string(packed), func(t *testing.T) {
				got, err := inspect(pack(t, packed, c.image))
				c.want.Format, c.want.Compression, c.want.Length = ELF, packed, 0
				if packed == None {
					c.want.Length = int64(len(c.image))
				}
				if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
					t.Errorf("%v (-want +got):\n%s", err, diff)
				}
			})
		}
	}
	if none := (*Xen)(nil); none.PV() || none.PVH() {
		t.Error("a kernel that was not read has an entry")
	}
}

func TestErrors(t *testing.T) {
	whole := fake.BzImage(pack(t, Gzip, fake.Vmlinux(elf.EM_X86_64, code(1000), linuxNotes, elf.SHT_NULL)))
	changed := func(at int, bytes string) []byte {
		image := append([]byte(nil), whole...)
		copy(image[at:], bytes)
		return image
	}
	// Its notes are said to be at 300 MiB.
	endless := fake.Vmlinux(elf.EM_X86_64, code(1000), linuxNotes, elf.SHT_NULL)
	binary.LittleEndian.PutUint64(endless[64+56+8:], 300<<20)
	for _, c := range []struct {
		name  string
		image []byte
		want  string
	}{
		{"old boot protocol", changed(0x206, "\x07\x02"), "boot protocol 2.07 does not say where the kernel is, as Xen has to know"},
		{"unknown compression", changed(fake.PayloadAt, "\x01\x02\x03\x04\x05\x06"), "unknown compression of the kernel: it begins with 01 02 03 04 05 06"},
		{"only the setup header", whole[:0x240], "the image is cut short"},
		{"only the setup code", whole[:1024], "read the kernel: the image is cut short"},
		{"damaged", changed(fake.PayloadAt+2, "\x07"), "unpack gzip: read the ELF header: gzip: invalid header"},
		{"no ELF inside", fake.BzImage(pack(t, Gzip, make([]byte, 100))), "read the image: unpack gzip: no ELF file is inside, it begins with 00 00 00 00 00 00"},
		{"too large", pack(t, Gzip, endless), "unpack gzip: read ELF at 314572800: more than is looked at: 256 MiB"},
		{"ELF with no end", endless, "read the image: the image is cut short"},
		{"too many notes", fake.Vmlinux(elf.EM_X86_64, nil, make([]byte, maxNotes+1), elf.SHT_NULL), "read the image: more than is looked at: too many ELF notes"},
		{"xz with a large dictionary", []byte("\xfd7zXZ\x00\x00\x01\x69\x22\xde\x36\x02\x00\x21\x01\x28\x00\x00\x00\x00\x00\x00\x00"), "unpack xz: read the image: a dictionary of 4095 MiB is more than 128"},
		{"xz with another filter", []byte("\xfd7zXZ\x00\x00\x01\x69\x22\xde\x36\x02\x01\x07\x00\x21\x01\x16\x00\x00\x00\x00\x00"), "unpack xz: read the image: unknown xz filter 0x7"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := inspect(c.image)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %s", err, c.want)
			}
			if got.Xen != nil {
				t.Errorf("notes of what could not be read: %+v", got.Xen)
			}
		})
	}
	if _, err := Inspect(broken{}, 100); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("an image that can't be read: %v", err)
	}
}

type broken struct{}

func (broken) ReadAt([]byte, int64) (int, error) { return 0, io.ErrClosedPipe }

func TestNeedsXen(t *testing.T) {
	for _, c := range []struct {
		info Info
		want string
	}{
		{Info{Compression: Gzip}, ""},
		{Info{Compression: XZ, Window: 32 << 20}, ""},
		{Info{Compression: XZ, Window: 128 << 20}, "4.20"},
		{Info{Compression: Zstd}, "4.15"},
	} {
		if got := c.info.NeedsXen(); got != c.want {
			t.Errorf("%+v needs Xen %q, want %q", c.info, got, c.want)
		}
	}
}

// TestMutations changes, cuts and repeats parts of images of all kinds.
// Nothing of that may panic, take long or take much memory.
func TestMutations(t *testing.T) {
	var images [][]byte
	kernel := fake.Vmlinux(elf.EM_X86_64, code(20<<10), linuxNotes, elf.SHT_NULL)
	for _, c := range compressions {
		t.Run(string(c), func(t *testing.T) { // for itself, so that a packer that is missing skips no more
			images = append(images, fake.BzImage(pack(t, c, kernel)), pack(t, c, kernel))
		})
	}
	images = append(images, fake.Vmlinux(elf.EM_386, code(100), linuxNotes, elf.SHT_NOTE))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	rnd := rand.New(rand.NewPCG(5, 6))
	began := time.Now()
	slowest := time.Duration(0)
	for i := range 2000 {
		image := append([]byte(nil), images[i%len(images)]...)
		for range 1 + rnd.IntN(4) {
			at := rnd.IntN(len(image))
			if i%3 > 0 { // headers are at the front, and of the payload behind the setup code
				at = []int{0, 0x1f0, 1280}[rnd.IntN(3)] + rnd.IntN(100)
			}
			if at < len(image) {
				image[at] = byte(rnd.Uint32())
			}
		}
		if i%5 == 0 {
			image = image[:rnd.IntN(len(image))]
		}
		one := time.Now()
		if info, err := inspect(image); err != nil && info.Xen != nil && !errors.Is(err, ErrTruncated) {
			t.Errorf("%d: notes, and the error %v", i, err)
		}
		slowest = max(slowest, time.Since(one))
	}
	runtime.ReadMemStats(&after)
	grown := (after.Sys - before.Sys) >> 20
	t.Logf("2000 mutations in %v, the slowest %v, %d MiB of memory", time.Since(began).Round(time.Millisecond), slowest.Round(time.Millisecond), grown)
	if grown > 3*maxWindow>>20 {
		t.Errorf("%d MiB of memory", grown)
	}
}

func TestVmlinux(t *testing.T) {
	want := fake.Vmlinux(elf.EM_X86_64, code(1000), linuxNotes, elf.SHT_NULL)
	for _, c := range compressions {
		t.Run(string(c), func(t *testing.T) {
			image := fake.BzImage(pack(t, c, want))
			r, err := Vmlinux(bytes.NewReader(image), int64(len(image)))
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%d bytes, %v; want %d", len(got), err, len(want))
			}
		})
	}
	for name, image := range map[string][]byte{
		"nothing":   nil,
		"ELF":       want,
		"cut short": fake.BzImage(pack(t, Gzip, want))[:1024],
		"other":     fake.BzImage([]byte("some other kernel")),
	} {
		if _, err := Vmlinux(bytes.NewReader(image), int64(len(image))); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func FuzzInspect(f *testing.F) {
	kernel := fake.Vmlinux(elf.EM_X86_64, code(2000), linuxNotes, elf.SHT_NULL)
	f.Add([]byte("<html><title>404</title>"))
	f.Add(kernel)
	f.Add(fake.Vmlinux(elf.EM_386, nil, linuxNotes, elf.SHT_NOTE))
	for _, c := range []Compression{Gzip, LZO, Zstd} { // that need no program
		f.Add(fake.BzImage(pack(f, c, kernel)))
		f.Add(pack(f, c, kernel))
	}
	// An xz block with the x86 filter, and LZMA and lz4 with little in them.
	f.Add([]byte("\xfd7zXZ\x00\x00\x01\x69\x22\xde\x36\x02\x01\x04\x00\x21\x01\x16\x00\x00\x00\x00\x00\x01\x00\x03\xe8\x00\x00\x00\x00"))
	f.Add([]byte("\x5d\x00\x00\x80\x00\xff\xff\xff\xff\xff\xff\xff\xff\x00\x3f\x91"))
	f.Add([]byte("\x02\x21\x4c\x18\x05\x00\x00\x00\x40\x7fELF"))
	f.Fuzz(func(t *testing.T, image []byte) {
		info, err := inspect(image)
		if strings.ContainsAny(info.Line+info.Version+fmt.Sprint(info.Xen), "\x1b\x07\x00\n") {
			t.Errorf("control characters in %q", fmt.Sprint(info))
		}
		if err == nil && info.Length > int64(len(image)) {
			t.Errorf("%d bytes of %d, and no error", len(image), info.Length)
		}
	})
}
