package dhcpclient

import (
	"cmp"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/wire"
	"github.com/insomniacslk/dhcp/dhcpv4"
)

// maxOffers is how many offers are kept. More servers than a few on one wire
// are no servers.
const maxOffers = 16

// Offer is one server's answer to a DISCOVER.
type Offer struct {
	Server     netip.Addr    // option 54, else siaddr, else where the packet came from
	Address    netip.Addr    // invalid from a proxyDHCP server, which gives none
	NextServer netip.Addr    // siaddr, else 66 or sname when they are addresses; invalid when there is none
	BootFile   string        // as in Lease
	Menu       []string      // the lines of a PXE boot menu, which takes the place of a boot file
	Proxy      bool          // from a proxyDHCP server
	After      time.Duration // since the first DISCOVER
}

// newOffer is what r says, so long after the first DISCOVER.
func newOffer(r *reply, after time.Duration) Offer {
	next, _, _ := r.nextServer()
	o := Offer{
		Server: r.server(), Address: r.yourAddress(), NextServer: next,
		BootFile: r.bootFile(), Proxy: isProxy(r), After: after,
	}
	if m := r.menu(); m != nil {
		for _, item := range m.items {
			o.Menu = append(o.Menu, item.text)
		}
	}
	return o
}

// ReadOffer reads what a frame with a server's message offers to the machine with
// that MAC, where it is an ACK or one of port 4011, too. It is not ok where a
// Client takes it for no such message.
func ReadOffer(frame []byte, mac net.HardwareAddr, after time.Duration) (o Offer, ok bool) {
	f, _ := wire.ParseFrame(frame)
	r := parseReply(f, mac)
	if r == nil {
		return o, false
	}
	return newOffer(r, after), true
}

// OfferError is why ReadOffer is not ok; nil where it is.
func OfferError(frame []byte, mac net.HardwareAddr) error {
	f, _ := wire.ParseFrame(frame)
	_, err := readReply(f, mac)
	return err
}

// offers are the answers to a DISCOVER: one a server, at most maxOffers of a
// kind, in the order of their first arrival.
type offers struct {
	addresses []*reply     // from servers that give an address
	proxies   []*reply     // from proxyDHCP servers
	avoid     []netip.Addr // servers whose offer came to nothing before, and addresses in use
}

// isOffer says whether r answers a DISCOVER.
func isOffer(r *reply) bool {
	if !r.bootp() && r.MessageType() != dhcpv4.MessageTypeOffer {
		return false
	}
	return r.yourAddress().IsValid() || isProxy(r)
}

// isProxy says whether an offer is a proxyDHCP server's: it knows PXE clients
// and leaves the address to another server (PXE 2.1 §2.2.1).
func isProxy(r *reply) bool {
	return r.YourIPAddr.IsUnspecified() && r.pxe() && !r.bootp()
}

// bootable says whether a reply tells by itself what to boot: a boot file, or a
// menu to find one by. A server that gives the address need not name a
// next-server: it is the one. A proxy that does not name it wants a REQUEST on
// port 4011.
func bootable(r *reply) bool {
	return r.menu() != nil || r.bootFile() != "" && (!isProxy(r) || address(r.ServerIPAddr).IsValid())
}

// add keeps an offer, and says whether it is the first of its server. A later
// one of the same server takes the earlier one's place, for it is the one that
// the server remembers. When there is no room, one that says what to boot
// takes the place of one that does not.
func (o *offers) add(r *reply) (first bool) {
	kept := &o.addresses
	if isProxy(r) {
		kept = &o.proxies
	}
	if i := slices.IndexFunc(*kept, func(k *reply) bool { return k.server() == r.server() }); i >= 0 {
		(*kept)[i] = r
		return false
	}
	if len(*kept) < maxOffers {
		*kept = append(*kept, r)
		return true
	}
	i := slices.IndexFunc(*kept, func(k *reply) bool { return !bootable(k) })
	if i < 0 || !bootable(r) {
		return false
	}
	(*kept)[i] = r
	return true
}

// best is the offer to take; nil when none gives an address. The order is PXE
// 2.1's: a boot file from a server that knows PXE, then a boot file, then DHCP
// before BOOTP. Among equals the first to arrive wins.
func (o *offers) best() *reply {
	if len(o.addresses) == 0 {
		return nil
	}
	return slices.MaxFunc(o.addresses, func(a, b *reply) int {
		return cmp.Or(
			compare(!o.avoided(a), !o.avoided(b)),
			compare(bootable(a), bootable(b)),
			compare(a.pxe(), b.pxe()),
			compare(!a.bootp(), !b.bootp()),
		)
	})
}

// complete says whether nothing better need be waited for.
func (o *offers) complete() bool {
	best := o.best()
	return best != nil && !o.avoided(best) && (bootable(best) || slices.ContainsFunc(o.proxies, bootable))
}

// promised says whether a proxy may say what to boot when it is asked.
func (o *offers) promised() bool {
	best := o.best()
	return best != nil && !o.avoided(best) && len(o.proxies) > 0
}

func (o *offers) avoided(r *reply) bool {
	return slices.Contains(o.avoid, r.server()) || slices.Contains(o.avoid, r.yourAddress())
}

// compare puts false before true.
func compare(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}
