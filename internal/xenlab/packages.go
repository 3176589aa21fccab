package xenlab

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// packages are Debian's, without what they depend on. There are two kernels:
// the cloud flavour cannot be a dom0, but is the smaller guest.
var packages = []string{
	"xen-system-amd64", "xenstore-utils",
	"linux-image-amd64", "linux-image-cloud-amd64",
	"bash", "bridge-utils", "bsdutils", "busybox-static", "coreutils", "dnsmasq-base", "iproute2", "ncurses-base", "util-linux",
	"libvirt-clients", "libvirt-daemon", "libvirt-daemon-driver-xen",
	"openvswitch-switch",
}

// MissingError is something that the lab cannot do without, and that could
// not be had.
type MissingError struct {
	What string
	Err  error
}

func (e *MissingError) Error() string { return fmt.Sprintf("%s: %v", e.What, e.Err) }

func (e *MissingError) Unwrap() error { return e.Err }

// unpacked are the directories that packages are unpacked into.
type unpacked struct {
	root        string // all of them but the kernels
	dom0Kernel  string
	guestKernel string
}

// unpack fetches the packages and unpacks them below dir, unless that was
// done before.
func unpack(ctx context.Context, dir string) (unpacked, error) {
	u := unpacked{
		root:        filepath.Join(dir, "root"),
		dom0Kernel:  filepath.Join(dir, "kernel-dom0"),
		guestKernel: filepath.Join(dir, "kernel-guest"),
	}
	done := filepath.Join(dir, "unpacked")
	want := strings.Join(packages, " ") + "\n"
	if have, err := os.ReadFile(done); err == nil && string(have) == want {
		return u, nil
	}
	for _, old := range []string{done, u.root, u.dom0Kernel, u.guestKernel} {
		if err := os.RemoveAll(old); err != nil {
			return u, err
		}
	}
	files, err := download(ctx, filepath.Join(dir, "apt"))
	if err != nil {
		return u, &MissingError{What: "Debian packages", Err: err}
	}
	for _, file := range files {
		if err := command(ctx, "dpkg-deb", "-x", file, u.dirOf(filepath.Base(file))); err != nil {
			return u, &MissingError{What: "unpack Debian packages", Err: err}
		}
	}
	return u, os.WriteFile(done, []byte(want), 0o644)
}

// dirOf is where a package file is unpacked.
func (u unpacked) dirOf(file string) string {
	name, _, _ := strings.Cut(file, "_")
	switch {
	case !strings.HasPrefix(name, "linux-image-"):
		return u.root
	case strings.Contains(name, "-cloud-"):
		return u.guestKernel
	}
	return u.dom0Kernel
}

// download fetches the packages, with all that they depend on, and returns
// the files. Apt is told that nothing is installed here, takes no lock, and
// writes nowhere but below dir, so it works for everybody.
func download(ctx context.Context, dir string) ([]string, error) {
	archives := filepath.Join(dir, "archives")
	nothing := filepath.Join(dir, "status")
	lists := filepath.Join(dir, "lists")
	for _, d := range []string{filepath.Join(archives, "partial"), filepath.Join(lists, "partial")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return nil, err
		}
	}
	if err := os.WriteFile(nothing, nil, 0o644); err != nil {
		return nil, err
	}
	options := []string{
		"-qq", "-y", "-o", "Debug::NoLocking=1", "-o", "APT::Sandbox::User=root", "-o", "APT::Architecture=amd64",
		"-o", "Acquire::Retries=1", "-o", "Acquire::http::Timeout=20", "-o", "Acquire::https::Timeout=20",
		"-o", "Dir::State::status=" + nothing, "-o", "Dir::Cache=" + dir, "-o", "Dir::Cache::archives=" + archives,
	}
	install := append([]string{"--no-install-recommends", "--download-only", "install"}, packages...)
	if err := command(ctx, "apt-get", append(options, install...)...); err != nil {
		// This machine's package lists are old or empty, and not ours to renew.
		options = append(options, "-o", "Dir::State::lists="+lists)
		if command(ctx, "apt-get", append(options, "update")...) != nil {
			return nil, err
		}
		if err := command(ctx, "apt-get", append(options, install...)...); err != nil {
			return nil, err
		}
	}
	return filepath.Glob(filepath.Join(archives, "*.deb"))
}

// command runs a program, whose output is in the error if it fails.
func command(ctx context.Context, name string, args ...string) error {
	output, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, tail(string(output), 5))
	}
	return nil
}

// tail is the last lines of a text.
func tail(text string, lines int) string {
	all := strings.Split(strings.TrimRight(text, "\r\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
