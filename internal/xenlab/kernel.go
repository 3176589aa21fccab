package xenlab

import (
	"bytes"
	"compress/gzip"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// modules are what dom0 needs besides what its kernel has built in; what they
// depend on is found. Ext4 is for pygrub's disks; it asks for its checksum by
// the algorithm's name only.
var modules = []string{
	"bridge", "veth", "loop", "crc32c_generic", "ext4",
	"xen-netback", "xen-blkback", "xen-gntdev", "xen-gntalloc", "xen-evtchn", "xen-privcmd", "xenfs",
}

// kernels are the files of the hypervisor and of dom0's kernel as QEMU and Xen
// take them: unpacked, once.
func (u unpacked) kernels() (xen, dom0 string, err error) {
	xen, err = once(filepath.Join(u.root, "boot/xen.elf"), filepath.Join(u.root, "boot/xen-*-amd64.gz"), gunzip)
	if err != nil {
		return "", "", err
	}
	dom0, err = once(filepath.Join(u.dom0Kernel, "boot/vmlinux"), filepath.Join(u.dom0Kernel, "boot/vmlinuz-*"), vmlinux)
	return xen, dom0, err
}

// once makes the file of the one that matches the pattern, unless it is there.
func once(file, pattern string, from func(string) ([]byte, error)) (string, error) {
	if _, err := os.Stat(file); err == nil {
		return file, nil
	}
	source, err := only(pattern)
	if err != nil {
		return "", err
	}
	data, err := from(source)
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(file+".new", data, 0o644); err != nil {
		return "", err
	}
	return file, os.Rename(file+".new", file)
}

// only is the one file that matches the pattern.
func only(pattern string) (string, error) {
	found, err := filepath.Glob(pattern)
	if err == nil && len(found) != 1 {
		err = fmt.Errorf("%d files %s, want 1", len(found), pattern)
	}
	if err != nil {
		return "", err
	}
	return found[0], nil
}

// gunzip is a compressed file's content.
func gunzip(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r, err := gzip.NewReader(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return io.ReadAll(r)
}

// vmlinux is the ELF kernel inside a bzImage. Xen takes either; to unpack it
// here saves the emulated processor a minute of its time.
func vmlinux(bzImage string) ([]byte, error) {
	data, err := os.ReadFile(bzImage)
	if err != nil {
		return nil, err
	}
	payload, err := payloadOf(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", bzImage, err)
	}
	cmd := exec.Command("xz", "-dc")
	cmd.Stdin = bytes.NewReader(payload)
	kernel, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: xz: %w", bzImage, err)
	}
	return kernel, nil
}

// payloadOf finds the compressed kernel in a bzImage (the kernel's
// Documentation/arch/x86/boot.rst: setup_sects, payload_offset and
// payload_length). The build appends the unpacked size to it, which is no
// part of the xz stream.
func payloadOf(bzImage []byte) ([]byte, error) {
	if len(bzImage) < 0x250 || string(bzImage[0x202:0x206]) != "HdrS" {
		return nil, errors.New("no bzImage")
	}
	setup := 512 * (1 + uint64(bzImage[0x1f1]))
	begin := setup + uint64(binary.LittleEndian.Uint32(bzImage[0x248:]))
	end := begin + uint64(binary.LittleEndian.Uint32(bzImage[0x24c:]))
	if end > uint64(len(bzImage)) {
		return nil, errors.New("bzImage is cut short")
	}
	payload, ok := bytes.CutPrefix(bzImage[begin:end], []byte("\xfd7zXZ\x00"))
	if !ok || len(payload) < 4 {
		return nil, errors.New("the kernel is not compressed with xz")
	}
	return bzImage[begin : end-4], nil
}

// moduleFiles are the files of the modules and of those they depend on, in
// the order in which they can be loaded.
func moduleFiles(dir string, names []string) ([]string, error) {
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if name, ok := strings.CutSuffix(filepath.Base(path), ".ko"); ok {
			files[moduleName(name)] = path
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	var order []string
	var add func(name string) error
	add = func(name string) error {
		file := files[moduleName(name)]
		if file == "" {
			return fmt.Errorf("no module %s in %s", name, dir)
		}
		if slices.Contains(order, file) {
			return nil
		}
		needs, err := dependencies(file)
		if err != nil {
			return err
		}
		for _, n := range needs {
			if err := add(n); err != nil {
				return err
			}
		}
		order = append(order, file)
		return nil
	}
	for _, name := range names {
		if err := add(name); err != nil {
			return nil, err
		}
	}
	return order, nil
}

// moduleName is the name that the kernel knows a module by.
func moduleName(file string) string { return strings.ReplaceAll(file, "-", "_") }

// dependencies are the modules that a module says it needs, in its section
// .modinfo.
func dependencies(file string) ([]string, error) {
	f, err := elf.Open(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	defer f.Close()
	section := f.Section(".modinfo")
	if section == nil {
		return nil, fmt.Errorf("%s is no module", file)
	}
	info, err := section.Data()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	for item := range strings.SplitSeq(string(info), "\x00") {
		if list, ok := strings.CutPrefix(item, "depends="); ok && list != "" {
			return strings.Split(list, ","), nil
		}
	}
	return nil, nil
}
