package pxelinux

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"strings"
)

// sysappendNames are the parameters of SYSAPPEND by their bit. The first three
// come from the network; a PXE boot has no FSUUID.
var sysappendNames = [...]string{
	"ip", "BOOTIF", "SYSUUID", "CPU",
	"SYSVENDOR", "SYSPRODUCT", "SYSVERSION", "SYSSERIAL", "SYSSKU", "SYSFAMILY",
	"MBVENDOR", "MBPRODUCT", "MBVERSION", "MBSERIAL", "MBASSET",
	"BIOSVENDOR", "BIOSVERSION", "SYSFF",
}

// sysappendStrings returns what a SYSAPPEND mask adds, in the order of the
// bits. What is not known is left out.
func sysappendStrings(h Host, mask uint32) []string {
	var all []string
	for bit, name := range sysappendNames {
		if mask&(1<<bit) == 0 {
			continue
		}
		value := ""
		switch name {
		case "ip":
			value = ipParameter(h)
		case "BOOTIF":
			value = macName(h)
		case "SYSUUID":
			value = uuidText(h.UUID)
		default:
			value = underscores(h.DMI[name])
		}
		if value != "" {
			all = append(all, name+"="+value)
		}
	}
	return all
}

// ipParameter is client:boot server:gateway:netmask; what is not known is
// 0.0.0.0.
func ipParameter(h Host) string {
	if !h.Address.Addr().Is4() {
		return ""
	}
	netmask := net.IP(net.CIDRMask(max(h.Address.Bits(), 0), 32))
	return fmt.Sprintf("%s:%s:%s:%s", h.Address.Addr(), ip4(h.Server), ip4(h.Router), netmask)
}

func ip4(a netip.Addr) netip.Addr {
	if a = a.Unmap(); a.Is4() {
		return a
	}
	return netip.IPv4Unspecified()
}

// macName is the hardware type and address as BOOTIF= and the name of a
// configuration file have them.
func macName(h Host) string {
	if len(h.MAC) == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%02x", cmp.Or(h.HardwareType, 1))
	for _, c := range h.MAC {
		fmt.Fprintf(&b, "-%02x", c)
	}
	return b.String()
}

// underscores makes one word of s: what is not printable ASCII becomes one
// underscore a run, and nothing at the ends. (PXELINUX compares signed chars.)
func underscores(s string) string {
	fields := strings.FieldsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f })
	return strings.Join(fields, "_")
}
