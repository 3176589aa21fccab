package dhcpclient

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/wire"
	"github.com/insomniacslk/dhcp/dhcpv4"
)

const (
	// requestTries is how often a REQUEST is sent (PXE 2.1 §2.2.4).
	requestTries = 4
	// longAnswer is how long a server is waited for that took long to make its offer:
	// what RFC 2131 §4.1 has everybody wait. A server that many guests ask at once
	// answers each REQUEST, repeated ones too.
	longAnswer = 4 * time.Second
	// A client starts with DISCOVER again where what was offered comes to nothing,
	// which may never stop. After maxRounds ends what is not confirmed or in use, and
	// after maxNaks what the server refuses that offered it: dnsmasq keeps no offer
	// back, so that of many guests which come together several may get the same one.
	maxRounds = 3
	maxNaks   = 6
)

// What a [Client] does where its fields say nothing.
const (
	DefaultPatience  = 60 * time.Second // as a PXE ROM
	DefaultProxyWait = 2 * time.Second
	// The stations of a LAN answer ARP in a millisecond or, when they are busy,
	// in a few. RFC 5227 would wait for seconds; no ROM does.
	DefaultProbeWait = 20 * time.Millisecond
)

// DefaultRetransmit is Client.Retransmit where it is nil.
func DefaultRetransmit() []time.Duration {
	return []time.Duration{1 * time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second}
}

// Client asks for a lease in a guest's name. Conn and MAC must be set; the rest
// may be zero.
type Client struct {
	Conn FrameConn
	MAC  net.HardwareAddr // the guest's
	UUID string           // the guest's, as text; "" sends none
	ROM  ROM              // what the guest's firmware says it is

	// Patience is how long to wait for an offer. 0 is DefaultPatience.
	Patience time.Duration
	// Retransmit is how long to wait for an answer before a message is sent
	// again: one after the other, the last one for all that follow, each with
	// ±20 % jitter. nil is 1, 2, 4, 8, 16 s.
	Retransmit []time.Duration
	// ProxyWait is how long after the first offer a boot file is waited for,
	// from a proxyDHCP or another server, when none has come yet, and an eighth
	// of it where a proxyDHCP server says that it can be asked for one. 0 is
	// DefaultProxyWait, negative is not at all.
	ProxyWait time.Duration
	// ProbeWait is how long after the REQUEST another station may say that it
	// has the address. 0 is DefaultProbeWait, negative is not to ask.
	ProbeWait time.Duration

	// Offered, when it is set, is called for each server that answers.
	Offered func(Offer)
	// Warn, when it is set, is called with what went wrong, but did
	// not end it, in words for people.
	Warn func(string)
	// Rand is where transaction ids and jitter come from; nil is the runtime's.
	Rand rand.Source
}

// Lease gets a lease, by RFC 2131 and PXE 2.1: DISCOVER until there is an
// offer, REQUEST until the server confirms it. A BOOTP reply is a lease as it
// is. An offer with a boot file is taken at once, another after ProxyWait. An
// address that another station has is declined.
//
// What a proxyDHCP server says about booting wins over a server that knows
// nothing of PXE. It is asked on port 4011 when its offer leaves that open. Of
// a boot menu, the first line is taken, and its boot server asked for the boot
// file.
//
// It returns ErrNoOffer, ErrNoAck, ErrNak or ErrInUse, wrapped; together with
// the error of ctx when it was ctx that ended the wait. Any other error is
// about what the caller wants, or comes from Conn. A Conn serves one Lease at a
// time.
func (c *Client) Lease(ctx context.Context) (*Lease, error) {
	x, end, err := c.start(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	var refusal error // what came of the offer before
	for rounds, naks := 0, 0; rounds < maxRounds && naks < maxNaks; {
		d, err := x.discover(ctx)
		if err != nil {
			return nil, err
		}
		seen := &d.seen
		offer := seen.best()
		if offer == nil {
			if refusal == nil {
				refusal = x.noOffer(seen)
			}
			return nil, because(ctx, refusal)
		}
		ack, err := x.take(ctx, offer)
		switch {
		case err == nil:
			return x.lease(ctx, offer, ack, seen)
		case ctx.Err() != nil:
			return nil, err
		case errors.Is(err, ErrNak):
			naks++
			x.avoid = append(x.avoid, offer.server())
		case errors.Is(err, ErrNoAck):
			rounds++
			x.avoid = append(x.avoid, offer.server())
		case errors.Is(err, ErrInUse):
			// RFC 2131 §3.1 would wait 10 s, against loops; maxRounds ends them.
			rounds++
			x.avoid = append(x.avoid, offer.yourAddress())
		default:
			return nil, err
		}
		refusal = err
	}
	return nil, refusal
}

// start begins an exchange; end is to be called when it is over.
func (c *Client) start(ctx context.Context) (x *exchange, end func(), err error) {
	if conn, ok := c.Conn.(*Conn); c.Conn == nil || ok && conn == nil {
		return nil, nil, errors.New("the client has no Conn to ask on")
	}
	id, err := newIdentity(c.MAC, c.UUID, c.ROM)
	if err != nil {
		return nil, nil, err
	}
	// A deadline in the past ends the Read that is under way.
	stop := context.AfterFunc(ctx, func() { c.Conn.SetReadDeadline(time.Unix(1, 0)) })
	x = &exchange{Client: c, id: id, random: randomSource{c.Rand}, begin: time.Now(), buffer: make([]byte, maxFrame)}
	return x, func() { stop() }, nil
}

// exchange is one Lease, or one Trial, under way.
type exchange struct {
	*Client
	id     identity
	random randomSource
	buffer []byte // for frames

	begin     time.Time            // of the whole exchange
	listen    time.Time            // for a Trial: until when; zero for a Lease
	discovers int                  // how many were sent
	xid       dhcpv4.TransactionID // of this round
	secs      uint16               // in the last DISCOVER
	avoid     []netip.Addr         // servers whose offer came to nothing, and addresses in use

	offered  time.Duration // how long the last offer took
	conflict conflict
	network  Lease // what the guest has; zero before it has it

	asked []netip.Addr // proxies, on port 4011
	// answered looks a PXE server's answer up in a capture, in place of asking;
	// nil is to ask.
	answered func(wanted func(*reply) bool) *reply
}

// discover sends DISCOVER until there is something to decide on, or until the end
// of a Trial. It gives what there is when patience or ctx ends, and an error only
// when Conn fails.
func (x *exchange) discover(ctx context.Context) (*decision, error) {
	d := x.decision()
	d.seen.avoid = x.avoid
	// Late answers to an earlier round must not count in this one.
	x.xid = transactionID(x.random.xid())
	begin := time.Now()
	for try := 0; !d.over(time.Now()) && ctx.Err() == nil; try++ {
		if err := x.sendDiscover(); err != nil {
			return nil, err
		}
		resend := time.Now().Add(x.wait(try))
		for !d.over(time.Now()) {
			r, err := x.receiveUntil(ctx, earlier(resend, d.deadline()))
			if err != nil {
				return nil, err
			}
			if r == nil {
				break
			}
			if isOffer(r) {
				x.offered = time.Since(begin)
			}
			if isOffer(r) && d.add(r, time.Now()) && x.Offered != nil {
				x.Offered(newOffer(r, time.Since(x.begin)))
			}
		}
	}
	return d, nil
}

func (x *exchange) sendDiscover() error {
	x.secs = uint16(min(time.Since(x.begin)/time.Second, 0xffff))
	x.discovers++
	return x.send(message{kind: dhcpv4.MessageTypeDiscover, secs: x.secs})
}

// take makes a lease of an offer. It returns the server's confirmation.
func (x *exchange) take(ctx context.Context, offer *reply) (*reply, error) {
	x.conflict = conflict{}
	ack, err := offer, error(nil)
	if offer.bootp() {
		err = x.probe(offer.yourAddress())
	} else {
		ack, err = x.request(ctx, offer)
	}
	if err == nil {
		err = x.checkConflict(ctx, offer)
	}
	return ack, err
}

// lease is what the replies come to, and the PXE servers.
func (x *exchange) lease(ctx context.Context, offer, ack *reply, seen *offers) (*Lease, error) {
	x.network = *newLease(offer, ack)
	boot, err := x.boot(ctx, offer, ack, seen.proxies)
	if err != nil {
		return nil, err
	}
	lease, _ := settle(offer, ack, boot, seen)
	return lease, nil
}

// request asks the server for what it offered, until it says yes or no.
func (x *exchange) request(ctx context.Context, offer *reply) (*reply, error) {
	m := message{
		kind:    dhcpv4.MessageTypeRequest,
		secs:    x.secs, // RFC 2131 §4.4.1: as in the DISCOVER
		address: offer.yourAddress(),
		server:  address(offer.Options.Get(dhcpv4.OptionServerIdentifier)),
	}
	sent := 0
	for ; sent < requestTries && ctx.Err() == nil; sent++ {
		if err := x.probe(m.address); err != nil {
			return nil, err
		}
		if err := x.send(m); err != nil {
			return nil, err
		}
		resend := time.Now().Add(max(x.wait(sent), min(2*x.offered, longAnswer)))
		for {
			r, err := x.receiveUntil(ctx, resend)
			if err != nil {
				return nil, err
			}
			if r == nil {
				break
			}
			if r.server() != offer.server() {
				continue
			}
			switch r.MessageType() {
			case dhcpv4.MessageTypeAck:
				if r.yourAddress() == m.address { // the one that was probed
					return r, nil
				}
			case dhcpv4.MessageTypeNak:
				return nil, because(ctx, fmt.Errorf("%w: %s from %s on %s%s",
					ErrNak, m.address, offer.server(), x.Conn, reason(r)))
			}
		}
	}
	return nil, because(ctx, fmt.Errorf("%w: %s for %s sent to %s on %s",
		ErrNoAck, count(sent, "REQUEST"), m.address, offer.server(), x.Conn))
}

// send broadcasts m.
func (x *exchange) send(m message) error {
	m.xid = x.xid
	return x.write(m.kind.String(), x.id.broadcast(m))
}

func (x *exchange) write(what string, frame []byte) error {
	if _, err := x.Conn.Write(frame); err != nil {
		return fmt.Errorf("send %s on %s: %w", what, x.Conn, err)
	}
	return nil
}

// event is what is received: one of the two.
type event struct {
	reply *reply
	arp   *wire.ARP // its MACs are good until the next event
}

// receiveUntil is receive for who asks again after that. Where many guests start
// together a process may get no CPU for a second, and find that its time is over
// and the answer there: it has a last look.
func (x *exchange) receiveUntil(ctx context.Context, until time.Time) (*reply, error) {
	const overslept, look = 10 * time.Millisecond, 5 * time.Millisecond
	r, err := x.receive(ctx, until)
	if now := time.Now(); r == nil && err == nil && now.Sub(until) > overslept {
		return x.receive(ctx, now.Add(look))
	}
	return r, err
}

// receive gives the next reply to this round; nil when there is none until
// then, or when ctx ends.
func (x *exchange) receive(ctx context.Context, until time.Time) (*reply, error) {
	for {
		e, err := x.next(ctx, until)
		if err != nil || e.reply != nil || e == (event{}) {
			return e.reply, err
		}
	}
}

// next gives the next reply or ARP packet; none when there is none until then,
// or when ctx ends.
func (x *exchange) next(ctx context.Context, until time.Time) (event, error) {
	for {
		// The order matters: the deadline that ctx sets must not be
		// overwritten unseen. And the clock is looked at after each frame, or a
		// flood of foreign ones would hold us here.
		if err := x.Conn.SetReadDeadline(until); err != nil {
			return event{}, fmt.Errorf("receive on %s: %w", x.Conn, err)
		}
		if ctx.Err() != nil || !time.Now().Before(until) {
			return event{}, nil
		}
		n, err := x.Conn.Read(x.buffer)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			continue
		case err != nil:
			return event{}, fmt.Errorf("receive on %s: %w", x.Conn, err)
		}
		f, ok := wire.ParseFrame(x.buffer[:n])
		if !ok || len(f.Tags) > 0 {
			continue
		}
		if p, ok := wire.ParseARP(f); ok {
			return event{arp: &p}, x.receivedARP(p)
		}
		r := parseReply(f, x.id.mac)
		if r != nil && r.TransactionID == x.xid {
			return event{reply: r}, nil
		}
	}
}

// wait is how long to wait after the message was sent for the nth time,
// counted from 0. Guests that start together must not stay in step (RFC 2131
// §4.1).
func (x *exchange) wait(n int) time.Duration {
	waits := x.Retransmit
	if len(waits) == 0 {
		waits = DefaultRetransmit()
	}
	return x.random.jitter(waits[min(n, len(waits)-1)])
}

func (x *exchange) warn(format string, args ...any) {
	if x.Warn != nil {
		x.Warn(fmt.Sprintf(format, args...))
	}
}

// noOffer is ErrNoOffer with what was tried.
func (x *exchange) noOffer(seen *offers) error {
	err := fmt.Errorf("%w %s on %s in %.1f s", ErrNoOffer,
		count(x.discovers, "DISCOVER"), x.Conn, time.Since(x.begin).Seconds())
	if len(seen.proxies) > 0 {
		return fmt.Errorf("%w but the proxyDHCP server %s, which gives no addresses", err, seen.proxies[0].server())
	}
	return err
}

// randomSource is a rand.Source, or the runtime's when that is nil.
type randomSource struct{ rand.Source }

func (r randomSource) Uint64() uint64 {
	if r.Source == nil {
		return rand.Uint64()
	}
	return r.Source.Uint64()
}

func (r randomSource) xid() uint32 { return rand.New(r).Uint32() }

func transactionID(xid uint32) (id dhcpv4.TransactionID) {
	binary.BigEndian.PutUint32(id[:], xid)
	return id
}

// jitter changes d by up to a fifth, up or down.
func (r randomSource) jitter(d time.Duration) time.Duration {
	return d + time.Duration((rand.New(r).Float64()-0.5)*0.4*float64(d))
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// count is "1 REQUEST" or "2 REQUESTs".
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// reason is a server's own words (option 56).
func reason(r *reply) string {
	words := r.Options.Get(dhcpv4.OptionMessage)
	if len(words) == 0 {
		return ""
	}
	return ", saying " + quote(wire.Text(words))
}

// quote makes a server's words safe to print, and short.
func quote(s string) string {
	const most = 80
	return fmt.Sprintf("%q", s[:min(len(s), most)])
}
