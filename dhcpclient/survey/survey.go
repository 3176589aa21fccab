package survey

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

	"github.com/gopxeboot/gopxeboot/dhcpclient"
	"github.com/gopxeboot/gopxeboot/internal/wire"
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
	// Silent are servers, proxyDHCP's and the boot servers of a menu, that were
	// asked on port 4011 what to boot, more than once, and did not answer.
	Silent []netip.Addr

	dhcpclient.Trial // what comes of it
}

// Seen is a message in a Survey.
type Seen struct {
	Message
	After time.Duration // since Survey.Begin
	Delay time.Duration // since the guest's last message before it; 0 of the guest's own
	Sent  bool          // by the guest
	Stray Stray         // why it is not for the guest; "" when it is, or is the guest's own
	Why   string        // what is wrong with it, where it is Unreadable
	// Offer is what an answer to the guest says, also an ACK's or one on port
	// 4011; nil for other messages, and for a NAK.
	Offer *dhcpclient.Offer
}

// Stray is the reason why a server's message is not for the guest.
type Stray string

// The reasons. The first one that is so is given.
const (
	OtherVLAN     Stray = "vlan"        // it is in another VLAN than the guest: Message.VLANs, where none is untagged
	OtherGuest    Stray = "chaddr"      // its chaddr is another machine's
	OtherExchange Stray = "xid"         // it answers nothing that the guest has asked
	OtherStation  Stray = "destination" // the frame goes to another MAC
	Unreadable    Stray = "unreadable"  // no client should take it
)

// Config says how a survey is made.
type Config struct {
	Wait time.Duration // how long it listens
	// OtherVLANs is where servers in other VLANs are listened to, as from
	// dhcpclient.Listen with its Config.OtherVLANs; nil is not to.
	OtherVLANs dhcpclient.FrameConn
}

// Run tries for a lease as client, by Client.Try, and records all that is said.
//
// That no server answers is no error. The error is one of Try, or of OtherVLANs;
// the Survey is then what was seen until there, and nil where nothing was asked.
func Run(ctx context.Context, client *dhcpclient.Client, c Config) (*Survey, error) {
	j := newJournal(client.MAC, time.Now())
	recorded := *client
	if conn, ok := client.Conn.(*dhcpclient.Conn); client.Conn != nil && (!ok || conn != nil) { // else Try says so
		recorded.Conn = recorder{client.Conn, j}
	}
	stop := j.listen(c.OtherVLANs)
	trial, err := recorded.Try(ctx, c.Wait)
	if stopped := stop(); err == nil {
		err = stopped
	}
	if trial == nil {
		return nil, err
	}
	return j.survey(trial), err
}

// recorder is a FrameConn of which the journal has all frames.
type recorder struct {
	dhcpclient.FrameConn
	journal *journal
}

func (r recorder) Write(frame []byte) (int, error) {
	r.journal.sent(time.Now(), frame)
	return r.FrameConn.Write(frame)
}

func (r recorder) Read(b []byte) (int, error) {
	n, err := r.FrameConn.Read(b)
	if err == nil {
		r.journal.received(time.Now(), b[:n])
	}
	return n, err
}

// listen records what comes from other VLANs, where there is a conn, until stop.
func (j *journal) listen(conn dhcpclient.FrameConn) (stop func() error) {
	if conn == nil {
		return func() error { return nil }
	}
	conn.SetReadDeadline(time.Time{})
	failed := make(chan error, 1)
	go func() {
		buffer := make([]byte, maxFrame)
		for {
			n, err := conn.Read(buffer)
			if err != nil {
				failed <- err
				return
			}
			j.receivedInOtherVLAN(time.Now(), buffer[:n])
		}
	}()
	return func() error {
		conn.SetReadDeadline(time.Unix(1, 0))
		if err := <-failed; !errors.Is(err, os.ErrDeadlineExceeded) {
			return fmt.Errorf("receive on %s: %w", conn, err)
		}
		return nil
	}
}

// Offers are the answers to DISCOVER, the last one of each server, in the
// order in which the servers answered first.
func (s *Survey) Offers() []*Seen {
	var list []*Seen
	for i := range s.Messages {
		m := &s.Messages[i]
		if !m.isOffer() {
			continue
		}
		same := slices.IndexFunc(list, m.sameServer)
		if same < 0 {
			list = append(list, m)
		} else {
			list[same] = m
		}
	}
	return list
}

// First is when the server first answered that sent an offer, since Begin. Offers
// has its last.
func (s *Survey) First(offer *Seen) time.Duration {
	for i := range s.Messages {
		if m := &s.Messages[i]; m.isOffer() && m.sameServer(offer) {
			return m.After
		}
	}
	return offer.After
}

func (m *Seen) sameServer(other *Seen) bool {
	return other.Offer.Server == m.Offer.Server && other.Offer.Proxy == m.Offer.Proxy
}

// isOffer says whether it is an answer to DISCOVER.
func (m *Seen) isOffer() bool {
	return m.Offer != nil && !m.fromPXE() && (m.Type() == TypeOffer || m.Type() == TypeBOOTPReply)
}

// journal makes a Survey of frames.
type journal struct {
	mac net.HardwareAddr

	mu     sync.Mutex
	xids   []uint32  // that the guest has used
	last   time.Time // when the guest spoke
	strays int
	seen   Survey
}

func newJournal(mac net.HardwareAddr, begin time.Time) *journal {
	return &journal{mac: mac, seen: Survey{Begin: begin}}
}

// sent records a frame of the guest's.
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
	j.add(Seen{Message: m, After: at.Sub(j.seen.Begin), Sent: true})
}

// received records a frame in the guest's own VLAN.
func (j *journal) received(at time.Time, frame []byte) {
	m, err := Decode(frame)
	if err != nil || !m.fromServer() {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	s := j.arrived(at, m)
	switch {
	case !bytes.Equal(m.CHAddr, j.mac):
		s.Stray = OtherGuest
	case !slices.Contains(j.xids, m.XID):
		s.Stray = OtherExchange
	case !m.Broadcast() && !bytes.Equal(m.DestinationMAC, j.mac):
		s.Stray = OtherStation
	default:
		offer, ok := dhcpclient.ReadOffer(frame, j.mac, s.After)
		switch {
		case !ok:
			s.Stray, s.Why = Unreadable, dhcpclient.OfferError(frame, j.mac).Error()
		case m.Type() != TypeNak:
			s.Offer = &offer
		}
	}
	j.add(s)
}

// receivedInOtherVLAN records a frame in another VLAN.
func (j *journal) receivedInOtherVLAN(at time.Time, frame []byte) {
	m, err := Decode(frame)
	if err != nil || !m.fromServer() {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	s := j.arrived(at, m)
	s.Stray = OtherVLAN
	j.add(s)
}

func (j *journal) arrived(at time.Time, m Message) Seen {
	s := Seen{Message: m, After: at.Sub(j.seen.Begin)}
	if !j.last.IsZero() {
		s.Delay = at.Sub(j.last)
	}
	return s
}

// add keeps a message, where there is room.
func (j *journal) add(s Seen) {
	if len(j.seen.Messages) == maxMessages || s.Stray != "" && j.strays == maxStrays {
		j.seen.Missed++
		return
	}
	if s.Stray != "" {
		j.strays++
	}
	j.seen.Messages = append(j.seen.Messages, s)
}

// survey is what the journal has, and what comes of it.
func (j *journal) survey(t *dhcpclient.Trial) *Survey {
	s := &j.seen
	s.Trial = *t
	for _, m := range s.Messages {
		server := m.To.Addr()
		if m.Sent && m.To.Port() == wire.PortPXE && !server.IsMulticast() && !slices.Contains(s.Silent, server) && s.asked(server) && !s.answered(server) {
			s.Silent = append(s.Silent, server)
		}
	}
	return s
}

// asked says whether the guest has asked the server on port 4011, and again: a
// capture may end before the first answer.
func (s *Survey) asked(server netip.Addr) bool {
	n := 0
	for _, m := range s.Messages {
		if m.Sent && m.To == netip.AddrPortFrom(server, wire.PortPXE) {
			n++
		}
	}
	return n > 1
}

// answered says whether the server has said what to boot on port 4011.
func (s *Survey) answered(server netip.Addr) bool {
	return slices.ContainsFunc(s.Messages, func(m Seen) bool {
		return m.Offer != nil && m.fromPXE() && m.Offer.Server == server
	})
}
