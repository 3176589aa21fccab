// Package pxelinux answers what pxelinux.0 would do on a given machine with a
// given TFTP tree: which names it asks for, which configuration it finds,
// which label boots when no key is pressed, and with exactly which command
// line. It follows PXELINUX 6.04, and lpxelinux.0 for HTTP and FTP.
//
//	config, err := pxelinux.Find(ctx, host, pxelinux.OpenFS(os.DirFS("/srv/tftp"), host.Server))
//	...
//	boot, err := config.Boot(ctx)
//
// [Find] is the search and the configuration's language, [Config.Boot] the
// decision, [Boot.NotFound] what follows when a file is not there, [Boot.Offer]
// what somebody could choose instead. [Lint] says what is wrong with a
// configuration, without a machine.
//
// The package never touches a socket or a file. It is given an [Opener], a
// function that opens a URL, and returns URLs and arguments. What PXELINUX asks
// the server for while it decides, the package asks for too, in the same order:
// the search path, includes, the menu's second reading of the configuration,
// implicit kernels with their extensions, and pictures. The kernel and the
// initrds are left to the caller. Values that it returns do not change, but for
// what the caller does to them, and may be used by several goroutines at once
// if the Opener may.
//
// # What differs from PXELINUX
//
//   - Both spellings of the guest's uuid are asked for; see [SearchPath].
//     SYSUUID has the toolstack's.
//   - initrd= is looked for at the start of a word only. A warning says when
//     PXELINUX would take another.
//   - A server that does not answer ends everything at once, with an error.
//   - Where PXELINUX waits for a key without end, a Boot says what Enter would
//     run, and that it waits.
//   - A Xen entry of mboot.c32 shows its dom0 kernel as a kernel of its own.
//   - Hidden limits are explicit: 16 MiB, 1024 files, 16 includes deep, 64
//     commands. PXERETRY counts up to 8.
//   - https works as http does.
package pxelinux
