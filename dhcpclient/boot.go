package dhcpclient

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/wire"
	"github.com/insomniacslk/dhcp/dhcpv4"
)

const (
	// askPatience is how long one PXE server is asked, iPXE's.
	askPatience = 2 * time.Second
	// maxAsked is how many proxies, or listed boot servers, are asked. More
	// servers than that on one wire are no servers.
	maxAsked = 2
)

// askAgain is when it is asked again. It need not be spared: it has answered
// already.
var askAgain = []time.Duration{250 * time.Millisecond, 500 * time.Millisecond}

// boot is what PXE servers say about booting.
type boot struct {
	replies []*reply // the one asked last is first; none when they say nothing
	item    string   // of a menu
	local   bool     // from the machine's own disk
}

// boot finds out what to boot, where the offer and its confirmation do not say
// it: from their menu, else from what the proxies say (PXE 2.1 §2.2.4: a PXE
// server that gives the address is before a proxy, and that before a boot file
// of a server that knows nothing of PXE).
func (x *exchange) boot(ctx context.Context, offer, ack *reply, proxies []*reply) (boot, error) {
	for _, r := range []*reply{ack, offer} {
		if r.pxe() && bootable(r) {
			return x.follow(ctx, r)
		}
	}
	proxies = slices.Clone(proxies)
	slices.SortStableFunc(proxies, func(a, b *reply) int { return compare(bootable(b), bootable(a)) })
	for i, p := range proxies {
		if !bootable(p) {
			if i == maxAsked {
				break
			}
			answer, err := x.askProxy(ctx, p)
			if err != nil {
				return boot{}, err
			}
			if answer == nil {
				x.warn("the proxyDHCP server %s does not answer on port %d what to boot", p.server(), wire.PortPXE)
				continue
			}
			p = answer
		}
		if b, err := x.follow(ctx, p); err != nil || b.replies != nil {
			return b, err
		}
	}
	return boot{}, nil
}

// askProxy asks a proxy for what its offer leaves out. nil is no answer.
func (x *exchange) askProxy(ctx context.Context, proxy *reply) (*reply, error) {
	x.asked = append(x.asked, proxy.server())
	m := message{server: address(proxy.Options.Get(dhcpv4.OptionServerIdentifier))}
	return x.ask(ctx, netip.AddrPortFrom(proxy.server(), wire.PortPXE), m, func(r *reply) bool {
		return r.server() == proxy.server() && (r.bootFile() != "" || r.menu() != nil)
	})
}

// follow takes the boot file of a reply, or the first line of its menu: what a
// ROM does when no key is pressed.
func (x *exchange) follow(ctx context.Context, r *reply) (boot, error) {
	m := r.menu()
	if m == nil {
		return boot{replies: []*reply{r}}, nil
	}
	item := m.items[0]
	if m.waits {
		x.warn("the PXE boot menu of %s waits without a time-out: its first line is taken, %s", r.server(), quote(item.text))
	}
	if item.kind == localBoot {
		return boot{[]*reply{r}, item.text, true}, nil
	}
	ack, err := x.askBootServer(ctx, m, item)
	switch {
	case err != nil:
		return boot{}, err
	case ack != nil:
		return boot{[]*reply{ack, r}, item.text, false}, nil
	}
	x.warn("no boot server answers for %s, the first line of the PXE boot menu of %s", quote(item.text), r.server())
	if r.bootFile() == "" {
		return boot{}, nil
	}
	return boot{replies: []*reply{r}}, nil
}

// askBootServer asks for the boot file of a menu's item: the servers that are
// listed for it, then whoever listens (PXE 2.1 §2.2.2). nil is no answer.
func (x *exchange) askBootServer(ctx context.Context, m *menu, item menuItem) (*reply, error) {
	listed := m.servers[item.kind]
	var to []netip.AddrPort
	for _, server := range listed[:min(len(listed), maxAsked)] {
		to = append(to, netip.AddrPortFrom(server, wire.PortPXE))
	}
	if m.control&noMulticast == 0 && m.multicast.IsValid() {
		to = append(to, netip.AddrPortFrom(m.multicast, wire.PortPXE))
	}
	// To a DHCP server it would look like a REQUEST to renew the lease, which a
	// Trial has not.
	if m.control&noBroadcast == 0 && !x.trying() {
		to = append(to, netip.AddrPortFrom(everybody, wire.PortDHCPServer))
	}
	for _, to := range to {
		r, err := x.ask(ctx, to, message{item: &item}, func(r *reply) bool {
			return r.pxe() && r.bootFile() != "" && r.isFor(item) &&
				(m.control&listedOnly == 0 || slices.Contains(listed, r.server()))
		})
		if err != nil || r != nil {
			return r, err
		}
	}
	return nil, nil
}

// ask sends a REQUEST from the leased address until there is the answer that
// is wanted. nil is none.
func (x *exchange) ask(ctx context.Context, to netip.AddrPort, m message, wanted func(*reply) bool) (*reply, error) {
	if x.answered != nil {
		return x.answered(wanted), nil
	}
	giveUp := time.Now().Add(askPatience)
	by, err := x.resolve(ctx, to.Addr(), giveUp)
	if err != nil || by == nil {
		return nil, err
	}
	m.kind, m.xid, m.secs, m.client = dhcpv4.MessageTypeRequest, x.xid, x.secs, x.network.Address.Addr()
	frame := x.id.frame(m, to, by)
	for try := 0; time.Now().Before(giveUp); try++ {
		if err := x.write("REQUEST", frame); err != nil {
			return nil, err
		}
		for until := earlier(giveUp, time.Now().Add(askAgain[min(try, len(askAgain)-1)])); ; {
			r, err := x.receive(ctx, until)
			if err != nil {
				return nil, err
			}
			if r == nil {
				break
			}
			if isAnswer(r) && wanted(r) {
				return r, nil
			}
		}
		if ctx.Err() != nil {
			return nil, fmt.Errorf("ask %s what to boot: %w", to, ctx.Err())
		}
	}
	return nil, nil
}

// isAnswer says whether r can be a PXE server's answer to a REQUEST. Some
// servers send an OFFER, and iPXE takes it, too.
func isAnswer(r *reply) bool {
	return r.MessageType() == dhcpv4.MessageTypeAck || r.MessageType() == dhcpv4.MessageTypeOffer
}

// resolve finds the MAC that frames to an address go to: its own, or the
// router's. nil is no answer.
func (x *exchange) resolve(ctx context.Context, to netip.Addr, giveUp time.Time) (net.HardwareAddr, error) {
	switch {
	case to == everybody:
		return wire.Broadcast, nil
	case to.IsMulticast():
		b := to.As4()
		return net.HardwareAddr{0x01, 0x00, 0x5e, b[1] & 0x7f, b[2], b[3]}, nil // RFC 1112 §6.4
	}
	to = x.hop(to)
	question := wire.WhoHas(to, x.id.mac, x.network.Address.Addr()).Frame()
	for time.Now().Before(giveUp) {
		if err := x.write("ARP request", question); err != nil {
			return nil, err
		}
		for until := earlier(giveUp, time.Now().Add(askAgain[0])); ; {
			e, err := x.next(ctx, until)
			if err != nil {
				return nil, err
			}
			if e.arp != nil && e.arp.Sender == to {
				return slices.Clone(e.arp.SenderMAC), nil
			}
			if e == (event{}) {
				break
			}
		}
		if ctx.Err() != nil {
			return nil, fmt.Errorf("look for the MAC of %s: %w", to, ctx.Err())
		}
	}
	return nil, nil
}

// hop is the station on the wire that leads to an address.
func (x *exchange) hop(to netip.Addr) netip.Addr {
	if !x.network.Address.Contains(to) && x.network.Router.IsValid() {
		return x.network.Router
	}
	return to
}
