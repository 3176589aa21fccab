package dhcpclient

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// Frame is an Ethernet frame of a capture.
type Frame struct {
	At   time.Time
	Data []byte // VLAN tags included
}

// ErrNoGuest is Replay's error when the guest asks for nothing in the capture.
var ErrNoGuest = errors.New("nobody asks for a lease by DHCP in the capture")

// Replay makes the Survey of what somebody else captured: a PXE ROM's boot, or
// a Lease of this package's. mac says whose; nil is the first machine that asks
// for a lease as a PXE client does, else the first that asks. The frames must be
// in their order in time; those that are not of DHCP are passed over.
//
// Where the guest went on to a lease, Survey.Lease is that one. Holder is never
// set, for nobody probes. Of several tries, with several transaction ids, the
// first that was offered an address counts, of those made as a PXE client if
// there are any.
func Replay(mac net.HardwareAddr, frames []Frame) (*Survey, error) {
	c, err := findGuest(mac, frames)
	if err != nil {
		return nil, err
	}
	j := newJournal(c.mac, c.begin)
	x := &exchange{Client: &Client{MAC: c.mac}, begin: c.begin, survey: j}
	var replies []*reply
	var arrived []time.Time
	for _, f := range frames {
		m, err := Decode(f.Data)
		switch {
		case err != nil:
		case bytes.Equal(m.CHAddr, c.mac) && m.Op == uint8(dhcpv4.OpcodeBootRequest) && slices.Equal(m.VLANs, c.vlans):
			j.sent(f.At, f.Data)
		case j.last.IsZero(): // before the guest
		case !slices.Equal(m.VLANs, c.vlans):
			j.elsewhere(f.At, f.Data)
		default:
			untagged, _ := takeTags(f.Data)
			r := parseReply(untagged, c.mac)
			j.heard(f.At, f.Data, r)
			if r != nil {
				replies, arrived = append(replies, r), append(arrived, f.At)
			}
		}
	}
	x.said = func(to netip.AddrPort, wanted func(*reply) bool) *reply {
		for _, r := range replies {
			if isAnswer(r) && r.message != nil && r.message.fromPXE() && wanted(r) {
				return r
			}
		}
		return nil
	}
	round := c.round(replies)
	d, all := x.decision(), &offers{}
	var ack *reply
	for i, r := range replies {
		switch {
		case r.TransactionID != round || r.message != nil && r.message.fromPXE():
		case isOffer(r):
			all.add(r)
			if !d.made(arrived[i]) {
				d.add(r, arrived[i])
			}
		case r.MessageType() == dhcpv4.MessageTypeAck && r.yourAddress().IsValid() && ack == nil:
			ack = r
		}
	}
	offer := d.seen.best()
	if ack != nil {
		// The guest has decided itself.
		offer = ack
		for _, r := range all.addresses {
			if r.server() == ack.server() {
				offer = r
			}
		}
	} else {
		ack = offer
	}
	if offer != nil {
		b, err := x.boot(context.Background(), offer, ack, d.seen.proxies)
		if err != nil {
			return nil, err
		}
		j.settle(offer, ack, b, &d.seen)
	}
	j.finish(all)
	return &j.Survey, nil
}

// captured is whom a capture is about.
type captured struct {
	mac   net.HardwareAddr
	vlans []uint16
	begin time.Time
	tries []try
}

// try is a DISCOVER's transaction.
type try struct {
	xid dhcpv4.TransactionID
	pxe bool
}

// findGuest looks for the guest's DISCOVERs.
func findGuest(mac net.HardwareAddr, frames []Frame) (captured, error) {
	var c captured
	for _, onlyPXE := range []bool{true, false} {
		for _, f := range frames {
			m, err := Decode(f.Data)
			if err != nil || m.Type() != "DISCOVER" && m.Type() != "BOOTP request" || !isStation(m.CHAddr) {
				continue
			}
			t := try{pxe: strings.HasPrefix(string(m.Option(dhcpv4.OptionClassIdentifier.Code())), "PXEClient")}
			if mac != nil && !bytes.Equal(mac, m.CHAddr) || c.mac == nil && onlyPXE && !t.pxe && mac == nil {
				continue
			}
			if c.mac == nil {
				c.mac, c.vlans, c.begin = m.CHAddr, m.VLANs, f.At
			}
			t.xid = dhcpv4.TransactionID{byte(m.XID >> 24), byte(m.XID >> 16), byte(m.XID >> 8), byte(m.XID)}
			if bytes.Equal(c.mac, m.CHAddr) && slices.Equal(c.vlans, m.VLANs) && !slices.ContainsFunc(c.tries, func(o try) bool { return o.xid == t.xid }) {
				c.tries = append(c.tries, t)
			}
		}
		if c.mac != nil {
			return c, nil
		}
	}
	return c, ErrNoGuest
}

// round is the transaction that counts.
func (c *captured) round(replies []*reply) dhcpv4.TransactionID {
	for _, pxe := range []bool{true, false} {
		for _, t := range c.tries {
			if t.pxe == pxe && slices.ContainsFunc(replies, func(r *reply) bool {
				return r.TransactionID == t.xid && isOffer(r) && r.yourAddress().IsValid()
			}) {
				return t.xid
			}
		}
	}
	return c.tries[0].xid
}
