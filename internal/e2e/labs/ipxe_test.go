package labs

import (
	"strings"
	"testing"

	"github.com/gopxeboot/gopxeboot/internal/check"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
)

const goodScript = "#!ipxe\nkernel vmlinuz quiet mac=${mac:hexhyp}\ninitrd initrd.img\nboot\n"

// tells has dnsmasq name undionly.kpxe to the ROM, and that to iPXE.
func (s *site) tells(script string, more ...string) {
	s.Helper()
	s.dhcp.BootFile = ""
	s.dnsmasq(append(more, "--dhcp-userclass=set:ipxe,iPXE", "--dhcp-boot=tag:!ipxe,undionly.kpxe", "--dhcp-boot=tag:ipxe,"+script)...)
}

// dhcpdTells is tells by ISC dhcpd.
func (s *site) dhcpdTells(script string) {
	s.Helper()
	s.dhcp.BootFile = ""
	s.dhcpd(`if exists user-class and option user-class = "iPXE" { filename "` + script + `"; } else { filename "undionly.kpxe"; }`)
}

// scripted is a lab whose dnsmasq names that script to iPXE, and has no
// configuration for PXELINUX.
func scripted(text string) func(*site) {
	return func(s *site) {
		s.Helper()
		s.remove(configFile)
		s.file("boot.ipxe", text)
		s.tells("boot.ipxe")
	}
}

// ipxeFaults are labs whose boot file is an iPXE: its script is what counts, and
// not what stands in a pxelinux.cfg.
var ipxeFaults = []told{
	{fault{"undionly.kpxe and a script by TFTP", check.Fine, fine, scripted(goodScript)}, ""},
	{fault{"undionly.kpxe and a script by HTTP", check.Fine, fine, func(s *site) {
		s.remove(configFile)
		s.file("boot.ipxe", goodScript)
		s.dhcpdTells("http://192.168.1.166/boot.ipxe?mac=${mac:hexhyp}")
		s.nginx("")
	}}, ""},
	{fault{"undionly.kpxe, a script, and the lease is taken", check.Fine, fine, func(s *site) {
		s.lease = true
		scripted(goodScript)(s)
	}}, ""},
	{fault{"a script's kernel is missing", check.NotBootable, isBroken, scripted("#!ipxe\n\nkernel gone\nboot\n")}, "boot.ipxe:3: kernel gone: "},
	{fault{"a script's kernel is missing, by HTTP", check.NotBootable, isBroken, func(s *site) {
		s.file("boot.ipxe", "#!ipxe\nchain two.ipxe\n")
		s.file("two.ipxe", "#!ipxe\n# comment\nkernel gone\n")
		s.remove(configFile)
		s.dhcpdTells("http://192.168.1.166/boot.ipxe")
		s.nginx("")
	}}, "http://192.168.1.166/two.ipxe:3: kernel gone: "},
	{fault{"a script's command is misspelt", check.NotBootable, isBroken, scripted("#!ipxe\nkernl vmlinuz\n")}, "boot.ipxe:2: kernl vmlinuz: iPXE has no such command"},
	{fault{"a script's kernel is no kernel", check.NotBootable, isBroken, func(s *site) {
		s.file("page", "<!DOCTYPE html><title>404</title>")
		scripted("#!ipxe\nkernel page\nboot\n")(s)
	}}, "boot.ipxe:3: boot: page is an HTML page"},
	{fault{"the script is missing", check.NoConfig, isBroken, func(s *site) {
		s.remove(configFile)
		s.tells("nowhere/boot.ipxe")
	}}, "nowhere/boot.ipxe: "},
	{fault{"the script's web server is down", check.HTTPRefused, isBroken, func(s *site) {
		s.dhcpdTells("http://192.168.1.166/boot.ipxe")
		s.tftpd()
	}}, "http://192.168.1.166/boot.ipxe: "},
	{fault{"iPXE is given iPXE again", check.IPXELoop, isBroken, func(s *site) {
		s.remove(configFile)
		s.dhcp.BootFile = "undionly.kpxe"
		s.dnsmasq()
	}}, "dhcp-userclass=set:ipxe,iPXE"},
	{fault{"iPXE is given iPXE again, and PXELINUX's configuration is there", check.IPXELoop, warning, func(s *site) {
		s.dhcp.BootFile = "undionly.kpxe"
		s.dnsmasq()
	}}, "the guest boots by PXELINUX's configuration"},
	{fault{"iPXE gets no answer", check.IPXENotServed, isBroken, func(s *site) {
		s.remove(configFile)
		s.tells("boot.ipxe", "--dhcp-ignore=tag:ipxe")
	}}, "user class"},
	{fault{"a menu that waits", check.Fine, fine, scripted(strings.Replace(goodScript, "\n", "\nmenu Boot\nitem a A\nchoose x\n", 1))}, ""},
	{fault{"a script that boots the disk", check.Fine, fine, scripted("#!ipxe\nsanboot --no-describe --drive 0x80\n")}, ""},
}

// A script's files are looked at as iPXE does, and then read: by one request each.
func TestIPXEAsksOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.remove(configFile)
	s.file("boot.ipxe", goodScript)
	s.dhcp.BootFile = ""
	s.dnsmasqOn(s.lab().Servers, "", "--dhcp-userclass=set:ipxe,iPXE", "--dhcp-boot=tag:!ipxe,undionly.kpxe", "--dhcp-boot=tag:ipxe,boot.ipxe")
	labtest.Check(s, s.lab().Servers.ServeTFTP(s.tree))
	facts, r := s.lookAt()
	if r.Verdict.Code != check.Fine {
		t.Errorf("verdict %s\n%s", r.Verdict.Code, dump(facts, r))
	}
	asked := map[string]int{}
	for _, request := range s.lab().Requests() {
		asked[request.Asked]++
	}
	if asked[kernelFile] != 1 || asked[initrdFile] != 1 {
		t.Errorf("asked for: %v", asked)
	}
}
