package labs

import (
	"net/netip"
	"testing"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/check"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"github.com/gopxeboot/gopxeboot/internal/wire"
)

// besides is a DHCP server that says nothing about booting, on a machine of its own.
func (s *site) besides() {
	s.Helper()
	s.dhcp.BootFile, s.dhcp.NextServer, s.dhcp.Router = "", netip.Addr{}, netip.Addr{}
	s.dnsmasqOn(s.host("router", "192.168.1.1/24"), "")
}

// proxyHere is a proxyDHCP server on the servers' machine.
func (s *site) proxyHere(args ...string) {
	s.Helper()
	labtest.Dnsmasq(s, s.lab().Servers, append([]string{"--enable-tftp", "--tftp-root=" + s.tree, "--dhcp-range=192.168.1.0,proxy"}, args...)...)
}

// deafOn drops what goes to a UDP port of the servers' machine.
func (s *site) deafOn(to int) {
	s.Helper()
	labtest.Cable(s, s.lab(), func(frame []byte, toServer bool) [][]byte {
		if isUDP(frame) && toServer && port(frame, 36) == to {
			return nil
		}
		return [][]byte{frame}
	})
}

var proxyReports = []report{
	{fault{"a proxyDHCP server with a service for UEFI only", check.OtherArchOnly, isBroken, func(s *site) {
		s.proxyHere("--pxe-service=X86-64_EFI,Boot,bootx64.efi")
		s.besides()
	}}, []string{"The proxyDHCP server 192.168.1.166", "bootx64.efi", "UEFI x86-64", "dhcp-boot=tag:arch0,pxelinux.0,,192.168.1.166"}, []string{"192.168.1.1 says", ",,192.168.1.1\n", "filename"}},
	{fault{"a proxyDHCP server for two others", check.OtherArchOnly, isBroken, func(s *site) {
		s.proxyHere("--pxe-service=X86-64_EFI,Boot,bootx64.efi", "--pxe-service=ARM64_EFI,Boot,bootaa64.efi")
		s.besides()
	}}, []string{"The proxyDHCP server 192.168.1.166 names boot files for other architectures only", "bootx64.efi as UEFI x86-64", "bootaa64.efi as UEFI arm64"}, []string{"192.168.1.1 says"}},
	{fault{"a proxyDHCP server that ignores all but UEFI", check.OtherArchOnly, isBroken, func(s *site) {
		s.proxyHere("--dhcp-match=set:efi,option:client-arch,7", "--dhcp-ignore=tag:!efi", "--pxe-service=X86-64_EFI,Boot,bootx64.efi")
		s.besides()
	}}, []string{"The proxyDHCP server 192.168.1.166", "bootx64.efi", "UEFI x86-64"}, []string{"192.168.1.1 says"}},
	{fault{"a proxyDHCP server that is silent on port 4011", check.ProxySilent, isBroken, func(s *site) {
		s.deafOn(wire.PortPXE)
		s.proxyHere("--pxe-service=x86PC,Boot,pxelinux")
		s.besides()
	}}, []string{"The proxyDHCP server 192.168.1.166 does not answer on port 4011"}, []string{"192.168.1.1 ", "dhcp-boot="}},
	{fault{"a proxyDHCP server that is silent on port 4011 to UEFI, too", check.ProxySilent, isBroken, func(s *site) {
		s.deafOn(wire.PortPXE)
		s.proxyHere("--pxe-service=x86PC,Boot,pxelinux", "--pxe-service=X86-64_EFI,Boot,bootx64.efi")
		s.besides()
	}}, []string{"The proxyDHCP server 192.168.1.166 does not answer on port 4011"}, []string{"192.168.1.1 ", "architecture"}},
	{fault{"a menu whose boot server is silent", check.ProxySilent, isBroken, func(s *site) {
		s.host("boot server", files+"/24")
		s.dhcp.BootFile = ""
		s.dhcpd(`option vendor-class-identifier "PXEClient";`,
			"option vendor-encapsulated-options 06:01:03:08:07:00:01:01:c0:a8:01:05:09:07:00:01:04:42:6f:6f:74:0a:02:00:42:ff;")
	}}, []string{"The boot server " + files + " does not answer on port 4011", "192.168.1.166 names it in its PXE boot menu"}, []string{"dhcp-boot=", "next-server "}},
}

func TestProxies(t *testing.T) {
	for i := range proxyReports {
		make := proxyReports[i].make
		proxyReports[i].make = func(s *site) { s.wait = 3 * time.Second; make(s) }
	}
	testReports(t, proxyReports)
}
