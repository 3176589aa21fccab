package check

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/gopxeboot/gopxeboot/internal/plan"
)

// unresolved is about the names of servers that DNS has no address of, or late. A
// boot program then asks the boot server in their place (PXELINUX, pxe.c,
// url_set_ip), which is not to blame for what it lacks.
func unresolved(step string) func(*Facts) *finding {
	return func(f *Facts) *finding {
		for _, n := range append(slices.Clone(f.Names), f.neverAsked()...) {
			used, missing := f.uses(step, n.Name)
			if used == "" {
				continue
			}
			if d := f.dns(n, used); d != nil {
				if !missing {
					d.status = Warn
				}
				return d
			}
		}
		return nil
	}
}

// neverAsked are the names in URLs of files that are not to be had, which no DNS
// server could be asked for: a capture has no look-up of them.
func (f *Facts) neverAsked() (names []Name) {
	if len(f.Lease.DNS) > 0 {
		return nil
	}
	for _, file := range f.Files {
		host := hostOf(file.URL)
		_, err := netip.ParseAddr(host)
		known := slices.ContainsFunc(f.Names, func(n Name) bool { return n.Name == host })
		if file.Result != plan.Found && host != "" && err != nil && !known {
			names = append(names, Name{Name: host})
		}
	}
	return names
}

// uses is the file of a step that is asked for at a name, and whether it could
// not be had.
func (f *Facts) uses(step, name string) (link string, missing bool) {
	if step == "config" {
		for _, t := range f.Searched() {
			if hostOf(t.URL) == name {
				return t.URL, f.found() == nil
			}
		}
	}
	for _, file := range f.Files {
		if file.Role == step && hostOf(file.URL) == name {
			return file.URL, file.Result != plan.Found
		}
	}
	return "", false
}

// dns is what is wrong with the answer for a name; nil for nothing.
func (f *Facts) dns(n Name, link string) *finding {
	place := ""
	if !n.Address.IsValid() && f.Lease.NextServer.IsValid() {
		place = fmt.Sprintf("; so the boot server %s was asked in its place, as PXELINUX does", f.Lease.NextServer)
	}
	know := NameHint(n.Name)
	if len(f.Lease.DNS) == 0 && !n.Address.IsValid() {
		d := broken(fmt.Sprintf("DHCP names no DNS server (option 6), and %s is a name.", n.Name), link+" is asked for"+place, know, dnsStanzas()...)
		d.code = NoDNS
		return d
	}
	var silent, said []string
	for _, s := range n.Failed {
		if s.Silent {
			silent = append(silent, s.Address.String())
		}
		text := s.Message
		if !strings.Contains(text, s.Address.String()) {
			text = s.Address.String() + ": " + text
		}
		said = append(said, text)
	}
	switch evidence := strings.Join(said, ", ") + place; {
	case len(silent) > 0:
		verb := "does"
		if len(silent) > 1 {
			verb = "do"
		}
		cost := fmt.Sprintf("%s was looked up for %s: ", n.Name, secondsText(n.Millis/1000))
		if n.Address.IsValid() {
			evidence += fmt.Sprintf("; another one says %s", n.Address)
		}
		return broken(fmt.Sprintf("The DNS server %s %s not answer.", list(silent), verb), cost+evidence,
			fmt.Sprintf("see that the DNS server %s can be reached from %s; or %s", list(silent), f.Lease.Address.Masked(), know), dnsStanzas()...)
	case !n.Address.IsValid() && slices.ContainsFunc(n.Failed, func(s NameServer) bool { return !s.Silent }):
		d := broken(fmt.Sprintf("DNS has no address of %s.", n.Name), evidence,
			fmt.Sprintf("correct the name %s in the URL, or add it to the DNS server, which has no address of it (dnsmasq: host-record=%[1]s,ADDRESS)", n.Name))
		d.code = DNSNoAddress
		return d
	}
	return nil
}

// NameHint is what to do about a server's name that DNS has no address of.
func NameHint(name string) string {
	return fmt.Sprintf("let DHCP name a DNS server that knows %s (option 6), or write its address into the URL", name)
}

func dnsStanzas() []Stanza {
	return stanzas("dhcp-option=option:dns-server,ADDRESS", "option domain-name-servers ADDRESS;", `"option-data": [ { "name": "domain-name-servers", "data": "ADDRESS" } ]`)
}
