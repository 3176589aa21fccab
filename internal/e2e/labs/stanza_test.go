package labs

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/check"
	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
)

// dialect is how a DHCP server is told something: dnsmasq by arguments, dhcpd by
// statements, Kea by members of Dhcp4.
type dialect struct {
	name  string // as it stands before the stanza
	start func(s *site, stanza string)
}

var (
	inDnsmasq = dialect{"dnsmasq", func(s *site, stanza string) { s.dnsmasq(dnsmasqArguments(stanza)...) }}
	inDHCPD   = dialect{"ISC dhcpd", func(s *site, stanza string) { s.dhcpd(stanza); s.tftpd() }}
	// These have no files.
	inRouter = dialect{"dnsmasq", func(s *site, stanza string) { s.dnsmasqOn(s.lab().Servers, "", dnsmasqArguments(stanza)...) }}
	inBare   = dialect{"ISC dhcpd", func(s *site, stanza string) { s.dhcpd(stanza) }}
	inKea    = dialect{"Kea", func(s *site, stanza string) { s.keaWith(stanza); s.tftpd() }}
)

func dnsmasqArguments(stanza string) (arguments []string) {
	for line := range strings.SplitSeq(stanza, "\n") {
		if line != "" {
			arguments = append(arguments, "--"+line)
		}
	}
	return arguments
}

// What the verdict says to write, written, makes the lab boot.
func TestStanzas(t *testing.T) {
	t.Parallel()
	efiOnly := map[string]string{
		"dnsmasq":   "dhcp-match=set:efi,option:client-arch,7\ndhcp-boot=tag:efi,bootx64.efi",
		"ISC dhcpd": `if option pxe-system-type = 00:07 { filename "bootx64.efi"; }`,
		"Kea":       `"client-classes": [ { "name": "efi", "test": "option[93].hex == 0x0007", "boot-file-name": "bootx64.efi" } ]`,
	}
	for _, test := range []struct {
		name    string
		code    check.Code
		servers []dialect
		fault   func(s *site)
		already map[string]string             // what the server is told in the broken lab
		keeps   bool                          // and in the mended one
		fill    func(*site) *strings.Replacer // the words of the stanza that the reader knows
	}{
		{"no boot file", check.NoFilename, []dialect{inDnsmasq, inDHCPD, inKea}, func(s *site) {
			s.dhcp.BootFile, s.dhcp.NextServer = "", netip.Addr{}
		}, nil, false, nil},
		{"wrong next-server", check.NextServerWrong, []dialect{inDnsmasq, inDHCPD, inKea}, func(s *site) {
			s.host("wrong", "192.168.1.5/24")
			s.dhcp.BootFile, s.dhcp.NextServer = "", netip.Addr{}
		}, map[string]string{
			"dnsmasq": "dhcp-boot=pxelinux.0,,192.168.1.5", "ISC dhcpd": `next-server 192.168.1.5; filename "pxelinux.0";`,
			"Kea": `"next-server": "192.168.1.5", "boot-file-name": "pxelinux.0"`,
		}, false, nil},
		{"option 66 names the right machine", check.NextServerWrong, []dialect{inRouter, inBare}, func(s *site) {
			s.tftpAt(files)
			s.dhcp.BootFile, s.dhcp.NextServer = "", netip.Addr{}
		}, map[string]string{
			"dnsmasq":   "dhcp-option-force=66," + files + "\ndhcp-option-force=67,pxelinux.0",
			"ISC dhcpd": `next-server 192.168.1.166; filename "pxelinux.0"; option tftp-server-name "` + files + `";`,
		}, false, nil},
		{"wrong next-server, by a proxy", check.NextServerWrong, []dialect{{"dnsmasq", func(s *site, stanza string) { s.proxyHere(dnsmasqArguments(stanza)...) }}}, func(s *site) {
			s.wait = 3 * time.Second
			s.besides()
		}, map[string]string{"dnsmasq": "pxe-service=x86PC,Linux,pxelinux,192.168.1.77"}, false, nil},
		{"for UEFI only, by a proxy", check.OtherArchOnly, []dialect{{"dnsmasq", func(s *site, stanza string) { s.proxyHere(dnsmasqArguments(stanza)...) }}}, (*site).besides,
			map[string]string{"dnsmasq": "pxe-service=X86-64_EFI,Boot,bootx64.efi"}, true, nil},
		{"for UEFI only, by dnsmasq", check.OtherArchOnly, []dialect{inDnsmasq, inDHCPD}, func(s *site) {
			s.dhcp.BootFile, s.dhcp.NextServer = "", netip.Addr{}
		}, efiOnly, true, nil},
		{"for UEFI only, by Kea", check.OtherArchOnly, []dialect{inKea}, func(s *site) {
			s.dhcp.BootFile, s.dhcp.NextServer = "", netip.Addr{}
		}, efiOnly, false, nil},
		{"no pool", check.PoolEmpty, []dialect{inDnsmasq}, func(s *site) { s.elsewhere(); s.dhcp.Fixed = nil }, nil, false, func(s *site) *strings.Replacer {
			address := s.Servers.Addr().Next()
			return strings.NewReplacer("FIRST", address.String(), "LAST", address.String())
		}},
		{"no router", check.NextServerUnreachable, []dialect{inDnsmasq, inDHCPD, inKea}, func(s *site) {
			s.dhcp.NextServer = netip.MustParseAddr("10.99.0.1")
			s.dhcp.Router = netip.Addr{}
			s.farTFTP()
		}, map[string]string{"dnsmasq": "dhcp-option=option:router"}, false, func(*site) *strings.Replacer {
			return strings.NewReplacer("ADDRESS", "192.168.1.166")
		}},
		{"no DNS server", check.NoDNS, []dialect{inDnsmasq, inDHCPD, inKea}, func(s *site) {
			s.config(kernelAt("http://mirror.example/vmlinuz"))
			s.nginx("")
			labtest.Until(s, s.host("dns", "192.168.1.9/24"), "started, version", "dnsmasq", "--keep-in-foreground", "--user=root", "--group=root",
				"--conf-file=/dev/null", "--log-facility=-", "--pid-file=", "--no-resolv", "--no-hosts", mirror)
		}, nil, false, func(*site) *strings.Replacer { return strings.NewReplacer("ADDRESS", "192.168.1.9") }},
	} {
		for _, server := range test.servers {
			t.Run(test.name+" in "+server.name, func(t *testing.T) {
				t.Parallel()
				s := newSite(t)
				test.fault(s)
				server.start(s, test.already[server.name])
				facts, report := s.lookAt()
				if report.Verdict.Code != test.code {
					t.Fatalf("verdict %+v, want %s\n%s", report.Verdict, test.code, dump(facts, report))
				}
				stanza := ""
				for _, s := range report.Verdict.Stanzas {
					if s.Program == server.name {
						stanza = s.Text
					}
				}
				if stanza == "" {
					t.Fatalf("no stanza for %s in %q", server.name, report.Verdict.Hint)
				}
				mended := newSite(t)
				test.fault(mended)
				if test.fill != nil {
					stanza = test.fill(mended).Replace(stanza)
				}
				if test.keeps {
					stanza = test.already[server.name] + "\n" + stanza
				}
				server.start(mended, stanza)
				if facts, report := mended.lookAt(); report.ExitCode() != 0 {
					t.Errorf("after %s: verdict %+v\n%s", stanza, report.Verdict, dump(facts, report))
				}
			})
		}
	}
}

// keaWith starts Kea with more members of Dhcp4.
func (s *site) keaWith(members string) {
	s.Helper()
	subnet := fmt.Sprintf(`{"id": 1, "subnet": %q, "reservations": [ {"hw-address": %q, "ip-address": %q} ]}`,
		s.lab().Servers.Address.Masked(), lab.SampleMAC, s.dhcp.Fixed[lab.SampleMAC])
	if members != "" {
		members = ", " + members
	}
	if s.dhcp.NextServer.IsValid() && !strings.Contains(members, "next-server") {
		members += fmt.Sprintf(`, "next-server": %q, "boot-file-name": %q`, s.dhcp.NextServer, s.dhcp.BootFile)
	}
	labtest.Kea(s, s.lab().Servers, `"subnet4": [`+subnet+`]`+members)
}

// farTFTP gives the servers' machine an address in another network, so that it
// is its own router.
func (s *site) farTFTP() {
	s.Helper()
	labtest.Check(s, s.lab().Servers.Do(func() error { return labtest.AddAddress("lo", "10.99.0.1/32") }))
}
