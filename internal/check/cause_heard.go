package check

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/gopxeboot/gopxeboot/dhcpclient/survey"
	"github.com/gopxeboot/gopxeboot/internal/printable"
)

// Heard is a DHCP server of another VLAN than the guest's.
type Heard struct {
	VLAN    uint16     `json:"vlan"` // 0 is none
	Server  netip.Addr `json:"server"`
	MAC     string     `json:"mac"` // where its frame came from
	Type    string     `json:"type"`
	ToGuest bool       `json:"to_guest"` // it speaks to the guest, and not to another machine
}

// Unreadable is a DHCP server's message that a client can't read.
type Unreadable struct {
	From  netip.Addr `json:"from"`
	MAC   string     `json:"mac"`
	Type  string     `json:"type"` // OFFER, as far as that can be read
	Error string     `json:"error"`
}

// unreadable records what no client can read, once a server.
func (f *Facts) unreadable(begin time.Time, m *survey.Seen) {
	u := Unreadable{m.From.Addr(), m.SourceMAC.String(), string(m.Type()), printable.Text(m.Why)}
	e := f.dhcpEvent(begin, m)
	e.Summary, e.Failed = "can't be read: "+u.Error, true
	f.Events = append(f.Events, e)
	if !slices.ContainsFunc(f.Unreadable, func(o Unreadable) bool { return o.MAC == u.MAC && o.From == u.From }) {
		f.Unreadable = append(f.Unreadable, u)
	}
}

// offerUnreadable: a ROM that reads less of a message may take it all the same, but
// nothing can be said of that.
func offerUnreadable(f *Facts) *finding {
	if len(f.Unreadable) == 0 {
		return nil
	}
	u := f.Unreadable[0]
	d := warning(fmt.Sprintf("What the DHCP server %s says can't be read.", u.From),
		fmt.Sprintf("its %s (MAC %s): %s", u.Type, u.MAC, u.Error),
		"see what it is told to send: an option that is given as bytes with a wrong length, more options than have room; and what changes messages on the way, a relay or a firewall; --pcap FILE keeps the message for tcpdump -vvv")
	if f.silent() {
		d.status = Fail
	}
	return d
}

// otherVLANHeard: tags keep networks apart, and here one gets where it does not
// belong.
func otherVLANHeard(f *Facts) *finding {
	if f.silent() || len(f.Heard) == 0 {
		return nil
	}
	i := max(slices.IndexFunc(f.Heard, func(h Heard) bool { return h.ToGuest }), 0)
	h := f.Heard[i]
	if !h.ToGuest && f.Subject.VLAN != 0 {
		return nil // a trunk, which has other VLANs
	}
	vlan, tag := fmt.Sprintf("VLAN %d", h.VLAN), fmt.Sprintf("the tag of VLAN %d", h.VLAN)
	if h.VLAN == 0 {
		vlan, tag = "no VLAN", "no tag"
	}
	to := "another machine"
	if h.ToGuest {
		to = "this guest"
	}
	d := warning(fmt.Sprintf("A DHCP server of %s is heard on %s: %s.", vlan, f.bridgeName(), h.Server),
		fmt.Sprintf("its %s to %s has %s (MAC %s)", h.Type, to, tag, h.MAC),
		fmt.Sprintf("where guests on %s need nothing of %s, take it off the switch's port there; if this guest belongs to it, give its vif that VLAN: bridge=%[1]s.%[3]d", f.bridgeName(), vlan, h.VLAN))
	if h.VLAN == 0 {
		d.hint = "if this guest belongs there, leave out the VLAN of its vif"
	}
	if h.ToGuest {
		d.hint = "find where the two networks meet: the switch's port behind that MAC, and its native VLAN; " + d.hint
	}
	return d
}
