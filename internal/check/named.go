package check

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/gopxeboot/gopxeboot/dhcpclient"
	"github.com/gopxeboot/gopxeboot/dhcpclient/survey"
	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/internal/printable"
	"github.com/gopxeboot/gopxeboot/internal/wire"
)

// BootServer is a machine that an offer names for booting in another place than
// siaddr, by which ROMs go. Pages of routers have a field for one of these only.
type BootServer struct {
	Origin  Origin     `json:"origin"`  // option 66 or 150, sname, or PXE's boot servers, 8 in option 43
	Name    string     `json:"name"`    // where it is a name, printable; else ""
	Address netip.Addr `json:"address"` // also of a name that was looked up
	Message string     `json:"message"` // why the name has no address
}

// String is `option 66, "tftp.lab.example"`.
func (b BootServer) String() string {
	if b.Name == "" {
		return b.Origin.Label()
	}
	return fmt.Sprintf("%s, %q", b.Origin.Label(), b.Name)
}

// maxBootServers bounds how many of an offer are looked at.
const maxBootServers = 8

// bootServers are those of an offer, without siaddr.
func bootServers(m *survey.Seen) (list []BootServer) {
	add := func(b BootServer) {
		if len(list) < maxBootServers && (b.Name != "" || given(b.Address).IsValid() && b.Address != m.SIAddr) {
			list = append(list, b)
		}
	}
	addresses := func(o Origin, value []byte) {
		for ; len(value) >= 4; value = value[4:] {
			add(BootServer{Origin: o, Address: netip.AddrFrom4([4]byte(value))})
		}
	}
	text := func(o Origin, value []byte) {
		s := strings.TrimSpace(wire.Text(value))
		if a, err := netip.ParseAddr(s); err == nil {
			add(BootServer{Origin: o, Address: a})
		} else {
			add(BootServer{Origin: o, Name: printable.Text(s)})
		}
	}
	text(Origin{Option: 66}, m.Option(66))
	if _, options, _ := wire.Overload(m.Option(52)); !options {
		text(Origin{Field: dhcpclient.FieldSName}, m.SName)
	}
	addresses(Origin{Option: 150}, m.Option(150))
	if strings.HasPrefix(string(m.Option(60)), "PXEClient") { // else 43 is another vendor's
		wire.WalkOptions(m.Option(43), func(code uint8, value []byte) {
			// A type of server, and how many addresses it has (PXE 2.1, table 2-1).
			for code == 8 && len(value) >= 3 && len(value) >= 3+4*int(value[2]) {
				addresses(Origin{Option: 43, Inside: 8}, value[3:3+4*int(value[2])])
				value = value[3+4*int(value[2]):]
			}
		})
	}
	return list
}

// Found says what came of looking a name up.
func (f *Facts) Found(name string, a netip.Addr, err error) {
	for i := range f.Offers {
		for j := range f.Offers[i].BootServers {
			if b := &f.Offers[i].BootServers[j]; b.Name == printable.Text(name) {
				b.Address = a
				if err != nil {
					b.Message = printable.Text(err.Error())
				}
			}
		}
	}
	if v := f.merged(ValueServerName); v != nil && err == nil && v.Value == printable.Text(name) {
		f.Lease.NextServer = a
		f.Merged = Replaced(f.Merged, Value{Name: ValueNextServer, Value: plan.Text(a), Origin: v.Origin, From: v.From})
	}
}

// namedServer is the machine that an offer names in another place than siaddr,
// and that has the boot file; nil for none.
func (f *Facts) namedServer() *Station {
	return firstOf(f.Others, func(s Station) bool {
		return s.TFTP == PortAnswers && s.HasFile && slices.ContainsFunc(f.Offers, func(o Offer) bool {
			return slices.ContainsFunc(o.BootServers, func(b BootServer) bool { return b.Address == s.Address })
		})
	})
}

// elsewhereNamed is a boot server of which nothing is known: a name that can't be
// looked up, or one that was not asked, as it can't be in a capture; nil for none.
func (f *Facts) elsewhereNamed() *BootServer {
	for _, o := range f.Offers {
		if i := slices.IndexFunc(o.BootServers, func(b BootServer) bool {
			asked := func(s Station) bool { return s.Address == b.Address }
			return b.Name != "" && b.Message != "" || !slices.ContainsFunc(f.Others, asked) && (f.NextServer == nil || !asked(*f.NextServer))
		}); i >= 0 {
			return &o.BootServers[i]
		}
	}
	return nil
}

// withNames is a cause that says, too, that DHCP names another boot server: it may be
// the right one.
func withNames(find func(*Facts) *finding) func(*Facts) *finding {
	return func(f *Facts) *finding {
		d, b := find(f), f.elsewhereNamed()
		switch {
		case d == nil || b == nil:
		case b.Name != "":
			d.evidence += fmt.Sprintf("; %s says %q", b.Origin.Label(), b.Name) + because(b.Message)
			d.hint += fmt.Sprintf("; if %s is the TFTP server, name its address as next-server", b.Name)
		default:
			d.evidence += fmt.Sprintf("; %s says %s", b.Origin.Label(), b.Address)
			d.hint += fmt.Sprintf("; if %s is the TFTP server, name that as next-server", b.Address)
		}
		return d
	}
}
