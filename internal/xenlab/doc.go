// Package xenlab boots real Xen, with a real xl and real PV and PVH guests,
// inside QEMU, and runs the program under test there as their bootloader.
// There is a lab for each Debian in Releases.
//
// Everything comes from Debian's packages, which are unpacked into a cache
// and never installed: Xen on the host would change how the host boots. QEMU
// emulates (TCG), because most machines that run tests have no nested
// virtualisation that Xen could use. Nothing leaves the virtual machine; it
// has no network card.
//
// The dom0 is an initramfs: busybox, xl, xenstored, xenconsoled, a bridge, and
// a DHCP and TFTP server in a network namespace behind a port of that bridge.
// It runs the shell scripts in cases, one after the other, and says over the
// second serial port what came of each. dom0/case.sh is what they are written
// with; to add one is to add a file.
//
// A case that is too slow to run every time says so ("slow: 20m" in its first
// comment), as does one that needs a newer Xen ("xen: 4.20"); the names of those
// that need Debian's installer begin with "installer-".
//
// The tests of this package do without all that, unless they are told to boot
// the real thing:
//
//	go test -C internal/xenlab -xen newest
package xenlab
