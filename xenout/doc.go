// Package xenout is the contract between a Xen toolstack and a bootloader:
// how xl, xm, libvirt, XAPI and people call one, and how it answers them.
//
// # How a bootloader is called
//
// [Arguments] turns the words a toolstack gives into what a plain option
// parser understands, and [XAPIArguments] does so under XAPI, where only the
// first of them may be trusted; [ToolstackOf] knows. [Positionals] says what the words that are no options
// mean, and an [Invocation] holds what came out. [OutputOf] finds the file
// that the toolstack reads the answer from even when nothing else can be
// understood, because xend waits for it.
//
// # How it answers
//
// [MergeArgs] and [FitArgs] make the command line, and [Write] writes a
// [Result] in the format that was asked for. What comes from the network may
// end up in the answer, so every writer escapes or refuses what could mean
// something to its reader's parser.
package xenout
