// Package tftpget downloads files by TFTP and never calls a short file a
// success: options are negotiated (RFC 2347, 2348, 2349), sizes are checked
// against what the server announced and against the caller's limit, every
// wait is bounded, a context ends it, and errors say what kind they are.
//
// [Client.Get] downloads a file into a writer. [Client.Open] returns a [File]
// whose size is known before it is downloaded or read, and [Client.OpenURL] does
// so by URL, for package pxelinux among others.
//
// Servers that know windows (RFC 7440) send 64 blocks at a time; of others,
// large files are asked for in blocks of 64 KiB, as long as these arrive, or of
// 8 KiB, where too many get lost. A Client with WindowSize 1 asks as a PXE ROM
// does, and for servers that want no windows that is what remains.
//
// The file of a server that announces no size ends at the first block that is
// not full: TFTP has no other mark. Size returns -1 for such a file.
//
// Off Linux a port where no server listens costs all retries, as the kernel does
// not tell.
package tftpget
