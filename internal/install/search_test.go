package install

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/gopxeboot/gopxeboot/internal/arch"
	"github.com/gopxeboot/gopxeboot/internal/fetch"
)

// site is a server's files by their URLs. A content of "!refused" and the like
// is an error.
type site map[string]string

var errDown = errors.New("no answer")

func (s site) get(url string) (string, bool, error) {
	switch content, ok := s[url]; content {
	case "!refused":
		return "", false, fmt.Errorf("%w: %s: 403 Forbidden", fetch.ErrRefused, url)
	case "!down":
		return "", false, errDown
	default:
		return content, ok, nil
	}
}

func (s site) Has(_ context.Context, url string, of Part) (bool, error) {
	content, ok, err := s.get(url)
	if content == "!page" {
		return false, fmt.Errorf("%w: %s: a page of HTML, and no %s", fetch.ErrRefused, url, of)
	}
	return ok, err
}

func (s site) Read(_ context.Context, url string) ([]byte, error) {
	content, ok, err := s.get(url)
	if !ok || err != nil {
		return nil, err
	}
	return []byte(content), nil
}

func (s site) Take(_ context.Context, f Found) error {
	if s[f.Kernel] == "!unfit" {
		return &Unfit{fmt.Errorf("%s has no PVH entry point", f.Kernel)}
	}
	return nil
}

// at is a site with files below http://h/p/.
func at(names ...string) site {
	s := make(site)
	for _, name := range names {
		s["http://h/p/"+name] = "x"
	}
	return s
}

func (s site) with(name, content string) site {
	s = maps.Clone(s)
	s["http://h/p/"+name] = content
	return s
}

const fedora = `[general]
arch = x86_64
[images-x86_64]
kernel = images/f/vmlinuz
initrd = images/f/initrd.img
[images-xen]
kernel = images/f/vmlinuz-xen
initrd = images/f/initrd-xen.img
`

func TestSearch(t *testing.T) {
	const base = "http://h/p/"
	for _, test := range []struct {
		name            string
		site            site
		wanted          Wanted
		kernel, ramdisk string
		err             string
	}{
		{name: "the first pair of xenpvnetboot's", site: at("images/xen/vmlinuz", "images/xen/initrd.img", "isolinux/vmlinuz", "isolinux/initrd.img"), kernel: "images/xen/vmlinuz", ramdisk: "images/xen/initrd.img"},
		{name: "Fedora", site: at("images/pxeboot/vmlinuz", "images/pxeboot/initrd.img"), kernel: "images/pxeboot/vmlinuz", ramdisk: "images/pxeboot/initrd.img"},
		{name: "a pair is a pair", site: at("images/pxeboot/vmlinuz", "isolinux/vmlinuz", "isolinux/initrd.img"), kernel: "isolinux/vmlinuz", ramdisk: "isolinux/initrd.img"},
		{name: "half a pair", site: at("images/pxeboot/vmlinuz", "isolinux/initrd.img"), err: "images/pxeboot/vmlinuz is there, but not its images/pxeboot/initrd.img"},
		{name: "nothing", site: at(), err: "no kernel found in http://h/p/ ("},
		{name: "SLES", site: at("boot/x86_64/vmlinuz-xen", "boot/x86_64/initrd-xen"), kernel: "boot/x86_64/vmlinuz-xen", ramdisk: "boot/x86_64/initrd-xen"},
		{name: "SLES for both", site: at("boot/x86_64/vmlinuz-xen", "boot/x86_64/initrd-xen", "boot/i386/vmlinuz-xen", "boot/i386/initrd-xen"), wanted: Wanted{Archs: []arch.Machine{"amd64"}}, kernel: "boot/x86_64/vmlinuz-xen", ramdisk: "boot/x86_64/initrd-xen"},
		{name: "SLES for both, i386 first", site: at("boot/x86_64/vmlinuz-xen", "boot/x86_64/initrd-xen", "boot/i386/vmlinuz-xen", "boot/i386/initrd-xen"), wanted: Wanted{Archs: []arch.Machine{"i386", "amd64"}}, kernel: "boot/i386/vmlinuz-xen", ramdisk: "boot/i386/initrd-xen"},
		{name: "openSUSE", site: at("boot/x86_64/loader/linux", "boot/x86_64/loader/initrd"), kernel: "boot/x86_64/loader/linux", ramdisk: "boot/x86_64/loader/initrd"},
		{name: "SLES i386", site: at("boot/i386/vmlinuz-xenpae", "boot/i386/initrd-xenpae"), wanted: Wanted{Distro: SUSE, Archs: []arch.Machine{"i386"}}, kernel: "boot/i386/vmlinuz-xenpae", ramdisk: "boot/i386/initrd-xenpae"},
		{name: "treeinfo, for Xen", site: at("images/f/vmlinuz-xen", "images/f/initrd-xen.img", "images/f/vmlinuz", "images/f/initrd.img").with(".treeinfo", fedora), kernel: "images/f/vmlinuz-xen", ramdisk: "images/f/initrd-xen.img"},
		{name: "treeinfo, without one for Xen", site: at("images/f/vmlinuz", "images/f/initrd.img").with(".treeinfo", fedora), kernel: "images/f/vmlinuz", ramdisk: "images/f/initrd.img"},
		{name: "treeinfo without a dot", site: at("images/f/vmlinuz", "images/f/initrd.img").with("treeinfo", fedora), kernel: "images/f/vmlinuz", ramdisk: "images/f/initrd.img"},
		{name: "treeinfo of another architecture", site: at("images/f/vmlinuz", "images/f/initrd.img").with(".treeinfo", fedora), wanted: Wanted{Archs: []arch.Machine{"i386"}}, err: "no kernel found"},
		{name: "treeinfo that leads out", site: at("images/f/vmlinuz").with(".treeinfo", "[images-xen]\nkernel = ../../etc/shadow\ninitrd = images/f/vmlinuz\n[images-x86_64]\nkernel = /etc/shadow\ninitrd = file:///etc/shadow\n"), err: "no kernel found"},
		{name: "Debian for Xen", site: at("current/images/netboot/xen/vmlinuz", "current/images/netboot/xen/initrd.gz"), kernel: "current/images/netboot/xen/vmlinuz", ramdisk: "current/images/netboot/xen/initrd.gz"},
		{name: "Debian's netboot tree", site: at("debian-installer/amd64/linux", "debian-installer/amd64/initrd.gz"), kernel: "debian-installer/amd64/linux", ramdisk: "debian-installer/amd64/initrd.gz"},
		{name: "a Debian mirror", wanted: Wanted{Release: "bookworm", Distro: Debian}, site: at("dists/bookworm/main/installer-amd64/current/images/netboot/debian-installer/amd64/linux", "dists/bookworm/main/installer-amd64/current/images/netboot/debian-installer/amd64/initrd.gz"),
			kernel: "dists/bookworm/main/installer-amd64/current/images/netboot/debian-installer/amd64/linux", ramdisk: "dists/bookworm/main/installer-amd64/current/images/netboot/debian-installer/amd64/initrd.gz"},
		{name: "FAIWiki's repository", wanted: Wanted{Release: "lenny", Distro: Debian, Archs: []arch.Machine{"i386"}}, site: at("dists/lenny/main/installer-i386/current/images/netboot/xen/vmlinuz", "dists/lenny/main/installer-i386/current/images/netboot/xen/initrd.gz"),
			kernel: "dists/lenny/main/installer-i386/current/images/netboot/xen/vmlinuz", ramdisk: "dists/lenny/main/installer-i386/current/images/netboot/xen/initrd.gz"},
		{name: "Ubuntu's legacy images", wanted: Wanted{Release: "focal"}, site: at("dists/focal/main/installer-amd64/current/legacy-images/netboot/ubuntu-installer/amd64/linux", "dists/focal/main/installer-amd64/current/legacy-images/netboot/ubuntu-installer/amd64/initrd.gz"),
			kernel: "dists/focal/main/installer-amd64/current/legacy-images/netboot/ubuntu-installer/amd64/linux", ramdisk: "dists/focal/main/installer-amd64/current/legacy-images/netboot/ubuntu-installer/amd64/initrd.gz"},
		{name: "a Debian CD", site: at("install.amd/vmlinuz", "install.amd/initrd.gz", "install.amd/xen/vmlinuz", "install.amd/xen/initrd.gz"), kernel: "install.amd/xen/vmlinuz", ramdisk: "install.amd/xen/initrd.gz"},
		{name: "a Debian CD without Xen", site: at("install.386/vmlinuz", "install.386/initrd.gz"), kernel: "install.386/vmlinuz", ramdisk: "install.386/initrd.gz"},
		{name: "an old Ubuntu CD", site: at("install/vmlinuz", "install/initrd.gz"), kernel: "install/vmlinuz", ramdisk: "install/initrd.gz"},
		{name: "an Ubuntu CD", site: at("casper/vmlinuz", "casper/initrd"), kernel: "casper/vmlinuz", ramdisk: "casper/initrd"},
		{name: "Debian 13", wanted: Wanted{Release: "trixie"}, site: at("dists/trixie/main/installer-amd64/current/images/netboot/debian-installer/amd64/linux", "dists/trixie/main/installer-amd64/current/images/netboot/debian-installer/amd64/initrd.gz"),
			kernel: "dists/trixie/main/installer-amd64/current/images/netboot/debian-installer/amd64/linux", ramdisk: "dists/trixie/main/installer-amd64/current/images/netboot/debian-installer/amd64/initrd.gz"},
		{name: "Ubuntu's netboot tarball", site: at("netboot/amd64/linux", "netboot/amd64/initrd"), kernel: "netboot/amd64/linux", ramdisk: "netboot/amd64/initrd"},
		{name: "Ubuntu's netboot tarball, inside", site: at("amd64/linux", "amd64/initrd"), kernel: "amd64/linux", ramdisk: "amd64/initrd"},
		{name: "Ubuntu's live server", site: at("casper/vmlinuz", "casper/initrd", "boot/grub/grub.cfg"), kernel: "casper/vmlinuz", ramdisk: "casper/initrd"},
		{name: "Fedora 42, RHEL 10", site: at("images/pxeboot/vmlinuz", "images/pxeboot/initrd.img", "images/install.img").with(".treeinfo", "[general]\narch = x86_64\n[images-x86_64]\nkernel = images/pxeboot/vmlinuz\ninitrd = images/pxeboot/initrd.img\n"), kernel: "images/pxeboot/vmlinuz", ramdisk: "images/pxeboot/initrd.img"},
		{name: "Leap 15.6, Leap 16 and SLES 16 (Agama)", site: at("boot/x86_64/loader/linux", "boot/x86_64/loader/initrd", "boot/x86_64/efi"), kernel: "boot/x86_64/loader/linux", ramdisk: "boot/x86_64/loader/initrd"},
		{name: "Mageia", site: at("isolinux/x86_64/vmlinuz", "isolinux/x86_64/all.rdz"), kernel: "isolinux/x86_64/vmlinuz", ramdisk: "isolinux/x86_64/all.rdz"},
		{name: "XCP-ng", site: at("boot/vmlinuz", "install.img", "boot/xen.gz"), kernel: "boot/vmlinuz", ramdisk: "install.img"},
		{name: "Alpine's CD", site: at("boot/vmlinuz-lts", "boot/initramfs-lts"), kernel: "boot/vmlinuz-lts", ramdisk: "boot/initramfs-lts"},
		{name: "Alpine's netboot directory", site: at("vmlinuz-virt", "initramfs-virt", "vmlinuz-lts", "initramfs-lts"), kernel: "vmlinuz-virt", ramdisk: "initramfs-virt"},
		{name: "treeinfo comes first", site: at("images/f/vmlinuz", "images/f/initrd.img", "images/pxeboot/vmlinuz", "images/pxeboot/initrd.img").with(".treeinfo", fedora), kernel: "images/f/vmlinuz", ramdisk: "images/f/initrd.img"},
		{name: "treeinfo's kernel is none", site: at("images/f/initrd.img", "images/f/initrd-xen.img", "isolinux/vmlinuz", "isolinux/initrd.img").with(".treeinfo", fedora).with("images/f/vmlinuz", "!page").with("images/f/vmlinuz-xen", "!page"), kernel: "isolinux/vmlinuz", ramdisk: "isolinux/initrd.img"},
		{name: "a page in a kernel's place", site: at("isolinux/vmlinuz", "isolinux/initrd.img", "images/xen/initrd.img").with("images/xen/vmlinuz", "!page"), kernel: "isolinux/vmlinuz", ramdisk: "isolinux/initrd.img"},
		{name: "a page in a ramdisk's place", site: at("isolinux/vmlinuz", "isolinux/initrd.img", "images/xen/vmlinuz").with("images/xen/initrd.img", "!page"), kernel: "isolinux/vmlinuz", ramdisk: "isolinux/initrd.img"},
		{name: "pages only", site: at().with("images/xen/vmlinuz", "!page"), err: "images/xen/vmlinuz: a page of HTML, and no kernel"},
		{name: "a kernel that is none inside", site: at("images/xen/initrd.img", "isolinux/vmlinuz", "isolinux/initrd.img").with("images/xen/vmlinuz", "!unfit"), kernel: "isolinux/vmlinuz", ramdisk: "isolinux/initrd.img"},
		{name: "treeinfo's is none inside", site: at("images/f/vmlinuz", "images/f/initrd.img", "images/f/initrd-xen.img").with(".treeinfo", fedora).with("images/f/vmlinuz-xen", "!unfit"), kernel: "images/f/vmlinuz", ramdisk: "images/f/initrd.img"},
		{name: "all are none inside", site: at("images/xen/initrd.img", "casper/initrd").with("images/xen/vmlinuz", "!unfit").with("casper/vmlinuz", "!unfit"), err: "http://h/p/images/xen/vmlinuz has no PVH entry point"},
		{name: "a named kernel is none inside", wanted: Wanted{Kernel: "images/xen/vmlinuz"}, site: at("images/xen/initrd.img", "isolinux/vmlinuz", "isolinux/initrd.img").with("images/xen/vmlinuz", "!unfit"), kernel: "images/xen/vmlinuz", ramdisk: "images/xen/initrd.img", err: "no PVH entry point"},
		{name: "another distribution is not looked at", wanted: Wanted{Distro: SUSE}, site: at("isolinux/vmlinuz", "isolinux/initrd.img").with(".treeinfo", fedora), err: "no kernel found"},

		{name: "both named", wanted: Wanted{Kernel: "k", Ramdisk: "r"}, site: at(), kernel: "k", ramdisk: "r"},
		{name: "a kernel of our own has no ramdisk", wanted: Wanted{Kernel: "k"}, site: at("images/xen/initrd.img"), kernel: "k"},
		{name: "a kernel of a pair has its ramdisk", wanted: Wanted{Kernel: "isolinux/vmlinuz"}, site: at("images/xen/initrd.img", "isolinux/initrd.img"), kernel: "isolinux/vmlinuz", ramdisk: "isolinux/initrd.img"},
		{name: "a kernel of a pair further down", wanted: Wanted{Kernel: "OL6/images/pxeboot/vmlinuz"}, site: at("OL6/images/pxeboot/initrd.img"), kernel: "OL6/images/pxeboot/vmlinuz", ramdisk: "OL6/images/pxeboot/initrd.img"},
		{name: "a kernel of a pair without its ramdisk", wanted: Wanted{Kernel: "isolinux/vmlinuz"}, site: at(), kernel: "isolinux/vmlinuz"},
		{name: "a kernel of a pair, oddly written", wanted: Wanted{Kernel: "./isolinux//x/../vmlinuz/"}, site: at("isolinux/initrd.img"), kernel: "isolinux/vmlinuz", ramdisk: "isolinux/initrd.img"},
		{name: "a kernel of a pair, as a part of a URL", wanted: Wanted{Kernel: "a%20b/c:d/isolinux/vmlinuz"}, site: at("a%20b/c:d/isolinux/initrd.img"), kernel: "a%20b/c:d/isolinux/vmlinuz", ramdisk: "a%20b/c:d/isolinux/initrd.img"},
		{name: "a kernel of a pair, of any architecture", wanted: Wanted{Kernel: "install.a64/vmlinuz", Archs: []arch.Machine{"i386"}}, site: at("install.a64/initrd.gz"), kernel: "install.a64/vmlinuz", ramdisk: "install.a64/initrd.gz"},
		{name: "a ramdisk of our own", wanted: Wanted{Ramdisk: "r"}, site: at("isolinux/vmlinuz"), kernel: "isolinux/vmlinuz", ramdisk: "r"},
		{name: "pygrub names both", wanted: Wanted{Kernel: "vmlinuz", Ramdisk: "archiso.img", Distro: Pygrub}, site: at(), kernel: "vmlinuz", ramdisk: "archiso.img"},
		{name: "pygrub without a kernel", wanted: Wanted{Distro: Pygrub}, site: at("isolinux/vmlinuz", "isolinux/initrd.img"), err: "which kernel?"},
		{name: "an absolute kernel", wanted: Wanted{Kernel: "/boot/k"}, site: at(), err: "--kernel \"/boot/k\": a file of the location has no / at the beginning; file:///boot/k is dom0's"},
		{name: "an absolute ramdisk", wanted: Wanted{Ramdisk: "/boot/r"}, site: at(), err: "--ramdisk \"/boot/r\": "},
		{name: "a release that leads out", wanted: Wanted{Release: "../x"}, site: at(), err: "release"},
		{name: "a release that is dots", wanted: Wanted{Release: ".."}, site: at(), err: "release"},

		{name: "one name refused", site: at("isolinux/vmlinuz", "isolinux/initrd.img").with("images/xen/vmlinuz", "!refused"), kernel: "isolinux/vmlinuz", ramdisk: "isolinux/initrd.img"},
		{name: "refused and nothing else", site: at().with("isolinux/vmlinuz", "!refused"), err: "403 Forbidden"},
		{name: "the server goes away", site: at("isolinux/vmlinuz", "isolinux/initrd.img").with("boot/i386/vmlinuz-xen", "!down"), err: "no answer"},
		{name: "treeinfo's server goes away", site: at().with(".treeinfo", "!down"), err: "no answer"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := Location{Base: base}.Search(t.Context(), test.wanted, test.site)
			check(t, "Search", err, test.err)
			if err != nil {
				return
			}
			want := Found{Kernel: base + test.kernel}
			if test.ramdisk != "" {
				want.Ramdisk = base + test.ramdisk
			}
			if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(Found{}, "Tried", "Args")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// The four ways that the xenpvnetboot page calls equivalent.
func TestFourWays(t *testing.T) {
	files := site{"http://192.168.0.1/OL6/images/pxeboot/vmlinuz": "k", "http://192.168.0.1/OL6/images/pxeboot/initrd.img": "r"}
	want := Found{Kernel: "http://192.168.0.1/OL6/images/pxeboot/vmlinuz", Ramdisk: "http://192.168.0.1/OL6/images/pxeboot/initrd.img"}
	for _, way := range []struct{ location, kernel, ramdisk string }{
		{"http://192.168.0.1/", "OL6/images/pxeboot/vmlinuz", "OL6/images/pxeboot/initrd.img"},
		{"http://192.168.0.1/OL6", "images/pxeboot/vmlinuz", "images/pxeboot/initrd.img"},
		{"http://192.168.0.1/OL6", "", ""},
		{"", want.Kernel, want.Ramdisk},
	} {
		var l Location
		if way.location != "" {
			var err error
			if l, err = Parse(way.location, isDirectory); err != nil {
				t.Fatal(err)
			}
		}
		got, err := l.Search(t.Context(), Wanted{Kernel: way.kernel, Ramdisk: way.ramdisk}, files)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(Found{}, "Tried")); diff != "" {
			t.Errorf("%v (-want +got):\n%s", way, diff)
		}
	}
}

func TestTried(t *testing.T) {
	l := Location{Base: "http://u:secret@h/p/"}
	got, err := l.Search(t.Context(), Wanted{Distro: RedHat}, site{"http://u:secret@h/p/images/xen/vmlinuz": "x", "http://u:secret@h/p/isolinux/vmlinuz": "!refused"})
	check(t, "Search", err, "403 Forbidden")
	var lines []string
	for _, try := range got.Tried {
		lines = append(lines, strings.TrimPrefix(try.URL, "http://u@h/p/")+": "+string(try.Result))
	}
	want := []string{".treeinfo: not found", "treeinfo: not found", "images/xen/vmlinuz: found", "images/xen/initrd.img: not found", "images/pxeboot/vmlinuz: not found", "isolinux/vmlinuz: error"}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A server that lets nobody in is not asked for everything.
func TestRefusesAll(t *testing.T) {
	got, err := Location{Base: "http://h/p/"}.Search(t.Context(), Wanted{}, closed{})
	check(t, "Search", err, "401 Unauthorized")
	if len(got.Tried) != 1 {
		t.Errorf("%d names asked for", len(got.Tried))
	}
	// Some servers say so of what is not there.
	got, err = Location{Base: "http://h/p/"}.Search(t.Context(), Wanted{}, forbidding{})
	check(t, "Search", err, "403 Forbidden")
	if len(got.Tried) <= len(xenpvnetboot) {
		t.Errorf("only %d names asked for", len(got.Tried))
	}
	// A ramdisk that is refused is missed by the kernel that was named.
	_, err = Location{Base: "http://h/p/"}.Search(t.Context(), Wanted{Kernel: "isolinux/vmlinuz"}, forbidding{})
	check(t, "Search", err, "403 Forbidden")
}

// closed lets nobody in.
type closed struct{}

func (closed) Has(context.Context, string, Part) (bool, error) {
	return false, errors.New("401 Unauthorized")
}

func (closed) Read(context.Context, string) ([]byte, error) {
	return nil, errors.New("401 Unauthorized")
}

func (closed) Take(context.Context, Found) error { return nil }

// forbidding gives nothing.
type forbidding struct{}

func (forbidding) Has(context.Context, string, Part) (bool, error) {
	return false, fmt.Errorf("%w: 403 Forbidden", fetch.ErrRefused)
}

func (forbidding) Read(context.Context, string) ([]byte, error) {
	return nil, fmt.Errorf("%w: 403 Forbidden", fetch.ErrRefused)
}

func (forbidding) Take(context.Context, Found) error { return nil }

// No name is asked for twice, and there is an end to them.
func TestNamesOnce(t *testing.T) {
	for i, w := range []Wanted{{}, {Release: "x"}, {Distro: Debian, Release: "x"}, {Archs: []arch.Machine{"arm64", "amd64", "i386"}}} {
		got, err := Location{Base: []string{"http://h/p/", "http://u:secret@h/p/"}[i%2]}.Search(t.Context(), w, site{})
		if !errors.Is(err, ErrNothing) {
			t.Fatal(err)
		}
		var urls []string
		for _, try := range got.Tried {
			if slices.Contains(urls, try.URL) {
				t.Errorf("%s twice", try.URL)
			}
			urls = append(urls, try.URL)
		}
		if len(urls) > 150 {
			t.Errorf("%d names", len(urls))
		}
	}
}

func TestArgs(t *testing.T) {
	for _, test := range []struct {
		location string
		distro   Distro
		want     string
	}{
		{"http://h/p", RedHat, "method=http://h/p/"},
		{"http://h/p/", RedHat, "method=http://h/p/"},
		{"http://h/p", SUSE, "install=http://h/p/"},
		{"http://h/p", Debian, ""},
		{"http://h/p", Any, ""},
		{"nfs:h:/p", RedHat, "method=nfs:h:/p/"},
		{"nfs://h/p", RedHat, "method=nfs:h:/p/"},
		{"nfs://h:/p", SUSE, "install=nfs://h/p/"},
		{"/dev/sr0", RedHat, ""},
		{"/dev/sr0", SUSE, "install=hd"},
		{"/fedora/x86_64", RedHat, ""},
		{"nfs+iso:h:/x.iso", RedHat, ""},
		{"nfs+iso:h:/x.iso", SUSE, "install=hd"},
	} {
		l, err := Parse(test.location, isDirectory)
		if err != nil {
			t.Fatal(err)
		}
		found, err := l.Search(t.Context(), Wanted{Kernel: "k", Ramdisk: "r", Distro: test.distro}, site{})
		if err != nil || found.Args != test.want {
			t.Errorf("%s, %q: got %q (%v), want %q", test.location, test.distro, found.Args, err, test.want)
		}
	}
}

func TestNames(t *testing.T) {
	for _, name := range []string{"", "rhlike", "sleslike", "debianlike", "pygrub"} {
		if got, err := ParseDistro(name); string(got) != name || err != nil {
			t.Errorf("ParseDistro(%q) = %q, %v", name, got, err)
		}
	}
	if _, err := ParseDistro("solarislike"); err == nil {
		t.Error("no error for solarislike")
	}
}

// Whatever .treeinfo says, only files below the location are asked for.
func FuzzTreeinfo(f *testing.F) {
	f.Add([]byte(fedora))
	f.Add([]byte("[images-xen]\nkernel=../../etc/shadow\ninitrd=file:///etc/shadow\n"))
	f.Add([]byte("[images-xen]\nkernel: a%2f..%2f..\ninitrd: /x\n[images-xen\nkernel=b\n=\n[]\nx"))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, p := range parseTreeinfo(text).places(nil) {
			for _, name := range []string{p.kernel, p.ramdisk} {
				s := &search{Location: Location{Base: "file:///srv/dir/"}}
				url, err := s.below(name)
				if err != nil {
					t.Fatalf("%q: %v", name, err)
				}
				if file := localFile(url); !strings.HasPrefix(file, "/srv/dir/") || strings.Contains(url, "!") {
					t.Errorf("%q is %q, the file %q", name, url, file)
				}
			}
		}
	})
}
