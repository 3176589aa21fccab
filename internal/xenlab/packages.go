package xenlab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// A Release is a version of Xen, and the Debian that has it.
type Release struct{ Xen, Suite string }

// Releases are all there are, newest first.
var Releases = []Release{{"4.20", "trixie"}, {"4.17", "bookworm"}, {"4.14", "bullseye"}}

// packages are a release's, without what they depend on.
var packages = []string{
	"xen-system-amd64", "xenstore-utils",
	"bash", "bridge-utils", "bsdutils", "busybox-static", "coreutils", "dnsmasq-base", "iproute2", "ncurses-base", "util-linux",
	"libvirt-clients", "libvirt-daemon", "libvirt-daemon-driver-xen",
	"openvswitch-switch",
}

// guests is the Debian that all releases have their kernels from, and the
// installer that a guest boots.
const guests = "bookworm"

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
	installer   string // Debian's netboot tree; "" where no case boots it
}

// unpack fetches the release's packages and the kernels, and unpacks them below
// dir, unless that was done before. There are two kernels: the cloud flavour
// can't be a dom0, but is the smaller guest.
func unpack(ctx context.Context, dir string, release Release) (unpacked, error) {
	u := unpacked{
		root:        filepath.Join(dir, release.Suite, "root"),
		dom0Kernel:  filepath.Join(dir, "kernel-dom0"),
		guestKernel: filepath.Join(dir, "kernel-guest"),
	}
	for _, s := range []set{
		{release.Suite, packages, "*.deb", u.root},
		{guests, []string{"linux-image-amd64"}, "linux-image-[0-9]*.deb", u.dom0Kernel},
		{guests, []string{"linux-image-cloud-amd64"}, "linux-image-[0-9]*.deb", u.guestKernel},
	} {
		if err := s.unpack(ctx); err != nil {
			return u, err
		}
	}
	return u, nil
}

// unpackInstaller does the same for the installer.
func (u *unpacked) unpackInstaller(ctx context.Context, dir string) error {
	const name = "debian-installer-12-netboot-amd64"
	u.installer = filepath.Join(dir, "installer")
	return set{guests, []string{name}, name + "_*.deb", u.installer}.unpack(ctx)
}

// A set is packages of one Debian that are unpacked into one directory.
type set struct {
	suite    string
	packages []string
	files    string // which of the package files, of those they depend on, too
	dir      string
}

// unpack fetches and unpacks the set, unless that was done before.
func (s set) unpack(ctx context.Context) error {
	if err := s.get(ctx); err != nil {
		return &MissingError{What: "Debian " + s.suite + "'s packages", Err: err}
	}
	return nil
}

func (s set) get(ctx context.Context) error {
	done := s.dir + ".unpacked"
	want := s.suite + " " + strings.Join(s.packages, " ") + "\n"
	if have, err := os.ReadFile(done); err == nil && string(have) == want {
		return nil
	}
	apt := s.dir + ".apt"
	for _, old := range []string{done, s.dir, apt} {
		if err := os.RemoveAll(old); err != nil {
			return err
		}
	}
	archives, err := s.download(ctx, apt)
	if err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(archives, s.files))
	if err != nil {
		return err
	}
	for _, file := range files {
		if err := command(ctx, "dpkg-deb", "-x", file, s.dir); err != nil {
			return err
		}
	}
	if err := os.RemoveAll(apt); err != nil {
		return err
	}
	return os.WriteFile(done, []byte(want), 0o644)
}

// download fetches the packages, with all that they depend on, and returns
// the directory that has the files. Apt is told that nothing is installed
// here, takes no lock, and writes nowhere but below dir, so it works for
// everybody. The package lists are our own: this machine is of another Debian.
func (s set) download(ctx context.Context, dir string) (archives string, err error) {
	archives = filepath.Join(dir, "archives")
	lists := filepath.Join(dir, "lists")
	for _, d := range []string{filepath.Join(archives, "partial"), filepath.Join(lists, "partial")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return "", err
		}
	}
	mirror, err := mirror(ctx)
	if err != nil {
		return "", err
	}
	sources, nothing := filepath.Join(dir, "sources.list"), filepath.Join(dir, "status")
	line := fmt.Sprintf("deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s %s main\n", mirror, s.suite)
	if err := errors.Join(os.WriteFile(sources, []byte(line), 0o644), os.WriteFile(nothing, nil, 0o644)); err != nil {
		return "", err
	}
	options := []string{
		"-qq", "-y", "-o", "Debug::NoLocking=1", "-o", "APT::Sandbox::User=root", "-o", "APT::Architecture=amd64",
		"-o", "Acquire::Retries=1", "-o", "Acquire::http::Timeout=20", "-o", "Acquire::https::Timeout=20",
		"-o", "Dir::Etc::sourcelist=" + sources, "-o", "Dir::Etc::sourceparts=/dev/null",
		"-o", "Dir::State::status=" + nothing, "-o", "Dir::State::lists=" + lists,
		"-o", "Dir::Cache=" + dir, "-o", "Dir::Cache::archives=" + archives,
	}
	if err := command(ctx, "apt-get", append(slices.Clone(options), "update")...); err != nil {
		return "", err
	}
	install := append([]string{"--no-install-recommends", "--download-only", "install"}, s.packages...)
	return archives, command(ctx, "apt-get", append(options, install...)...)
}

// mirror is where this machine gets its Debian packages.
func mirror(ctx context.Context) (string, error) {
	output, err := exec.CommandContext(ctx, "apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages").Output()
	if err != nil {
		return "", fmt.Errorf("apt-get indextargets: %w", err)
	}
	for uri := range strings.FieldsSeq(string(output)) {
		if strings.HasSuffix(uri, "/debian/") {
			return uri, nil
		}
	}
	return "", errors.New("no mirror of Debian among apt's sources")
}

// command runs a program, whose output is in the error if it fails.
func command(ctx context.Context, name string, args ...string) error {
	output, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, tail(string(output), 5))
	}
	return nil
}

func tail(text string, lines int) string {
	all := strings.Split(strings.TrimRight(text, "\r\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
