package xenlab

import (
	"bytes"
	"compress/gzip"
	"context"
	_ "embed"
	"os"
	"path/filepath"
)

//go:embed guest/init
var guestInit []byte

//go:embed guest/kernel.s
var guestKernel []byte

// guestFiles are what the lab has for guests to boot: a small kernel of our
// own and something for its ramdisk, and Linux.
func guestFiles(ctx context.Context, u unpacked, dir string) (map[string][]byte, error) {
	file, err := only(filepath.Join(u.guestKernel, "boot/vmlinuz-*"))
	if err != nil {
		return nil, err
	}
	linux, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	busybox, err := os.ReadFile(filepath.Join(u.root, "bin/busybox"))
	if err != nil {
		return nil, err
	}
	initrd, err := guestInitrd(busybox)
	if err != nil {
		return nil, err
	}
	kernel, err := assemble(ctx, dir)
	if err != nil {
		return nil, err
	}
	return map[string][]byte{
		"pxelinux.0": nil, // DHCP names it; no one asks for it
		"kernel":     kernel,
		"ramdisk":    []byte("a ramdisk that nobody reads"),
		"vmlinuz":    linux,
		"initrd.img": initrd,
	}, nil
}

// guestInitrd is an initrd that runs guest/init.
func guestInitrd(busybox []byte) ([]byte, error) {
	var initrd bytes.Buffer
	compressed := gzip.NewWriter(&initrd)
	a := &archive{w: compressed}
	for _, dir := range []string{"bin", "dev", "proc"} {
		a.dir(dir)
	}
	a.file("bin/busybox", 0o755, busybox)
	a.file("init", 0o755, guestInit)
	if err := a.close(); err != nil {
		return nil, err
	}
	err := compressed.Close()
	return initrd.Bytes(), err
}

// assemble makes an ELF kernel of guest/kernel.s. Its pages begin at 1 MiB;
// anything above 0 will do, as Xen maps a PV guest's memory wherever its
// kernel wants to be.
func assemble(ctx context.Context, dir string) ([]byte, error) {
	source, object, kernel := filepath.Join(dir, "guest.s"), filepath.Join(dir, "guest.o"), filepath.Join(dir, "guest")
	if err := os.WriteFile(source, guestKernel, 0o644); err != nil {
		return nil, err
	}
	if err := command(ctx, "as", "--64", "-o", object, source); err != nil {
		return nil, err
	}
	if err := command(ctx, "ld", "-static", "-nostdlib", "-z", "max-page-size=4096", "--build-id=none",
		"-Ttext-segment=0x100000", "-e", "start", "-o", kernel, object); err != nil {
		return nil, err
	}
	return os.ReadFile(kernel)
}
