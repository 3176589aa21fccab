// Package tftpget downloads files by TFTP and never calls a short file a
// success: options are negotiated (RFC 2347, 2348, 2349), sizes are checked
// against what the server announced and against the caller's limit, every
// wait is bounded, and errors say what kind they are.
package tftpget
