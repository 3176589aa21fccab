package session

import (
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/gopxeboot/gopxeboot/internal/bridging"
	"github.com/gopxeboot/gopxeboot/internal/fetch"
	"github.com/gopxeboot/gopxeboot/internal/guest"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Reach is what dom0 knows of its network, for the child that uses it: what
// dom0 can reach is not all for a guest, and who writes a configuration, or
// answers to DHCP or DNS, is not dom0's root.
type Reach struct {
	Bridge   bool           // there is a guest's bridge
	Own      []netip.Prefix // what dom0 takes for itself
	OnBridge []netip.Addr   // dom0's addresses on the guest's bridge
	Routes   []route
	Named    []netip.Addr // servers that the command line names
	OfVM     bool         // who asks can't name any
}

// route is one of dom0's.
type route struct {
	To        netip.Prefix
	Metric    int
	Main      bool // of the main table; others serve policies that are not looked at
	Connected bool // without a router
	Bridge    bool // by the guest's bridge
}

// aliens are IPv4 networks that are not of the internet (RFC 6890, and the
// registry that it made).
var aliens = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"),
	netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("169.254.0.0/16"), netip.MustParsePrefix("172.16.0.0/12"),
	netip.MustParsePrefix("192.0.0.0/24"), netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("192.168.0.0/16"),
	netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("203.0.113.0/24"),
	netip.MustParsePrefix("224.0.0.0/3"),
}

// forbiddenError is the error of an address that a boot in dom0's network does
// not ask.
type forbiddenError struct {
	Address netip.Addr
	Why     string
	OfVM    bool // who asks can't name it
}

func (e *forbiddenError) Error() string { return fmt.Sprintf("%s %s", e.Address, e.Why) }

// Is makes it fetch.ErrForbidden.
func (e *forbiddenError) Is(target error) bool { return target == fetch.ErrForbidden }

// Try says how to ask it all the same.
func (e *forbiddenError) Try() string {
	if e.OfVM {
		return "a VIF gives the VM a network of its own"
	}
	return fmt.Sprintf("if a guest may have what is there, --server %s allows it", e.Address)
}

// Refuse says which addresses are not asked; the lease's next-server (its zero
// value is none) is, unless it is in another network of dom0's. A nil Reach is that of a network of the
// guest's own, where no address is dom0's.
func (r *Reach) Refuse(nextServer netip.Addr) func(netip.Addr) error {
	return func(a netip.Addr) error {
		if r != nil && slices.Contains(r.Named, a) {
			return nil
		}
		if a.IsLoopback() || a.IsUnspecified() || a.IsMulticast() {
			return fmt.Errorf("%s is no address of a server", a)
		}
		if r == nil {
			return nil
		}
		if why := r.forbids(a, a == nextServer); why != "" {
			return &forbiddenError{a, why, r.OfVM}
		}
		return nil
	}
}

// forbids says why an address is not asked; "" when it is.
func (r *Reach) forbids(a netip.Addr, next bool) string {
	holds := func(p netip.Prefix) bool { return p.Contains(a) }
	switch way := r.route(a); {
	case !guest.Usable(a):
		return "is no IPv4 address that dom0 would ask for a guest"
	case slices.ContainsFunc(r.Own, holds):
		if next && slices.Contains(r.OnBridge, a) {
			return ""
		}
		return "is dom0's own address"
	case way.Bridge:
		return ""
	case slices.ContainsFunc(r.Routes, func(w route) bool { return w.Connected && !w.Bridge && holds(w.To) }):
		return "is in a network of dom0's that is not the guest's"
	case r.Bridge && !next:
		return "is not where dom0 gets by the guest's bridge"
	case !r.Bridge && slices.ContainsFunc(aliens, holds):
		return "is no public address"
	}
	return ""
}

// route is the way to an address: the longest prefix, and of those the lowest
// metric.
func (r *Reach) route(a netip.Addr) (best route) {
	found := false
	for _, w := range r.Routes {
		if !w.Main || !w.To.Contains(a) {
			continue
		}
		if !found || w.To.Bits() > best.To.Bits() || w.To.Bits() == best.To.Bits() && w.Metric < best.Metric {
			best, found = w, true
		}
	}
	return best
}

// reachOfDom0 looks at dom0's addresses and routes. bridge is "" where there is
// none of the guest's.
func reachOfDom0(bridge string, vlan uint16) (*Reach, error) {
	r := &Reach{Bridge: bridge != ""}
	onBridge, err := interfacesOn(bridge, vlan)
	if err != nil {
		return nil, err
	}
	// All tables: policies may use any.
	var all []netlink.Route
	err = bridging.Whole(func() (err error) {
		all, err = netlink.RouteListFiltered(netlink.FAMILY_V4, &netlink.Route{Table: unix.RT_TABLE_UNSPEC}, netlink.RT_FILTER_TABLE)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list dom0's routes: %w", err)
	}
	for _, w := range all {
		to := netip.PrefixFrom(netip.IPv4Unspecified(), 0)
		if w.Dst != nil {
			a, ok := netip.AddrFromSlice(w.Dst.IP.To4())
			bits, _ := w.Dst.Mask.Size()
			if !ok {
				continue
			}
			to = netip.PrefixFrom(a, bits)
		}
		by := slices.Contains(onBridge, w.LinkIndex) && len(w.MultiPath) == 0
		switch w.Type {
		case unix.RTN_LOCAL:
			r.Own = append(r.Own, to)
			if by && to.IsSingleIP() {
				r.OnBridge = append(r.OnBridge, to.Addr())
			}
		case unix.RTN_UNICAST, unix.RTN_UNREACHABLE, unix.RTN_BLACKHOLE, unix.RTN_PROHIBIT:
			connected := w.Type == unix.RTN_UNICAST && w.Gw == nil && w.Via == nil && len(w.MultiPath) == 0
			r.Routes = append(r.Routes, route{to, w.Priority, w.Table == unix.RT_TABLE_MAIN, connected && to.Bits() > 0, by && w.Type == unix.RTN_UNICAST})
		}
	}
	return r, nil
}

// interfacesOn are dom0's interfaces in the guest's VLAN of a bridge: the
// bridge's own, or VLAN devices on it.
func interfacesOn(bridge string, vlan uint16) (indexes []int, err error) {
	if bridge == "" {
		return nil, nil
	}
	ifi, err := net.InterfaceByName(bridge)
	if err != nil {
		return nil, err
	}
	if vlan == 0 || bridging.Filters(ifi.Index) && bridging.DefaultPVID(ifi.Index) == vlan {
		indexes = append(indexes, ifi.Index)
	}
	if vlan != 0 {
		indexes = append(indexes, bridging.VLANDevices(ifi.Index, vlan)...)
	}
	return indexes, nil
}

// reach is dom0's network, for the child that uses it.
func (s *Spec) reach(g *guest.Guest) (*Reach, error) {
	r, err := reachOfDom0(g.Bridge, g.VLAN)
	if err != nil {
		return nil, err
	}
	if r.OfVM = s.OfVM; r.OfVM {
		return r, nil
	}
	if s.Server.IsValid() {
		r.Named = append(r.Named, s.Server)
	}
	for _, host := range s.Hosts {
		if a, err := netip.ParseAddr(host); err == nil {
			r.Named = append(r.Named, a.Unmap())
		}
	}
	return r, nil
}
