package dhcpclient

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/wire"
	"github.com/insomniacslk/dhcp/dhcpv4"
)

// conflict is a look for another station with the address (RFC 2131 §2.2, RFC
// 5227 §2.1.1).
type conflict struct {
	address netip.Addr       // invalid when it is not looked for
	until   time.Time        // how long it is looked for
	holder  net.HardwareAddr // the other station; nil for none
}

// probe asks who has the address. It goes out before a REQUEST, so that the
// answer comes while the server makes its own.
func (x *exchange) probe(address netip.Addr) error {
	wait := cmp.Or(x.ProbeWait, DefaultProbeWait)
	if wait < 0 {
		return nil
	}
	if x.conflict.address != address {
		x.conflict = conflict{address: address, until: time.Now().Add(wait)}
	}
	// From 0.0.0.0: no station may learn yet that the address is the guest's.
	return x.write("ARP probe", wire.WhoHas(address, x.id.mac, netip.IPv4Unspecified()).Frame())
}

// awaitHolder waits for an answer to the probe.
func (x *exchange) awaitHolder(ctx context.Context) error {
	for x.conflict.holder == nil {
		if e, err := x.next(ctx, x.conflict.until); err != nil || e == (event{}) {
			return err
		}
	}
	return nil
}

// checkConflict waits for an answer to the probe, and declines the address when
// there is one.
func (x *exchange) checkConflict(ctx context.Context, offer *reply) error {
	if err := x.awaitHolder(ctx); err != nil || x.conflict.holder == nil {
		return err
	}
	taken := fmt.Errorf("%w: %s, given by %s on %s, is in use by %s",
		ErrInUse, x.conflict.address, offer.server(), x.Conn, x.conflict.holder)
	x.warn("%v", taken)
	if !offer.bootp() {
		if err := x.send(message{
			kind: dhcpv4.MessageTypeDecline, address: x.conflict.address,
			server: address(offer.Options.Get(dhcpv4.OptionServerIdentifier)),
		}); err != nil {
			return err
		}
	}
	return because(ctx, taken)
}

// receivedARP notes who has the probed address, and answers for the guest's own.
//
// Only who speaks from the probed address has it. Other people's probes for it
// are no conflict: switches that track devices probe what they have just seen
// leased.
func (x *exchange) receivedARP(p wire.ARP) error {
	if bytes.Equal(p.SenderMAC, x.id.mac) {
		return nil
	}
	if p.Sender == x.conflict.address {
		x.conflict.holder = bytes.Clone(p.SenderMAC)
	}
	if own := x.network.Address.Addr(); own.IsValid() && p.Operation == wire.ARPRequest && p.Target == own {
		return x.write("ARP reply", wire.ARP{
			Operation: wire.ARPReply, SenderMAC: x.id.mac, TargetMAC: p.SenderMAC,
			Sender: own, Target: p.Sender,
		}.Frame())
	}
	return nil
}
