package labs

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/check"
	"github.com/gopxeboot/gopxeboot/internal/guest"
	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"github.com/vishvananda/netlink"
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
	{fault{"dom0's bridge keeps VLANs apart, and drops TFTP", check.Dom0Firewall, isBroken, func(s *site) {
		s.filtersVLANs(1)
		s.dnsmasq()
		labtest.DropOnBridge(s, s.lab(), lab.TFTPPort)
	}}, []string{"Dom0's own firewall", "192.168.1.166 answers", "UDP port 69"}, []string{"firewall on it"}},
	{fault{"dom0's bridge keeps VLANs apart, has a tag itself, and drops TFTP", check.Dom0Firewall, isBroken, func(s *site) {
		s.filtersVLANs(30)
		s.dnsmasq()
		labtest.DropOnBridge(s, s.lab(), lab.TFTPPort)
	}}, []string{"Dom0's own firewall", "192.168.1.166 answers", "UDP port 69"}, []string{"firewall on it"}},
	{fault{"dom0 drops what it gets itself", check.Dom0Firewall, isBroken, func(s *site) {
		s.elsewhere()
		s.request.Net = guest.Dom0
		s.dnsmasq()
		labtest.DropInput(s, s.lab())
	}}, []string{"Dom0's own firewall", "INPUT", "nf_conntrack_tftp"}, []string{"physdev", "firewall on it"}},
	{fault{"a server that takes 6 s to come up, and no firewall", check.Fine, fine, func(s *site) {
		var once sync.Once
		labtest.Cable(s, s.lab(), func(frame []byte, toServer bool) [][]byte {
			if isUDP(frame) && toServer && port(frame, 36) == lab.TFTPPort {
				once.Do(func() { time.Sleep(6500 * time.Millisecond) })
			}
			return [][]byte{frame}
		})
		s.dhcpd()
		s.tftpd()
	}}, nil, nil},
}

// filtersVLANs has the bridge keep VLANs apart, with untagged ports in that one. In
// others than 1, dom0's own end is by its tag.
func (s *site) filtersVLANs(pvid uint16) {
	s.Helper()
	name := s.lab().Bridge()
	files := filepath.Join("/sys/class/net", name, "bridge")
	if _, err := os.Stat(filepath.Join(files, "vlan_filtering")); err != nil {
		s.Skip("this kernel has no bridges that filter VLANs (BRIDGE_VLAN_FILTERING)")
	}
	set := func(file string, value uint16) {
		labtest.Check(s, os.WriteFile(filepath.Join(files, file), fmt.Append(nil, value), 0))
	}
	set("default_pvid", pvid) // which can't be changed any more when it filters
	set("vlan_filtering", 1)
	if pvid == 1 {
		return
	}
	bridge, err := netlink.LinkByName(name)
	labtest.Check(s, err)
	_ = netlink.BridgeVlanDel(bridge, pvid, true, true, true, false)
	labtest.Check(s, netlink.BridgeVlanAdd(bridge, pvid, false, false, true, false))
}

func TestFirewalls(t *testing.T) { testReports(t, firewallReports) }
