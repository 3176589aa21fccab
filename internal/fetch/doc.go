// Package fetch opens a file behind a URL: one Open over all schemes, one file
// of source per scheme, none of which knows another. It resolves names through
// the guest's own DNS servers only, bounds every wait and every size, and never
// calls a file of the wrong size a success.
//
// The schemes are tftp, http, https, ftp, nfs (version 3, in user space) and
// file, which reads what Client.Local opens. A file inside a disk image is the
// image's URL, "!/" and the file's path in it, where the image can be read from
// anywhere:
//
//	nfs://host/srv/debian.iso!/install.amd/vmlinuz
//	file:///dev/sr0!/isolinux/initrd.img
package fetch
