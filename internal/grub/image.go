package grub

import (
	"archive/tar"
	"bytes"
	"encoding/binary"
	"io"
	"path"
	"strings"

	"github.com/ulikunitz/xz/lzma"
)

// Image is what a boot file says of the GRUB that it is. The zero value knows
// nothing.
type Image struct {
	Known        bool   // the rest was read from the file
	EFI          bool   // for UEFI, not for a BIOS
	CPU          string // as $grub_cpu has it
	Prefix       string // its own directory; "" is the boot file's
	Config       string // commands that it begins with
	FirmwarePath bool   // it looks in the boot file's directory first: Red Hat's, Debian's since 13
	// Memdisk has the files inside, by their path.
	Memdisk map[string]string

	// Next is the file that is loaded by this one, which is no GRUB but shim,
	// from the same directory; "" for GRUB.
	Next string
}

// signedConfig is what Debian's and Ubuntu's signed images have in a file system
// inside, as far as it works without a disk.
const signedConfig = `source $prefix/grub.cfg
if [ ! -s $prefix/grub.cfg ]; then source $cmdpath/grub.cfg; fi`

// ReadImage looks into a boot file.
func ReadImage(data []byte) *Image {
	i := &Image{}
	if bytes.HasPrefix(data, []byte("MZ")) {
		i.EFI, i.CPU = true, cpuOf(data)
		for _, cpu := range []string{"x64", "aa64", "ia32"} {
			if name := "grub" + cpu + ".efi"; bytes.Contains(data, []byte("UEFI shim")) && bytes.Contains(data, utf16(name)) {
				i.Next = name
				return i
			}
		}
	} else {
		data = unpackCore(data)
		i.CPU = "i386"
	}
	modules := findModules(data)
	if modules == nil {
		return &Image{}
	}
	i.Known = true
	i.FirmwarePath = bytes.Contains(data, []byte("fw_path"))
	for len(modules) >= 8 {
		kind, size := binary.LittleEndian.Uint32(modules), binary.LittleEndian.Uint32(modules[4:])
		if size < 8 || int64(size) > int64(len(modules)) {
			break
		}
		i.add(kind, modules[8:size])
		modules = modules[size:]
	}
	return i
}

// add takes one object of an image (include/grub/kernel.h).
func (i *Image) add(kind uint32, content []byte) {
	const isMemdisk, isConfig, isPrefix = 1, 2, 3
	text, _, _ := strings.Cut(string(content), "\x00")
	switch kind {
	case isConfig:
		i.Config = text
	case isPrefix:
		i.Prefix = text
	case isMemdisk:
		if i.Memdisk = unpackTar(content); len(i.Memdisk) == 0 {
			i.Memdisk = map[string]string{"/grub.cfg": signedConfig}
		}
	}
}

// maxInside bounds one file inside an image.
const maxInside = 1 << 20

func unpackTar(data []byte) map[string]string {
	files := map[string]string{}
	for r := tar.NewReader(bytes.NewReader(data)); ; {
		h, err := r.Next()
		if err != nil {
			return files
		}
		if text, err := io.ReadAll(io.LimitReader(r, maxInside)); err == nil && h.Typeflag == tar.TypeReg && path.Ext(h.Name) == ".cfg" {
			files[path.Clean("/"+h.Name)] = string(text)
		}
	}
}

// findModules is what stands behind the header of GRUB's objects: struct
// grub_module_info, of 64 or of 32 bits.
func findModules(data []byte) []byte {
	for at := 0; ; at++ {
		next := bytes.Index(data[at:], []byte("mimg"))
		if next < 0 {
			return nil
		}
		at += next
		for _, bits := range []int{64, 32} {
			h := data[at:]
			var offset, size uint64
			switch {
			case bits == 64 && len(h) >= 24:
				offset, size = binary.LittleEndian.Uint64(h[8:]), binary.LittleEndian.Uint64(h[16:])
			case bits == 32 && len(h) >= 12:
				offset, size = uint64(binary.LittleEndian.Uint32(h[4:])), uint64(binary.LittleEndian.Uint32(h[8:]))
			}
			if offset == uint64(3*bits/8) && size > offset && size <= uint64(len(h)) {
				return h[offset:size]
			}
		}
	}
}

func cpuOf(pe []byte) string {
	if len(pe) < 0x40 {
		return ""
	}
	at := uint64(binary.LittleEndian.Uint32(pe[0x3c:]))
	if at+6 > uint64(len(pe)) {
		return ""
	}
	switch binary.LittleEndian.Uint16(pe[at+4:]) {
	case 0x8664:
		return "x86_64"
	case 0x14c:
		return "i386"
	case 0xaa64:
		return "arm64"
	}
	return ""
}

func utf16(s string) []byte {
	var b []byte
	for _, c := range []byte(s) {
		b = append(b, c, 0)
	}
	return b
}

// IsCore says whether a boot file begins as GRUB for a BIOS does (pxeboot.img).
func IsCore(data []byte) bool { return bytes.HasPrefix(data, []byte{0xb2, 0x7f, 0xea, 0, 0x82, 0, 0}) }

// unpackCore unpacks what pxeboot.img loads: a decoder, its sizes in its
// header, and a stream of LZMA, whose beginning no header tells.
func unpackCore(data []byte) []byte {
	const sector, maxCore = 512, 4 << 20
	if !IsCore(data) {
		return nil
	}
	for at := sector; at+16 <= len(data) && at <= 16*sector; at += sector {
		decoder := data[at:]
		if !bytes.HasPrefix(decoder, []byte{0xea, 0x1c, 0x82, 0, 0}) {
			continue
		}
		size := binary.LittleEndian.Uint32(decoder[12:])
		for start := 2048; start <= 9216 && start < len(decoder) && size <= maxCore; start += 16 {
			if decoder[start] != 0 { // the first byte of a stream is 0
				continue
			}
			// lc=3 lp=0 pb=2, the dictionary's and the stream's sizes.
			header := binary.LittleEndian.AppendUint32([]byte{0x5d}, max(size, lzma.MinDictCap))
			header = binary.LittleEndian.AppendUint64(header, uint64(size))
			r, err := lzma.NewReader(io.MultiReader(bytes.NewReader(header), bytes.NewReader(decoder[start:])))
			if err != nil {
				continue
			}
			if core, _ := io.ReadAll(io.LimitReader(r, int64(size))); findModules(core) != nil {
				return core
			}
		}
	}
	return nil
}
