package dhcpclient

import (
	"context"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/wire"
	"github.com/insomniacslk/dhcp/dhcpv4"
)

// Trial is what Client.Lease would come to, where nothing is taken.
type Trial struct {
	// Lease is nil when no server offers an address. It is what the offer says,
	// as if the server confirmed it.
	Lease   *Lease
	Origins Origins // of Lease's values
	// Decided is when Lease would take an offer: it does not wait for what comes
	// later. It is zero where there is none to take. Of a machine that went on to a
	// lease in a capture it is when that was confirmed.
	Decided time.Time
	// Holder is another station that says it has the offered address; nil is none.
	Holder net.HardwareAddr
}

// Try asks for a lease as Lease does, listens until wait is over, and takes
// nothing: after DISCOVER only proxyDHCP and boot servers are asked, on port
// 4011, where Lease would ask them or their offers are not complete. They see the
// offered address, which is probed by ARP before. To ask a boot server by
// broadcast would look like a REQUEST for a lease, so that is left out.
//
// That no server answers is no error. The error is one about what the caller
// wants, or of Conn, or that of ctx when it ended before; the Trial is then what
// came of it until there.
func (c *Client) Try(ctx context.Context, wait time.Duration) (*Trial, error) {
	x, end, err := c.start(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	x.listen = x.begin.Add(wait)
	t := new(Trial)
	d, err := x.discover(ctx)
	if err != nil {
		return t, err
	}
	if offer := d.seen.best(); offer != nil {
		t.Decided = d.giveUp
		err = x.consider(ctx, t, offer, d)
	}
	if err == nil && ctx.Err() != nil {
		err = fmt.Errorf("listen on %s: %w", c.Conn, ctx.Err())
	}
	return t, err
}

// trying says whether nothing is to be taken.
func (x *exchange) trying() bool { return !x.listen.IsZero() }

// consider finds out what the offer would come to.
func (x *exchange) consider(ctx context.Context, t *Trial, offer *reply, d *decision) error {
	// Unlike Lease it declines nothing: nothing was taken.
	x.conflict = conflict{}
	if err := x.probe(offer.yourAddress()); err != nil {
		return err
	}
	if err := x.awaitHolder(ctx); err != nil {
		return err
	}
	t.Holder = x.conflict.holder
	var b boot
	if t.Holder == nil && ctx.Err() == nil {
		x.network = *newLease(offer, offer)
		var err error
		if b, err = x.boot(ctx, offer, offer, d.seen.proxies); err != nil && ctx.Err() == nil {
			return err
		}
		if err := x.askTheRest(ctx, d.all.proxies); err != nil {
			return err
		}
	}
	t.Lease, t.Origins = settle(offer, offer, b, &d.seen)
	return nil
}

// askTheRest asks the proxies that Lease would not have asked, as their offers
// leave open what to boot.
func (x *exchange) askTheRest(ctx context.Context, proxies []*reply) error {
	for i, p := range proxies {
		if i == maxAsked || ctx.Err() != nil {
			break
		}
		if bootable(p) || slices.Contains(x.asked, p.server()) {
			continue
		}
		if _, err := x.askProxy(ctx, p); err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}

// settle is the lease that it comes to, and where its values are from.
func settle(offer, ack *reply, b boot, seen *offers) (*Lease, Origins) {
	lease, origins := merge(offer, ack, b.replies...)
	lease.MenuItem, lease.LocalBoot = b.item, b.local
	lease.Offers = len(seen.addresses)
	return lease, *origins
}

// Frame is an Ethernet frame of a capture.
type Frame struct {
	At   time.Time
	Data []byte // with its VLAN tags
}

// Conclude makes the Trial of the frames that came to another machine, whose MAC
// that is: a PXE ROM, or a Client. They must be in their order in time. The
// answers to the DISCOVER with that transaction id count, and to what PXE servers
// were asked; begin is when it was sent.
//
// Where the machine went on to a lease, Trial.Lease is that one. Holder is never
// set.
func Conclude(mac net.HardwareAddr, begin time.Time, xid uint32, frames []Frame) *Trial {
	x := &exchange{Client: &Client{MAC: mac}, begin: begin}
	d := x.decision()
	var ack *reply
	var answers []*reply // of PXE servers
	for _, f := range frames {
		ethernet, _ := wire.ParseFrame(f.Data)
		r := parseReply(ethernet, mac)
		switch {
		case r == nil:
		case r.fromPXE():
			if isAnswer(r) {
				answers = append(answers, r)
			}
		case r.TransactionID != transactionID(xid):
		case isOffer(r):
			d.add(r, f.At)
		case r.MessageType() == dhcpv4.MessageTypeAck && r.yourAddress().IsValid() && ack == nil:
			ack, d.giveUp = r, f.At
		}
	}
	x.answered = func(wanted func(*reply) bool) *reply {
		if i := slices.IndexFunc(answers, wanted); i >= 0 {
			return answers[i]
		}
		return nil
	}
	t := new(Trial)
	offer := d.seen.best()
	if ack != nil { // the machine has decided itself
		offer = ack
		for _, r := range d.all.addresses {
			if r.server() == ack.server() {
				offer = r
			}
		}
	} else {
		ack = offer
	}
	if offer != nil {
		// It asks nothing, so nothing can fail.
		b, _ := x.boot(context.Background(), offer, ack, d.seen.proxies)
		t.Decided = d.giveUp
		t.Lease, t.Origins = settle(offer, ack, b, &d.seen)
	}
	return t
}
