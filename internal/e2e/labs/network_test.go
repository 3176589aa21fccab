package labs

import (
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/gopxeboot/gopxeboot/internal/check"
	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"github.com/gopxeboot/gopxeboot/internal/lab/real"
)

// loses is a cable that loses so many frames of a hundred, both ways.
func (s *site) loses(percent int) {
	s.Helper()
	chance := rand.New(rand.NewPCG(1, uint64(percent)))
	labtest.Cable(s, s.lab(), func(frame []byte, _ bool) [][]byte {
		if chance.IntN(100) < percent {
			return nil
		}
		return [][]byte{frame}
	})
	s.wait = long
}

// secondAddress gives the servers' machine one more, and has a TFTP server listen on
// the first one only.
func (s *site) secondAddress(address string) {
	s.Helper()
	h := s.lab().Servers
	labtest.Check(s, h.Do(func() error { return labtest.AddAddress("eth0", address+"/24") }))
	s.dhcp.NextServer = netip.MustParseAddr(address)
	s.dhcpd("server-identifier 192.168.1.166;")
	cmd, err := real.Program("in.tftpd", "-L", "-4", "-s", "-u", "root", "--address", "192.168.1.166:69", s.tree)
	labtest.Check(s, err)
	p, err := real.Start(h, cmd)
	s.started(h, p, err)
}

// usedPool is dnsmasq with a pool whose first address a machine has that does not
// answer a ping.
func (s *site) usedPool(last string) {
	s.Helper()
	s.host("squatter", "192.168.1.50/24")
	s.dhcp.Fixed = nil
	s.dhcp.First, s.dhcp.Last = netip.MustParseAddr("192.168.1.50"), netip.MustParseAddr(last)
	s.remove(configFile)
	s.file("pxelinux.cfg/default", goodConfig)
	s.dnsmasq("--no-ping", "--dhcp-sequential-ip")
}

var lossReports = []report{
	{fault{"20 % of the frames get lost, dnsmasq", check.PacketLoss, either, func(s *site) { s.loses(20); s.dnsmasq() }}, []string{"get lost", "error counters"}, []string{"blocksize", "firewall"}},
	{fault{"20 % of the frames get lost, tftpd-hpa", check.PacketLoss, either, func(s *site) { s.loses(20); s.dhcpd(); s.tftpd() }}, []string{"get lost"}, []string{"blocksize", "firewall"}},
	{fault{"20 % of the frames get lost, atftpd", check.PacketLoss, either, func(s *site) { s.loses(20); s.dhcpd(); s.atftpd() }}, []string{"get lost"}, []string{"blocksize", "firewall"}},
	{fault{"10 % of the frames get lost", check.PacketLoss, either, func(s *site) { s.loses(10); s.dnsmasq() }}, []string{"get lost"}, []string{"blocksize"}},
	{fault{"20 % get lost, and all above 1300 bytes", check.TFTPLargeBlocks, either, func(s *site) {
		chance := rand.New(rand.NewPCG(1, 2))
		labtest.Cable(s, s.lab(), func(frame []byte, toServer bool) [][]byte {
			if len(frame) > 14+1300 || chance.IntN(100) < 20 {
				return nil
			}
			return [][]byte{frame}
		})
		s.wait = long
		s.dhcpd()
		s.tftpd()
	}}, []string{"--blocksize 1024"}, []string{"duplex"}},
}

func TestLoss(t *testing.T) { testReports(t, lossReports) }

var networkReports = []report{
	{fault{"next-server is another address of its machine", check.NextServerWrong, isBroken, func(s *site) { s.secondAddress("192.168.1.168") }},
		[]string{"is the right machine, but not the address", "192.168.1.166", "both answer ARP with the MAC", "next-server 192.168.1.166;", "listen-address"}, []string{"wrong machine"}},
	{fault{"the first address of the pool is in use", check.AddressInUse, warning, func(s *site) { s.usedPool("192.168.1.60") }},
		[]string{"192.168.1.50, which another station has", "declines it and asks for another one", "check --request"}, nil},
	{fault{"the first address of the pool is in use, and one is taken", check.AddressInUse, warning, func(s *site) {
		s.lease = true
		s.usedPool("192.168.1.60")
	}}, []string{"192.168.1.50, which another station has", "the guest declined it, and was given 192.168.1.51"}, nil},
	{fault{"the pool's one address is in use, and it is to be taken", check.AddressInUse, isBroken, func(s *site) {
		s.lease = true
		s.usedPool("192.168.1.50")
	}}, []string{"192.168.1.50, which another station has", "was offered no other that is free"}, nil},
	{fault{"the server's firewall rejects TFTP", check.FirewallRejects, isBroken, func(s *site) {
		s.dnsmasq()
		labtest.Reject(s, s.lab().Servers, lab.TFTPPort, false)
	}}, []string{"The firewall of the server 192.168.1.166", "itself says: administratively prohibited", "on 192.168.1.166"}, []string{"correct next-server", "start the TFTP"}},
	{fault{"the server's firewall rejects HTTP", check.FirewallRejects, isBroken, func(s *site) {
		s.config("default linux\nlabel linux\n kernel http://192.168.1.166/vmlinuz\n append initrd=initrd.img\n")
		s.dnsmasq()
		s.nginx("")
		labtest.Reject(s, s.lab().Servers, 80, false)
	}}, []string{"The firewall of the server 192.168.1.166", "itself says: administratively prohibited", "TCP to the port of http://192.168.1.166/vmlinuz"}, []string{"nothing listens"}},
	{fault{"a router rejects TFTP", check.FirewallRejects, isBroken, func(s *site) {
		s.dhcp.NextServer = netip.MustParseAddr("10.9.0.2")
		p, err := real.TFTPD(s.Context(), labtest.FarHost(s, s.lab()), s.tree)
		labtest.Check(s, err)
		s.started(s.lab().Servers, p, err)
		s.dhcp.Router = server
		s.dhcpd()
		labtest.Reject(s, s.lab().Servers, lab.TFTPPort, true)
	}}, []string{"on the way to the server 10.9.0.2", "that of 192.168.1.166", "not that server but 192.168.1.166 says"}, []string{"correct next-server", "The firewall of the server"}},
}

func TestNetworks(t *testing.T) { testReports(t, networkReports) }

// Which of dom0's filters it is, is told where that can be. No other lab is there
// meanwhile: all of them have one dom0.
func TestWhichFirewall(t *testing.T) {
	for _, test := range []report{
		{fault{"a bridge filter, and iptables has nothing", check.Dom0Firewall, isBroken, func(s *site) {
			s.dnsmasq()
			labtest.CallIPTables(s, s.lab())
			labtest.DropOnBridge(s, s.lab(), lab.TFTPPort)
		}}, []string{"table bridge lab", "see what filters on the bridge"}, []string{"sysctl", "physdev", "nf_call_iptables"}},
		{fault{"iptables, and no bridge filter", check.Dom0Firewall, isBroken, func(s *site) {
			s.dnsmasq()
			labtest.DropBridged(s, s.lab())
		}}, []string{"table ip lab", "nf_call_iptables 0", "physdev-is-bridged"}, []string{"ebtables"}},
		{fault{"both", check.Dom0Firewall, isBroken, func(s *site) {
			s.dnsmasq()
			labtest.DropOnBridge(s, s.lab(), lab.TFTPPort)
			labtest.DropBridged(s, s.lab())
		}}, []string{"table ip lab", "table bridge lab", "see what filters on the bridge", "or, if it is iptables: ip link set xenbr"}, nil},
	} {
		t.Run(test.name, func(t *testing.T) { test.shows(t) })
	}
}
