// Package image reads files out of disk images: ISO 9660, ext2 to ext4, FAT,
// squashfs and XFS, on the whole image or on its MBR or GPT partitions. An
// image is never mounted, so that a hostile one meets this package in a
// confined process and not dom0's kernel.
//
// Only the io.ReaderAt that Open was given is read; nothing is written and
// nothing is opened by name. Symbolic links are followed within the file system
// that they are in. Memory is bounded by a few MiB, and the work to find a file
// by 64 MiB of directories and tables, whatever the image says. A file that
// can't be read to its end is an error, never a short file.
//
// What it leaves to the kernel: journals are not replayed, so that an image
// must have been unmounted cleanly; checksums of metadata are not compared.
package image
