// Package location decides which kernel and ramdisk an install repository
// boots: what xenpvnetboot, eliloader and virt-install know of where
// distributions keep them.
//
// It opens no socket and no file. A location is text that becomes the URL of a
// directory; what is below it is asked for through a Site.
package location
