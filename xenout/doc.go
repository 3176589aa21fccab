// Package xenout is the contract between a Xen toolstack and a bootloader:
// how xl, xm, libvirt, XAPI and people call one, and how it answers them.
//
// What comes from the network may end up in the answer, so every writer
// escapes or refuses what could mean something to its reader's parser.
package xenout
