package check

import (
	"fmt"
)

// dom0Firewall: what dom0 drops of all that its bridge forwards does not get lost
// when dom0 sends it itself. That an answer comes then is the proof.
func dom0Firewall(f *Facts) *finding {
	const summary = "Dom0's own firewall drops what the guest sends."
	if v := f.asked(AskedFromDom0); v != nil && f.silent() {
		return broken(summary, fmt.Sprintf("%s answers the guest's own question when dom0 sends it on %s, and no server when it comes from the guest's port", v.Server, f.bridgeName())+f.iptables(), f.letThrough("DHCP, and UDP port 69 and the ports that its answers come from"))
	}
	s := f.NextServer
	if s == nil || !s.FromDom0 || f.dom0Lost() {
		return nil
	}
	if f.Subject.Net == "dom0" {
		return broken("Dom0's own firewall drops what dom0 downloads.", fmt.Sprintf("%s answers the request for %s when it is sent as a frame with the guest's addresses, and not when dom0 asks by its own IP", s.Address, s.Asked),
			"see what dom0 filters (nft list ruleset, iptables -L INPUT and OUTPUT), and let through UDP to port 69 and the answers, which come from another port (modprobe nf_conntrack_tftp); or take --net guest, which asks past it")
	}
	if s.MAC == "" {
		return broken(summary, fmt.Sprintf("%s answers ARP when dom0 asks on %s in the guest's place, and not when the guest asks", s.Address, f.bridgeName())+f.iptables(), f.letThrough("ARP, too"))
	}
	return broken(summary, fmt.Sprintf("%s answers the request for %s when dom0 sends it on %s in the guest's place, and not when it comes from the guest's port", s.Address, s.Asked, f.bridgeName())+f.iptables(),
		f.letThrough("UDP port 69, and the ports that its answers come from, too"))
}

// iptables says what shows where it drops frames.
func (f *Facts) iptables() string {
	if f.Bridge == nil || !f.Bridge.CallsIPTables {
		return ""
	}
	return "; iptables sees what bridges forward (net.bridge.bridge-nf-call-iptables is 1), and Docker leaves its FORWARD chain at DROP"
}

// letThrough is what to change in dom0.
func (f *Facts) letThrough(what string) string {
	bridge := fmt.Sprintf("see what filters on the bridge (nft list ruleset, ebtables -L), and let through %s", what)
	if f.Bridge == nil || !f.Bridge.CallsIPTables {
		return bridge
	}
	return "sysctl -w net.bridge.bridge-nf-call-iptables=0, or iptables -I FORWARD -m physdev --physdev-is-bridged -j ACCEPT; or " + bridge
}
