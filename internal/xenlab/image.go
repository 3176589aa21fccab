package xenlab

import (
	"bytes"
	"debug/elf"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// dom0Files are what dom0 has of the packages: files, or directories with all
// that is in them, of the first pattern of several that is there. Shared
// libraries come along with the programs that name them.
var dom0Files = []string{
	"bin/busybox", "bin/bash", "bin/ip", "sbin/bridge", "sbin/brctl", "usr/sbin/dnsmasq",
	"usr/bin/flock", "usr/bin/stat", "usr/bin/script", // Xen's hotplug scripts want more than busybox has
	"etc/xen", "usr/bin/xenstore*",
	"usr/lib/xen-*/bin/xl", "usr/lib/xen-*/bin/libxl-save-helper", "usr/lib/xen-*/bin/xen-init-dom0",
	"usr/lib/xen-*/bin/xenstored", "usr/lib/xen-*/bin/xenconsoled", "usr/lib/xen-*/bin/xenconsole",
	"usr/lib/xen-*/bin/pygrub", "usr/lib/xen-*/lib", "usr/bin/python3*", "usr/lib/python3*",
	"lib/terminfo/v/vt100|usr/share/terminfo/v/vt100", // pygrub's menu, which it shows even where no one looks
	"usr/sbin/libvirtd", "usr/bin/virsh", "usr/lib/x86_64-linux-gnu/libvirt/connection-driver/libvirt_driver_libxl.so", "etc/libvirt", "usr/share/libvirt/cpu_map",
	"usr/bin/ovs-vsctl", "usr/bin/ovs-appctl", "usr/bin/ovsdb-tool", "usr/sbin/ovsdb-server", "usr/lib/openvswitch-*/ovs-vswitchd", "usr/share/openvswitch/vswitch.ovsschema",
	// Opened by name: when a thread of xl is cancelled, and to look up a user.
	"lib/x86_64-linux-gnu/libgcc_s.so.1", "lib/x86_64-linux-gnu/libnss_files*",
}

// libraryFiles are where a library is looked for. Debian 11 has Open vSwitch's
// behind links that only an installation makes.
var libraryFiles = []string{
	"lib/x86_64-linux-gnu/%s", "usr/lib/x86_64-linux-gnu/%s", "usr/lib/xen-*/lib/x86_64-linux-gnu/%s", "usr/lib/openvswitch-common/%s.*",
}

//go:embed dom0
var dom0Scripts embed.FS

// writeDom0 writes the initramfs of dom0: what the packages give, and these
// files.
func writeDom0(w io.Writer, u unpacked, files map[string][]byte) error {
	a := &archive{w: w}
	for _, dir := range []string{"dev", "etc", "proc", "root", "run", "srv/tftp/pxelinux.cfg", "sys", "tmp", "usr/bin", "usr/lib64", "usr/sbin",
		"usr/lib/modules", "usr/lib/x86_64-linux-gnu", "var/lib/xen", "var/lib/xenstored", "var/log/xen/console"} {
		a.parents(dir)
		a.dir(dir)
	}
	for _, dir := range []string{"bin", "lib", "lib64", "sbin"} {
		a.symlink(dir, "usr/"+dir)
	}
	a.symlink("var/run", "/run")
	a.symlink("var/lock", "/run/lock")
	a.symlink("init", "/lab/init")
	a.dir("lab")
	for _, name := range []string{"init", "case.sh", "clean.sh", "vlan.hook"} {
		data, err := dom0Scripts.ReadFile("dom0/" + name)
		if err != nil {
			return err
		}
		a.file("lab/"+name, 0o755, data)
	}
	a.file("etc/passwd", 0o644, []byte("root:x:0:0::/root:/bin/sh\nbootloader:x:60001:60001::/:/bin/false\n"))
	a.file("etc/group", 0o644, []byte("root:x:0:\nbootloader:x:60001:\n"))
	a.file("etc/hosts", 0o644, []byte("127.0.0.1 localhost dom0\n"))

	libraries, err := a.addFiles(u.root, dom0Files)
	if err != nil {
		return err
	}
	if err := a.addLibraries(u.root, libraries); err != nil {
		return err
	}
	if u.installer != "" { // what its programs need is PXELINUX's
		if _, err := a.addFiles(u.installer, []string{"usr/lib/debian-installer/images/12/amd64/text"}); err != nil {
			return err
		}
	}
	if err := a.addModules(filepath.Join(u.dom0Kernel, "lib/modules")); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		a.parents(name)
		a.file(name, 0o755, files[name])
	}
	return a.close()
}

// merged is where a package's file is in dom0, which has only /usr: Debian's
// packages are moving there one by one.
func merged(name string) string {
	top, _, _ := strings.Cut(name, "/")
	if slices.Contains([]string{"bin", "lib", "lib64", "sbin"}, top) {
		return "usr/" + name
	}
	return name
}

// addFiles adds files of the directory, named as in dom0Files, and returns the
// libraries they need.
func (a *archive) addFiles(root string, files []string) (libraries []string, err error) {
	for _, patterns := range files {
		var found []string
		for pattern := range strings.SplitSeq(patterns, "|") {
			if len(found) == 0 {
				found, _ = filepath.Glob(filepath.Join(root, pattern)) // the patterns are good
			}
		}
		if len(found) == 0 {
			return nil, fmt.Errorf("no %s in the packages", patterns)
		}
		for _, top := range found {
			err := filepath.WalkDir(top, func(file string, entry fs.DirEntry, err error) error {
				if err != nil {
					return err
				}
				needs, err := a.addFile(root, file, entry)
				libraries = append(libraries, needs...)
				return err
			})
			if err != nil {
				return nil, err
			}
		}
	}
	return libraries, a.err
}

// addLibraries adds libraries, and those that they need.
func (a *archive) addLibraries(root string, libraries []string) error {
	for done := 0; done < len(libraries); done++ {
		if slices.Contains(libraries[:done], libraries[done]) {
			continue
		}
		needs, err := a.addLibrary(root, libraries[done])
		if err != nil {
			return err
		}
		libraries = append(libraries, needs...)
	}
	return a.err
}

// addFile adds a file, and returns the libraries it needs.
func (a *archive) addFile(root, file string, entry fs.DirEntry) (libraries []string, err error) {
	relative, err := filepath.Rel(root, file)
	if err != nil {
		return nil, err
	}
	name := merged(filepath.ToSlash(relative))
	a.parents(name)
	switch entry.Type() {
	case fs.ModeDir:
		a.dir(name)
	case fs.ModeSymlink:
		target, err := os.Readlink(file)
		if err != nil {
			return nil, err
		}
		a.symlink(name, target)
	default:
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		a.file(name, 0o755, data)
		return needed(data)
	}
	return nil, a.err
}

// parents adds the directories above a file. That some are there already does
// no harm.
func (a *archive) parents(name string) {
	if dir := path.Dir(name); dir != "." {
		a.parents(dir)
		a.dir(dir)
	}
}

// addLibrary adds a shared library under the name that programs ask for, and
// returns those that it needs itself.
func (a *archive) addLibrary(root, name string) ([]string, error) {
	for _, pattern := range libraryFiles {
		found, _ := filepath.Glob(filepath.Join(root, fmt.Sprintf(pattern, name)))
		if len(found) == 0 {
			continue
		}
		data, err := os.ReadFile(found[0])
		if errors.Is(err, fs.ErrNotExist) { // such a link
			continue
		} else if err != nil {
			return nil, err
		}
		where := "usr/lib/x86_64-linux-gnu/"
		if strings.HasPrefix(name, "ld-linux") {
			where = "usr/lib64/"
		}
		a.file(where+name, 0o755, data)
		return needed(data)
	}
	return nil, fmt.Errorf("no library %s in the packages", name)
}

// needed are the libraries, with the loader, that a program names; none for
// what is no program.
func needed(data []byte) ([]string, error) {
	if !bytes.HasPrefix(data, []byte(elf.ELFMAG)) {
		return nil, nil
	}
	f, err := elf.NewFile(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	libraries, err := f.ImportedLibraries()
	if interpreter := f.Section(".interp"); err == nil && interpreter != nil {
		data, err := interpreter.Data()
		if err != nil {
			return nil, err
		}
		libraries = append(libraries, path.Base(strings.TrimRight(string(data), "\x00")))
	}
	return libraries, err
}

// addModules adds dom0's modules, and the order to load them in.
func (a *archive) addModules(dir string) error {
	files, err := moduleFiles(dir, modules)
	if err != nil {
		return err
	}
	var order strings.Builder
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		name := filepath.Base(file)
		a.file("usr/lib/modules/"+name, 0o644, data)
		fmt.Fprintln(&order, name)
	}
	a.file("usr/lib/modules/order", 0o644, []byte(order.String()))
	return a.err
}
