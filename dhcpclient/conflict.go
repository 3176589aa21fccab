package dhcpclient

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// defaultProbeWait is for the stations of a LAN, which answer ARP in a
// millisecond or, when they are busy, in a few. RFC 5227 would wait for
// seconds; no ROM does.
const defaultProbeWait = 20 * time.Millisecond

// conflict is a look for somebody else with the address (RFC 2131 §2.2, RFC
// 5227 §2.1.1).
type conflict struct {
	address netip.Addr       // invalid when it is not looked for
	until   time.Time        // how long it is looked for
	holder  net.HardwareAddr // who else has it; nil for nobody
}

// probe asks who has the address. It goes out before a REQUEST, so that the
// answer comes while the server makes its own.
func (x *exchange) probe(address netip.Addr) error {
	wait := orDefault(x.ProbeWait, defaultProbeWait)
	if wait < 0 {
		return nil
	}
	if x.conflict.address != address {
		x.conflict = conflict{address: address, until: time.Now().Add(wait)}
	}
	// From 0.0.0.0: nobody may learn yet that the address is the guest's.
	return x.write("ARP probe", arpPacket{
		operation: arpRequest, senderMAC: x.id.mac, targetMAC: make(net.HardwareAddr, 6),
		sender: netip.IPv4Unspecified(), target: address,
	}.frame())
}

// free waits for an answer to the probe, and hands the address back when there
// is one.
func (x *exchange) free(ctx context.Context, offer *reply) error {
	for x.conflict.holder == nil {
		e, err := x.next(ctx, x.conflict.until)
		if err != nil {
			return err
		}
		if e == (event{}) {
			return nil
		}
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

// hear takes note of what a station says about addresses, and says what is to
// be said about the guest's own.
//
// Only who speaks from the probed address has it. Other people's probes for it
// are no conflict: switches that track devices probe what they have just seen
// leased.
func (x *exchange) hear(p arpPacket) error {
	if bytes.Equal(p.senderMAC, x.id.mac) {
		return nil
	}
	if p.sender == x.conflict.address {
		x.conflict.holder = bytes.Clone(p.senderMAC)
	}
	if own := x.network.Address.Addr(); own.IsValid() && p.operation == arpRequest && p.target == own {
		return x.write("ARP reply", arpPacket{
			operation: arpReply, senderMAC: x.id.mac, targetMAC: p.senderMAC,
			sender: own, target: p.sender,
		}.frame())
	}
	return nil
}
