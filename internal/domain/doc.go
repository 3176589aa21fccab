// Package domain finds out what the toolstack knows about the guest that it
// is just creating, when no one wrote the guest's MAC address and bridge into
// the bootloader's arguments.
//
// While a bootloader runs, libxl has put nothing but the guest's name and
// uuid into xenstore: its network interfaces come later, and its
// configuration is in xl's or libvirtd's memory. So the interface is looked
// for where the toolstack took it from: the file on the command line of
// "xl create", the configurations in /etc/xen, libvirt's XML, XAPI's database.
//
// It all happens in the privileged parent, which reads dom0's own files and
// asks dom0's own programs, and never anything from a network. They are
// trusted, but may be malformed: every read is bounded, and a configuration
// that is not surely the guest's is not used, because the wrong MAC address
// would boot the wrong machine.
package domain
