// Package pxelinux answers what pxelinux.0 would do on a given machine with a
// given TFTP tree: which names it asks for, which configuration it finds,
// which label boots if nobody touches the keyboard, and with exactly which
// command line.
//
// The package never touches a socket or a file. It is handed a function that
// opens a URL, and returns URLs and arguments.
package pxelinux
