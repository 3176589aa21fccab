package install

import (
	"slices"

	"github.com/gopxeboot/gopxeboot/internal/arch"
)

// place is where a distribution has its kernel and ramdisk, below a location.
type place struct {
	kernel, ramdisk string
	arch            arch.Machine // "" for any
	distro          Distro
}

// xenpvnetboot's places, in its order.
var xenpvnetboot = []place{
	{"images/xen/vmlinuz", "images/xen/initrd.img", "", RedHat},                                // Fedora to 10, OL 5
	{"boot/i386/vmlinuz-xen", "boot/i386/initrd-xen", arch.I386, SUSE},                         // openSUSE from 10.2, SLES from 10
	{"boot/x86_64/vmlinuz-xen", "boot/x86_64/initrd-xen", arch.AMD64, SUSE},                    // the same
	{"current/images/netboot/xen/vmlinuz", "current/images/netboot/xen/initrd.gz", "", Debian}, // Debian
	{"images/pxeboot/vmlinuz", "images/pxeboot/initrd.img", "", RedHat},                        // Fedora from 10, OL from 6
	{"isolinux/vmlinuz", "isolinux/initrd.img", "", RedHat},                                    // the same
}

// places are xenpvnetboot's, and those to look at after them.
func (w *Wanted) places() (first, rest []place) {
	archs := w.Archs
	if len(archs) == 0 {
		archs = []arch.Machine{arch.AMD64, arch.I386}
	}
	for _, m := range archs {
		for _, p := range slices.Concat(w.debian(m), suse(m)) {
			p.arch = m
			rest = append(rest, p)
		}
	}
	for _, m := range archs {
		rest = append(rest, others(m)...)
	}
	unwanted := func(p place) bool {
		return w.Distro != Any && w.Distro != Pygrub && p.distro != w.Distro || len(w.Archs) > 0 && p.arch != "" && !slices.Contains(w.Archs, p.arch)
	}
	first = slices.DeleteFunc(slices.Clone(xenpvnetboot), unwanted)
	rest = slices.DeleteFunc(rest, unwanted)
	if len(w.Archs) > 0 {
		// What was said decides, and not the order of old distributions.
		slices.SortStableFunc(first, func(a, b place) int { return w.rank(a) - w.rank(b) })
	}
	return first, rest
}

// rank is the place of an architecture among those that are wanted.
func (w *Wanted) rank(p place) int { return max(slices.Index(w.Archs, p.arch), 0) }

// debian are the places of Debian and Ubuntu: netboot trees on a mirror or by
// themselves, with the kernel for Xen where there is one (until Debian 9 for
// amd64, 10 for i386), then CDs.
func (w *Wanted) debian(m arch.Machine) []place {
	var trees []string
	installer := "main/installer-" + string(m) + "/current/"
	if w.Release != "" {
		trees = append(trees, "dists/"+w.Release+"/"+installer+"images/netboot/", "dists/"+w.Release+"/"+installer+"legacy-images/netboot/")
	}
	trees = append(trees,
		installer+"images/netboot/", installer+"legacy-images/netboot/", // the location is dists/RELEASE
		"current/images/netboot/", "current/legacy-images/netboot/", // it is installer-ARCH
		"daily/netboot/", "install/netboot/", "netboot/", "")
	var list []place
	for _, tree := range trees {
		list = append(list, place{tree + "xen/vmlinuz", tree + "xen/initrd.gz", m, Debian})
		for _, name := range []string{"debian-installer", "ubuntu-installer"} {
			dir := tree + name + "/" + string(m) + "/"
			list = append(list, place{dir + "linux", dir + "initrd.gz", m, Debian})
		}
	}
	cd := m.DebianCD() + "/"
	for _, dir := range []string{cd + "xen/", cd, "install/"} {
		list = append(list, place{dir + "vmlinuz", dir + "initrd.gz", m, Debian})
	}
	for _, dir := range []string{"netboot/", ""} { // Ubuntu's netboot tarball, since 22.04
		list = append(list, place{dir + string(m) + "/linux", dir + string(m) + "/initrd", m, Debian})
	}
	return append(list, place{"casper/vmlinuz", "casper/initrd", m, Debian})
}

func suse(m arch.Machine) []place {
	dir := "boot/" + m.RPM() + "/"
	list := []place{
		{dir + "vmlinuz-xen", dir + "initrd-xen", m, SUSE},
		{dir + "linux", dir + "initrd", m, SUSE},
		{dir + "loader/linux", dir + "loader/initrd", m, SUSE},
	}
	switch m {
	case arch.I386:
		return slices.Concat([]place{{dir + "vmlinuz-xenpae", dir + "initrd-xenpae", m, SUSE}}, list,
			[]place{{"boot/loader/linux", "boot/loader/initrd", m, SUSE}})
	case arch.AMD64:
		return append(list, place{"boot/loader/linux64", "boot/loader/initrd64", m, SUSE})
	}
	return list
}

// others are those of families without a name of eliloader's: Mageia, Alpine
// (its CD, its netboot directory) and XCP-ng.
func others(m arch.Machine) []place {
	list := []place{{"isolinux/" + m.RPM() + "/vmlinuz", "isolinux/" + m.RPM() + "/all.rdz", m, Any}}
	for _, dir := range []string{"boot/", ""} {
		for _, flavour := range []string{"virt", "lts"} {
			list = append(list, place{dir + "vmlinuz-" + flavour, dir + "initramfs-" + flavour, "", Any})
		}
	}
	return append(list, place{"boot/vmlinuz", "install.img", "", Any})
}
