// Package oracle asks the real PXELINUX, or the real GRUB, what it does with a
// tree of files.
//
// It boots Debian's pxelinux.0, or the core.0 that grub-mknetdir makes, in QEMU,
// in a network namespace of its own, from a dnsmasq that serves the tree, and
// returns what was seen from outside: the files it asked for, in order; what it
// started; and the bytes it handed over. It knows nothing of the packages
// pxelinux and grub, whose answers it is there to judge.
//
// It needs root, and Debian's packages qemu-system-x86, ipxe-qemu, pxelinux,
// syslinux-common, dnsmasq-base, grub-pc-bin and binutils. A boot takes some four
// seconds.
package oracle
