package pxelinux

// SysAppend returns every SYSAPPEND parameter that is known of the host, such
// as "BOOTIF=01-00-16-3e-72-79-e3", in the order of their bits: what
// lpxelinux.0 sends to HTTP servers as cookies.
func (h Host) SysAppend() []string { return sysappendStrings(h, ^uint32(0)) }

// Resolve returns the URL of the file that PXELINUX would ask for by a name as
// a configuration has it: relative to the boot file's directory, "::" names,
// or a URL. An error says why PXELINUX would ask no server.
func (h Host) Resolve(name string) (string, error) { return newMachine(h, nil).resolve(name) }
