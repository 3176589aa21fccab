package labs

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"

	"github.com/gopxeboot/gopxeboot/internal/boot"
	"github.com/gopxeboot/gopxeboot/internal/check"
	"github.com/gopxeboot/gopxeboot/internal/console"
	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"github.com/gopxeboot/gopxeboot/internal/lab/real"
	"github.com/gopxeboot/gopxeboot/internal/plan"
)

// files is a machine that has the boot files, and that siaddr does not name.
const files = "192.168.1.5"

// tftpAt is a TFTP server of the tree on a machine of its own.
func (s *site) tftpAt(address string) *lab.Host {
	s.Helper()
	h := s.host("tftp", address+"/24")
	p, err := real.TFTPD(s.Context(), h, s.tree)
	s.started(h, p, err)
	return h
}

// router is a DHCP server that names itself as next-server, as they do whose
// pages set options 66 and 67, and has no files.
func (s *site) router(args ...string) {
	s.Helper()
	s.dhcp.BootFile, s.dhcp.NextServer = "", netip.Addr{}
	s.dnsmasqOn(s.lab().Servers, "", args...)
}

var namedReports = []report{
	{fault{"option 66, and no TFTP server where siaddr leads", check.NextServerWrong, isBroken, func(s *site) {
		s.tftpAt(files)
		s.router("--dhcp-option-force=66,"+files, "--dhcp-option-force=67,pxelinux.0")
	}}, []string{"The next-server 192.168.1.166 is the wrong machine", "option 66", files + " ", "has pxelinux.0", "dhcp-boot=pxelinux.0,," + files}, []string{"start the TFTP server"}},
	{fault{"option 66, and silence where siaddr leads", check.NextServerWrong, isBroken, func(s *site) {
		s.tftpAt(files)
		s.router("--dhcp-option-force=66,"+files, "--dhcp-option-force=67,pxelinux.0")
		s.deaf(s.lab().Servers)
	}}, []string{"The next-server 192.168.1.166 is the wrong machine", "option 66", "dhcp-boot=pxelinux.0,," + files}, []string{"firewall"}},
	{fault{"option 66, and no machine where siaddr leads", check.NextServerWrong, isBroken, func(s *site) {
		s.tftpAt(files)
		s.dhcp.NextServer = noMachine
		s.dnsmasqOn(s.lab().Servers, "", "--dhcp-option-force=66,"+files)
	}}, []string{"The next-server 192.168.1.77 is the wrong machine", "option 66", "dhcp-boot=pxelinux.0,," + files}, nil},
	{fault{"option 66 has a NUL behind it", check.NextServerWrong, isBroken, func(s *site) {
		s.tftpAt(files)
		s.dhcp.NextServer = server
		s.dhcpd(`option tftp-server-name "` + files + `\000";`)
	}}, []string{"option 66", "next-server " + files + ";"}, nil},
	{fault{"option 150 has two addresses", check.NextServerWrong, isBroken, func(s *site) {
		s.tftpAt(files)
		s.router("--dhcp-option-force=150,192.168.1.77,"+files, "--dhcp-option-force=67,pxelinux.0")
	}}, []string{"option 150", "dhcp-boot=pxelinux.0,," + files}, []string{"start the TFTP server"}},
	{fault{"sname is an address", check.NextServerWrong, isBroken, func(s *site) {
		s.tftpAt(files)
		s.dhcp.NextServer = server
		s.dhcpd(`server-name "` + files + `";`)
	}}, []string{"sname", "next-server " + files + ";"}, nil},
	{fault{"boot servers in option 43", check.NextServerWrong, isBroken, func(s *site) {
		s.tftpAt(files)
		s.dhcp.NextServer = server
		s.dhcpd(`option vendor-class-identifier "PXEClient";`, "option vendor-encapsulated-options 06:01:08:08:0b:00:00:02:c0:a8:01:a6:c0:a8:01:05:ff;")
	}}, []string{"option 43.8", "next-server " + files + ";"}, nil},
	{fault{"option 66 is a name, and siaddr another machine", check.NextServerWrong, isBroken, func(s *site) {
		s.tftpAt(files)
		s.names("tftp.lab.example", files)
		s.router("--dhcp-option=option:dns-server,192.168.1.166", "--dhcp-option-force=66,tftp.lab.example", "--dhcp-option-force=67,pxelinux.0")
	}}, []string{"option 66", `"tftp.lab.example"`, "dhcp-boot=pxelinux.0,," + files}, []string{"start the TFTP server"}},
	{fault{"option 66 is a name, and there is no siaddr", check.Fine, fine, func(s *site) {
		s.tftpAt(files)
		s.dhcp.NextServer = netip.Addr{}
		s.dhcpd(`option tftp-server-name "tftp.lab.example";`, "option domain-name-servers 192.168.1.166;")
		s.names("tftp.lab.example", files)
	}}, nil, nil},
	{fault{"option 66 is a name that DNS does not know", check.NoNextServer, isBroken, func(s *site) {
		s.dhcp.NextServer = netip.Addr{}
		s.dhcpd(`option tftp-server-name "tftp.lab.example";`, "option domain-name-servers 192.168.1.166;")
		s.names("other.lab.example", files)
	}}, []string{`option 66 says "tftp.lab.example"`, "no address (NameError)"}, nil},
	{fault{"option 66 is a name, and there is no DNS server", check.NoNextServer, isBroken, func(s *site) {
		s.dhcp.NextServer = netip.Addr{}
		s.dhcpd(`option tftp-server-name "tftp.lab.example";`)
	}}, []string{`option 66 says "tftp.lab.example"`, "no DNS server"}, nil},
}

// names is a DNS server on the servers' machine that knows one name.
func (s *site) names(name, address string) {
	s.Helper()
	labtest.Until(s, s.lab().Servers, "started", "dnsmasq", "--keep-in-foreground", "--user=root", "--group=root", "--conf-file=/dev/null",
		"--log-facility=-", "--pid-file=", "--no-resolv", "--no-hosts", "--local=/example/", "--host-record="+name+","+address)
}

func TestNamed(t *testing.T) { testReports(t, namedReports) }

// preview is what `plan` finds out, and what it says.
func (s *site) preview() (p *plan.Plan, said string, err error) {
	s.Helper()
	var text bytes.Buffer
	p, err = boot.Preview(s.Context(), s.request, console.New(&text, console.Normal))
	return p, text.String(), err
}

// The boot looks a name in option 66 up, as the check does.
func TestNamedBoot(t *testing.T) {
	t.Parallel()
	const name = "tftp.lab.example"
	for _, test := range []struct {
		name, known string
		says        string // the error; "" for none
	}{
		{"known", name, ""},
		{"unknown", "other.lab.example", `can't resolve tftp.lab.example: 192.168.1.166: no address (NameError)`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.tftpAt(files)
			s.dhcp.NextServer = netip.Addr{}
			s.dhcpd(`option tftp-server-name "`+name+`";`, "option domain-name-servers 192.168.1.166;")
			s.names(test.known, files)
			p, said, err := s.preview()
			if test.says == "" {
				if err != nil || p.Lease.NextServer.String() != files || !strings.Contains(said, "next-server "+name+" is "+files) {
					t.Errorf("%v, next-server %s; it says:\n%s", err, p.Lease.NextServer, said)
				}
				return
			}
			if err == nil || !strings.HasPrefix(err.Error(), "config:") || !strings.Contains(err.Error(), test.says) || !strings.Contains(said, test.says) {
				t.Errorf("%v, and no word of %s; it says:\n%s", err, test.says, said)
			}
		})
	}
}

// A boot that finds nothing where siaddr leads says what option 66 names.
func TestOption66Boot(t *testing.T) {
	t.Parallel()
	for _, other := range []string{files, "tftp.lab.example"} {
		t.Run(other, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.tftpAt(files)
			s.router("--dhcp-option-force=66,"+other, "--dhcp-option-force=67,pxelinux.0")
			_, _, err := s.preview()
			if err == nil || !strings.Contains(err.Error(), "DHCP names "+other+" in option 66") || strings.Contains(err.Error(), "--server") != (other == files) {
				t.Errorf("%v", err)
			}
		})
	}
}
