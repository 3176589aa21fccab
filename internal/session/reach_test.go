package session

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/gopxeboot/gopxeboot/internal/fault"
	"github.com/gopxeboot/gopxeboot/internal/fetch"
	"github.com/gopxeboot/gopxeboot/internal/guest"
	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// sideNetwork gives the lab's dom0 a management network: an address in
// 10.9.9.0/24 by an interface of its own.
func sideNetwork(t *testing.T) netlink.Link {
	t.Helper()
	attributes := netlink.NewLinkAttrs()
	attributes.Name = "mgmt"
	link := &netlink.Veth{LinkAttrs: attributes, PeerName: "mgmt-far"}
	labtest.Check(t, netlink.LinkAdd(link))
	t.Cleanup(func() { netlink.LinkDel(link) })
	far, err := netlink.LinkByName("mgmt-far")
	labtest.Check(t, err)
	labtest.Check(t, netlink.LinkSetUp(link))
	labtest.Check(t, netlink.LinkSetUp(far))
	address, err := netlink.ParseAddr("10.9.9.1/24")
	labtest.Check(t, err)
	labtest.Check(t, netlink.AddrAdd(link, address))
	return link
}

func addRoute(t *testing.T, to, router string, link netlink.Link, metric int) {
	t.Helper()
	_, prefix, err := net.ParseCIDR(to)
	labtest.Check(t, err)
	labtest.Check(t, netlink.RouteAdd(&netlink.Route{Dst: prefix, Gw: net.ParseIP(router), LinkIndex: link.Attrs().Index, Priority: metric}))
}

const (
	noServer    = "is no address of a server"
	ownAddress  = "is dom0's own address"
	otherNet    = "is in a network of dom0's that is not the guest's"
	otherWay    = "is not where dom0 gets by the guest's bridge"
	notPublic   = "is no public address"
	notForGuest = "is no IPv4 address that dom0 would ask for a guest"
)

// What a boot in dom0's network asks, as this kernel's own addresses and routes
// have it.
func TestReach(t *testing.T) {
	l := labtest.New(t, lab.Config{Dom0: netip.MustParsePrefix("192.168.1.1/24")})
	mgmt := sideNetwork(t)
	bridge, err := netlink.LinkByName(l.Bridge())
	labtest.Check(t, err)
	addRoute(t, "172.20.0.0/16", "192.168.1.254", bridge, 0)
	addRoute(t, "172.20.5.0/24", "10.9.9.254", mgmt, 0)
	addRoute(t, "0.0.0.0/0", "10.9.9.254", mgmt, 100)
	addRoute(t, "0.0.0.0/0", "192.168.1.254", bridge, 200)

	for name, bridge := range map[string]string{"on the bridge": l.Bridge(), "alone": ""} {
		r, err := reachOfDom0(bridge, 0)
		labtest.Check(t, err)
		r.Named = []netip.Addr{netip.MustParseAddr("10.9.9.77"), netip.MustParseAddr("127.0.0.9")}
		for _, test := range []struct{ address, next, bridge, alone string }{
			{"192.168.1.166", "", "", otherNet},
			{"192.168.1.1", "", ownAddress, ownAddress},
			{"192.168.1.1", "192.168.1.1", "", ownAddress},
			{"10.9.9.1", "", ownAddress, ownAddress},
			{"10.9.9.1", "10.9.9.1", ownAddress, ownAddress}, // who says so is on the guest's network
			{"10.9.9.5", "", otherNet, otherNet},
			{"10.9.9.5", "10.9.9.5", otherNet, otherNet},
			{"10.9.9.77", "", "", ""},
			{"172.20.1.1", "", "", notPublic},
			{"172.20.5.1", "", otherWay, notPublic},
			{"172.20.5.1", "172.20.5.1", "", notPublic},
			{"8.8.8.8", "", otherWay, ""}, // the route with the lower metric
			{"8.8.8.8", "8.8.8.8", "", ""},
			{"100.64.1.1", "", otherWay, notPublic},
			{"169.254.169.254", "", otherWay, notPublic},
			{"127.0.0.1", "127.0.0.1", noServer, noServer},
			{"127.0.0.9", "", "", ""},
			{"0.0.0.0", "", noServer, noServer},
			{"0.0.0.1", "0.0.0.1", notForGuest, notForGuest},
			{"224.0.0.1", "", noServer, noServer},
			{"255.255.255.255", "255.255.255.255", notForGuest, notForGuest},
			{"::1", "", noServer, noServer},
			{"2001:db8::1", "2001:db8::1", notForGuest, notForGuest},
		} {
			want := test.bridge
			if bridge == "" {
				want = test.alone
			}
			next, _ := netip.ParseAddr(test.next)
			got := ""
			if err := r.Refuse(next)(netip.MustParseAddr(test.address)); err != nil {
				got = strings.TrimPrefix(err.Error(), test.address+" ")
			}
			if got != want {
				t.Errorf("%s, %s with next-server %s: %q, want %q", name, test.address, test.next, got, want)
			}
		}
	}
	if _, err := reachOfDom0("none0", 0); err == nil {
		t.Error("a bridge that is not there has addresses")
	}
	if r, err := reachOfDom0(l.Bridge(), 20); err != nil || r.forbids(netip.MustParseAddr("192.168.1.166"), false) != otherNet {
		t.Errorf("in VLAN 20 dom0 is on the bridge: %+v, %v", r, err)
	}
}

// In a network of the guest's own all is the guest's but what is no server's.
func TestReachOfGuest(t *testing.T) {
	var r *Reach
	for address, want := range map[string]string{"10.0.0.1": "<nil>", "127.0.0.1": "127.0.0.1 " + noServer, "239.1.1.1": "239.1.1.1 " + noServer} {
		if got := fmt.Sprint(r.Refuse(netip.Addr{})(netip.MustParseAddr(address))); got != want {
			t.Errorf("%s: %s", address, got)
		}
	}
}

// An address is named by whoever runs this program, not by who may write a VM's
// fields.
func TestNamed(t *testing.T) {
	labtest.New(t, lab.Config{})
	s := Spec{Network: Network{Server: netip.MustParseAddr("10.9.9.3")}, Hosts: []string{"10.9.9.1", "::ffff:10.9.9.2", "boot.example"}}
	for ofVM, want := range map[bool]string{false: "[10.9.9.3 10.9.9.1 10.9.9.2]", true: "[]"} {
		s.OfVM = ofVM
		r, err := s.reach(&guest.Guest{})
		labtest.Check(t, err)
		if got := fmt.Sprint(r.Named); got != want || r.OfVM != ofVM {
			t.Errorf("of a VM %v: %s %v, want %s", ofVM, got, r.OfVM, want)
		}
	}
}

// The error says how to ask all the same, in each stage.
func TestForbidden(t *testing.T) {
	err := fault.In(context.Background(), fault.NotFetched, "kernel", fmt.Errorf("http://x/: %w", &forbiddenError{netip.MustParseAddr("10.9.9.1"), ownAddress, false}), "see that the server is up")
	const want = "kernel: http://x/: 10.9.9.1 is dom0's own address; if a guest may have what is there, --server 10.9.9.1 allows it"
	if err.Error() != want {
		t.Errorf("got %v", err)
	}
	if err := fault.In(context.Background(), fault.NoConfig, "location", &forbiddenError{OfVM: true}, ""); strings.Contains(err.Error(), "--server") || !strings.Contains(err.Error(), "VIF") {
		t.Errorf("who can't name a server is told %v", err)
	}
	if errors.Is(unix.EHOSTUNREACH, fetch.ErrForbidden) || !errors.Is(err, fetch.ErrForbidden) {
		t.Error("taken for another error")
	}
}
