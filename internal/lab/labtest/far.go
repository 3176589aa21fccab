package labtest

import (
	"errors"
	"net"
	"os"
	"testing"

	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/vishvananda/netlink"
)

// FarHost makes the lab's server a router to another network, and returns a host
// there:
//
//	guest ── xenbr0 ── eth0 server eth1 ── eth1 far
//	    192.168.1.166/24      10.9.0.1/24    10.9.0.2/24
func FarHost(t testing.TB, l *lab.Lab) *lab.Host {
	t.Helper()
	far, err := l.AddHost(t.Context(), lab.HostConfig{Name: "far"})
	Check(t, err)
	var namespace *os.File
	Check(t, far.Do(func() error {
		eth0, err := netlink.LinkByName("eth0")
		if err != nil {
			return err
		}
		if namespace, err = os.Open("/proc/thread-self/ns/net"); err != nil {
			return err
		}
		return netlink.LinkSetDown(eth0)
	}))
	defer namespace.Close()
	Check(t, l.Servers.Do(func() error {
		attributes := netlink.NewLinkAttrs()
		attributes.Name = "eth1"
		pair := &netlink.Veth{LinkAttrs: attributes, PeerName: "eth1", PeerNamespace: netlink.NsFd(namespace.Fd())}
		return errors.Join(netlink.LinkAdd(pair), AddAddress("eth1", "10.9.0.1/24"),
			os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0))
	}))
	Check(t, far.Do(func() error {
		if err := AddAddress("eth1", "10.9.0.2/24"); err != nil {
			return err
		}
		eth1, err := netlink.LinkByName("eth1")
		if err != nil {
			return err
		}
		near := &net.IPNet{IP: net.IPv4(192, 168, 1, 0), Mask: net.CIDRMask(24, 32)}
		return netlink.RouteAdd(&netlink.Route{LinkIndex: eth1.Attrs().Index, Dst: near, Gw: net.IPv4(10, 9, 0, 1)})
	}))
	Carrier(t, far, "eth1")
	return far
}
