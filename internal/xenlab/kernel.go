package xenlab

import (
	"compress/gzip"
	"debug/elf"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gopxeboot/gopxeboot/internal/kernel"
)

// modules are what dom0 needs besides what its kernel has built in; what they
// depend on is found. Ext4 is for pygrub's disks; it asks for its checksum by
// the algorithm's name only.
var modules = []string{
	"bridge", "veth", "8021q", "loop", "crc32c_generic", "ext4", "openvswitch",
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
	f, err := os.Open(bzImage)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	r, err := kernel.Vmlinux(f, info.Size())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", bzImage, err)
	}
	return io.ReadAll(r)
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
