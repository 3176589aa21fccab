package dhcpclient

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

const (
	// requestTries is how often a REQUEST is sent (PXE 2.1 §2.2.4).
	requestTries = 4
	// maxRounds is how often a client starts with DISCOVER: a server that
	// refuses what it offered itself may do so for ever.
	maxRounds = 3

	defaultPatience  = 60 * time.Second
	defaultProxyWait = 2 * time.Second
)

var defaultRetransmit = []time.Duration{1 * time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second}

// FrameConn is an Ethernet interface: each Read and each Write is one whole
// frame, without the checksum at its end. What listens to the traffic, or
// changes it, is a FrameConn around another one.
type FrameConn interface {
	io.ReadWriter
	SetReadDeadline(time.Time) error // as in net.Conn
	String() string                  // the interface's name, for errors
}

// Client asks for a lease in a guest's name. Conn and MAC must be set; the rest
// may be zero.
type Client struct {
	Conn FrameConn
	MAC  net.HardwareAddr // the guest's
	UUID string           // the guest's, as text; "" sends none

	// Patience is how long to wait for an offer. 0 is 60 s, as a PXE ROM.
	Patience time.Duration
	// Retransmit is how long to wait for an answer before a message is sent
	// again: one after the other, the last one for all that follow, each up to
	// a fifth shorter or longer by chance. nil is 1, 2, 4, 8, 16 s.
	Retransmit []time.Duration
	// ProxyWait is how long after the first offer a boot file is waited for,
	// from a proxyDHCP or another server, when none has come yet. 0 is 2 s,
	// negative is not at all.
	ProxyWait time.Duration

	// Offered, when it is set, is called by Lease for each server that answers.
	Offered func(Offer)
	// Rand is where transaction ids and jitter come from; nil is the runtime's.
	Rand rand.Source
}

// Lease gets a lease, by RFC 2131 and PXE 2.1: DISCOVER until there is an
// offer, REQUEST until the server confirms it. A BOOTP reply is a lease as it
// is. An offer with a boot file is taken at once, another after ProxyWait. What
// a proxyDHCP server says about booting wins, when its offer says all of it;
// one that wants to be asked again on port 4011 is not asked.
//
// It returns ErrNoOffer, ErrNoAck or ErrNak, wrapped; together with the error
// of ctx when it was ctx that ended the wait. Any other error is about what
// the caller said, or comes from Conn. A Conn serves one Lease at a time.
func (c *Client) Lease(ctx context.Context) (*Lease, error) {
	id, err := newIdentity(c.MAC, c.UUID)
	if err != nil {
		return nil, err
	}
	// A deadline in the past ends the Read that is under way.
	stop := context.AfterFunc(ctx, func() { c.Conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()

	x := &exchange{Client: c, id: id, random: random{c.Rand}, begin: time.Now(), buffer: make([]byte, maxFrame)}
	var refusal error // what came of the offer before
	for range maxRounds {
		seen, err := x.discover(ctx)
		if err != nil {
			return nil, err
		}
		offer := seen.best()
		if offer == nil {
			if refusal == nil {
				refusal = x.noOffer(seen)
			}
			return nil, because(ctx, refusal)
		}
		ack := offer
		if !offer.bootp() {
			ack, err = x.request(ctx, offer)
		}
		switch {
		case err == nil:
			// A proxy that wants to be asked on port 4011 would be asked here,
			// from the address that the guest now has.
			lease := newLease(offer, ack, seen.proxy())
			lease.Offers = len(seen.addresses)
			return lease, nil
		case !errors.Is(err, ErrNak) && !errors.Is(err, ErrNoAck), ctx.Err() != nil:
			return nil, err
		}
		refusal = err
		x.avoid = append(x.avoid, offer.server())
	}
	return nil, refusal
}

// exchange is one Lease under way.
type exchange struct {
	*Client
	id     identity
	random random
	buffer []byte // for frames

	begin     time.Time            // of the whole exchange
	discovers int                  // how many were sent
	xid       dhcpv4.TransactionID // of this round
	secs      uint16               // in the last DISCOVER
	avoid     []netip.Addr         // servers whose offer came to nothing
}

// discover sends DISCOVER until there is something to decide on. It gives what
// there is when patience or ctx ends, and an error only when Conn fails.
func (x *exchange) discover(ctx context.Context) (*offers, error) {
	giveUp := x.begin.Add(orDefault(x.Patience, defaultPatience))
	seen := &offers{avoid: x.avoid}
	// Late answers to an earlier round must not count in this one.
	binary.BigEndian.PutUint32(x.xid[:], x.random.xid())
	for try := 0; time.Now().Before(giveUp) && ctx.Err() == nil; try++ {
		x.secs = uint16(min(time.Since(x.begin)/time.Second, 0xffff))
		if err := x.send(message{kind: dhcpv4.MessageTypeDiscover, secs: x.secs}); err != nil {
			return nil, err
		}
		x.discovers++
		resend := time.Now().Add(x.wait(try))
		for {
			r, err := x.receive(ctx, earlier(resend, giveUp))
			if err != nil {
				return nil, err
			}
			if r == nil {
				break
			}
			if !isOffer(r) {
				continue
			}
			if seen.add(r) {
				x.tell(r)
			}
			if seen.complete() {
				return seen, nil
			}
			if len(seen.addresses) > 0 {
				giveUp = earlier(giveUp, time.Now().Add(orDefault(x.ProxyWait, defaultProxyWait)))
			}
		}
	}
	return seen, nil
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
		if err := x.send(m); err != nil {
			return nil, err
		}
		resend := time.Now().Add(x.wait(sent))
		for {
			r, err := x.receive(ctx, resend)
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
				if r.yourAddress().IsValid() {
					return r, nil
				}
			case dhcpv4.MessageTypeNak:
				return nil, because(ctx, fmt.Errorf("%w: %s from %s on %s%s",
					ErrNak, m.address, offer.server(), x.Conn, said(r)))
			}
		}
	}
	return nil, because(ctx, fmt.Errorf("%w: %s for %s sent to %s on %s",
		ErrNoAck, count(sent, "REQUEST"), m.address, offer.server(), x.Conn))
}

// send broadcasts m.
func (x *exchange) send(m message) error {
	m.xid = x.xid
	if _, err := x.Conn.Write(x.id.broadcast(m)); err != nil {
		return fmt.Errorf("send %s on %s: %w", m.kind, x.Conn, err)
	}
	return nil
}

// receive gives the next reply to this round; nil when there is none until
// then, or when ctx ends.
func (x *exchange) receive(ctx context.Context, until time.Time) (*reply, error) {
	for {
		// The order matters: the deadline that ctx sets must not be
		// overwritten unseen. And the clock is looked at after each frame, or a
		// flood of foreign ones would hold us here.
		if err := x.Conn.SetReadDeadline(until); err != nil {
			return nil, fmt.Errorf("receive on %s: %w", x.Conn, err)
		}
		if ctx.Err() != nil || !time.Now().Before(until) {
			return nil, nil
		}
		n, err := x.Conn.Read(x.buffer)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			continue
		case err != nil:
			return nil, fmt.Errorf("receive on %s: %w", x.Conn, err)
		}
		if r := parseReply(x.buffer[:n], x.id.mac); r != nil && r.TransactionID == x.xid {
			return r, nil
		}
	}
}

// wait is how long to wait after the message was sent for the nth time,
// counted from 0. Guests that start together must not stay in step (RFC 2131
// §4.1).
func (x *exchange) wait(n int) time.Duration {
	waits := x.Retransmit
	if len(waits) == 0 {
		waits = defaultRetransmit
	}
	return x.random.jitter(waits[min(n, len(waits)-1)])
}

// tell tells the caller about an offer.
func (x *exchange) tell(r *reply) {
	if x.Offered == nil {
		return
	}
	next, _ := r.nextServer()
	x.Offered(Offer{
		Server: r.server(), Address: r.yourAddress(), NextServer: next,
		BootFile: r.bootFile(), Proxy: isProxy(r), After: time.Since(x.begin),
	})
}

// noOffer is ErrNoOffer with what was tried.
func (x *exchange) noOffer(seen *offers) error {
	err := fmt.Errorf("%w %s on %s in %s", ErrNoOffer,
		count(x.discovers, "DISCOVER"), x.Conn, time.Since(x.begin).Round(100*time.Millisecond))
	if len(seen.proxies) > 0 {
		return fmt.Errorf("%w but the proxyDHCP server %s, which gives no addresses", err, seen.proxies[0].server())
	}
	return err
}

// random is a rand.Source, or the runtime's when that is nil.
type random struct{ rand.Source }

func (r random) Uint64() uint64 {
	if r.Source == nil {
		return rand.Uint64()
	}
	return r.Source.Uint64()
}

// xid is a transaction id.
func (r random) xid() uint32 { return rand.New(r).Uint32() }

// jitter changes d by up to a fifth, up or down.
func (r random) jitter(d time.Duration) time.Duration {
	return d + time.Duration((rand.New(r).Float64()-0.5)*0.4*float64(d))
}

func orDefault(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
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

// said is a server's reason (option 56), made safe to print.
func said(r *reply) string {
	const most = 80
	reason := r.Options.Get(dhcpv4.OptionMessage)
	if len(reason) == 0 {
		return ""
	}
	return fmt.Sprintf(", saying %q", text(reason[:min(len(reason), most)]))
}
