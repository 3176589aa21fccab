package pxelinux

import "strings"

// SysAppend returns every SYSAPPEND parameter that is known of the host, such
// as "BOOTIF=01-00-16-3e-72-79-e3", in the order of their bits: what
// lpxelinux.0 sends to HTTP servers as cookies.
func (h Host) SysAppend() []string { return sysappendStrings(h, ^uint32(0)) }

// Prefix is what PXELINUX puts before relative names: option 210 as it is, else
// the boot file's name up to its last character that is not Plain. "" is the
// server's root.
func (h Host) Prefix() string { return strings.TrimPrefix(prefixOf(h), "::") }

// Plain says whether a character of a boot file's name does not end its prefix:
// a letter, a digit, a dot or a dash. An underscore does.
func Plain(r rune) bool { return r < 0x80 && isPlain(byte(r)) }

// Resolve returns the URL of the file that PXELINUX would ask for by a name as
// a configuration has it: relative to the boot file's directory, "::" names,
// or a URL. An error says why PXELINUX would ask no server.
func (h Host) Resolve(name string) (string, error) { return newMachine(h, nil).resolve(name) }
