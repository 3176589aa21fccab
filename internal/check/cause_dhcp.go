package check

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/gopxeboot/gopxeboot/dhcpclient"
	"github.com/gopxeboot/gopxeboot/dhcpclient/survey"
	"github.com/gopxeboot/gopxeboot/internal/arch"
	"github.com/gopxeboot/gopxeboot/internal/console"
	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/xenout"
)

// discovered says whether DHCP was asked.
func (f *Facts) discovered() bool {
	return len(f.Offers)+len(f.Variants) > 0 || slices.ContainsFunc(f.Events, func(e Event) bool { return e.Kind == string(survey.TypeDiscover) })
}

// silent says that no server answers the guest's own question.
func (f *Facts) silent() bool { return f.discovered() && len(f.Offers) == 0 }

// unanswered says that no server answers, however it is asked.
func (f *Facts) unanswered() bool {
	return f.silent() && !slices.ContainsFunc(f.Variants, func(v Variant) bool { return v.Answered })
}

// asked is what came of asking in another way; nil when no server answered.
func (f *Facts) asked(name string) *Variant {
	return firstOf(f.Variants, func(v Variant) bool { return v.Name == name && v.Answered })
}

// given says that the lease is --address's: DHCP is not asked.
func (f *Facts) given() bool {
	v := f.merged(ValueAddress)
	return v != nil && v.Origin.Field == OurAddress
}

func (f *Facts) merged(name ValueName) *Value {
	return firstOf(f.Merged, func(v Value) bool { return v.Name == name })
}

// otherArchOnly: the server answers, or has a boot file, but for machines of
// another kind.
func otherArchOnly(f *Facts) *finding {
	if f.bootless() {
		return bootFileForOtherArch(f)
	}
	if !f.silent() {
		return nil
	}
	for _, v := range f.Variants {
		if v.Name == AskedArch && v.Answered {
			return broken(fmt.Sprintf("The DHCP server %s answers %s only.", v.Server, arch.FirmwareText(v.Arch)),
				fmt.Sprintf("%s answers as %s, and no server as %s", v.Server, arch.FirmwareText(v.Arch), arch.FirmwareText(f.Subject.Arch)),
				fmt.Sprintf("look for a rule on option 93 (dnsmasq: client-arch, dhcpd: pxe-system-type) that ignores or denies %s, and remove it, ", arch.FirmwareText(f.Subject.Arch))+orAsk(v))
		}
	}
	return nil
}

// orAsk is the end of a hint that has another way.
func orAsk(v Variant) string {
	return fmt.Sprintf("or ask as the machine that the server knows: --arch %d", v.Arch)
}

// bootFileForOtherArch: who names the boot file need not be who gives the address.
func bootFileForOtherArch(f *Facts) *finding {
	named := slices.DeleteFunc(slices.Clone(f.Variants), func(v Variant) bool { return v.Name != AskedArch || !v.Answered || v.BootFile == "" })
	if len(named) == 0 {
		return nil
	}
	v, code := named[0], f.Subject.Arch
	var says []string
	for _, o := range named {
		if o.BootFrom == v.BootFrom {
			says = append(says, fmt.Sprintf("%s as %s", o.BootFile, arch.FirmwareText(o.Arch)))
		}
	}
	server, next := cmp.Or(v.BootFrom, v.Server), cmp.Or(v.NextServer, f.Lease.NextServer, v.Server)
	d := broken(fmt.Sprintf("The DHCP server %s names a boot file for %s only.", server, arch.FirmwareText(v.Arch)),
		fmt.Sprintf("%s says %s, and nothing as %s", server, list(says), arch.FirmwareText(code)),
		fmt.Sprintf("add a rule for option 93 = %d, %s, that names pxelinux.0, ", code, arch.FirmwareText(code))+orAsk(v), stanzas(
			fmt.Sprintf("dhcp-match=set:arch%d,option:client-arch,%[1]d\ndhcp-boot=tag:arch%[1]d,pxelinux.0,,%s", code, next),
			fmt.Sprintf("if option pxe-system-type = %02x:%02x { next-server %s; filename \"pxelinux.0\"; }", code>>8, code&0xff, next),
			fmt.Sprintf(`"client-classes": [ { "name": "arch%d", "test": "option[93].hex == 0x%04[1]x", "next-server": "%s", "boot-file-name": "pxelinux.0" } ]`, code, next))...)
	if len(says) > 1 {
		d.summary = fmt.Sprintf("The DHCP server %s names boot files for other architectures only.", server)
	}
	if v.Proxy { // of these servers dnsmasq alone can be one
		d.summary = strings.Replace(d.summary, "DHCP", "proxyDHCP", 1)
		d.evidence += fmt.Sprintf("; it gives no addresses: %s does", f.Lease.ServerID)
		d.stanzas = d.stanzas[:1]
	}
	return d
}

// onlyAsked is the cause that the server wants to be asked in another way.
func onlyAsked(name, summary, hint string) func(*Facts) *finding {
	return func(f *Facts) *finding {
		if !f.silent() {
			return nil
		}
		v := f.asked(name)
		if v == nil {
			return nil
		}
		return broken(summary, fmt.Sprintf("%s answers the question %q, and no server the guest's own", v.Server, name), hint)
	}
}

// poolEmpty: a server that has nothing to offer says nothing. That it is there
// shows when it is asked for something else than an address.
func poolEmpty(f *Facts) *finding {
	if !f.silent() {
		return nil
	}
	v := f.asked(AskedInform)
	if v == nil {
		return nil
	}
	return broken("A DHCP server is there, but has no address for this guest.",
		fmt.Sprintf("%s answers when it is asked for something else than an address (INFORM, or a REQUEST for an address of no network), but no DISCOVER, neither of this MAC nor of another", v.Server),
		"its pool is used up, or it serves known MACs only; see its leases and its log, and make the pool larger or add the guest (dnsmasq: dhcp-host="+f.Subject.MAC+",ADDRESS)"+f.madeUp(), stanzas(
			"dhcp-range=FIRST,LAST,1h",
			"range FIRST LAST;",
			`"pools": [ { "pool": "FIRST - LAST" } ]`)...)
}

func noServer(f *Facts) *finding {
	if !f.unanswered() {
		return nil
	}
	asked := 0
	for _, e := range f.Events {
		if e.Kind == string(survey.TypeDiscover) && !e.Failed {
			asked++
		}
	}
	evidence := fmt.Sprintf("%s of %s on %s, and no answer", console.Count(max(asked, 1), "DISCOVER"), f.Subject.MAC, f.bridgeName())
	if n := len(f.Variants); n > 0 {
		evidence += "; none either to " + console.Count(n, "question") + " asked in other ways (other architecture, without option 60, another MAC, ...)"
	}
	return broken("No DHCP server answers.", evidence,
		"see that a DHCP server runs and listens in that network, that it has a pool for it, that it serves guests it does not know (dhcpd: deny unknown-clients, deny booting; dnsmasq: dhcp-ignore=tag:!known), and that it logs this guest's DISCOVER; between networks a relay (ip helper-address) must pass it on"+f.madeUp())
}

// madeUp reminds of it that no server can know this guest.
func (f *Facts) madeUp() string {
	if !f.Subject.Random {
		return ""
	}
	return "; this MAC is made up: where guests are known by their MACs, name a guest's with --mac"
}

const lossHint = "see the error counters of the ports on the way (ip -s link, ethtool -S), the cable, duplex, and the server's load"

// packetLoss: what was answered to another question is answered to the guest's
// own, too, when it is asked often enough.
func packetLoss(f *Facts) *finding {
	if !f.Unsteady {
		return f.downloadLoss()
	}
	d := warning("Frames get lost between the guest and the DHCP server.",
		"the first DISCOVERs had no answer, and the same ones some seconds later had one",
		lossHint)
	return f.lossBreaks(d)
}

// lossBreaks says so where the boot does not get through, or not in time for that
// reason: few packets that come late make no line slow.
func (f *Facts) lossBreaks(d *finding) *finding {
	many := func(file File) bool { return file.Packets > 0 && file.Lost*10 >= file.Packets }
	if slow := tooSlow(f); slow != nil && slow.status == Fail && slices.ContainsFunc(f.Files, many) {
		d.raise()
		d.evidence += "; " + slow.evidence
	} else if f.getsLost() {
		d.raise()
	}
	return d
}

// downloadLoss: one packet of a hundred costs more time than all the others, as
// each one that is lost is waited for.
func (f *Facts) downloadLoss() *finding {
	for _, file := range f.downloads() {
		if size, _ := lostSize(file.Blocks); size != 0 || file.Reason != "" {
			continue // a reason of its own
		}
		const few = 3
		switch {
		case file.Result == plan.Silent && lossText(file.Blocks) != "":
			return broken("TFTP packets get lost on the way, and so many that the boot ends.",
				file.URL+" "+lossText(file.Blocks), lossHint).at(file.Role)
		case file.Result == plan.Found && file.Lost >= few && file.Lost*100 >= file.Packets:
			d := warning("TFTP packets get lost on the way, and the boot goes slowly.",
				fmt.Sprintf("of %s, %d packets of %d had to be asked for again", file.URL, file.Lost, file.Packets), lossHint)
			return f.lossBreaks(d).at(file.Role)
		}
	}
	return nil
}

// lossText says what tells of loss when the first block is asked for again: how many
// did not come, of all sizes, or that there is an answer now; "" for nothing.
func lossText(blocks []plan.Block) string {
	var parts []string
	answered := false
	for _, b := range blocks {
		if b.Lost > 0 {
			parts = append(parts, fmt.Sprintf("%d of %d did not come with %d bytes", b.Lost, b.Asked, b.Size))
		}
		answered = answered || b.All
	}
	switch {
	case len(parts) > 0:
		return "stopped to come; asked for its first block again and again, " + list(parts)
	case answered:
		return "did not come; asked again some seconds later, its server answered at once"
	}
	return ""
}

func proxyOnly(f *Facts) *finding {
	if len(f.Offers) == 0 || slices.ContainsFunc(f.Offers, func(o Offer) bool { return !o.Proxy }) {
		return nil
	}
	return broken("Only a proxyDHCP server answers, which gives no address.",
		fmt.Sprintf("%s says what to boot, and no server offers an address", f.Offers[0].Server),
		"start the DHCP server beside it, or let this one give addresses too (dnsmasq: dhcp-range without \"proxy\")")
}

// proxySilent: a ROM waits for what the proxy leaves open, and then goes by the
// DHCP server's boot file, where there is one.
func proxySilent(f *Facts) *finding {
	if len(f.SilentProxies) == 0 {
		return nil
	}
	server := f.SilentProxies[0]
	what, evidence := "proxyDHCP", fmt.Sprintf("the offer of %s does not say what to boot; it was asked there, and said nothing", server)
	if !slices.ContainsFunc(f.Offers, func(o Offer) bool { return o.Proxy && o.Server == server }) {
		what, evidence = "boot", fmt.Sprintf("a PXE boot menu names %s; it was asked there, and said nothing", server)
		if o := firstOf(f.Offers, func(o Offer) bool { return o.Value(ValueMenu) != "" }); o != nil {
			evidence = fmt.Sprintf("%s names it in its PXE boot menu (option 43); it was asked there, and said nothing", o.Server)
		}
	}
	d := warning(fmt.Sprintf("The %s server %s does not answer on port 4011.", what, server), evidence,
		"see that it runs, that it listens on UDP port 4011, and that no firewall on it drops that; or switch it off, if it does not belong here")
	if f.failsLater() {
		d.raise()
	}
	return d
}

// addressOffers are those with an address.
func (f *Facts) addressOffers() []Offer {
	return slices.DeleteFunc(slices.Clone(f.Offers), func(o Offer) bool { return o.Proxy })
}

// chosen is the offer whose address the guest takes; the first when none is
// marked.
func chosen(offers []Offer) Offer {
	if o := firstOf(offers, func(o Offer) bool { return o.Chosen }); o != nil {
		return *o
	}
	return offers[0]
}

// wrongVLANServer: a server of another network answers here. From the guest's
// place that looks like any second server, unless VLANs or relays show whose
// it is.
func wrongVLANServer(f *Facts) *finding {
	offers := f.addressOffers()
	if len(offers) == 0 {
		return nil
	}
	own := chosen(offers)
	for _, o := range offers {
		if o.VLAN != 0 && o.VLAN != f.Subject.VLAN {
			return leak(f, o, fmt.Sprintf("its frame has the tag of VLAN %d", o.VLAN))
		}
	}
	vlans := f.Subject.VLAN != 0 || f.Bridge != nil && f.Bridge.Filters
	for _, o := range offers {
		// All of one network that dom0 has elsewhere: then it is here, too.
		one := !slices.ContainsFunc(offers, func(p Offer) bool { return p.Address.Masked() != o.Address.Masked() })
		if n := f.elsewhere(o.Address); n != "" && (!one || len(offers) == 1) {
			here := f.bridgeName()
			if f.Subject.VLAN != 0 {
				here += fmt.Sprintf(", VLAN %d", f.Subject.VLAN)
			}
			return leak(f, o, fmt.Sprintf("%s is the network of dom0's %s, and not of %s", o.Address.Masked(), n, here))
		}
		if o.Address.Masked() == own.Address.Masked() {
			continue
		}
		// dom0's own address on the bridge says whose network this is.
		if f.here(o.Address) && !f.here(own.Address) {
			o, own = own, o
		}
		if vlans || o.Relay.IsValid() || own.Relay.IsValid() {
			return leak(f, o, fmt.Sprintf("%s offers %s, and %s offers %s", o.Server, o.Address, own.Server, own.Address))
		}
	}
	return nil
}

func leak(f *Facts, o Offer, evidence string) *finding {
	d := warning(
		fmt.Sprintf("A DHCP server of another network answers here: %s.", o.Server),
		fmt.Sprintf("%s (MAC %s)", evidence, cmp.Or(o.ServerMAC, "none")),
		fmt.Sprintf("find where the two networks meet: the switch port, bridge or relay through which %s (MAC %s) comes, and its VLAN", o.Server, cmp.Or(o.ServerMAC, "none")))
	if f.breaks(o) {
		d.raise()
	}
	return d
}

// elsewhere names the interface of dom0 that is in an address's network, but
// not on the guest's bridge.
func (f *Facts) elsewhere(a netip.Prefix) string {
	if f.Bridge == nil || f.here(a) {
		return ""
	}
	for _, n := range f.Bridge.Networks {
		if n.Address.Masked().Contains(a.Addr()) {
			return n.Interface
		}
	}
	return ""
}

// here says whether dom0 has an address of that network where the guest is.
func (f *Facts) here(a netip.Prefix) bool {
	if f.Bridge == nil {
		return false
	}
	own := f.Bridge.Name
	if f.Subject.VLAN != 0 {
		own = fmt.Sprintf("%s.%d", own, f.Subject.VLAN)
	}
	return slices.ContainsFunc(f.Bridge.Networks, func(n Network) bool {
		return n.Interface == own && n.Address.Masked().Contains(a.Addr())
	})
}

// breaks says whether a server that should not be there keeps the guest from
// booting: something goes wrong later, and the guest goes by what that server
// says.
func (f *Facts) breaks(o Offer) bool {
	return f.failsLater() && (o.Chosen || f.Lease.ServerID == o.Server || f.Lease.NextServer.IsValid() && f.Lease.NextServer == o.nextServer())
}

// twoBoots: a proxyDHCP server and another server say what to boot. Which of them a ROM
// takes depends on its maker, and on who answers first. Options 209 and 210 alone, which
// PXELINUX reads, are no boot file.
func twoBoots(f *Facts) *finding {
	says := func(o Offer) string {
		if menu := o.Value(ValueMenu); menu != "" {
			return "the menu " + menu
		}
		return o.Value(ValueBootFile)
	}
	for i, a := range f.Offers {
		for _, b := range f.Offers[i+1:] {
			if !a.Proxy && !b.Proxy || a.Server == b.Server || says(a) == "" || says(b) == "" || says(a) == says(b) {
				continue
			}
			d := warning(fmt.Sprintf("Two servers say what to boot, and not the same: %s and %s.", a.Server, b.Server),
				fmt.Sprintf("%s (MAC %s) says %s, and %s (MAC %s) %s: which one counts depends on the ROM, and on who answers first",
					a.Server, cmp.Or(a.ServerMAC, "none"), says(a), b.Server, cmp.Or(b.ServerMAC, "none"), says(b)),
				"let one of them say what to boot: take the boot file out of the other one, or switch it off")
			if f.failsLater() {
				d.raise()
			}
			return d
		}
	}
	return nil
}

// rogueServer: two servers answer and do not say the same.
func rogueServer(f *Facts) *finding {
	offers := f.addressOffers()
	if len(offers) < 2 || wrongVLANServer(f) != nil {
		return twoBoots(f)
	}
	own := chosen(offers)
	for _, o := range offers {
		if o.Server == own.Server {
			continue
		}
		var differ []string
		for _, name := range []ValueName{ValueNextServer, ValueBootFile, ValuePathPrefix, ValueConfigFile, ValueRouter} {
			a, b := own.Value(name), o.Value(name)
			if a != b {
				differ = append(differ, fmt.Sprintf("%s %s and %s", name, cmp.Or(a, "none"), cmp.Or(b, "none")))
			}
		}
		if own.Address.Masked() != o.Address.Masked() {
			differ = append(differ, fmt.Sprintf("network %s and %s", own.Address.Masked(), o.Address.Masked()))
		}
		if len(differ) == 0 {
			continue
		}
		d := warning(fmt.Sprintf("Two DHCP servers disagree: %s and %s.", own.Server, o.Server),
			fmt.Sprintf("%s (MAC %s) and %s (MAC %s) say: %s", own.Server, cmp.Or(own.ServerMAC, "none"), o.Server, cmp.Or(o.ServerMAC, "none"), strings.Join(differ, ", ")),
			"switch off the one that does not belong here, or let both say the same; its MAC tells the switch port")
		// The other server might be the right one, if it would lead elsewhere.
		if f.failsLater() && (o.boots() || own.Address.Masked() != o.Address.Masked()) && o.Value(ValueNextServer)+" "+o.Value(ValueBootFile) != own.Value(ValueNextServer)+" "+own.Value(ValueBootFile) {
			d.raise()
		}
		return d
	}
	return twoBoots(f)
}

// Find is what an offer says of one thing; nil for nothing.
func (o Offer) Find(name ValueName) *Value {
	return firstOf(o.Values, func(v Value) bool { return v.Name == name })
}

// Value is Find's value; "" for nothing.
func (o Offer) Value(name ValueName) string {
	if v := o.Find(name); v != nil {
		return v.Value
	}
	return ""
}

func (o Offer) nextServer() netip.Addr {
	a, _ := netip.ParseAddr(o.Value(ValueNextServer))
	return a
}

// boots says whether an offer names something to boot.
func (o Offer) boots() bool {
	return o.Value(ValueBootFile) != "" || o.Value(ValuePathPrefix) != "" || o.Value(ValueConfigFile) != ""
}

// failsLater says whether something goes wrong behind DHCP that another
// next-server, boot file or address would change.
func (f *Facts) failsLater() bool {
	for _, find := range []func(*Facts) *finding{
		addressInUse, nak, noAck, noFilename, nextServerUnreachable, nextServerWrong, tftpNotRunning, tftpSilent, tftpRefused,
		configEmpty, configMisnamed, noConfig, missing("kernel"), missing("initrd"),
	} {
		if d := find(f); d != nil && d.status == Fail {
			return true
		}
	}
	return false
}

// addressUnusable: who has the network's own address or the broadcast's is not
// answered.
func addressUnusable(f *Facts) *finding {
	a := f.Lease.Address
	what := noMachine(a.Addr(), a)
	if what == "" {
		return nil
	}
	if f.given() {
		return broken(fmt.Sprintf("--address says %s, which is %s.", a.Addr(), what), fmt.Sprintf("in %s no machine can have that one", a.Masked()), "say another address, or another netmask")
	}
	return broken(fmt.Sprintf("The DHCP server %s offers %s, which is %s.", f.Lease.ServerID, a.Addr(), what), fmt.Sprintf("in %s no machine can have that one, and none is answered that has it", a.Masked()),
		"correct the netmask (option 1), or take that address out of the pool and the host entries")
}

// noMachine says what an address is in a network that no machine there can have; ""
// for one that a machine can.
func noMachine(a netip.Addr, network netip.Prefix) string {
	if !a.Is4() || !network.IsValid() || network.Bits() > 30 || !network.Contains(a) {
		return ""
	}
	bits := a.As4()
	host := binary.BigEndian.Uint32(bits[:]) << network.Bits() >> network.Bits()
	switch host {
	case 0:
		return "the guest's network's own address"
	case ^uint32(0) >> network.Bits():
		return "the broadcast address of the guest's network"
	}
	return ""
}

// addressInUse: a guest declines such an address and is offered another one, so that
// it may boot all the same.
func addressInUse(f *Facts) *finding {
	in, offered, r := f.Lease.InUseBy, f.Lease.Address.Addr(), f.Request
	if r != nil && r.Declined.IsValid() {
		in, offered = r.Holder, r.Declined
	}
	refused := r != nil && r.Result == InUse
	if in == "" && !refused {
		return nil
	}
	evidence := cmp.Or(in, "a station") + " answers ARP for it"
	if f.given() {
		return broken(fmt.Sprintf("--address says %s, which another station has.", offered), evidence, "say one that is free")
	}
	if f.ARPForAll {
		return broken("A machine answers ARP for every address of the guest's network, and so each one looks taken.",
			fmt.Sprintf("%s answers ARP for %s, which is offered, and for addresses of %s taken at random", in, offered, f.Lease.Address.Masked()),
			"switch proxy ARP off in that machine for this network (Linux: sysctl -w net.ipv4.conf.all.proxy_arp=0, and of its interface, and proxy_arp_pvlan; Cisco: no ip local-proxy-arp)")
	}
	const hint = "find that station, or take the address out of the pool; two DHCP servers with the same pool do this, too"
	d := warning(fmt.Sprintf("The DHCP server offers %s, which another station has.", offered), evidence, hint)
	switch {
	case refused:
		d.status = Fail
		d.evidence += "; the guest declined it, and was offered no other that is free"
	case r == nil:
		d.evidence += "; a boot declines it and asks for another one, and what that comes to was not looked at"
		d.hint += "; check --request declines it, too, and goes on with the next one"
	default:
		d.evidence += fmt.Sprintf("; the guest declined it, and was given %s", f.Lease.Address.Addr())
	}
	return d
}

// vifAddress: the boot itself goes through, as it has a port of its own.
func vifAddress(f *Facts) *finding {
	a := f.Lease.Address.Addr()
	if !a.IsValid() || (xenout.VIF{IP: f.Subject.IP}).MayHave(a) {
		return nil
	}
	return warning("The lease is not the address that the vif says.", fmt.Sprintf("the vif says ip=%s, and the lease is %s", f.Subject.IP, a),
		"let both say the same: where dom0 filters by ip= (vif-common.sh), no frame of the guest's gets through with another address")
}

func nak(f *Facts) *finding {
	if f.Request == nil || f.Request.Result != Nakked {
		return nil
	}
	evidence := "it offers the address, and answers the REQUEST for it with NAK"
	if f.Request.Message != "" {
		evidence += fmt.Sprintf(", saying %q", f.Request.Message)
	}
	return broken(fmt.Sprintf("The DHCP server %s refuses what it offers.", cmp.Or(plan.Text(f.Lease.ServerID), "none")), evidence,
		"see its log for the reason; a second server that is authoritative for this network and does not know the address says NAK, too")
}

func noAck(f *Facts) *finding {
	if f.Request == nil || f.Request.Result != Unanswered {
		return nil
	}
	return broken(fmt.Sprintf("The DHCP server %s does not confirm what it offers.", cmp.Or(plan.Text(f.Lease.ServerID), "none")),
		"no answer to REQUEST", "see its log for this MAC: a failover partner that is down, or a relay that loses it")
}

// noNextServer: PXELINUX goes by the DHCP server's own address then, and other
// ROMs by nothing.
func noNextServer(f *Facts) *finding {
	if len(f.addressOffers()) == 0 {
		return nil
	}
	v := f.merged(ValueNextServer)
	if f.Lease.NextServer.IsValid() && (v == nil || v.Origin.Option != 54 && v.Origin.Field != dhcpclient.FieldSource) {
		return nil
	}
	next := netip.Addr{}
	if s := f.NextServer; s != nil && s.TFTP == PortAnswers && s.HasFile {
		next = s.Address
	}
	for _, s := range f.Others {
		if s.TFTP == PortAnswers {
			next = s.Address
		}
	}
	siaddr := "siaddr is 0.0.0.0"
	if o := chosen(f.addressOffers()); o.SIAddr.IsValid() {
		siaddr = fmt.Sprintf("siaddr is %s, which is no other machine's address", o.SIAddr)
	}
	d := broken("The offer names no next-server.", siaddr+", and neither option 66 nor sname leads to an address",
		"name the TFTP server", bootStanzas(next, f.Lease.BootFile)...)
	switch s := f.NextServer; {
	case !f.Lease.NextServer.IsValid():
	case f.Lease.BootFile == "" && f.bootless():
		return nil // it says nothing about booting at all
	case s == nil || s.TFTP == PortAnswers:
		d.status = Warn
		d.evidence += fmt.Sprintf("; the guest takes the DHCP server's own address %s, as PXELINUX does, and other ROMs do not", f.Lease.NextServer)
	default:
		d.evidence += fmt.Sprintf("; the DHCP server itself, %s, gives no files (TFTP: %s)", f.Lease.NextServer, s.TFTP)
	}
	return d
}

// bootless says that there is an address, and nothing to boot.
func (f *Facts) bootless() bool {
	l := f.Lease
	return len(f.addressOffers()) > 0 && l.BootFile == "" && l.PathPrefix == "" && l.ConfigFile == "" && !l.LocalBoot
}

func noFilename(f *Facts) *finding {
	if !f.bootless() {
		return nil
	}
	next := f.Lease.NextServer
	return broken("The offer names no boot file.", fmt.Sprintf("%s leaves the file field empty, and sends none of the options 67, 209 and 210", f.Lease.ServerID),
		"name it, or say --bootfile pxelinux.0 in bootloader_args", bootStanzas(next, "")...)
}

// filenameGarbage: bytes behind a name are part of it, and PXELINUX even takes
// them for the end of a directory (get_prefix in pxe.c).
func filenameGarbage(f *Facts) *finding {
	for _, name := range []ValueName{ValueBootFile, ValuePathPrefix, ValueConfigFile} {
		v := f.merged(name)
		if v == nil {
			continue
		}
		raw := strings.Trim(v.Raw, `"`)
		for strings.HasSuffix(raw, `\x00`) {
			raw = strings.TrimSuffix(raw, `\x00`)
		}
		if raw == "" {
			raw = v.Value
		}
		if raw == v.Value && strings.IndexFunc(v.Value, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '"' || r == '\'' }) < 0 {
			continue
		}
		hint := "write the name without spaces, quotes and line ends, and as text and not as a string of bytes; ROMs take what stands behind it for a part of it"
		if strings.Contains(raw, `\x00`) && v.Origin.Option != 0 {
			hint = fmt.Sprintf("name it once: a server that sends option %d twice sends one that is both (RFC 3396; dnsmasq: dhcp-boot, and no dhcp-option=%[1]d beside it)", v.Origin.Option)
		}
		d := warning(fmt.Sprintf("The %s has garbage in it.", name), fmt.Sprintf(`it is "%s", from %s`, raw, v.Origin.Label()), hint)
		if len(f.Search) > 0 && f.found() == nil && f.NextServer != nil && f.NextServer.TFTP == PortAnswers {
			d.raise()
		}
		return d
	}
	return nil
}

// otherGuests: a capture of a busy network has many, and one boot of it is judged.
func otherGuests(f *Facts) *finding {
	n := len(f.Guests) - 1
	if n < 1 {
		return nil
	}
	ask := "ask"
	if n == 1 {
		ask = "asks"
	}
	return note(fmt.Sprintf("%s %s for a lease in the capture besides %s; --mac says whose boot is judged, of %s",
		console.Count(n, "other machine"), ask, f.Subject.MAC, f.GuestList()))
}
