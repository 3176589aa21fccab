package survey

import (
	"bytes"
	"errors"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/gopxeboot/gopxeboot/dhcpclient"
	"github.com/gopxeboot/gopxeboot/internal/wire"
	"github.com/insomniacslk/dhcp/dhcpv4"
)

// ErrNoGuest is Replay's error when the guest asks for nothing in the capture.
var ErrNoGuest = errors.New("no machine asks for a lease by DHCP in the capture")

// Replay makes the Survey of what somebody else captured: a PXE ROM's boot, or
// a Lease of dhcpclient's. mac says whose; nil is the first machine that asks
// for a lease as a PXE client does, else the first that asks. The frames must be
// in their order in time; those that are not of DHCP are passed over.
//
// Where the guest went on to a lease, Survey.Lease is that one. Holder is never
// set, for there is no probe. Of several tries, with several transaction ids, the
// first that was offered an address counts, of those made as a PXE client if
// there are any.
func Replay(mac net.HardwareAddr, frames []dhcpclient.Frame) (*Survey, error) {
	c, err := findGuest(mac, frames)
	if err != nil {
		return nil, err
	}
	j := newJournal(c.mac, c.begin)
	var own []dhcpclient.Frame // that came in the guest's VLAN
	for _, f := range frames {
		m, err := Decode(f.Data)
		switch {
		case err != nil:
		case bytes.Equal(m.CHAddr, c.mac) && m.Op == uint8(dhcpv4.OpcodeBootRequest) && slices.Equal(m.VLANs, c.vlans):
			j.sent(f.At, f.Data)
		case j.last.IsZero(): // before the guest
		case !slices.Equal(m.VLANs, c.vlans):
			j.receivedInOtherVLAN(f.At, f.Data)
		default:
			j.received(f.At, f.Data)
			own = append(own, f)
		}
	}
	return j.survey(dhcpclient.Conclude(c.mac, c.begin, c.round(j.seen.Messages), own)), nil
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
	xid uint32
	pxe bool
}

// findGuest looks for the guest's DISCOVERs.
func findGuest(mac net.HardwareAddr, frames []dhcpclient.Frame) (captured, error) {
	var c captured
	for _, onlyPXE := range []bool{true, false} {
		for _, f := range frames {
			m, err := Decode(f.Data)
			if err != nil || m.Type() != TypeDiscover && m.Type() != TypeBOOTPRequest || !wire.IsStation(m.CHAddr) {
				continue
			}
			t := try{xid: m.XID, pxe: strings.HasPrefix(string(m.Option(dhcpv4.OptionClassIdentifier.Code())), "PXEClient")}
			if mac != nil && !bytes.Equal(mac, m.CHAddr) || c.mac == nil && onlyPXE && !t.pxe && mac == nil {
				continue
			}
			if c.mac == nil {
				c.mac, c.vlans, c.begin = m.CHAddr, m.VLANs, f.At
			}
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
func (c *captured) round(messages []Seen) uint32 {
	for _, pxe := range []bool{true, false} {
		for _, t := range c.tries {
			if t.pxe == pxe && slices.ContainsFunc(messages, func(m Seen) bool {
				return m.XID == t.xid && m.isOffer() && m.Offer.Address.IsValid()
			}) {
				return t.xid
			}
		}
	}
	return c.tries[0].xid
}
