// Package install boots install repositories, which no configuration names: it
// decides which kernel and ramdisk one boots, by what xenpvnetboot, eliloader
// and virt-install know of where distributions keep them, and, in eliloader's
// place, what a VM of XAPI's installs.
//
// A location is text that becomes the URL of a directory; what is below it is
// asked for through a Site.
package install
