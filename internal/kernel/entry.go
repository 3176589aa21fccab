package kernel

import (
	"fmt"

	"github.com/gopxeboot/gopxeboot/xenout"
)

// An EntryError says that Xen can't start a kernel in a guest of that type, as
// it has no entry point for it. With the type "" it is in no guest that has no
// firmware.
type EntryError struct {
	Type    xenout.GuestType
	PV, PVH bool // the entry points that the kernel has
}

// CheckEntry is nil where Xen can start a kernel with these entry points in a
// guest of this type. HVM needs none of them. One of the two is enough where
// the type is not known.
func CheckEntry(t xenout.GuestType, pv, pvh bool) *EntryError {
	var starts bool
	switch t {
	case xenout.PV, xenout.PVShim: // the shim is a hypervisor for PV guests
		starts = pv
	case xenout.PVH:
		starts = pvh
	case xenout.HVM:
		starts = true
	default:
		starts = pv || pvh
	}
	if starts {
		return nil
	}
	return &EntryError{t, pv, pvh}
}

func (e *EntryError) Error() string {
	switch e.Type {
	case xenout.PVH:
		return "this kernel has no PVH entry point (CONFIG_PVH)"
	case "":
		return "this kernel has neither the PV nor the PVH entry point (CONFIG_XEN_PV, CONFIG_PVH)"
	}
	return fmt.Sprintf("this kernel has no PV entry point (CONFIG_XEN_PV), which a %s guest needs", e.Type)
}

// Try is what to do about it.
func (e *EntryError) Try() string {
	switch {
	case e.PV:
		return `make the guest type="pv" or serve another kernel`
	case e.PVH:
		return `make the guest type="pvh" or serve another kernel`
	}
	return "serve another kernel, or make the guest HVM"
}
