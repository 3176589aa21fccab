package leases

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"github.com/vishvananda/netlink"
)

// behind makes the lab's server a relay, with an interface eth1 to another
// network, where it puts another server:
//
//	guest ── xenbr0 ── eth0 relay eth1 ── eth1 far
//	    192.168.1.166/24      10.9.0.1/24    10.9.0.2/24
func behind(t *testing.T, l *lab.Lab) (relay, far *lab.Host) {
	t.Helper()
	relay = l.Servers
	far, err := l.AddHost(t.Context(), lab.HostConfig{Name: "far"})
	labtest.Check(t, err)
	var ns *os.File
	err = far.Do(func() (err error) {
		if eth0, err := netlink.LinkByName("eth0"); err != nil || netlink.LinkSetDown(eth0) != nil {
			return fmt.Errorf("unplug eth0: %w", err)
		}
		ns, err = os.Open("/proc/thread-self/ns/net")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer ns.Close()
	err = relay.Do(func() error {
		attributes := netlink.NewLinkAttrs()
		attributes.Name = "eth1"
		veth := &netlink.Veth{LinkAttrs: attributes, PeerName: "eth1", PeerNamespace: netlink.NsFd(ns.Fd())}
		if err := netlink.LinkAdd(veth); err != nil {
			return err
		}
		if err := os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0); err != nil {
			return err
		}
		return address("eth1", "10.9.0.1/24")
	})
	if err == nil {
		err = far.Do(func() error {
			if err := address("eth1", "10.9.0.2/24"); err != nil {
				return err
			}
			eth1, err := netlink.LinkByName("eth1")
			if err != nil {
				return err
			}
			_, lan, _ := net.ParseCIDR("192.168.1.0/24")
			return netlink.RouteAdd(&netlink.Route{LinkIndex: eth1.Attrs().Index, Dst: lan, Gw: net.ParseIP("10.9.0.1")})
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	return relay, far
}

// address gives an interface an address, and returns when it has a carrier.
func address(name, cidr string) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	a, err := netlink.ParseAddr(cidr)
	if err != nil {
		return err
	}
	return errors.Join(netlink.AddrAdd(link, a), netlink.LinkSetUp(link))
}

func TestRelay(t *testing.T) {
	for name, serve := range map[string]func(*testing.T, *lab.Host) *lab.Process{
		"dnsmasq": func(t *testing.T, far *lab.Host) *lab.Process {
			return labtest.Dnsmasq(t, far, "--dhcp-range=192.168.1.0,static,255.255.255.0,1h", fixed, "--dhcp-boot=pxelinux.0",
				"--dhcp-option=option:router,192.168.1.166")
		},
		"dhcpd": func(t *testing.T, far *lab.Host) *lab.Process {
			return labtest.DHCPD(t, far, "eth1", `
subnet 10.9.0.0 netmask 255.255.255.0 { }
subnet 192.168.1.0 netmask 255.255.255.0 {
	range 192.168.1.199 192.168.1.199; filename "pxelinux.0"; next-server 10.9.0.2; option routers 192.168.1.166;
}`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := labtest.New(t, lab.Config{})
			relay, far := behind(t, l)
			labtest.Carrier(t, far, "eth1")
			server := serve(t, far)
			labtest.Until(t, relay, "Sending on   Socket/fallback", "dhcrelay", "-4", "-d", "--no-pid", "-id", "eth0", "-iu", "eth1", "10.9.0.2")
			check(t, l, bios, "10.9.0.2: 192.168.1.199/24 10.9.0.2 pxelinux.0")
			if log := server.Log(); !strings.Contains(log, "192.168.1.166") && !strings.Contains(log, "192.168.1.199") {
				t.Errorf("the server saw nobody:\n%s", log)
			}
		})
	}
}

// A boot server behind a router: ARP for the router, not for it.
func TestBootServerBehindRouter(t *testing.T) {
	l := labtest.New(t, lab.Config{})
	relay, far := behind(t, l)
	labtest.Carrier(t, far, "eth1")
	// What a boot server says on port 4011 is dnsmasq's of the far network; its
	// menu comes from the near server, as option 43.
	labtest.Dnsmasq(t, far, "--dhcp-range=192.168.1.0,proxy,255.255.255.0", "--dhcp-range=10.9.0.0,proxy", "--pxe-prompt=x,0", "--pxe-service=x86PC,Far,pxelinux", "--pxe-service=x86PC,Disk,0")
	labtest.Dnsmasq(t, relay, "--dhcp-range=192.168.1.0,static,1h", fixed, "--dhcp-option=option:router,192.168.1.166",
		"--dhcp-option-force=60,PXEClient",
		"--dhcp-option-force=43,06:01:03:0a:04:00:50:58:45:08:07:80:00:01:0a:09:00:02:09:06:80:00:03:46:61:72:ff")
	got, err := lease(t, client(t, l, ownPort))
	if err != nil {
		t.Fatal(err)
	}
	if want := given + "10.9.0.2 pxelinux.0"; says(got) != want || got.MenuItem != "Far" {
		t.Errorf("lease %s, menu %q, want %s", says(got), got.MenuItem, want)
	}
}
