package check

import (
	"cmp"
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/gopxeboot/gopxeboot/internal/console"
	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/pxelinux"
)

// better is another server that has what next-server should have, first of all
// one that DHCP names; nil when there is none.
func (f *Facts) better() *Station {
	if s := f.namedServer(); s != nil {
		return s
	}
	for _, hasFile := range []bool{true, false} {
		if s := firstOf(f.Others, func(s Station) bool { return s.TFTP == PortAnswers && s.HasFile == hasFile }); s != nil {
			return s
		}
	}
	return nil
}

func nextServerUnreachable(f *Facts) *finding {
	s := f.NextServer
	if s == nil || s.TFTP == PortAnswers || f.namedServer() != nil {
		return nil
	}
	if what := f.notAnother(s.Address); what != "" {
		next := netip.Addr{}
		if b := f.better(); b != nil {
			next = b.Address
		}
		d := broken(fmt.Sprintf("The next-server %s is %s.", s.Address, what), "no machine can be asked for files there: the guest's network is "+f.Lease.Address.Masked().String(), "name the TFTP server", bootStanzas(next, f.Lease.BootFile)...)
		d.code = NextServerWrong
		return d
	}
	if s.TFTP == PortClosed {
		return nil
	}
	hint, write := "correct next-server, or let the machine answer in this network", []Stanza(nil)
	if b := f.better(); b != nil {
		hint, write = fmt.Sprintf("a TFTP server answers at %s (%s): name that one", b.Address, b.Why)+f.inProxy(), f.bootStanzas(b.Address, f.Lease.BootFile)
	}
	address := fmt.Sprintf("The next-server %s can't be reached", s.Address)
	noRouter, router := "DHCP names no router", "the router that DHCP names,"
	if !f.Lease.ServerID.IsValid() { // the command line does
		noRouter, router = "no router is named", "the router"
	}
	switch {
	case s.Route == RouteNone && f.onWire(s.Address):
		return broken(address+": by the netmask it is in another network, and "+noRouter+".",
			fmt.Sprintf("the guest's network is %s, but %s itself answered DHCP, and no relay", f.Lease.Address.Masked(), s.Address),
			"correct the netmask (option 1)", stanzas("dhcp-range=FIRST,LAST,NETMASK,1h", "option subnet-mask NETMASK;", `"subnet": "NETWORK/BITS"`)...)
	case s.Route == RouteNone:
		return broken(address+": it is in another network, and "+noRouter+".",
			fmt.Sprintf("the guest's network is %s", f.Lease.Address.Masked()),
			"name the router of that network (option 3), or a next-server in it", stanzas("dhcp-option=option:router,ADDRESS", "option routers ADDRESS;", `"option-data": [ { "name": "routers", "data": "ADDRESS" } ]`)...)
	case s.ByRouter:
		return broken(address+": by the netmask it is in the guest's network, and it is behind the router.",
			fmt.Sprintf("in %s no machine answers ARP for it, and by way of the router %s it answers TFTP", f.Lease.Address.Masked(), f.Lease.Router),
			"correct the netmask (option 1)", stanzas("dhcp-range=FIRST,LAST,NETMASK,1h", "option subnet-mask NETMASK;", `"subnet": "NETWORK/BITS"`)...)
	case !s.there() && s.Route == RouteDirect && f.onWire(s.Address):
		return broken(address+": it does not answer ARP.", "it answers DHCP by a frame of its own, and no ARP request of the guest's",
			fmt.Sprintf("see what drops ARP there or on the way: arptables, sysctl net.ipv4.conf.all.arp_ignore, a bridge's filter, the switch's ARP inspection; and that %s is the address that it has on this network", s.Address))
	case !s.there() && s.Route == RouteDirect:
		return broken(address+": no machine in the guest's network has that address.", "no answer to ARP", hint, write...)
	case !s.there() && s.Route == RouteRouter && f.notAnother(f.Lease.Router) != "":
		return broken(fmt.Sprintf("%s: %s %s, is %s.", address, router, f.Lease.Router, f.notAnother(f.Lease.Router)), "the guest's network is "+f.Lease.Address.Masked().String(),
			"correct the router (option 3) in the DHCP server")
	case !s.there() && s.Route == RouteRouter && !f.Lease.Address.Contains(f.Lease.Router):
		return broken(fmt.Sprintf("%s: %s %s, is in another network than the guest.", address, router, f.Lease.Router), "the guest's network is "+f.Lease.Address.Masked().String(),
			"correct the router (option 3) or the netmask (option 1) in the DHCP server")
	case !s.there() && s.Route == RouteRouter:
		return broken(fmt.Sprintf("%s: the router %s does not answer.", address, cmp.Or(plan.Text(f.Lease.Router), "none")), "no answer to ARP for the router",
			"correct the router (option 3) in the DHCP server, or see that it is up")
	case f.dom0Lost():
		d := broken(address+" from dom0, which would download for the guest.", "dom0's kernel says: no route to host", "give dom0 an address or a route there")
		if s.TFTP == PortSilent {
			d.evidence = fmt.Sprintf("the guest's network is %s, and dom0 has no address in it: it asks elsewhere", f.Lease.Address.Masked())
		}
		if f.Bridge == nil || f.Bridge.Kind == "bridge" {
			d.hint += ", or take --net guest, which needs none"
		}
		return d
	case s.TFTP == PortUnreachable:
		evidence := "the network says: no route to host"
		if s.Rejected != nil {
			evidence = fmt.Sprintf("%s says: %s", s.Rejected.By, s.Rejected)
		}
		return broken(address+".", evidence, "see the routes and filters between "+f.Lease.Address.Masked().String()+" and that machine; "+hint, write...)
	}
	return nil
}

// byOptions is a cause of a lease that the command line has in the place of DHCP's: its
// options are what to correct.
func byOptions(find func(*Facts) *finding) func(*Facts) *finding {
	return func(f *Facts) *finding {
		d := find(f)
		if d == nil || f.Lease.ServerID.IsValid() || d.code == NextServerWrong {
			return d
		}
		d.stanzas = nil
		switch s := f.NextServer; {
		case s.Route == RouteNone:
			d.hint = "name the router of that network with --router, or a --server in it"
		case s.ByRouter:
			d.hint = "correct the netmask, which is what is behind the / of --address"
		case !s.there() && s.Route == RouteRouter:
			d.hint = "correct --router, or see that it is up"
		case !s.there():
			d.hint = "correct --server, or see that the machine is up and in this network"
		}
		return d
	}
}

// notAnother says what an address is that is no other machine's; "" for one that may
// be.
func (f *Facts) notAnother(a netip.Addr) string {
	if a == f.Lease.Address.Addr() {
		return "the guest's own address"
	}
	return noMachine(a, f.Lease.Address)
}

// inProxy says which server a hint is for where a proxyDHCP server names what boots,
// and what of it; "" where none does.
func (f *Facts) inProxy() string {
	v := f.merged(ValueBootFile)
	if v == nil || !slices.ContainsFunc(f.Offers, func(o Offer) bool { return o.Proxy && (o.Server == v.From || o.From == v.From) }) {
		return ""
	}
	return fmt.Sprintf(", in the proxyDHCP server %s (dnsmasq: in the place of its pxe-service)", v.From)
}

// bootStanzas is bootStanzas for who names what boots: a dnsmasq that is a proxyDHCP
// server goes by pxe-service, and says nothing without one.
func (f *Facts) bootStanzas(next netip.Addr, file string) []Stanza {
	list := bootStanzas(next, file)
	if f.inProxy() != "" && next.IsValid() {
		system := "x86PC"
		if f.Subject.Arch != 0 {
			system = strconv.Itoa(int(f.Subject.Arch))
		}
		list[0].Text = fmt.Sprintf("pxe-service=%s,Boot,%s,%s", system, inStanza(cmp.Or(file, "pxelinux.0")), next)
	}
	return list
}

func nextServerWrong(f *Facts) *finding {
	s, b := f.NextServer, f.better()
	if s == nil || b == nil {
		return nil
	}
	evidence, step := "", ""
	switch {
	case s.TFTP == PortClosed:
		evidence = "nothing listens on its port 69"
	case s.TFTP == PortUnreachable && f.namedServer() != nil, s.TFTP == PortSilent && !s.there() && b.HasFile:
		evidence = "it can't be reached"
	case s.TFTP == PortSilent && b.HasFile && !s.AnswersFrom.IsValid():
		evidence = "it does not answer by TFTP"
	case s.TFTP == PortAnswers && !s.HasFile && b.HasFile && len(f.Search) > 0 && f.found() == nil:
		evidence, step = fmt.Sprintf("it has neither %s nor a configuration", s.Asked), "config"
	default:
		return nil
	}
	has := "answers TFTP"
	if b.HasFile {
		has = "has " + b.Asked
	}
	if s.MAC != "" && s.MAC == b.MAC && s.Route == RouteDirect && b.Route == RouteDirect {
		return broken(fmt.Sprintf("The next-server %s is the right machine, but not the address at which it serves files.", s.Address),
			fmt.Sprintf("%s; %s (%s) %s, and both answer ARP with the MAC %s", evidence, b.Address, b.Why, has, s.MAC),
			fmt.Sprintf("name %s, or let the TFTP server listen on both (tftpd-hpa: --address :69, dnsmasq: listen-address=%[1]s,%[2]s)", b.Address, s.Address),
			bootStanzas(b.Address, f.Lease.BootFile)...).at(step)
	}
	return broken(fmt.Sprintf("The next-server %s is the wrong machine.", s.Address),
		fmt.Sprintf("%s, and %s (%s) %s", evidence, b.Address, b.Why, has), "name the right one"+f.inProxy(), f.bootStanzas(b.Address, f.Lease.BootFile)...).at(step)
}

func tftpNotRunning(f *Facts) *finding {
	s := f.NextServer
	if s == nil || s.TFTP != PortClosed {
		return nil
	}
	return broken(fmt.Sprintf("No TFTP server runs on the next-server %s.", s.Address),
		"the machine is up, and says that nothing listens on its UDP port 69",
		"start the TFTP server there (systemctl status tftpd-hpa; dnsmasq: enable-tftp and tftp-root), or name the machine where it runs as next-server; a firewall there that rejects UDP as a closed port does (iptables' REJECT by itself) looks the same")
}

// onWire says whether a machine answered DHCP from the guest's own network.
func (f *Facts) onWire(a netip.Addr) bool {
	return slices.ContainsFunc(f.Offers, func(o Offer) bool { return o.From == a && !o.Relay.IsValid() })
}

// tftpOtherAddress: who asks one machine takes no answer from another (RFC 1350
// §4, and PXELINUX connects its socket). A server with two addresses may answer
// from the wrong one.
func tftpOtherAddress(f *Facts) *finding {
	s := f.NextServer
	if s == nil || s.TFTP != PortSilent || !s.AnswersFrom.IsValid() {
		return nil
	}
	return broken(fmt.Sprintf("The TFTP server %s answers from another address, %s.", s.Address, s.AnswersFrom),
		fmt.Sprintf("the answer to the request for %s comes from %s, and a ROM takes none but from %s", s.Asked, s.AnswersFrom, s.Address),
		fmt.Sprintf("let it listen on that address only (tftpd-hpa: --address %s:69, dnsmasq: listen-address=%[1]s), see NAT and VRRP on the way, or name the other address", s.Address), bootStanzas(s.AnswersFrom, f.Lease.BootFile)...)
}

func tftpSilent(f *Facts) *finding {
	s := f.NextServer
	hint := "see that the TFTP server runs, and that no firewall on it or on the way drops UDP: requests go to port 69, answers come from another port"
	if s != nil && s.TFTP == PortSilent {
		if s.NoTFTP != "" {
			return broken(fmt.Sprintf("What listens on the TFTP port of %s answers, and not by TFTP.", s.Address),
				fmt.Sprintf("to the request for %s it sends %s", s.Asked, s.NoTFTP), "see what listens on UDP port 69 there (ss -ulpn), and start the TFTP server in its place; or name the machine where that runs as next-server")
		}
		evidence := "no answer to the request for " + s.Asked
		switch {
		case s.there() && s.Route == RouteRouter:
			evidence += fmt.Sprintf("; the router %s answers ARP, and nothing is known of the way behind it", f.Lease.Router)
			hint += "; see that the router knows the way there, and that the server knows the way back to " + f.Lease.Address.Masked().String()
		case s.there():
			if s.MAC != "" {
				evidence += ", while the way there is up: " + s.MAC + " answers ARP"
			}
			hint += fmt.Sprintf("; see that the server's own netmask is right (there: ip route get %s)", f.Lease.Address.Addr())
		}
		return broken(fmt.Sprintf("The TFTP server %s does not answer.", s.Address), evidence, hint)
	}
	if i := slices.IndexFunc(f.Search, func(t plan.Try) bool {
		return t.Result == plan.Silent && t.Meant == "" && strings.HasPrefix(t.URL, "tftp:")
	}); i >= 0 && f.found() == nil {
		return broken("The TFTP server does not answer any more.", "no answer to the request for "+f.Search[i].URL, hint).at("config")
	}
	return nil
}

// found is the name under which PXELINUX finds the configuration; nil for none.
func (f *Facts) found() *plan.Try {
	return firstOf(f.Search, func(t plan.Try) bool { return t.Result == plan.Found && t.Meant == "" })
}

// Searched are the names that the boot program asks for.
func (f *Facts) Searched() []plan.Try {
	return slices.DeleteFunc(slices.Clone(f.Search), func(t plan.Try) bool { return t.Meant != "" })
}

// tries are the names of the search path with that result.
func (f *Facts) tries(result plan.Result) []plan.Try {
	return slices.DeleteFunc(f.Searched(), func(t plan.Try) bool { return t.Result != result })
}

func tftpRefused(f *Facts) *finding {
	// No directory of that name is no lack of rights.
	tries := slices.DeleteFunc(f.tries(plan.Refused), func(t plan.Try) bool { return strings.Contains(t.Message, "ot a directory") })
	if len(tries) == 0 {
		return nil
	}
	t := tries[0]
	d := broken("The server refuses to give the configuration.", fmt.Sprintf("%s: %s", t.URL, t.Message), cmp.Or(Hint(t.Reason, cmp.Or(t.At, t.URL)), refusalHint(t.URL, t.Message)))
	if len(tries) > 1 {
		d.evidence += fmt.Sprintf(" (and %s more)", console.Count(len(tries)-1, "name"))
	}
	if found := f.found(); found != nil {
		d.status = Warn
		d.summary = fmt.Sprintf("The server refuses %s, and so %s is used.", cmp.Or(base(t.URL), t.URL), base(found.URL))
	}
	return d
}

// refusalHint goes by what servers say with the error's number.
func refusalHint(link, message string) string {
	switch message = strings.ToLower(message); {
	case strings.Contains(message, "absolute"):
		return "start the TFTP server with its root directory, to which names are relative (tftpd-hpa: --secure DIRECTORY), or name the boot file with its whole path"
	case strings.Contains(message, "is a directory") && strings.HasSuffix(link, "/"):
		return "name a file there, as option 209 does not take a directory, or leave the option out"
	case strings.Contains(message, "is a directory"):
		return "a directory has that name: put a file in its place"
	}
	if message == "" || slices.ContainsFunc([]string{"(code 2)", "permission", "denied", "access"}, func(word string) bool { return strings.Contains(message, word) }) {
		return "let everybody read the file and pass the directories on the way (chmod a+r, a+x), and see that it is below the server's root; SELinux refuses, too (restorecon -R), and dnsmasq with tftp-secure what its user does not own"
	}
	return "see the TFTP server's log for that file"
}

func configEmpty(f *Facts) *finding {
	tries := f.tries(plan.Empty)
	if len(tries) == 0 {
		return nil
	}
	name := tries[0].URL
	d := broken("The configuration is empty.", name+" has 0 bytes, which PXELINUX takes for no file", "write the configuration into that file, or remove it")
	if found := f.found(); found != nil {
		d.status = Warn
		d.summary = fmt.Sprintf("%s is empty, and so %s is used.", base(name), base(found.URL))
	}
	return d
}

func configMisnamed(f *Facts) *finding {
	i := slices.IndexFunc(f.Search, func(t plan.Try) bool { return t.Meant != "" && t.Meant != MeantRoot && t.Result == plan.Found })
	if i < 0 {
		return nil
	}
	t := f.Search[i]
	if dir, file := path.Split(f.Lease.BootFile); f.found() == nil && f.Lease.PathPrefix == "" && path.Base(dir) == "pxelinux.cfg" {
		up := path.Join(path.Dir(path.Clean(dir)), file)
		return broken("The boot file is in pxelinux.cfg itself, and PXELINUX looks for a pxelinux.cfg below it.",
			fmt.Sprintf("DHCP says boot file %s, so %s is asked for; %s is there", f.Lease.BootFile, f.Searched()[0].URL, t.URL),
			"move the boot file up, and name it there", bootStanzas(f.Lease.NextServer, up)...)
	}
	d := broken("The configuration has a name that PXELINUX does not ask for.", fmt.Sprintf("%s is there (%s)", t.URL, t.Meant),
		"call it pxelinux.cfg/"+f.meantName(base(t.URL)))
	if found := f.found(); found != nil {
		d.status = Warn
		d.summary = fmt.Sprintf("%s is never asked for, and so %s is used.", base(t.URL), base(found.URL))
	}
	return d
}

// meantName is the name that PXELINUX asks for in the place of a configuration's, and
// its rule: one for every guest is not to become this guest's.
func (f *Facts) meantName(name string) string {
	name = strings.TrimSuffix(strings.TrimSuffix(name, ".cfg"), ".txt")
	mac := "01-" + strings.ReplaceAll(strings.ToLower(f.Subject.MAC), ":", "-")
	asked := f.Searched()
	i := slices.IndexFunc(asked, func(t plan.Try) bool { return strings.EqualFold(base(t.URL), name) })
	switch a := f.Lease.Address.Addr(); {
	case a.Is4() && name == a.String():
		return fmt.Sprintf("%X: the address in hexadecimal, upper case", a.AsSlice())
	case i < 0, strings.EqualFold(name, mac):
		return mac + ": lower case, dashes, and 01- for Ethernet before the MAC"
	case a.Is4() && strings.EqualFold(name, fmt.Sprintf("%x", a.AsSlice())):
		return base(asked[i].URL) + ": the address in upper case"
	}
	return base(asked[i].URL) + ", in lower case and with nothing behind it"
}

func configUnreadable(f *Facts) *finding {
	if f.Config != nil && f.Config.Error != "" {
		return broken("The configuration can't be read.", f.Config.URL+": "+f.Config.Error, "see the file and what it includes")
	}
	if f.found() != nil {
		return nil
	}
	if tries := f.tries(plan.TooLarge); len(tries) > 0 {
		return broken("The configuration is too large.", tries[0].URL+": "+tries[0].Message,
			fmt.Sprintf("see what that file is; all files of a configuration together may have %s", console.Size(pxelinux.MaxBytes)))
	}
	for _, result := range []plan.Result{plan.Unreachable, plan.Silent} {
		if tries := f.tries(result); len(tries) > 0 {
			return broken("The server of the configuration can't be reached.", tries[0].URL+": "+tries[0].Message,
				cmp.Or(Hint(tries[0].Reason, cmp.Or(tries[0].At, tries[0].URL)), fmt.Sprintf("see that %s is up and can be reached from %s, and the path prefix (option 210) or the boot file that names it", whose("it", tries[0].URL, tries[0].At), f.Lease.Address.Masked())))
		}
	}
	tries := slices.DeleteFunc(slices.Clone(f.Search), func(t plan.Try) bool {
		return t.Meant != "" || t.Result.Missing() || t.Result == plan.Refused
	})
	if len(tries) > 0 {
		return broken("The configuration can't be read.", tries[0].URL+": "+tries[0].Message, "see the server's log for that file")
	}
	return nil
}

// whose is a server, in words; at is where a redirect of it leads.
func whose(words, link, at string) string {
	if at == "" {
		return words
	}
	return fmt.Sprintf("%s, to which %s redirects,", hostOf(at), hostOf(link))
}

func noConfig(f *Facts) *finding {
	asked := f.Searched()
	if len(asked) == 0 || f.found() != nil {
		return nil
	}
	first, last := asked[0].URL, asked[len(asked)-1].URL
	if d := f.cutPrefix(first); d != nil {
		return d
	}
	if i := slices.IndexFunc(f.Search, func(t plan.Try) bool { return t.Meant == MeantRoot && t.Result == plan.Found }); i >= 0 {
		return broken("The configuration is not in the boot file's directory.",
			fmt.Sprintf("%s asked for, from %s on, and none is there; but %s is", console.Count(len(asked), "name"), first, f.Search[i].URL),
			fmt.Sprintf("DHCP says boot file %s, and PXELINUX looks for everything in its directory below the TFTP server's root: say the boot file as the TFTP server sees it%s, or move the configuration there", f.Lease.BootFile, f.inProxy()), f.bootStanzas(f.Lease.NextServer, base(f.Lease.BootFile))...)
	}
	d := broken("The server has no configuration for this guest.",
		fmt.Sprintf("%s asked for, from %s to %s, and none is there", console.Count(len(asked), "name"), first, last),
		"put one there: "+last+" serves every guest")
	grub := asksGRUB(asked)
	what := otherProgram(f.Lease.BootFile)
	if what == "GRUB" {
		d.evidence += fmt.Sprintf("; the boot file %s is GRUB, which reads a grub.cfg", f.Lease.BootFile)
	}
	if len(grub) > 0 {
		d.evidence += "; grub.cfg was asked for in " + list(grub)
		if strings.HasPrefix(base(last), "grub.cfg") {
			d.hint = "put one there: " + grub[0] + "grub.cfg serves every guest"
		} else {
			d.hint += "; or a grub.cfg: " + grub[0] + "grub.cfg"
		}
	}
	if what == "GRUB" {
		d.hint += "; or let DHCP name pxelinux.0 for this guest, in the directory where the configuration is"
	} else if what != "" {
		d.evidence += fmt.Sprintf("; the boot file %s is %s, which is not PXELINUX and reads no such file", f.Lease.BootFile, what)
		d.hint += "; or let DHCP name pxelinux.0 for this guest, in the directory where the configuration is"
	}
	if s := f.NextServer; s != nil && s.Asked != "" && s.Asked == f.Lease.BootFile && !s.HasFile {
		d.evidence += fmt.Sprintf("; the boot file %s is not there either", s.Asked)
		d.hint += "; as the boot file is not there either, see the TFTP server's root directory and the boot file's path"
	}
	return d
}

// asksGRUB are the directories in which GRUB was looking for its grub.cfg: one, or the
// usual places where its image does not tell.
func asksGRUB(asked []plan.Try) (dirs []string) {
	for _, t := range asked {
		if dir, ok := strings.CutSuffix(t.URL, "grub.cfg"); ok && base(dir) == "" {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// cutPrefix: PXELINUX puts names right behind its prefix, which is option 210 as it
// is, or what of the boot file's name stands before its last plain word.
func (f *Facts) cutPrefix(asked string) *finding {
	l := f.Lease
	prefix := pxelinux.Host{BootFile: l.BootFile, PathPrefix: l.PathPrefix}.Prefix()
	if strings.HasPrefix(base(asked), "grub.cfg") || base(prefix) == "" || strings.HasSuffix(prefix, ":") || l.ConfigFile != "" || otherProgram(l.BootFile) != "" {
		return nil
	}
	const summary = "The path prefix does not end in a slash, and so PXELINUX looks in no directory."
	if l.PathPrefix != "" {
		return broken(summary, fmt.Sprintf("option 210 says %s, and %s is asked for", l.PathPrefix, asked), "put a slash behind it",
			Stanza{"dnsmasq", "dhcp-option-force=210," + l.PathPrefix + "/"})
	}
	plain := strings.TrimSuffix(l.BootFile, base(l.BootFile)) + strings.Map(func(r rune) rune {
		if pxelinux.Plain(r) {
			return r
		}
		return '-'
	}, base(l.BootFile))
	return broken(summary, fmt.Sprintf("of the boot file %s PXELINUX takes what is before the last letters, digits, dots and dashes: %s; and %s is asked for", l.BootFile, prefix, asked),
		fmt.Sprintf("rename the boot file to %s, and name it so", base(plain)), bootStanzas(l.NextServer, plain)...)
}

// otherProgram is what a boot file is by its name, when it is not PXELINUX.
func otherProgram(name string) string {
	name = strings.ToLower(base(name))
	has := func(words ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(name, w) })
	}
	switch {
	case strings.HasSuffix(name, ".ipxe"):
		return "a script for iPXE"
	case has("ipxe", "gpxe", "undionly", "snponly", ".kpxe", ".kkpxe"):
		return "iPXE"
	case has("grub", "shim") || name == "core.0":
		return "GRUB"
	case has("wdsnbp", "bootmgfw", "pxeboot.n12"):
		return "Windows'"
	case strings.HasSuffix(name, ".efi") && !has("syslinux"):
		return "a program for UEFI"
	}
	return ""
}

// base is the last part of a URL, or of a boot file's name: also where Windows
// named it.
func base(name string) string { return name[strings.LastIndexAny(name, `/\`)+1:] }
