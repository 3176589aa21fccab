package check

import (
	"bytes"
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/gopxeboot/gopxeboot/dhcpclient"
	"github.com/gopxeboot/gopxeboot/dhcpclient/survey"
	"github.com/gopxeboot/gopxeboot/internal/console"
	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/internal/printable"
)

// AddSurvey takes what DHCP servers said, live or in a capture, into the facts:
// the events, the offers, what they come to, and the lease.
func (f *Facts) AddSurvey(s *survey.Survey) {
	f.addEvents(s)
	f.SilentProxies = s.Silent
	if s.Missed > 0 {
		f.Errors = append(f.Errors, console.Count(s.Missed, "DHCP message")+" for which there was no room")
	}
	if n := len(f.Events); len(s.Offers()) == 0 && n > 0 {
		last := f.Events[n-1].Millis
		f.Events = append(f.Events, Event{Millis: last, From: EventGuest, To: EventBroadcast, Kind: string(survey.TypeDiscover), Summary: "no answer", Failed: true})
	}
	for _, m := range s.Offers() {
		o := f.offer(s, m)
		o.After = plan.Millis(s.First(m))
		f.Offers = append(f.Offers, o)
	}
	if s.Lease == nil {
		return
	}
	f.Waited = plan.Millis(s.Decided.Sub(s.Begin))
	f.SetLease(s.Lease, &s.Origins)
	if s.Holder != nil {
		f.Lease.InUseBy = s.Holder.String()
	}
	f.keepRaw(s)
}

// addEvents takes the messages into the events.
func (f *Facts) addEvents(s *survey.Survey) {
	for i := range s.Messages {
		m := &s.Messages[i]
		if m.Stray == "" || m.Stray == survey.OtherVLAN {
			f.Events = append(f.Events, f.dhcpEvent(s.Begin, m))
		}
		switch m.Stray {
		case survey.OtherVLAN:
			f.otherVLAN(s, m)
		case survey.Unreadable:
			f.unreadable(s.Begin, m)
		}
	}
}

// AddIPXE takes what DHCP servers answered to an iPXE of that user class, within
// so long.
func (f *Facts) AddIPXE(userClass string, s *survey.Survey, waited time.Duration) {
	f.addEvents(s)
	v := Variant{Name: "as " + userClass, Millis: plan.Millis(waited)}
	v.Take(s)
	f.Variants = append(f.Variants, v)
}

// Take records the first answer, and the boot file that a machine would go by, also
// one that is said on port 4011.
func (v *Variant) Take(s *survey.Survey) {
	if l := s.Lease; l != nil && l.BootFile != "" {
		v.BootFile, v.BootFrom, v.NextServer = printable.Text(l.BootFile), s.Origins.BootFile.Server, l.NextServer
	}
	for _, m := range s.Offers() {
		if m.Offer.Address.IsValid() && !v.Answered {
			v.Answered, v.Server, v.Millis = true, m.Offer.Server, plan.Millis(m.Delay)
			v.Address = netip.PrefixFrom(m.Offer.Address, 32)
		}
		if v.BootFile == "" && m.Offer.BootFile != "" {
			v.BootFile, v.BootFrom, v.NextServer = printable.Text(m.Offer.BootFile), m.Offer.Server, m.Offer.NextServer
		}
	}
	v.Proxy = slices.ContainsFunc(s.Offers(), func(m *survey.Seen) bool { return m.Offer.Proxy && m.Offer.Server == v.BootFrom })
}

// SetIPXE says what iPXE would go by, where DHCP gives the guest an iPXE: what of it
// boots counts, before what the ROM was told.
func (f *Facts) SetIPXE(l *dhcpclient.Lease, o *dhcpclient.Origins) {
	first := f.Lease
	f.Lease = plan.NewLease(l)
	f.Lease.ROMBootFile, f.Lease.InUseBy, f.Lease.Offers = first.BootFile, first.InUseBy, first.Offers
	for _, v := range values(l, o) {
		if v.Name == ValueBootFile || v.Name == ValueNextServer && f.Lease.NextServer != first.NextServer {
			f.Merged = Replaced(f.Merged, v)
		}
	}
}

// Replaced puts a value in the place of the one with its name.
func Replaced(list []Value, v Value) []Value {
	i := slices.IndexFunc(list, func(o Value) bool { return o.Name == v.Name })
	if i < 0 {
		return append(list, v)
	}
	old := list[i]
	old.Passed = nil
	v.Passed = append(v.Passed, old)
	list[i] = v
	return list
}

// AddMessage takes one DHCP message of the guest's, or to it, into the events.
func (f *Facts) AddMessage(at time.Time, m survey.Message, sent bool) {
	f.Events = append(f.Events, f.dhcpEvent(f.Began, &survey.Seen{Message: m, After: at.Sub(f.Began), Sent: sent}))
}

// SetLease says what the guest would go by.
func (f *Facts) SetLease(l *dhcpclient.Lease, o *dhcpclient.Origins) {
	holder := f.Lease.InUseBy
	f.Lease = plan.NewLease(l)
	f.Lease.InUseBy, f.Lease.Offers = holder, len(f.addressOffers())
	f.Merged = values(l, o)
	for i := range f.Offers {
		of := &f.Offers[i]
		of.Chosen = of.Server == o.Address.Server && !of.Proxy || of.Server == o.BootFile.Server
	}
}

// Took says what lease it was that the server gave, where another station has the
// address that it had offered.
func (f *Facts) Took(l *dhcpclient.Lease) {
	before := f.Lease
	if before.InUseBy == "" || l.Address == before.Address {
		return
	}
	f.Request.Declined, f.Request.Holder = before.Address.Addr(), before.InUseBy
	f.Lease = plan.NewLease(l)
	f.Lease.Offers = before.Offers
	if v := f.merged(ValueAddress); v != nil {
		f.Merged = Replaced(f.Merged, Value{Name: ValueAddress, Value: l.Address.String(), Origin: v.Origin, From: l.ServerID})
	}
}

// values are a lease's, with who said each of them.
func values(l *dhcpclient.Lease, o *dhcpclient.Origins) []Value {
	var list []Value
	add := func(name ValueName, value string, from dhcpclient.Origin) {
		if value != "" {
			list = append(list, Value{Name: name, Value: value, Origin: originOf(from), From: from.Server})
		}
	}
	var dns []string
	for _, a := range l.DNS {
		dns = append(dns, a.String())
	}
	address := ""
	if l.Address.IsValid() {
		address = l.Address.String()
	}
	add(ValueAddress, address, o.Address)
	add(ValueRouter, plan.Text(l.Router), o.Routers)
	add(ValueDNS, strings.Join(dns, " "), o.DNS)
	add(ValueDomain, printable.Text(l.Domain), o.Domain)
	add(ValueNextServer, plan.Text(l.NextServer), o.NextServer)
	add(ValueServerName, printable.Text(l.ServerName), o.ServerName)
	add(ValueBootFile, printable.Text(l.BootFile), o.BootFile)
	add(ValueConfigFile, printable.Text(l.ConfigFile), o.ConfigFile)
	add(ValuePathPrefix, printable.Text(l.PathPrefix), o.PathPrefix)
	add(ValueMenu, printable.Text(l.MenuItem), dhcpclient.Origin{Server: o.BootFile.Server, Option: 43})
	return list
}

// keepRaw puts the bytes as they came with texts that had something behind
// them.
func (f *Facts) keepRaw(s *survey.Survey) {
	for i := range f.Merged {
		v := &f.Merged[i]
		code := v.Origin.Option
		if v.Origin.Inside != 0 || code == 0 && v.Origin.Field != dhcpclient.FieldFile {
			continue
		}
		for _, m := range s.Messages {
			if m.Offer == nil || m.Offer.Server != v.From {
				continue
			}
			raw := m.File
			if code != 0 {
				raw = m.Option(code)
			}
			if text := strings.TrimRight(string(raw), "\x00"); text != v.Value && strings.HasPrefix(text, strings.SplitN(v.Value, "?", 2)[0]) {
				v.Raw = quoteBytes(raw)
			}
		}
	}
}

// offer is one server's answer.
func (f *Facts) offer(s *survey.Survey, m *survey.Seen) Offer {
	o := Offer{
		Millis: f.Since(s.Begin.Add(m.After)), Took: plan.Millis(m.Delay),
		Server: m.Offer.Server, From: m.From.Addr(), ServerMAC: m.SourceMAC.String(), Proxy: m.Offer.Proxy,
		Relay: given(m.GIAddr), BootServers: bootServers(m),
	}
	if a := given(m.SIAddr); a != m.Offer.NextServer {
		o.SIAddr = a
	}
	if len(m.VLANs) > 0 {
		o.VLAN = m.VLANs[0]
	}
	if a := m.Offer.Address; a.IsValid() {
		o.Address = Masked(a, &m.Message)
	}
	add := func(name ValueName, value string, origin Origin) {
		if value != "" {
			o.Values = append(o.Values, Value{Name: name, Value: value, Origin: origin, From: o.Server})
		}
	}
	if o.Address.IsValid() {
		add(ValueAddress, o.Address.String(), Origin{Field: dhcpclient.FieldYIAddr})
	}
	if r := m.Option(3); len(r) >= 4 {
		add(ValueRouter, netip.AddrFrom4([4]byte(r[:4])).String(), Origin{Option: 3})
	}
	nextOrigin := Origin{Option: 66}
	if m.SIAddr == m.Offer.NextServer {
		nextOrigin = Origin{Field: dhcpclient.FieldSIAddr}
	}
	add(ValueNextServer, plan.Text(m.Offer.NextServer), nextOrigin)
	fileOrigin := Origin{Option: 67}
	if bytes.HasPrefix(m.File, []byte(m.Offer.BootFile)) {
		fileOrigin = Origin{Field: dhcpclient.FieldFile}
	}
	add(ValueBootFile, printable.Text(m.Offer.BootFile), fileOrigin)
	add(ValueConfigFile, printable.Text(string(m.Option(209))), Origin{Option: 209})
	add(ValuePathPrefix, printable.Text(string(m.Option(210))), Origin{Option: 210})
	add(ValueMenu, printable.Text(strings.Join(m.Offer.Menu, ", ")), Origin{Option: 43})
	for _, option := range m.Options {
		o.Options = append(o.Options, Option{option.Code, option.Name(), option.Text()})
	}
	return o
}

// Masked is an address with the netmask of a message (option 1), 24 bits without one.
func Masked(a netip.Addr, m *survey.Message) netip.Prefix {
	bits := 24
	if ones, size := net.IPMask(m.Option(1)).Size(); size == 32 {
		bits = ones
	}
	return netip.PrefixFrom(a, bits)
}

// otherVLAN: a server speaks in another VLAN than the guest's.
func (f *Facts) otherVLAN(s *survey.Survey, m *survey.Seen) {
	v := Variant{Name: AskedVLAN, Answered: true, Server: m.From.Addr(), Millis: plan.Millis(m.Delay)}
	if len(m.VLANs) > 0 {
		v.VLAN = m.VLANs[0]
	}
	if !slices.ContainsFunc(f.Variants, func(o Variant) bool { return o.Name == v.Name && o.VLAN == v.VLAN }) {
		f.Variants = append(f.Variants, v)
	}
	h := Heard{VLAN: v.VLAN, Server: v.Server, MAC: m.SourceMAC.String(), Type: string(m.Type()), ToGuest: slices.ContainsFunc(s.Messages, func(o survey.Seen) bool {
		return o.Sent && o.XID == m.XID && bytes.Equal(o.CHAddr, m.CHAddr)
	})}
	if i := slices.IndexFunc(f.Heard, func(o Heard) bool { return o.VLAN == h.VLAN && o.MAC == h.MAC }); i < 0 {
		f.Heard = append(f.Heard, h)
	} else if h.ToGuest {
		f.Heard[i] = h
	}
}

// dhcpEvent is a message for the ladder diagram.
func (f *Facts) dhcpEvent(begin time.Time, m *survey.Seen) Event {
	e := Event{Millis: f.Since(begin.Add(m.After)), Kind: string(m.Type()), Failed: m.Type() == survey.TypeNak}
	if m.Sent {
		e.From, e.To = EventGuest, addressee(m.To.Addr())
	} else {
		e.From, e.To, e.PeerMAC = m.From.Addr().String(), EventGuest, m.SourceMAC.String()
	}
	e.Summary = summary(m)
	for _, field := range []struct {
		name  string
		value netip.Addr
	}{{"ciaddr", m.CIAddr}, {"yiaddr", m.YIAddr}, {"siaddr", m.SIAddr}, {"giaddr", m.GIAddr}} {
		if a := given(field.value); a.IsValid() {
			e.Detail = append(e.Detail, field.name+" "+a.String())
		}
	}
	e.Detail = append(e.Detail, fmt.Sprintf("xid 0x%08x, secs %d, flags 0x%04x", m.XID, m.Secs, m.Flags))
	for _, option := range m.Options {
		e.Detail = append(e.Detail, option.String())
	}
	return e
}

// summary is what a user looks for first.
func summary(m *survey.Seen) string {
	if m.Sent {
		class := printable.Text(string(m.Option(60)))
		if class == "" {
			return "asks, not as a PXE client"
		}
		return "asks as " + class
	}
	o := m.Offer
	if o == nil {
		if reason := printable.Text(string(m.Option(56))); reason != "" {
			return "says " + reason
		}
		return "says " + string(m.Type())
	}
	what := "gives " + cmp.Or(plan.Text(o.Address), "none")
	if o.Proxy {
		what = "gives no address (proxyDHCP)"
	}
	return fmt.Sprintf("%s, next-server %s, boot file %s", what, cmp.Or(plan.Text(o.NextServer), "none"), cmp.Or(printable.Text(o.BootFile), "none"))
}

func addressee(a netip.Addr) string {
	if a == netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
		return EventBroadcast
	}
	return a.String()
}

// given is an address, invalid where 0.0.0.0 stands for none.
func given(a netip.Addr) netip.Addr {
	if a.IsUnspecified() {
		return netip.Addr{}
	}
	return a
}

// Since is a time as Facts has it.
func (f *Facts) Since(t time.Time) float64 { return plan.Millis(t.Sub(f.Began)) }
