package labs

import (
	"testing"

	"github.com/gopxeboot/gopxeboot/internal/check"
	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
)

var firewallReports = []report{
	{fault{"dom0 drops what it bridges", check.Dom0Firewall, isBroken, func(s *site) {
		s.dnsmasq()
		labtest.DropBridged(s, s.lab())
	}}, []string{"Dom0's own firewall", "192.168.1.166 answers", "bridge-nf-call-iptables=0", "--physdev-is-bridged"}, []string{"see that a DHCP server runs"}},
	{fault{"dom0's bridge drops TFTP", check.Dom0Firewall, isBroken, func(s *site) {
		s.dnsmasq()
		labtest.DropOnBridge(s, s.lab(), lab.TFTPPort)
	}}, []string{"Dom0's own firewall", "192.168.1.166 answers", "UDP port 69"}, []string{"firewall on it"}},
}

func TestFirewalls(t *testing.T) { testReports(t, firewallReports) }
