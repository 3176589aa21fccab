package leases

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/gopxeboot/gopxeboot/dhcpclient"
	"github.com/gopxeboot/gopxeboot/dhcpclient/survey"
	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
)

// A survey tells what a lease would be, and where from, and takes none.
func TestSurvey(t *testing.T) {
	for _, c := range []struct {
		name   string
		dhcp   []string // the address's server
		second []string // another one, 192.168.1.167; nil is none
		boot   string   // Origins.BootFile and NextServer
		next   string
		offers string
		slow   time.Duration // how much later than the first the second answers
	}{
		{name: "dnsmasq", dhcp: []string{"--dhcp-boot=pxelinux.0"},
			boot: "option 67 of 192.168.1.166's OFFER", next: "siaddr of 192.168.1.166's OFFER",
			offers: "192.168.1.166 192.168.1.199"},
		{name: "dhcp-no-override", dhcp: []string{"--dhcp-boot=pxelinux.0,,192.168.1.5", "--dhcp-no-override"},
			boot: "file of 192.168.1.166's OFFER", next: "siaddr of 192.168.1.166's OFFER",
			offers: "192.168.1.166 192.168.1.199"},
		{name: "proxy", dhcp: []string{"--no-negcache"}, second: []string{"--dhcp-range=192.168.1.0,proxy", "--pxe-service=x86PC,Boot,pxelinux"},
			boot: "file of 192.168.1.167's ACK", next: "siaddr of 192.168.1.167's ACK",
			offers: "192.168.1.166 192.168.1.199, 192.168.1.167 proxy"},
		{name: "two", dhcp: []string{"--dhcp-boot=pxelinux.0", "--dhcp-no-override"},
			second: []string{"--dhcp-range=192.168.1.0,static,1h", "--dhcp-host=" + lab.SampleMAC + ",192.168.1.88", "--dhcp-boot=other.0", "--dhcp-no-override", "--dhcp-reply-delay=1"},
			boot:   "file of 192.168.1.166's OFFER", next: "siaddr of 192.168.1.166's OFFER",
			offers: "192.168.1.166 192.168.1.199, 192.168.1.167 192.168.1.88",
			slow:   2 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := labtest.New(t, lab.Config{})
			if c.second != nil {
				second, err := l.AddHost(t.Context(), lab.HostConfig{Name: "second", Address: prefix("192.168.1.167/24")})
				labtest.Check(t, err)
				labtest.Dnsmasq(t, second, c.second...)
			}
			server := labtest.Dnsmasq(t, l.Servers, append([]string{"--dhcp-range=192.168.1.0,static,1h", fixed}, c.dhcp...)...)
			for _, at := range both {
				client := client(t, l, at)
				s, err := survey.Run(t.Context(), client, survey.Config{Wait: 300*time.Millisecond + c.slow})
				if err != nil {
					t.Fatal(err)
				}
				if strings.Contains(server.Log(), "DHCPREQUEST") {
					t.Errorf("--net %s: the survey took a lease:\n%s", at, server.Log())
				}
				if s.Lease == nil {
					t.Fatalf("--net %s: no lease in %+v", at, s)
				}
				if got := s.Origins.BootFile.String(); got != c.boot {
					t.Errorf("--net %s: boot file %s, want %s", at, got, c.boot)
				}
				if got := s.Origins.NextServer.String(); got != c.next {
					t.Errorf("--net %s: next-server %s, want %s", at, got, c.next)
				}
				var offers []string
				for _, o := range s.Offers() {
					gives := o.Offer.Address.String()
					if o.Offer.Proxy {
						gives = "proxy"
					}
					offers = append(offers, fmt.Sprintf("%s %s", o.Offer.Server, gives))
					if len(o.SourceMAC) != 6 || o.From.Addr() != o.Offer.Server || o.Delay <= 0 {
						t.Errorf("--net %s: an offer by %s, %s after %s", at, o.SourceMAC, o.From, o.Delay)
					}
				}
				slices.Sort(offers) // they answer at the same time
				if got := strings.Join(offers, ", "); got != c.offers {
					t.Errorf("--net %s: offers %s, want %s", at, got, c.offers)
				}
			}
			// The lease itself is what the survey said it would be; and it can be
			// given back.
			client := client(t, l, dom0Bridge)
			s, err := survey.Run(t.Context(), client, survey.Config{Wait: 300 * time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			got, err := lease(t, client)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(s.Lease, got, cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}), cmpopts.IgnoreFields(dhcpclient.Lease{}, "Offers"),
				cmpopts.IgnoreMapEntries(func(code uint8, _ []byte) bool { return code == 53 })); diff != "" {
				t.Errorf("(-survey +lease):\n%s", diff)
			}
			if err := client.Release(t.Context(), got); err != nil {
				t.Fatal(err)
			}
			labtest.Logged(t, server, "DHCPRELEASE(eth0) 192.168.1.199 "+lab.SampleMAC)
		})
	}
}

// Who answers a machine that says less, or other things, about itself.
func TestSurveyVariants(t *testing.T) {
	l := labtest.New(t, lab.Config{})
	labtest.Dnsmasq(t, l.Servers, "--dhcp-range=192.168.1.0,static,1h", fixed, "--dhcp-no-override",
		"--dhcp-match=set:bios,option:client-arch,0", "--dhcp-vendorclass=set:pxe,PXEClient",
		"--dhcp-boot=tag:pxe,tag:bios,pxelinux.0", "--dhcp-boot=tag:pxe,tag:!bios,bootx64.efi")
	c := client(t, l, ownPort)
	for _, v := range []struct {
		name      string
		rom       dhcpclient.ROM
		bootFile  string
		broadcast bool
	}{
		{"as it is", dhcpclient.ROM{}, "pxelinux.0", true},
		{"another architecture", uefi, "bootx64.efi", true},
		{"without option 60", dhcpclient.ROM{Options: map[uint8][]byte{60: nil}}, "", true},
		{"broadcast flag 0", dhcpclient.ROM{Unicast: true}, "pxelinux.0", false},
	} {
		t.Run(v.name, func(t *testing.T) {
			c.ROM = v.rom
			s, err := survey.Run(t.Context(), c, survey.Config{Wait: 300 * time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			if offers := s.Offers(); len(offers) != 1 || offers[0].Offer.BootFile != v.bootFile || offers[0].Broadcast() != v.broadcast {
				t.Errorf("offers %+v", offers)
			}
		})
	}
}
