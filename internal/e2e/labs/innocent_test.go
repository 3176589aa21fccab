package labs

import (
	"testing"

	"github.com/gopxeboot/gopxeboot/internal/check"
)

// misnamed has the configuration under another name.
func misnamed(name string) func(*site) {
	return with(func(s *site) { s.move(configFile, "pxelinux.cfg/"+name) })
}

// misnamedReports are about configurations under names that PXELINUX does not ask for:
// what is for every guest is not to become this one's.
var misnamedReports = []report{
	{fault{"default.txt", check.ConfigMisnamed, isBroken, misnamed("default.txt")}, []string{"call it pxelinux.cfg/default, in lower case and with nothing behind it"}, []string{"01-"}},
	{fault{"Default", check.ConfigMisnamed, isBroken, misnamed("Default")}, []string{"call it pxelinux.cfg/default,"}, []string{"01-"}},
	{fault{"the address in lower case", check.ConfigMisnamed, isBroken, misnamed("c0a801c7")}, []string{"call it pxelinux.cfg/C0A801C7: the address in upper case"}, []string{"01-"}},
	{fault{"the address with dots", check.ConfigMisnamed, isBroken, misnamed("192.168.1.199")}, []string{"call it pxelinux.cfg/C0A801C7: the address in hexadecimal"}, []string{"01-"}},
	{fault{"the UUID in upper case", check.ConfigMisnamed, isBroken, misnamed("564D1C4F-0A1B-4C3D-8E5F-A0B1C2D3E4F5")}, []string{"the UUID in upper case", "call it pxelinux.cfg/564d1c4f-0a1b-4c3d-8e5f-a0b1c2d3e4f5,"}, []string{"01-"}},
	{fault{"the MAC with .cfg behind it", check.ConfigMisnamed, isBroken, misnamed("01-00-16-3e-72-79-e3.cfg")}, []string{"call it pxelinux.cfg/01-00-16-3e-72-79-e3: lower case"}, nil},
	{fault{"the MAC without dashes behind 01-", check.ConfigMisnamed, isBroken, misnamed("01-00163e7279e3")}, []string{"call it pxelinux.cfg/01-00-16-3e-72-79-e3: lower case, dashes"}, nil},
}

func TestMisnamed(t *testing.T) { testReports(t, misnamedReports) }

// innocents are labs in which a boot or the check once blamed who is not at fault.
var innocents = []report{
	{fault{"ONTIMEOUT names no label", check.LabelMissing, isBroken, configured("ontimeout nowhere\ntimeout 10\ndefault menu.c32\nlabel linux\n kernel vmlinuz\n append initrd=initrd.img\n")},
		[]string{"nowhere: file not found", "correct ONTIMEOUT, or add the label"}, []string{"DEFAULT"}},
	{fault{"iPXE is given iPXE again", check.IPXELoop, isBroken, func(s *site) {
		s.remove(configFile)
		s.file("netboot.xyz.kpxe", "not needed")
		s.dhcp.BootFile = "netboot.xyz.kpxe"
		s.dnsmasq()
	}}, []string{"config: DHCP names an iPXE program to iPXE, too", "name a script to iPXE"}, []string{"TFTP server runs"}},
	{fault{"a TFTP server that refuses all options", check.NoConfig, isBroken, func(s *site) {
		s.remove(configFile)
		s.dhcpd()
		s.refusesOptions()
	}}, []string{"12 names tried, none found", "put one there"}, []string{"chmod", "refuses"}},
}

// redirects has the web server send those who ask for the kernel on to there.
func redirects(to string) func(*site) {
	return func(s *site) {
		s.config(kernelAt("http://192.168.1.166/moved/vmlinuz"))
		s.dnsmasq()
		s.nginx("location /moved/ { return 302 " + to + "; }")
	}
}

// answersKernel has the web server do that with the kernel.
func answersKernel(statement string) func(*site) {
	return func(s *site) {
		s.config(kernelAt("http://192.168.1.166/vmlinuz"))
		s.dnsmasq()
		s.nginx("location /vmlinuz { " + statement + " }")
	}
}

// webInnocents are web servers that do another thing than refuse a file.
var webInnocents = []report{
	{fault{"a redirect to a machine that is down", check.FileUnreachable, isBroken, redirects("http://192.168.1.77/vmlinuz")},
		[]string{"it redirects to http://192.168.1.77/vmlinuz", "see that 192.168.1.77, to which 192.168.1.166 redirects, is up"}, []string{"ping"}},
	{fault{"a redirect to a port where no server is", check.HTTPRefused, isBroken, func(s *site) {
		s.host("other", files+"/24")
		redirects("http://192.168.1.5/vmlinuz")(s)
	}},
		[]string{"start the server on 192.168.1.5 ("}, []string{"start the server on 192.168.1.166"}},
	{fault{"redirects in a circle", check.FileUnreadable, isBroken, redirects("http://192.168.1.166/moved/vmlinuz")},
		[]string{"more than 5 redirects", "curl -IL"}, []string{"chmod"}},
	{fault{"a Content-Encoding that is none", check.FileUnreadable, isBroken, answersKernel("add_header Content-Encoding gzip;")},
		[]string{"without Content-Encoding", "AddEncoding"}, []string{"chmod", "flate:"}},
	{fault{"an internal error", check.FileUnreadable, isBroken, answersKernel("return 500;")},
		[]string{"500 Internal Server Error", "see the error log of the web server on 192.168.1.166"}, []string{"chmod"}},
}

func TestWebInnocents(t *testing.T) { testBoots(t, webInnocents) }

func TestInnocents(t *testing.T) { testBoots(t, innocents) }

// refusesOptions is a TFTP server that answers each request with options by error 8
// (RFC 2347).
func (s *site) refusesOptions() {
	s.Helper()
	s.answers(func(words []string) (reply string, blksize int) {
		if len(words) > len([]string{"name", "octet", ""}) {
			return "\x00\x05\x00\x08no options\x00", 0
		}
		return "", 512
	})
}
