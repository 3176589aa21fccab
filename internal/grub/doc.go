// Package grub is GRUB 2 as a network boot program, without a network: which
// grub.cfg it looks for, and what boots by it. It is given a machine and a
// function that opens a URL; it never touches a socket or a file itself.
//
// What GRUB would do with a disk, a screen or somebody at the keyboard is a
// command that fails or does nothing, as in GRUB itself where they are missing.
// docs/grub.md lists what differs on purpose.
package grub
