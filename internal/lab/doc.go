// Package lab is a PXE lab in a box: a bridge as a Xen dom0 has it, and DHCP,
// TFTP and HTTP servers that are plugged into it, all in private namespaces.
// The demo, the integration tests and a user who tries a PXELINUX tree use
// it; it needs no root, no server and no Xen, and nothing of it is left when
// the process ends, however it ends.
//
// A program first calls [Enter] (a test binary calls labtest.Main), which starts it anew
// in the lab's namespaces. What runs there afterwards is the lab's dom0. [New]
// then builds the bridge:
//
//	 dom0 (the program itself)
//	┌──────────────────────────┐
//	│ xenbr0, without address  │
//	│   ├── vif of "servers" ──┼── eth0 192.168.1.166, a namespace of its own
//	│   ├── vif of AddHost ────┼── eth0, a namespace of its own
//	│   └── the guest's, later │
//	└──────────────────────────┘
//
// Each host's servers are either embedded ([Host.ServeDHCP], [Host.ServeTFTP],
// [Host.ServeHTTP]), which tell [Lab.Requests] who asked for what, or real
// programs, which package lab/real starts.
package lab
