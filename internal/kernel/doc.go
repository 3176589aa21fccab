// Package kernel says what a boot image is: whether it is a Linux kernel, for
// which processor, how it is packed, and whether Xen can start it as a PV or
// a PVH guest. It also knows what is served in a kernel's place by mistake: a
// page of HTML, an initrd, PXELINUX or iPXE itself, a COM32 module.
//
// The bytes may come from anybody. Nothing is run or kept: a packed kernel is
// unpacked as a stream, up to its ELF notes.
package kernel
