package check

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/gopxeboot/gopxeboot/internal/plan"
)

// bridgeIsPort: what comes in at a port is its bridge's, and never a guest's.
func bridgeIsPort(f *Facts) *finding {
	if f.Bridge == nil || f.Bridge.PortOf == "" {
		return nil
	}
	b := f.Bridge
	return broken(fmt.Sprintf("%s is no bridge, but a port of %s.", b.Name, b.PortOf), "its frames go to what it is a port of, and it can't have ports itself",
		cmp.Or(b.Instead, "name the guest's bridge"))
}

// dom0Lost says that files can't be asked for because the look is from dom0's
// network, which has no way to the next-server. A guest may well have one.
func (f *Facts) dom0Lost() bool {
	s := f.NextServer
	return s != nil && f.Subject.Net == "dom0" && (s.TFTP == PortUnreachable ||
		s.TFTP == PortSilent && s.there() && s.Route == RouteDirect && !f.here(f.Lease.Address))
}

func bridgeDown(f *Facts) *finding {
	if f.Bridge == nil || f.Bridge.Up {
		return nil
	}
	return broken(f.Bridge.Name+" is down.", "the device is there, but not up", "ip link set "+f.Bridge.Name+" up")
}

// guestRuns: a guest that runs has its MAC itself, and so the look is from dom0.
func guestRuns(f *Facts) *finding {
	if f.Bridge == nil {
		return nil
	}
	if r := f.Bridge.Running; r != nil && f.dom0Lost() {
		return broken(fmt.Sprintf("The guest's MAC %s is in use by domain %d, and dom0 does not get to the servers in its place.", f.Subject.MAC, r.Domid),
			fmt.Sprintf("xenstore has the MAC on %s; so this look is from dom0, which has no address in %s and no other way to %s", r.Interface, f.Lease.Address.Masked(), f.NextServer.Address),
			fmt.Sprintf("if that is this guest, shut it down and look again, or give dom0 an address on %s; if it is another one, give one of them another MAC; --net guest looks all the same, and takes its traffic meanwhile", f.Bridge.Name)).at("server")
	}
	return nil
}

// macInUse breaks a boot only when the guest has a port of its own: what is
// for it may then go to the other port.
func macInUse(f *Facts) *finding {
	if f.Bridge == nil || f.Bridge.MACOn == "" {
		return nil
	}
	d := warning(
		fmt.Sprintf("The guest's MAC %s is in use on port %s.", f.Subject.MAC, f.Bridge.MACOn),
		fmt.Sprintf("%s has seen frames of that MAC from %s just now", f.Bridge.Name, f.Bridge.MACOn),
		"if that is this guest, shut it down before it boots again; if it is another one, give one of them another MAC")
	if f.Subject.Net == "guest" && (f.silent() || f.getsLost()) {
		return d.raise()
	}
	return d
}

// getsLost says whether something that was asked for came in part only, or not
// at all.
func (f *Facts) getsLost() bool {
	lost := func(result plan.Result) bool { return result == plan.Silent || result == plan.Short }
	return f.NextServer != nil && f.NextServer.TFTP == PortSilent ||
		slices.ContainsFunc(f.Search, func(t plan.Try) bool { return lost(t.Result) }) ||
		slices.ContainsFunc(f.Files, func(file File) bool { return lost(file.Result) })
}

// uplinks are the ports that lead out of this host.
func (b *Bridge) uplinks() []Port {
	return slices.DeleteFunc(slices.Clone(b.Ports), func(p Port) bool { return !p.Uplink })
}

// stpBlocking: frames get lost in a port that spanning tree has closed.
func stpBlocking(f *Facts) *finding {
	b := f.Bridge
	if b == nil {
		return nil
	}
	hint := fmt.Sprintf("wait until the ports forward (2 x %g s), or: ip link set %s type bridge stp_state 0 forward_delay 0", b.ForwardDelay, b.Name)
	var closed []string
	open := false
	for _, p := range b.Ports {
		open = open || p.Uplink && p.Carrier && p.State == "forwarding"
		if slices.Contains([]string{"blocking", "listening", "learning"}, p.State) {
			closed = append(closed, p.Name+" is "+p.State)
		}
	}
	if len(closed) > 0 && !open && f.unanswered() {
		return broken("Spanning tree keeps the way to the servers closed.", strings.Join(closed, ", "), hint).at("dhcp")
	}
	if runsSTP(b) && b.Running == nil && f.dom0Lost() {
		return broken(fmt.Sprintf("%s runs spanning tree: a guest's new port forwards only after %g s, and dom0 does not get to the servers in its place.", b.Name, 2*b.ForwardDelay),
			fmt.Sprintf("stp_state is 1 and forward_delay is not 0; so a boot asks from dom0, which has no address in %s and no other way to %s", f.Lease.Address.Masked(), f.NextServer.Address),
			fmt.Sprintf("ip link set %s type bridge stp_state 0 forward_delay 0, unless there are loops; else give dom0 an address on it", b.Name)).at("server")
	}
	return nil
}

func runsSTP(b *Bridge) bool { return b != nil && b.STP && b.ForwardDelay > 0 }

// stpWaits is known before anything is asked for.
func stpWaits(f *Facts) *finding {
	if b := f.Bridge; runsSTP(b) {
		return warning(fmt.Sprintf("%s runs spanning tree: a guest's new port forwards only after %g s.", b.Name, 2*b.ForwardDelay),
			"stp_state is 1 and forward_delay is not 0", fmt.Sprintf("ip link set %s type bridge stp_state 0 forward_delay 0, unless there are loops", b.Name))
	}
	return nil
}

// noUplink matters only when no server answers: servers may well be guests.
func noUplink(f *Facts) *finding {
	b := f.Bridge
	if b == nil || b.Kind != "bridge" || !f.unanswered() {
		return nil
	}
	up := b.uplinks()
	if len(up) == 0 {
		names := []string{}
		for _, p := range b.Ports {
			if !strings.HasPrefix(p.Name, "gpx") {
				names = append(names, p.Name)
			}
		}
		evidence := "it has no ports"
		if len(names) > 0 {
			evidence = "its ports are all guests': " + strings.Join(names, ", ")
		}
		return broken(fmt.Sprintf("%s leads nowhere: no network card is in it.", b.Name), evidence,
			fmt.Sprintf("ip link set eth0 master %s, with the card of that network, or name the guest's right bridge", b.Name)).at("dhcp")
	}
	var unplugged []string
	for _, p := range up {
		if p.Carrier {
			return nil
		}
		unplugged = append(unplugged, p.Name)
	}
	return broken(fmt.Sprintf("%s leads nowhere: %s without a carrier.", b.Name, isAre(unplugged)),
		"the link is down", "see to the cable and the switch's port").at("dhcp")
}

func isAre(names []string) string {
	if len(names) == 1 {
		return names[0] + " is"
	}
	return list(names) + " are"
}

// vlanMismatch: the guest is in one VLAN, and the server in another.
func vlanMismatch(f *Facts) *finding {
	if !f.silent() {
		return nil
	}
	own := "no VLAN"
	if f.Subject.VLAN != 0 {
		own = fmt.Sprintf("VLAN %d", f.Subject.VLAN)
	}
	for _, v := range f.Variants {
		if v.Name == AskedVLAN && v.Answered {
			hint := fmt.Sprintf("give the guest's vif VLAN %d: bridge=%s.%d, or --vlan %d", v.VLAN, f.bridgeName(), v.VLAN, v.VLAN)
			there := fmt.Sprintf("VLAN %d", v.VLAN)
			if v.VLAN == 0 {
				there, hint = "untagged frames", "leave out the VLAN of the guest's vif, or --vlan"
			}
			return broken(fmt.Sprintf("The guest is in %s, but the DHCP server is in %s.", own, there),
				fmt.Sprintf("%s answers there, and no server in %s", v.Server, own), hint).at("dhcp")
		}
	}
	b := f.Bridge
	if b == nil || !b.Filters {
		return nil
	}
	vlan := f.Subject.VLAN
	if vlan == 0 {
		vlan = b.PVID
	}
	var evidence []string
	for _, p := range b.uplinks() {
		if slices.Contains(p.VLANs, vlan) {
			return nil
		}
		evidence = append(evidence, fmt.Sprintf("%s has %s", p.Name, vlanList(p.VLANs)))
	}
	if len(evidence) == 0 {
		return nil
	}
	return broken(fmt.Sprintf("The guest's VLAN %d does not leave %s.", vlan, b.Name), strings.Join(evidence, ", "),
		fmt.Sprintf("bridge vlan add dev %s vid %d, or put the guest into another VLAN", b.uplinks()[0].Name, vlan)).at("dhcp")
}

func vlanList(vlans []uint16) string {
	if len(vlans) == 0 {
		return "no VLAN"
	}
	return "VLAN " + strings.Trim(strings.ReplaceAll(fmt.Sprint(vlans), " ", ", "), "[]")
}

func (f *Facts) bridgeName() string {
	if f.Bridge == nil {
		return "xenbr0"
	}
	return f.Bridge.Name
}
