package oracle

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Where Debian's packages pxelinux and syslinux-common put their files.
const (
	programs = "/usr/lib/PXELINUX/"
	modules  = "/usr/lib/syslinux/modules/bios/"
)

//go:embed stub/kernel.s
var kernelSource []byte

//go:embed stub/multiboot.s
var multibootSource []byte

// stubFor says what an empty file of this name is served as, judging by what
// such names hold in real trees: "kernel", "multiboot", the name of one of
// PXELINUX's own programs, or "" for a file that is just empty.
func stubFor(name string) string {
	base := strings.ToLower(filepath.Base(name))
	switch ext := filepath.Ext(base); {
	case base == "pxelinux.0", base == "lpxelinux.0":
		return base
	case ext == ".c32", ext == ".cfg", ext == ".img" && !strings.HasPrefix(base, "vmlinuz"):
		return ""
	case strings.HasPrefix(base, "xen"), ext == ".mb":
		return "multiboot"
	case strings.Contains(base, "vmlinuz"), strings.Contains(base, "bzimage"), strings.HasPrefix(base, "linux"),
		ext == ".krn", ext == ".0", ext == ".bin", ext == ".bs", ext == ".bss":
		return "kernel"
	}
	return ""
}

// stubs are the programs that take a kernel's place, as bytes.
type stubs struct{ kernel, multiboot []byte }

func assembleStubs(ctx context.Context, dir string) (s stubs, err error) {
	if s.kernel, err = assemble(ctx, dir, kernelSource, "0"); err != nil {
		return s, err
	}
	s.multiboot, err = assemble(ctx, dir, multibootSource, "0x100000")
	return s, err
}

// assemble makes a flat binary that is loaded at the address origin.
func assemble(ctx context.Context, dir string, source []byte, origin string) ([]byte, error) {
	object, binary := filepath.Join(dir, "stub.o"), filepath.Join(dir, "stub.bin")
	as := exec.CommandContext(ctx, "as", "--32", "-o", object, "-")
	as.Stdin = strings.NewReader(string(source))
	ld := exec.CommandContext(ctx, "ld", "-m", "elf_i386", "-Ttext", origin, "--oformat", "binary", "-o", binary, object)
	for _, cmd := range []*exec.Cmd{as, ld} {
		if out, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("assemble a stub: %w: %s", err, out)
		}
	}
	return os.ReadFile(binary)
}

// program returns the kernel stub with the name it reports when it is started
// as a boot sector.
func (s stubs) program(name string) []byte {
	const at, limit = 0x80, 0x1f1 - 0x81 // stub/kernel.s
	b := append([]byte(nil), s.kernel...)
	b[at] = byte(copy(b[at+1:at+1+min(len(name), limit, 255)], name))
	return b
}

// writeTree puts the case's files into the directory root, and PXELINUX and
// its modules where the case wants them. What the case brings itself stays.
func writeTree(c *Case, s stubs, root string) error {
	if c.isGRUB() {
		if err := makeGRUB(c, root); err != nil { // first: it removes others' *.img
			return err
		}
	}
	for name, data := range c.Files {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if data == nil {
			switch stub := stubFor(name); stub {
			case "kernel":
				data = s.program(name)
			case "multiboot":
				data = s.multiboot
			default:
				if err := os.Symlink(programs+stub, file); err != nil {
					return err
				}
				continue
			}
		}
		if err := os.WriteFile(file, data, 0o644); err != nil {
			return err
		}
	}

	if c.Script != "" {
		return makeChain(c, root)
	}
	if strings.HasSuffix(c.BootFile, ".ipxe") {
		return nil // the machine's own ROM is iPXE
	}
	if c.isGRUB() {
		return nil
	}
	boot := "pxelinux.0"
	if strings.Contains(filepath.Base(c.BootFile), "lpxelinux") {
		boot = "lpxelinux.0"
	}
	_, bootfile := filepath.Split(c.BootFile)
	if err := link(programs+boot, filepath.Join(root, directory(c.BootFile), bootfile)); err != nil {
		return err
	}
	all, err := filepath.Glob(modules + "*.c32")
	if err != nil || len(all) == 0 {
		return fmt.Errorf("no modules in %s: install syslinux-common", modules)
	}
	for _, prefix := range c.Modules {
		for _, module := range all {
			// No filepath.Join: the prefix "boot/my_" is to give "boot/my_menu.c32".
			if err := link(module, root+"/"+prefix+filepath.Base(module)); err != nil {
				return err
			}
		}
	}
	return nil
}

// link makes a symbolic link unless there is a file already.
func link(to, file string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	if err := os.Symlink(to, file); err != nil && !os.IsExist(err) {
		return err
	}
	return nil
}
