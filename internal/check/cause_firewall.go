package check

import (
	"fmt"
	"strings"

	"github.com/gopxeboot/gopxeboot/internal/plan"
)

// dom0Firewall: what dom0 drops of all that its bridge forwards does not get lost
// when dom0 sends it itself. That an answer comes then is the proof.
func dom0Firewall(f *Facts) *finding {
	const summary = "Dom0's own firewall drops what the guest sends."
	if v := f.asked(AskedFromDom0); v != nil && f.silent() {
		return broken(summary, fmt.Sprintf("%s answers the guest's own question when dom0 sends it on %s, and no server when it comes from the guest's port", v.Server, f.bridgeName())+f.iptables(), f.letThrough("DHCP, and UDP port 69 and the ports that its answers come from")).at("dhcp")
	}
	s := f.NextServer
	if s == nil || !s.FromDom0 || f.dom0Lost() {
		return nil
	}
	if f.Subject.Net == "dom0" {
		return broken("Dom0's own firewall drops what dom0 downloads.", fmt.Sprintf("%s answers the request for %s when it is sent as a frame with the guest's addresses, and not when dom0 asks by its own IP", s.Address, s.Asked),
			"see what dom0 filters (nft list ruleset, iptables -L INPUT and OUTPUT), and let through UDP to port 69 and the answers, which come from another port (modprobe nf_conntrack_tftp); or take --net guest, which asks past it").at("server")
	}
	if s.MAC == "" {
		return broken(summary, fmt.Sprintf("%s answers ARP when dom0 asks on %s in the guest's place, and not when the guest asks", s.Address, f.bridgeName())+f.iptables(), f.letThrough("ARP, too")).at("server")
	}
	return broken(summary, fmt.Sprintf("%s answers the request for %s when dom0 sends it on %s in the guest's place, and not when it comes from the guest's port", s.Address, s.Asked, f.bridgeName())+f.iptables(),
		f.letThrough("UDP port 69, and the ports that its answers come from, too")).at("server")
}

// tables are those that may be it: of the bridge itself, and of IP, which see what the
// bridge forwards by br_netfilter.
func (f *Facts) tables() (bridge, ip []string) {
	if f.Bridge == nil {
		return nil, nil
	}
	for _, t := range f.Bridge.Tables {
		switch {
		case !t.OfIP:
			bridge = append(bridge, t.Name)
		case f.Bridge.CallsIPTables:
			ip = append(ip, t.Name)
		}
	}
	return short(bridge), short(ip)
}

// iptables says what may drop frames there.
func (f *Facts) iptables() string {
	bridge, ip := f.tables()
	text := ""
	if len(bridge) > 0 {
		text += fmt.Sprintf("; %s may drop frames on bridges", list(bridge))
	}
	switch {
	case f.Bridge == nil || !f.Bridge.CallsIPTables:
		return text
	case len(ip) > 0:
		text += fmt.Sprintf("; %s sees what bridges forward, too (%s is 1), and may drop it, as Docker's FORWARD chain does", list(ip), f.callsBy())
	case len(bridge) == 0:
		text += fmt.Sprintf("; iptables sees what bridges forward (%s is 1)", f.callsBy())
	}
	return text
}

// callsBy is the setting by which iptables sees what the bridge forwards.
func (f *Facts) callsBy() string {
	if f.Bridge.CallsHere {
		return "nf_call_iptables of " + f.Bridge.Name
	}
	return "net.bridge.bridge-nf-call-iptables"
}

// letThrough is what to change in dom0: where it can't be told which filter it is,
// what is looked at first, and what is changed for all bridges then.
func (f *Facts) letThrough(what string) string {
	bridge, ip := f.tables()
	onBridge := fmt.Sprintf("see what filters on the bridge (nft list ruleset, ebtables -L), and let through %s", what)
	if f.Bridge == nil || !f.Bridge.CallsIPTables || len(bridge) > 0 && len(ip) == 0 {
		return onBridge
	}
	off := "sysctl -w net.bridge.bridge-nf-call-iptables=0"
	if f.Bridge.CallsHere {
		off = fmt.Sprintf("ip link set %s type bridge nf_call_iptables 0 (and %s)", f.Bridge.Name, off)
	}
	off += ", or iptables -I FORWARD -m physdev --physdev-is-bridged -j ACCEPT"
	if len(ip) > 0 && len(bridge) == 0 {
		return off
	}
	return onBridge + "; or, if it is iptables: " + off
}

// serverRejects: who says so tells whose firewall it is.
func serverRejects(f *Facts) *finding {
	s := f.NextServer
	if s == nil || s.TFTP != PortUnreachable || !s.Rejected.Filtered() || f.namedServer() != nil {
		return nil
	}
	d := f.rejection(s.Rejected, "the request for "+s.Asked, "UDP to port 69, and to the high ports from which TFTP goes on (or load nf_conntrack_tftp)")
	if b := f.better(); b != nil && b.HasFile {
		d.hint += fmt.Sprintf("; or name %s (%s) as next-server, which has %s", b.Address, b.Why, b.Asked)
	}
	return d
}

// rejects is the same of a file's server.
func rejects(role string) func(*Facts) *finding {
	return func(f *Facts) *finding {
		for _, file := range f.downloads() {
			if file.Role == role && file.Result == plan.Unreachable && file.Rejected.Filtered() && (role != "config" || f.found() == nil) {
				what := "TCP to the port of " + file.URL
				if strings.HasPrefix(file.URL, "tftp:") {
					what = "UDP to port 69, and to the high ports from which TFTP goes on"
				}
				return f.rejection(file.Rejected, "the request for "+file.URL, what)
			}
		}
		return nil
	}
}

func (f *Facts) rejection(r *plan.Rejected, request, allow string) *finding {
	guests := f.Lease.Address.Masked()
	see := "see nft list ruleset, iptables -L -n, firewall-cmd --list-all there"
	if r.By == r.To {
		return broken(fmt.Sprintf("The firewall of the server %s rejects what the guest asks for.", r.To),
			fmt.Sprintf("to %s %s itself says: %s", request, r.By, r), fmt.Sprintf("allow %s from %s on %s; %s", allow, guests, r.To, see))
	}
	return broken(fmt.Sprintf("A firewall on the way to the server %s rejects what the guest asks for: that of %s.", r.To, r.By),
		fmt.Sprintf("to %s not that server but %s says: %s", request, r.By, r), fmt.Sprintf("allow %s from %s to %s on %s; %s", allow, guests, r.To, r.By, see))
}
