// Package xenout is the contract between a Xen toolstack and a bootloader:
// how xl, xm, libvirt, XAPI and people call one, and how it answers them.
//
// # How a bootloader is called
//
// [ParseCall] turns the words a toolstack gives into a [Call], and into what a
// plain option parser understands. Under XAPI only the first of them may be
// trusted: [XAPIOptions] says what others may say.
//
// # How it answers
//
// [MergeArgs] and [FitArgs] make the command line, and [Write] writes a
// [Result] in the format that was asked for. What comes from the network may
// end up in the answer, so every writer escapes or refuses what could mean
// something to its reader's parser.
package xenout
