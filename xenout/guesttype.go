package xenout

import "fmt"

// GuestType is how Xen starts a guest, which decides what kernel and how much
// of a command line it can have.
type GuestType string

// The types, as xl has them. "" is not known.
const (
	PV     GuestType = "pv"
	PVH    GuestType = "pvh"
	PVShim GuestType = "pvshim" // a PV kernel in a PVH container: pvshim=1, XAPI's pv_in_pvh
	HVM    GuestType = "hvm"
)

// ParseGuestType reads a type by xl's name, or XAPI's.
func ParseGuestType(name string) (GuestType, error) {
	switch t := GuestType(name); t {
	case PV, PVH, PVShim, HVM:
		return t, nil
	case "pv_in_pvh":
		return PVShim, nil
	}
	return "", fmt.Errorf("unknown guest type %q: it is one of pv, pvh, pvshim, hvm", name)
}

const (
	// maxPVArgs is how many bytes reach a PV guest: cmd_line of struct
	// start_info in Xen's public/xen.h has MAX_GUEST_CMDLINE (1024) bytes and
	// ends with a NUL. Xen's domain builder cuts off the rest in silence, and
	// so does the shim.
	maxPVArgs = 1023

	// maxLinuxArgs is how many bytes Linux keeps on x86, where it cuts off
	// the rest in silence: COMMAND_LINE_SIZE is 2048, with a NUL. A PVH guest
	// gets its line from a module of any length (Xen's xg_dom_x86.c).
	maxLinuxArgs = 2047
)

// MaxArgs is how many bytes of command line arrive at a guest of this type. Of
// one whose type is not known the answer's format tells: those that toolstacks
// read from a bootloader may be for a PV guest, the others are for direct
// kernel boot.
func (t GuestType) MaxArgs(f Format) int {
	switch t {
	case PV, PVShim:
		return maxPVArgs
	case PVH, HVM:
		return maxLinuxArgs
	}
	switch f {
	case SXP, Simple, Simple0:
		return maxPVArgs
	}
	return maxLinuxArgs
}
