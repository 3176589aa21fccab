package dhcpclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

const (
	// maxMessages is how many messages of a survey are kept, and maxStrays how
	// many of them may be strays: a flood of those must not displace answers.
	maxMessages = 256
	maxStrays   = 64
)

// Survey is what a network says to a guest that asks for an address, and takes
// none.
type Survey struct {
	Begin    time.Time // of the first DISCOVER
	Messages []Seen    // what was sent and received, in that order; at most 256, of which 64 are strays
	Missed   int       // messages that there was no room for

	// Lease is what Client.Lease would have come to, if the server confirmed
	// what it offered; nil when nobody offered an address.
	Lease   *Lease
	Origins Origins // of Lease's values

	// Holder is another station that says it has the offered address; nil is none.
	Holder net.HardwareAddr
	// Silent are proxyDHCP servers that were asked on port 4011 what to boot,
	// and did not answer.
	Silent []netip.Addr
	// Anomalies are those of the readable answers, and between them.
	Anomalies []Anomaly
}

// Seen is a message in a Survey.
type Seen struct {
	Message
	After time.Duration // since Survey.Begin
	Delay time.Duration // since the guest's last message before it; 0 of the guest's own
	Sent  bool          // by the guest
	Stray Stray         // why it is not for the guest; "" when it is, or is the guest's own
	// Offer is what an answer to the guest says, also an ACK's or one on port
	// 4011; nil for other messages, and for a NAK.
	Offer *Offer
}

// Stray is the reason why a server's message is not for the guest.
type Stray string

// The reasons. The first one that is so is given.
const (
	OtherVLAN     Stray = "vlan"        // it is in another VLAN than the guest: Message.VLANs, where none is untagged
	OtherGuest    Stray = "chaddr"      // its chaddr is another machine's
	OtherExchange Stray = "xid"         // it answers nothing that the guest has asked
	OtherStation  Stray = "destination" // the frame goes to another MAC
	Unreadable    Stray = "unreadable"  // Message.Anomalies says why; no client should take it
)

// Survey asks for a lease as Lease does, listens to all that is answered until
// wait is over, and takes nothing: after DISCOVER only proxyDHCP and boot
// servers are asked, on port 4011, where Lease would ask them or their offers
// are not complete. They see the offered address, which is probed by ARP
// before. To ask a boot server by broadcast would look like a REQUEST for a
// lease, so that is left out.
//
// Nobody answering is no error. The error is one about what the caller said, or
// of Conn, or that of ctx when it ended before; the Survey is then what was seen
// until there.
func (c *Client) Survey(ctx context.Context, wait time.Duration) (*Survey, error) {
	x, end, err := c.start(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	x.survey = newJournal(c.MAC, x.begin)
	stop := x.listenElsewhere()
	d, all, err := x.listen(ctx, x.begin.Add(wait))
	var offer *reply
	if err == nil {
		offer = d.seen.best()
	}
	s := x.survey
	if offer != nil {
		err = x.consider(ctx, offer, &d.seen, all)
	}
	if err == nil {
		err = stop()
	}
	stop()
	s.finish(all)
	if err == nil && ctx.Err() != nil {
		err = fmt.Errorf("listen on %s: %w", c.Conn, ctx.Err())
	}
	return &s.Survey, err
}

// listen sends DISCOVERs and listens until the end. It gives what Lease would
// decide on, and all offers.
func (x *exchange) listen(ctx context.Context, end time.Time) (*decision, *offers, error) {
	d, all := x.decision(), &offers{}
	xid := x.random.xid()
	x.xid = dhcpv4.TransactionID{byte(xid >> 24), byte(xid >> 16), byte(xid >> 8), byte(xid)}
	for try := 0; time.Now().Before(end) && ctx.Err() == nil; try++ {
		if err := x.sendDiscover(); err != nil {
			return d, all, err
		}
		resend := time.Now().Add(x.wait(try))
		for {
			r, err := x.receive(ctx, earlier(resend, end))
			if err != nil {
				return d, all, err
			}
			if r == nil {
				break
			}
			if !isOffer(r) {
				continue
			}
			if all.add(r) {
				x.tell(r)
			}
			if now := time.Now(); !d.made(now) {
				d.add(r, now)
			}
		}
	}
	return d, all, nil
}

// consider finds out what the offer would come to.
func (x *exchange) consider(ctx context.Context, offer *reply, seen, all *offers) error {
	s := x.survey
	if err := x.lookForHolder(ctx, offer.yourAddress()); err != nil {
		return err
	}
	s.Holder = x.conflict.holder
	var b boot
	if s.Holder == nil && ctx.Err() == nil {
		x.network = *newLease(offer, offer)
		var err error
		if b, err = x.boot(ctx, offer, offer, seen.proxies); err != nil && ctx.Err() == nil {
			return err
		}
		if err := x.askTheRest(ctx, all.proxies); err != nil {
			return err
		}
	}
	s.settle(offer, offer, b, seen)
	return nil
}

// lookForHolder asks by ARP who has the address. Unlike Lease it declines
// nothing: nothing was taken.
func (x *exchange) lookForHolder(ctx context.Context, address netip.Addr) error {
	x.conflict = conflict{}
	if err := x.probe(address); err != nil {
		return err
	}
	for x.conflict.holder == nil {
		e, err := x.next(ctx, x.conflict.until)
		if err != nil || e == (event{}) {
			return err
		}
	}
	return nil
}

// askTheRest asks the proxies that Lease would not have asked, as their offers
// leave open what to boot.
func (x *exchange) askTheRest(ctx context.Context, proxies []*reply) error {
	for i, p := range proxies {
		if i == maxAsked || ctx.Err() != nil {
			break
		}
		if bootable(p) || x.survey.asked(p.server()) {
			continue
		}
		if _, err := x.askProxy(ctx, p); err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}

// listenElsewhere takes down what comes from Client.Elsewhere. stop ends it; it
// may be called twice.
func (x *exchange) listenElsewhere() (stop func() error) {
	if x.Elsewhere == nil {
		return func() error { return nil }
	}
	x.Elsewhere.SetReadDeadline(time.Time{})
	var failure error
	done := make(chan struct{})
	go func() {
		defer close(done)
		buffer := make([]byte, maxFrame)
		for {
			n, err := x.Elsewhere.Read(buffer)
			if err != nil {
				failure = err
				return
			}
			x.survey.elsewhere(time.Now(), buffer[:n])
		}
	}()
	return func() error {
		x.Elsewhere.SetReadDeadline(time.Unix(1, 0))
		<-done
		if errors.Is(failure, os.ErrDeadlineExceeded) {
			return nil
		}
		return fmt.Errorf("receive on %s: %w", x.Elsewhere, failure)
	}
}

// Offers are the answers to DISCOVER, the last one of each server, in the
// order in which the servers answered first.
func (s *Survey) Offers() []*Seen {
	var list []*Seen
	for i := range s.Messages {
		m := &s.Messages[i]
		if m.Offer == nil || m.fromPXE() || m.Type() != "OFFER" && m.Type() != "BOOTP reply" {
			continue
		}
		same := slices.IndexFunc(list, func(other *Seen) bool {
			return other.Offer.Server == m.Offer.Server && other.Offer.Proxy == m.Offer.Proxy
		})
		if same < 0 {
			list = append(list, m)
		} else {
			list[same] = m
		}
	}
	return list
}

// Strays are the servers' messages that were not for the guest.
func (s *Survey) Strays() []*Seen {
	var list []*Seen
	for i := range s.Messages {
		if s.Messages[i].Stray != "" {
			list = append(list, &s.Messages[i])
		}
	}
	return list
}

// journal makes a Survey of frames.
type journal struct {
	mac net.HardwareAddr

	mu     sync.Mutex
	xids   []uint32  // that the guest has used
	last   time.Time // when the guest spoke
	strays int
	Survey
}

func newJournal(mac net.HardwareAddr, begin time.Time) *journal {
	return &journal{mac: mac, Survey: Survey{Begin: begin}}
}

// sent takes down a frame of the guest's.
func (j *journal) sent(at time.Time, frame []byte) {
	m, err := Decode(frame)
	if err != nil { // ARP
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if !slices.Contains(j.xids, m.XID) {
		j.xids = append(j.xids, m.XID)
	}
	j.last = at
	j.add(Seen{Message: m, After: at.Sub(j.Begin), Sent: true})
}

// heard takes down a frame in the guest's own VLAN; r is the same as the
// client reads it, nil when it does not.
func (j *journal) heard(at time.Time, frame []byte, r *reply) {
	m, err := Decode(frame)
	if err != nil || !m.fromServer() {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	s := j.received(at, m)
	switch {
	case !bytes.Equal(m.CHAddr, j.mac):
		s.Stray = OtherGuest
	case !slices.Contains(j.xids, m.XID):
		s.Stray = OtherExchange
	case !m.Broadcast() && !bytes.Equal(m.DestinationMAC, j.mac):
		s.Stray = OtherStation
	case r == nil:
		s.Stray = Unreadable
	case r.MessageType() != dhcpv4.MessageTypeNak:
		o := newOffer(r, s.After)
		s.Offer = &o
	}
	if j.add(s) && r != nil {
		r.message = &m
	}
}

// elsewhere takes down a frame in another VLAN.
func (j *journal) elsewhere(at time.Time, frame []byte) {
	m, err := Decode(frame)
	if err != nil || !m.fromServer() {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	s := j.received(at, m)
	s.Stray = OtherVLAN
	j.add(s)
}

func (j *journal) received(at time.Time, m Message) Seen {
	s := Seen{Message: m, After: at.Sub(j.Begin)}
	if !j.last.IsZero() {
		s.Delay = at.Sub(j.last)
	}
	return s
}

// add keeps a message, where there is room.
func (j *journal) add(s Seen) bool {
	if len(j.Messages) == maxMessages || s.Stray != "" && j.strays == maxStrays {
		j.Missed++
		return false
	}
	if s.Stray != "" {
		j.strays++
	}
	j.Messages = append(j.Messages, s)
	return true
}

// asked says whether the guest has asked the server on port 4011.
func (j *journal) asked(server netip.Addr) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.ContainsFunc(j.Messages, func(s Seen) bool {
		return s.Sent && s.To == netip.AddrPortFrom(server, pxePort)
	})
}

// answered says whether the server has said what to boot on port 4011.
func (j *journal) answered(server netip.Addr) bool {
	return slices.ContainsFunc(j.Messages, func(s Seen) bool {
		return s.Offer != nil && s.fromPXE() && s.Offer.Server == server
	})
}

// settle says what it comes to.
func (j *journal) settle(offer, ack *reply, b boot, seen *offers) {
	lease, origins := merge(offer, ack, b.replies...)
	lease.MenuItem, lease.LocalBoot = b.item, b.local
	lease.Offers = len(seen.addresses)
	j.Lease, j.Origins = lease, *origins
}

// finish gathers what is odd.
func (j *journal) finish(all *offers) {
	for _, p := range all.proxies {
		if server := p.server(); j.asked(server) && !j.answered(server) {
			j.Silent = append(j.Silent, server)
		}
	}
	for _, s := range j.Messages {
		if s.Offer == nil {
			continue
		}
		for _, a := range s.Anomalies {
			a.Servers = []netip.Addr{s.Offer.Server}
			// A server that answers twice says it twice.
			if !slices.ContainsFunc(j.Anomalies, a.equal) {
				j.Anomalies = append(j.Anomalies, a)
			}
		}
	}
	j.Anomalies = append(j.Anomalies, differences(all)...)
}
