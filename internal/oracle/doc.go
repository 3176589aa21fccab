// Package oracle asks the real PXELINUX what it does with a tree of files.
//
// It boots Debian's pxelinux.0 in QEMU, in a network namespace of its own, from
// a dnsmasq that serves the tree, and returns what was seen from outside: the
// files it asked for, in order; what it started; and the bytes it handed over.
// It knows nothing of the package pxelinux, whose answers it is there to judge.
//
// It needs root, and Debian's packages qemu-system-x86, ipxe-qemu, pxelinux,
// syslinux-common, dnsmasq-base and binutils. A boot takes about three seconds.
package oracle
