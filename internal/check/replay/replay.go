// Package replay looks at a capture of a boot: it finds the facts there that
// internal/check/probe finds on a live network.
package replay

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"iter"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/gopxeboot/gopxeboot/dhcpclient"
	"github.com/gopxeboot/gopxeboot/dhcpclient/survey"
	"github.com/gopxeboot/gopxeboot/internal/check"
	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/internal/printable"
	"github.com/gopxeboot/gopxeboot/internal/program"
	"github.com/gopxeboot/gopxeboot/internal/wire"
	"github.com/gopxeboot/gopxeboot/xenout"
)

// Options say how a capture is to be read.
type Options struct {
	Name      string           // of the capture, for Facts.Capture
	MAC       net.HardwareAddr // whose boot; nil is the first machine that asks as a PXE client, else the first that asks
	ConfigDir string           // as --config-dir; "" is pxelinux.cfg
	Label     string           // as --label; "" is what the guest took, else what boots by itself
	Machine   string           // as Subject.Machine
	GuestType xenout.GuestType // as Subject.GuestType
}

// patience is how long a guest waits before silence means something: less than
// the two tries that every ROM makes.
const patience = 3 * time.Second

// Read makes of a capture what a look at the lab would have seen: of a boot
// by a PXE ROM, PXELINUX or iPXE, or of one by this program. What the capture
// does not tell stays empty; Facts.Errors says what it lacks. The packets are
// gone through twice. The error wraps wire.ErrFormat where the file can't be
// read, or survey.ErrNoGuest where no machine asks for a lease in it.
func Read(packets iter.Seq2[wire.Packet, error], o Options) (check.Facts, *plan.Plan, error) {
	r := reading{plan: plan.New()}
	f := check.Facts{Capture: o.Name, Subject: check.Subject{Machine: o.Machine, GuestType: o.GuestType}}
	frames, end, err := dhcpFrames(packets)
	if err != nil && len(frames) == 0 {
		return f, r.plan, err
	}
	if err != nil {
		f.Errors = append(f.Errors, err.Error())
	}
	f.Guests = guestsOf(frames)
	first, err := survey.Replay(o.MAC, frames)
	if err != nil {
		if list := f.GuestList(); list != "" && errors.Is(err, survey.ErrNoGuest) {
			err = &otherGuestsError{o.MAC, list}
		}
		return f, r.plan, err
	}
	f.Began, f.Millis = first.Begin, plan.Millis(end.Sub(first.Begin))
	guest := setSubject(&f, first)
	own, rounds := asIPXE(otherWays(&f, frames, guest), guest)
	s, err := survey.Replay(guest, own)
	if err != nil {
		return f, r.plan, err
	}
	f.AddSurvey(s)
	setRequest(&f, s, end)
	r.machine = machineOf(s, o)
	r.again(&f, rounds, end)
	w := &watch{
		facts: &f, mac: guest, addresses: addressesOf(first), end: end, doubles: newDoubles(),
		fragments: make(map[fragmentKey]*fragments), arp: make(map[netip.Addr]*arpTalk),
		open: make(map[uint16]*transfer), flows: make(map[tcpKey]*stream),
	}
	for p, err := range packets {
		if err == nil && !p.At.Before(f.Began) {
			w.frame(p.At, p.Data, p.Length)
		}
	}
	w.finish()
	r.watch, r.open = w, r.opener
	r.plan.Boot.Named = o.Label
	r.find()
	r.plan.Config.Tried = append([]plan.Try{}, f.Searched()...) // by the guest, and not by Decide
	r.plan.MAC, r.plan.UUID, r.plan.GuestType, r.plan.Lease = f.Subject.MAC, f.Subject.UUID, f.Subject.GuestType, f.Lease
	slices.SortStableFunc(f.Events, func(a, b check.Event) int { return cmp.Compare(a.Millis, b.Millis) })
	return f, r.plan, nil
}

// maxDHCP is how many DHCP messages are kept of a capture.
const maxDHCP = 4096

// dhcpFrames are the frames of DHCP, once each, and when the capture ends.
func dhcpFrames(packets iter.Seq2[wire.Packet, error]) (frames []dhcpclient.Frame, end time.Time, err error) {
	seen := newDoubles()
	var keys []uint64
	for p, err := range packets {
		if err != nil {
			return frames, end, err
		}
		end = p.At
		f, ok := wire.ParseFrame(p.Data)
		if !ok || f.Type != wire.TypeIPv4 || len(frames) == maxDHCP {
			continue
		}
		m, err := survey.Decode(p.Data)
		if err != nil {
			continue
		}
		key := seen.key(f)
		if !seen.again(p.At, key) {
			frames, keys = append(frames, dhcpclient.Frame{At: p.At, Data: addressed(p.Data, m)}), append(keys, key)
			continue
		}
		// The guest's side of a port that adds the tag is what counts.
		i := len(keys) - 1
		for i >= 0 && keys[i] != key {
			i--
		}
		if i >= 0 {
			if before, _ := wire.ParseFrame(frames[i].Data); len(f.Tags) < len(before.Tags) {
				frames[i].Data = addressed(p.Data, m)
			}
		}
	}
	return frames, end, nil
}

// otherGuestsError is survey.ErrNoGuest where others boot.
type otherGuestsError struct {
	mac  net.HardwareAddr
	list string
}

func (e *otherGuestsError) Error() string {
	return fmt.Sprintf("%s asks for no lease in the capture; --mac with one of those that do: %s", e.mac, e.list)
}

func (e *otherGuestsError) Unwrap() error { return survey.ErrNoGuest }

// guestsOf are the machines that ask for a lease, in the order in which they do.
func guestsOf(frames []dhcpclient.Frame) (guests []check.Guest) {
	for _, frame := range frames {
		m, err := survey.Decode(frame.Data)
		if err != nil || m.Type() != survey.TypeDiscover && m.Type() != survey.TypeBOOTPRequest || !wire.IsStation(m.CHAddr) {
			continue
		}
		pxe := strings.HasPrefix(string(m.Option(60)), "PXEClient")
		i := slices.IndexFunc(guests, func(g check.Guest) bool { return g.MAC == m.CHAddr.String() })
		switch {
		case i >= 0:
			guests[i].PXE = guests[i].PXE || pxe
		case len(guests) < check.MaxGuests:
			guests = append(guests, check.Guest{MAC: m.CHAddr.String(), PXE: pxe})
		}
	}
	return guests
}

// addressed is the frame with the MAC that it goes to, where the capture has no
// link layer: it is seen at the guest's side, and so is for the guest.
func addressed(frame []byte, m survey.Message) []byte {
	frame = bytes.Clone(frame)
	if !bytes.Equal(m.DestinationMAC, wire.NoMAC) || len(m.CHAddr) != 6 {
		return frame
	}
	if m.To.Addr() == netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
		copy(frame, "\xff\xff\xff\xff\xff\xff")
	} else {
		copy(frame, m.CHAddr)
	}
	return frame
}

// setSubject says who the guest is, by the DISCOVER that began it.
func setSubject(f *check.Facts, s *survey.Survey) (mac net.HardwareAddr) {
	m := firstSent(s)
	if m == nil {
		return wire.NoMAC
	}
	f.Subject.MAC = m.CHAddr.String()
	f.Subject.VendorClass = printable.Text(string(m.Option(60)))
	f.Subject.Arch = archOf(&m.Message)
	f.Subject.UUID = uuidOf(m)
	if len(m.VLANs) > 0 {
		f.Subject.VLAN = m.VLANs[len(m.VLANs)-1]
	}
	return m.CHAddr
}

// firstSent is the first message of the guest's; nil for none.
func firstSent(s *survey.Survey) *survey.Seen {
	i := slices.IndexFunc(s.Messages, func(m survey.Seen) bool { return m.Sent })
	if i < 0 {
		return nil
	}
	return &s.Messages[i]
}

// uuidOf is option 97; "" without one.
func uuidOf(m *survey.Seen) string {
	if id := m.Option(97); len(id) == 17 {
		return survey.Option{Code: 97, Value: id}.Text()
	}
	return ""
}

// addressesOf are those that the guest has or may have.
func addressesOf(s *survey.Survey) []netip.Addr {
	var list []netip.Addr
	add := func(a netip.Addr) {
		if a.IsValid() && !a.IsUnspecified() && !slices.Contains(list, a) {
			list = append(list, a)
		}
	}
	for _, m := range s.Messages {
		switch {
		case m.Sent:
			add(m.CIAddr)
		case m.Stray == "":
			add(m.YIAddr)
		}
	}
	return list
}

// setRequest says what became of the guest's REQUEST.
func setRequest(f *check.Facts, s *survey.Survey, end time.Time) {
	var r *check.Request
	var asked time.Duration
	for _, m := range s.Messages {
		switch kind := m.Type(); {
		case m.Sent && kind == survey.TypeRequest && m.To.Port() != wire.PortPXE:
			if r == nil {
				r, asked = &check.Request{Result: check.Unanswered}, m.After
			}
		case m.Sent && kind == survey.TypeDecline && r != nil:
			r.Result = check.InUse
		case m.Sent && kind == survey.TypeRelease && r != nil:
			r.Released = true
		case m.Sent, m.Stray != "", r == nil, m.From.Port() == wire.PortPXE, r.Result == check.Acked:
		case kind == survey.TypeAck || kind == survey.TypeNak:
			r.Result, r.Message, r.Millis = check.Acked, printable.Text(string(m.Option(56))), plan.Millis(m.After-asked)
			if kind == survey.TypeNak {
				r.Result = check.Nakked
			}
		}
	}
	if r != nil && r.Result == check.Unanswered && end.Sub(s.Begin.Add(asked)) < patience {
		return // the capture ends before one could come
	}
	f.Request = r
}

// machineOf is the guest as its boot program finds itself.
func machineOf(s *survey.Survey, o Options) program.Machine {
	m := program.Machine{Wanted: program.Wanted{ConfigDir: o.ConfigDir, Label: o.Label}}
	if first := firstSent(s); first != nil {
		m.MAC, m.UUID = first.CHAddr, uuidOf(first)
	}
	if s.Lease != nil {
		m.Lease = *s.Lease
	}
	return m
}
