package dhcpclient

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/gopxeboot/gopxeboot/internal/wire"
	"github.com/insomniacslk/dhcp/dhcpv4"
)

// Release gives a lease back that Lease has got (RFC 2131 §4.4.4). The guest
// itself must not be using it. No server answers to that, so it is not known
// whether it arrived; the error is that the server's MAC could not be found, in
// the 2 s that are given for it, or one of Conn.
//
// After Lease it need not be called: the guest's own system asks again with the
// same MAC, and is to get the same address.
func (c *Client) Release(ctx context.Context, lease *Lease) error {
	x, end, err := c.start(ctx)
	if err != nil {
		return err
	}
	defer end()
	x.network = *lease
	by, err := x.resolve(ctx, lease.ServerID, x.begin.Add(askPatience))
	switch {
	case err != nil:
		return fmt.Errorf("release %s: %w", lease.Address.Addr(), err)
	case by == nil:
		return fmt.Errorf("release %s: no answer to ARP for %s on %s, which leads to the server %s",
			lease.Address.Addr(), x.hop(lease.ServerID), x.Conn, lease.ServerID)
	}
	m := message{kind: dhcpv4.MessageTypeRelease, client: lease.Address.Addr(), server: lease.ServerID, xid: transactionID(x.random.xid())}
	return x.write("RELEASE", x.id.frame(m, netip.AddrPortFrom(lease.ServerID, wire.PortDHCPServer), by))
}
