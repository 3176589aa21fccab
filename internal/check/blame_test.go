package check

import (
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gopxeboot/gopxeboot/internal/plan"
)

// Who has nothing to do with what is wrong: a second DHCP server that says the same
// as the first, a machine that was asked for files and has none, the router, and the
// DNS server.
var (
	innocentDHCP    = netip.MustParseAddr("192.168.1.221")
	innocentStation = netip.MustParseAddr("192.168.1.222")
	innocentRouter  = netip.MustParseAddr("192.168.1.223")
	innocentDNS     = netip.MustParseAddr("192.168.1.224")
)

const innocentMAC = "02:00:00:00:02:21"

// bystanders puts them into the facts.
func bystanders(f *Facts) {
	if f.Lease.Router.IsValid() && (f.NextServer == nil || f.NextServer.Route != RouteRouter && !f.NextServer.ByRouter) {
		f.Lease.Router = innocentRouter
	}
	if len(f.Lease.DNS) > 0 {
		f.Lease.DNS = append(slices.Clone(f.Lease.DNS), innocentDNS)
	}
	if f.NextServer != nil {
		f.Others = append(slices.Clone(f.Others), Station{Address: innocentStation, Why: "a DHCP server", Route: RouteDirect, TFTP: PortSilent})
	}
	if len(f.Offers) == 0 {
		return
	}
	same := chosen(f.Offers)
	if same.Address.IsValid() {
		same.Address = netip.MustParsePrefix("192.168.1.98/24")
	}
	same.Server, same.From, same.ServerMAC, same.Chosen, same.Values = innocentDHCP, innocentDHCP, innocentMAC, false, slices.Clone(same.Values)
	for i := range same.Values {
		same.Values[i].From = innocentDHCP
	}
	f.Offers = append(slices.Clone(f.Offers), same)
}

// mayName are the machines that a verdict may have in its first line, as they are at
// fault, or the ones that it would be told from; of the codes that are not here, none.
var mayName = map[Code]func(f *Facts) []netip.Addr{
	AnswerTooLate:   func(f *Facts) []netip.Addr { return []netip.Addr{f.late().Server} },
	OfferUnreadable: func(f *Facts) []netip.Addr { return []netip.Addr{f.Unreadable[0].From} },
	OtherArchOnly: func(f *Facts) (list []netip.Addr) {
		for _, v := range f.Variants {
			if v.Name == AskedArch && v.Answered {
				list = append(list, v.Server, v.BootFrom)
			}
		}
		return list
	},
	ProxySilent: func(f *Facts) []netip.Addr { return f.SilentProxies },
	RogueServer: func(f *Facts) []netip.Addr { return []netip.Addr{f.Offers[0].Server, f.Offers[1].Server} },
	WrongVLANServer: func(f *Facts) (list []netip.Addr) {
		for _, h := range f.Heard {
			list = append(list, h.Server)
		}
		for _, o := range f.Offers {
			if o.VLAN != f.Subject.VLAN || o.Address.Masked() != netip.MustParsePrefix("192.168.1.0/24") {
				list = append(list, o.Server)
			}
		}
		return list
	},
	AddressInUse: func(f *Facts) []netip.Addr {
		if f.Request != nil && f.Request.Declined.IsValid() {
			return []netip.Addr{f.Request.Declined}
		}
		return []netip.Addr{f.Lease.Address.Addr()}
	},
	FirewallRejects: func(f *Facts) (list []netip.Addr) {
		rejected := []*plan.Rejected{f.NextServer.Rejected}
		for _, file := range f.downloads() {
			rejected = append(rejected, file.Rejected)
		}
		for _, r := range rejected {
			if r != nil {
				list = append(list, r.By, r.To)
			}
		}
		return list
	},
	Nak:                   leased,
	NoAck:                 leased,
	NextServerUnreachable: func(f *Facts) []netip.Addr { return []netip.Addr{f.NextServer.Address, f.Lease.Router} },
	NextServerWrong:       asked,
	TFTPNotRunning:        asked,
	TFTPSilent:            asked,
	TFTPDataBlocked:       asked,
	DuplicateAddress:      func(f *Facts) []netip.Addr { return []netip.Addr{f.NextServer.Address, f.Lease.Router} },
	AddressUnusable:       func(f *Facts) []netip.Addr { return []netip.Addr{f.Lease.ServerID, f.Lease.Address.Addr()} },
	TFTPNoOACK:            asked,
	FileUnreachable:       files,
	TLSExpired:            files,
	TLSUnknownCA:          files,
	TLSWrongName:          files,
	HTTPRefused:           files,
	DNSSilent: func(f *Facts) (list []netip.Addr) {
		for _, n := range f.Names {
			for _, s := range n.Failed {
				list = append(list, s.Address)
			}
		}
		return list
	},
	TFTPOtherAddress: func(f *Facts) []netip.Addr { return []netip.Addr{f.NextServer.Address, f.NextServer.AnswersFrom} },
}

func leased(f *Facts) []netip.Addr { return []netip.Addr{f.Lease.ServerID} }

func asked(f *Facts) []netip.Addr { return []netip.Addr{f.NextServer.Address} }

// files are the servers of what did not come.
func files(f *Facts) (list []netip.Addr) {
	links := []string{}
	for _, file := range f.Files {
		if file.Result != plan.Found {
			links = append(links, file.URL)
		}
	}
	for _, t := range f.Search {
		if t.Result != plan.Found && !t.Result.Missing() {
			links = append(links, t.URL)
		}
	}
	for _, link := range links {
		if u, err := url.Parse(link); err == nil {
			if a, err := netip.ParseAddr(u.Hostname()); err == nil {
				list = append(list, a)
			}
		}
	}
	return list
}

var addressText = regexp.MustCompile(`\b\d+\.\d+\.\d+\.\d+\b`)

// No verdict names a machine that is not at fault, whoever else is there, and none is
// another one for it.
func TestBlame(t *testing.T) {
	tried := map[Code]bool{}
	for _, test := range brokenLabs() {
		t.Run(test.name, func(t *testing.T) {
			f := example(t, "healthy")
			test.change(&f)
			bystanders(&f)
			v := Diagnose(f).Verdict
			if v.Code != test.code {
				t.Fatalf("with others there: %+v, want %s", v, test.code)
			}
			tried[v.Code] = true
			text := strings.Join([]string{v.Summary, v.Evidence, v.Hint}, "\n")
			for _, innocent := range []string{innocentDHCP.String(), innocentStation.String(), innocentRouter.String(), innocentDNS.String(), innocentMAC} {
				if strings.Contains(text, innocent) {
					t.Errorf("%s is in:\n%s", innocent, text)
				}
			}
			var may []netip.Addr
			if named := mayName[v.Code]; named != nil {
				may = named(&f)
			}
			for _, text := range addressText.FindAllString(v.Summary, -1) {
				if a, err := netip.ParseAddr(text); err == nil && !slices.Contains(may, a) {
					t.Errorf("%s is named in %q, and not at fault: %v", a, v.Summary, may)
				}
			}
		})
	}
	for _, c := range causes {
		if notes := []Code{WaitsForever, IncludeMissing, OtherGuests}; !tried[c.code] && !slices.Contains(notes, c.code) {
			t.Errorf("%s is in no lab of these", c.code)
		}
	}
}
