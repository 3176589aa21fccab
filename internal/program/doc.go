// Package program is the boot program that a lab serves. Decide says what it
// would boot on a machine, whoever asks: a boot, `plan`, `plan --tree`, `check`,
// or `check --replay`. They differ in the function that opens a name, and in
// nothing else.
//
// A boot program is a [Program]: a function that is given a machine and an
// opener, and returns a [Decision]: PXELINUX, iPXE, GRUB. Another one gets a file
// of its own here, which turns what its package says into a Decision, and a case
// in [Decide] for its boot files' names; it never touches a socket or a file
// itself.
package program
