// Package arch is the table of architectures: what a PXE ROM says that it is,
// and what distributions call the machine.
package arch

import "fmt"

// firmwares are architectures of DHCP's option 93 (RFC 4578 §2.1, and IANA's
// list of Processor Architecture Types).
var firmwares = []struct {
	code uint16
	name string // as a command line has it; "" where no ROM of a guest's is one
	text string
}{
	{0, "bios", "BIOS"},
	{6, "efi32", "UEFI x86"},
	{7, "efi64", "UEFI x86-64"},
	{9, "", "UEFI x86-64 (EBC)"},
	{10, "arm32", "UEFI ARM"},
	{11, "arm64", "UEFI arm64"},
	{15, "", "UEFI x86 over HTTP"},
	{16, "", "UEFI x86-64 over HTTP"},
	{18, "", "UEFI ARM over HTTP"},
	{19, "", "UEFI arm64 over HTTP"},
}

// Firmware is the architecture of that name for option 93.
func Firmware(name string) (code uint16, ok bool) {
	for _, f := range firmwares {
		if f.name == name && name != "" {
			return f.code, true
		}
	}
	return 0, false
}

// FirmwareText names an architecture of option 93 for people.
func FirmwareText(code uint16) string {
	for _, f := range firmwares {
		if f.code == code {
			return fmt.Sprintf("%s (architecture %d)", f.text, code)
		}
	}
	return fmt.Sprintf("architecture %d", code)
}

// Machine is a processor by the name that Debian's repositories have for it.
type Machine string

// The machines that installers for Xen guests are for.
const (
	AMD64 Machine = "amd64"
	I386  Machine = "i386"
	ARM64 Machine = "arm64"
)

// ParseMachine reads a machine by any of its names; not ok where it is none.
func ParseMachine(name string) (m Machine, ok bool) {
	switch name {
	case "amd64", "x86_64", "x86-64":
		return AMD64, true
	case "i386", "i486", "i586", "i686", "x86_32":
		return I386, true
	case "arm64", "aarch64":
		return ARM64, true
	}
	return "", false
}

// RPM is its name in the repositories of Red Hat and SUSE.
func (m Machine) RPM() string {
	switch m {
	case AMD64:
		return "x86_64"
	case ARM64:
		return "aarch64"
	}
	return string(m)
}

// DebianCD is the directory of its installer on Debian's CDs.
func (m Machine) DebianCD() string {
	switch m {
	case AMD64:
		return "install.amd"
	case ARM64:
		return "install.a64"
	}
	return "install.386"
}
