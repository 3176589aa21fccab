package labs

import (
	"bytes"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/check"
	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"github.com/gopxeboot/gopxeboot/internal/lab/real"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
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

// losesEach is a cable on which each third of the server's large frames gets lost.
func (s *site) losesEach() {
	s.Helper()
	n := 0
	labtest.Cable(s, s.lab(), func(frame []byte, toServer bool) [][]byte {
		if large := !toServer && len(frame) > 1000; large {
			if n++; n%3 == 0 {
				return nil
			}
		}
		return [][]byte{frame}
	})
}

// losesFirst is a cable on which so many of the server's TFTP packets that begin so get
// lost as one name is asked for before it is given up.
func (s *site) losesFirst(begin string) {
	s.Helper()
	lost := 0
	labtest.Cable(s, s.lab(), func(frame []byte, toServer bool) [][]byte {
		const tries, atPayload = 3, 14 + 20 + 8
		if !toServer && len(frame) > atPayload && bytes.HasPrefix(frame[atPayload:], []byte(begin)) && lost < tries {
			lost++
			return nil
		}
		return [][]byte{frame}
	})
	s.dnsmasq()
}

// secondAddress gives the servers' machine one more, and has a TFTP server listen on
// the first one only.
func (s *site) secondAddress(address string) {
	s.Helper()
	h := s.lab().Servers
	labtest.Check(s, h.Do(func() error { return labtest.AddAddress("eth0", address+"/24") }))
	s.dhcp.NextServer = netip.MustParseAddr(address)
	s.dhcpd("server-identifier 192.168.1.166;")
	s.tftpdWith(h, "-s", "--address", "192.168.1.166:69")
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
	{fault{"the answer that a name is not there gets lost", check.PacketLoss, isBroken, func(s *site) { s.losesFirst("\x00\x05\x00\x01") }}, []string{"get lost"}, []string{"firewall"}},
	{fault{"a configuration of one block gets lost", check.PacketLoss, isBroken, func(s *site) { s.losesFirst("\x00\x03\x00\x01") }}, []string{"get lost"}, []string{"firewall"}},
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
	{fault{"the server does not answer ARP", check.NextServerUnreachable, isBroken, func(s *site) {
		s.dnsmasq()
		labtest.Check(s, s.lab().Servers.Do(func() error { return os.WriteFile("/proc/sys/net/ipv4/conf/eth0/arp_ignore", []byte("8"), 0) }))
	}}, []string{"192.168.1.166 can't be reached: it does not answer ARP", "it answers DHCP", "arp_ignore"}, []string{"no machine", "correct next-server"}},
	{fault{"the netmask is too wide", check.NextServerUnreachable, isBroken, func(s *site) {
		s.behindRouter()
		s.dhcp.NextServer = netip.MustParseAddr("192.9.0.2")
		s.dnsmasqOn(s.lab().Servers, "", "--dhcp-option=option:netmask,255.0.0.0")
	}}, []string{"by the netmask it is in the guest's network, and it is behind the router", "correct the netmask"}, []string{"correct next-server"}},
	{fault{"the router is the guest's own address", check.NextServerUnreachable, isBroken, func(s *site) {
		s.dhcp.NextServer, s.dhcp.Router = netip.MustParseAddr("10.9.0.2"), lab.SampleAddress
		s.dhcpd()
	}}, []string{"the router that DHCP names, 192.168.1.199, is the guest's own address", "option 3"}, []string{"see that it is up"}},
	{fault{"the router is in another network", check.NextServerUnreachable, isBroken, func(s *site) {
		s.dhcp.NextServer, s.dhcp.Router = netip.MustParseAddr("10.9.0.2"), netip.MustParseAddr("192.168.7.1")
		s.dhcpd()
	}}, []string{"192.168.7.1, is in another network than the guest"}, []string{"see that it is up"}},
	{fault{"two machines have the router's address", check.DuplicateAddress, either, func(s *site) {
		s.behindRouter()
		s.dhcp.NextServer = netip.MustParseAddr("192.9.0.2")
		s.host("second", "192.168.1.166/24")
		s.dhcpd()
	}}, []string{"Two machines have the router's address, 192.168.1.166"}, nil},
	{fault{"next-server is the guest's own address", check.NextServerWrong, isBroken, func(s *site) {
		s.dhcp.NextServer = lab.SampleAddress
		s.dnsmasq()
	}}, []string{"192.168.1.199 is the guest's own address", "next-server 192.168.1.166;"}, []string{"nothing listens"}},
	{fault{"next-server is the broadcast address", check.NextServerWrong, isBroken, func(s *site) {
		s.dhcp.NextServer = netip.MustParseAddr("192.168.1.255")
		s.dnsmasq()
	}}, []string{"is the broadcast address of the guest's network", "next-server 192.168.1.166;"}, []string{"no machine in"}},
	{fault{"next-server is 127.0.0.1", check.NoNextServer, warning, func(s *site) {
		s.dhcp.NextServer = netip.MustParseAddr("127.0.0.1")
		s.dnsmasq()
	}}, []string{"siaddr is 127.0.0.1, which is no other machine's"}, []string{"0.0.0.0"}},
	{fault{"the broadcast address is offered", check.AddressUnusable, isBroken, func(s *site) {
		s.dhcp.Fixed[lab.SampleMAC] = netip.MustParseAddr("192.168.1.255")
		s.dhcpd()
		s.tftpd()
	}}, []string{"offers 192.168.1.255, which is the broadcast address of the guest's network", "in 192.168.1.0/24"}, []string{"TFTP server runs"}},
	{fault{"the way back is not known", check.TFTPSilent, isBroken, func(s *site) {
		far := s.behindRouter()
		s.dhcp.NextServer = netip.MustParseAddr("192.9.0.2")
		labtest.Check(s, far.Do(func() error {
			return netlink.RouteDel(&netlink.Route{Dst: &net.IPNet{IP: net.IPv4(192, 168, 1, 0), Mask: net.CIDRMask(24, 32)}, Gw: net.IPv4(10, 9, 0, 1)})
		}))
		s.dhcpd()
	}}, []string{"nothing is known of the way behind it", "the way back to 192.168.1.0/24"}, []string{"Dom0"}},
	{fault{"TCP gets lost, and UDP does not", check.FileUnreachable, isBroken, func(s *site) {
		s.config("default linux\nlabel linux\n kernel http://192.168.1.166/vmlinuz\n append initrd=initrd.img\n")
		s.dnsmasq()
		s.nginx("")
		labtest.Cable(s, s.lab(), func(frame []byte, _ bool) [][]byte {
			if len(frame) > 34 && frame[12] == 8 && frame[13] == 0 && frame[23] == unix.IPPROTO_TCP {
				return nil
			}
			return [][]byte{frame}
		})
	}}, []string{"that machine is up, and answers TFTP", "drops TCP from 192.168.1.0/24"}, []string{"is up and can be reached"}},
	{fault{"everything comes twice", check.Fine, fine, func(s *site) {
		labtest.Cable(s, s.lab(), func(frame []byte, _ bool) [][]byte { return [][]byte{frame, frame} })
		s.dhcpd()
		s.tftpd()
	}}, nil, nil},
}

// behindRouter is a TFTP server at 192.9.0.2, behind the servers' machine, and another
// address of that host.
func (s *site) behindRouter() *lab.Host {
	s.Helper()
	far := labtest.FarHost(s, s.lab())
	labtest.Check(s, far.Do(func() error { return labtest.AddAddress("eth1", "192.9.0.2/32") }))
	labtest.Check(s, s.lab().Servers.Do(func() error {
		eth1, err := netlink.LinkByName("eth1")
		if err != nil {
			return err
		}
		return netlink.RouteAdd(&netlink.Route{LinkIndex: eth1.Attrs().Index, Dst: &net.IPNet{IP: net.IPv4(192, 9, 0, 2), Mask: net.CIDRMask(32, 32)}, Gw: net.IPv4(10, 9, 0, 2)})
	}))
	s.tftpdWith(far, "-s", "--address", "192.9.0.2:69")
	s.dhcp.Router = server
	return far
}

// A line on which everything comes late is not dom0's firewall: the guest asks as often
// and as long as dom0, before that is blamed.
func TestSlowLine(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	labtest.Cable(s, s.lab(), func(frame []byte, _ bool) [][]byte {
		time.Sleep(150 * time.Millisecond)
		return [][]byte{frame}
	})
	s.wait = 4 * time.Second
	s.dhcpd()
	s.tftpd()
	if facts, r := s.lookAt(); facts.NextServer == nil || r.Verdict.Code == check.Dom0Firewall || r.ExitCode() != isBroken {
		t.Errorf("verdict %s\n%s", r.Verdict.Code, dump(facts, r))
	}
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
