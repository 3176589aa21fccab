package probe

import (
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/gopxeboot/gopxeboot/internal/bridging"
	"github.com/gopxeboot/gopxeboot/internal/check"
	"github.com/gopxeboot/gopxeboot/internal/guest"
	"github.com/gopxeboot/gopxeboot/internal/printable"
)

// XenRelease is that of this host's Xen, as its kernel tells it.
func XenRelease() string {
	major, err := os.ReadFile("/sys/hypervisor/version/major")
	minor, err2 := os.ReadFile("/sys/hypervisor/version/minor")
	if err != nil || err2 != nil {
		return ""
	}
	return strings.TrimSpace(string(major)) + "." + strings.Trim(string(minor), ". \n")
}

// Bridge looks at the guest's bridge, as it is before we add a port. idle is
// an address of dom0's network there that no machine has, as far as dom0 knows.
func Bridge(name string, mac net.HardwareAddr) (facts *check.Bridge, idle netip.Addr) {
	facts = &check.Bridge{Name: name}
	ifi, err := net.InterfaceByName(name)
	if err != nil {
		return facts, idle
	}
	facts.Up, facts.MTU, facts.Kind = ifi.Flags&net.FlagUp != 0, ifi.MTU, bridging.Kind(name)
	facts.STP, _ = bridging.STP(ifi.Index)
	if facts.STP {
		facts.ForwardDelay, _ = bridging.ForwardDelay(ifi.Index)
	}
	if facts.Filters = bridging.Filters(ifi.Index); facts.Filters {
		facts.PVID = bridging.DefaultPVID(ifi.Index)
	}
	facts.CallsIPTables, facts.CallsHere = callsIPTables(name)
	tables, _ := bridging.Tables()
	for _, t := range tables {
		facts.Tables = append(facts.Tables, check.Table{Name: printable.Text(t.Name), OfIP: t.OfIP})
	}
	facts.MACOn = bridging.PortOf(ifi.Index, mac)
	if strings.HasPrefix(facts.MACOn, "gpx") {
		facts.MACOn = "" // another of ours, on its way out
	}
	ports, _ := bridging.Ports(ifi.Index)
	for _, p := range ports {
		facts.Ports = append(facts.Ports, check.Port{
			Name: p.Name, Uplink: !p.Guest(), Carrier: p.Carrier, State: p.State.String(), VLANs: p.VLANs, PVID: p.PVID, MTU: p.MTU,
		})
	}
	all, _ := net.Interfaces()
	for _, i := range all {
		addresses, _ := i.Addrs()
		for _, a := range addresses {
			p, err := netip.ParsePrefix(a.String())
			if err != nil || !guest.Usable(p.Addr()) {
				continue
			}
			facts.Networks = append(facts.Networks, check.Network{Interface: i.Name, Address: p})
			if i.Name == name && p.Bits() < 30 && !idle.IsValid() {
				idle = lastOf(p)
			}
		}
	}
	return facts, idle
}

// callsIPTables says whether iptables sees what the bridge forwards, and whether only
// by its own setting, and not by that for all bridges.
func callsIPTables(bridge string) (calls, here bool) {
	is := func(file string) bool {
		text, err := os.ReadFile(file)
		return err == nil && strings.TrimSpace(string(text)) == "1"
	}
	here = is("/sys/class/net/" + bridge + "/bridge/nf_call_iptables")
	return here || is("/proc/sys/net/bridge/bridge-nf-call-iptables"), here
}

// lastOf is the last address of a network that a machine can have, or the one
// before where that is p's own.
func lastOf(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().As4()
	for bit := p.Bits(); bit < 32; bit++ {
		b[bit/8] |= 1 << (7 - bit%8)
	}
	a := netip.AddrFrom4(b).Prev()
	if a == p.Addr() {
		a = a.Prev()
	}
	return a
}

// OtherVLANs are those that are known to be on the bridge, without the guest's; 0
// is untagged frames.
func OtherVLANs(b *check.Bridge, vlan uint16) (vlans []uint16) {
	if vlan != 0 {
		defer func() { vlans = append(vlans, 0) }()
	}
	if b.Kind != "bridge" {
		return nil
	}
	ifi, err := net.InterfaceByName(b.Name)
	if err != nil {
		return nil
	}
	vlans = bridging.Tagged(ifi.Index)
	for _, p := range b.Ports {
		if p.Uplink {
			vlans = append(vlans, p.VLANs...)
		}
	}
	slices.Sort(vlans)
	vlans = slices.Compact(vlans)
	vlans = slices.DeleteFunc(vlans, func(v uint16) bool { return v == vlan || v == b.PVID })
	const most = 16
	return vlans[:min(len(vlans), most)]
}
