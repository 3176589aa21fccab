package check

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"iter"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gopxeboot/gopxeboot/dhcpclient"
	"github.com/gopxeboot/gopxeboot/dhcpclient/survey"
	"github.com/gopxeboot/gopxeboot/internal/console"
	"github.com/gopxeboot/gopxeboot/internal/kernel"
	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/internal/program"
	"github.com/gopxeboot/gopxeboot/internal/wire"
	"github.com/gopxeboot/gopxeboot/pxelinux"
	"github.com/gopxeboot/gopxeboot/xenout"
)

// ReplayOptions say how a capture is to be read.
type ReplayOptions struct {
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

// Replay makes of a capture what a look at the lab would have seen: of a boot
// by a PXE ROM, PXELINUX or iPXE, or of one by this program. What the capture
// does not tell stays empty; Facts.Errors says what it lacks. The packets are
// gone through twice. The error wraps wire.ErrFormat where the file can't be
// read, or survey.ErrNoGuest where nobody asks for a lease in it.
func Replay(packets iter.Seq2[wire.Packet, error], o ReplayOptions) (Facts, *plan.Plan, error) {
	r := reading{plan: plan.New()}
	f := Facts{Capture: o.Name, Subject: Subject{Machine: o.Machine, GuestType: o.GuestType}}
	frames, end, err := dhcpFrames(packets)
	if err != nil && len(frames) == 0 {
		return f, r.plan, err
	}
	if err != nil {
		f.Errors = append(f.Errors, err.Error())
	}
	first, err := survey.Replay(o.MAC, frames)
	if err != nil {
		return f, r.plan, err
	}
	f.Began, f.Millis = first.Begin, plan.Millis(end.Sub(first.Begin))
	guest := f.setSubject(first)
	s, err := survey.Replay(guest, f.otherWays(frames, guest))
	if err != nil {
		return f, r.plan, err
	}
	f.AddSurvey(s)
	f.setRequest(s, end)
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
	r.watch, r.machine = w, machineOf(s, o)
	r.plan.Boot.Named = o.Label
	r.find()
	r.plan.Config.Tried = append([]plan.Try{}, f.searched()...) // by the guest, and not by Decide
	r.plan.MAC, r.plan.UUID, r.plan.GuestType, r.plan.Lease = f.Subject.MAC, f.Subject.UUID, f.Subject.GuestType, f.Lease
	slices.SortStableFunc(f.Events, func(a, b Event) int { return cmp.Compare(a.Millis, b.Millis) })
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
func (f *Facts) setSubject(s *survey.Survey) (mac net.HardwareAddr) {
	i := slices.IndexFunc(s.Messages, func(m survey.Seen) bool { return m.Sent })
	if i < 0 {
		return wire.NoMAC
	}
	m := &s.Messages[i]
	f.Subject.MAC = m.CHAddr.String()
	f.Subject.VendorClass = printable(string(m.Option(60)))
	if arch := m.Option(93); len(arch) >= 2 {
		f.Subject.Arch = uint16(arch[0])<<8 | uint16(arch[1])
	}
	if id := m.Option(97); len(id) == 17 {
		f.Subject.UUID = survey.Option{Code: 97, Value: id}.Text()
	}
	if len(m.VLANs) > 0 {
		f.Subject.VLAN = m.VLANs[len(m.VLANs)-1]
	}
	return m.CHAddr
}

// addressesOf are those that the guest has or may have.
func addressesOf(s *survey.Survey) []netip.Addr {
	var list []netip.Addr
	add := func(a netip.Addr) {
		if given(a).IsValid() && !slices.Contains(list, a) {
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
func (f *Facts) setRequest(s *survey.Survey, end time.Time) {
	var r *Request
	var asked time.Duration
	for _, m := range s.Messages {
		const pxe = 4011
		switch kind := m.Type(); {
		case m.Sent && kind == "REQUEST" && m.To.Port() != pxe:
			if r == nil {
				r, asked = &Request{Result: Unanswered}, m.After
			}
		case m.Sent && kind == "DECLINE" && r != nil:
			r.Result = InUse
		case m.Sent && kind == "RELEASE" && r != nil:
			r.Released = true
		case m.Sent, m.Stray != "", r == nil, m.From.Port() == pxe, r.Result == Acked:
		case kind == "ACK" || kind == "NAK":
			r.Result, r.Message, r.Millis = Taken(strings.ToLower(kind)), printable(string(m.Option(56))), plan.Millis(m.After-asked)
		}
	}
	if r != nil && r.Result == Unanswered && end.Sub(s.Begin.Add(asked)) < patience {
		return // the capture ends before one could come
	}
	f.Request = r
}

// machineOf is the guest as its boot program finds itself.
func machineOf(s *survey.Survey, o ReplayOptions) program.Machine {
	m := program.Machine{Wanted: program.Wanted{ConfigDir: o.ConfigDir, Label: o.Label}}
	if i := slices.IndexFunc(s.Messages, func(m survey.Seen) bool { return m.Sent }); i >= 0 {
		m.MAC = s.Messages[i].CHAddr
		if id := s.Messages[i].Option(97); len(id) == 17 {
			m.UUID = survey.Option{Code: 97, Value: id}.Text()
		}
	}
	if s.Lease != nil {
		m.Lease = *s.Lease
	}
	return m
}

// finish says what is known at the end of the capture only.
func (w *watch) finish() {
	w.responses()
	f := w.facts
	for _, t := range w.transfers {
		if t.event >= 0 {
			e := &f.Events[t.event]
			e.Took = plan.Millis(t.last.Sub(w.began(e)))
			what := printable(t.name) + ": " + console.Size(t.bytes)
			switch {
			case t.aborted:
				what += ", stopped by the guest"
			case !t.whole && t.size >= 0:
				what += fmt.Sprintf(" of %s, and then no more", console.Size(t.size))
			}
			e.Summary = what
			if t.repeated > 0 {
				e.Detail = append(e.Detail, count(t.repeated, "block")+" sent again")
			}
		}
		if r := w.result(t); r == plan.Silent && t.scheme == "tftp" {
			f.addEvent(Event{Millis: f.since(t.last), From: t.server.String(), To: "guest", Kind: "RRQ", Summary: "no answer for " + printable(t.name), Failed: true})
		}
	}
	if n := len(w.fragments); n > 0 {
		f.Errors = append(f.Errors, count(n, "packet")+" of which fragments are missing")
	}
	w.stations()
}

// began is an event's time.
func (w *watch) began(e *Event) time.Time {
	return w.facts.Began.Add(time.Duration(e.Millis * float64(time.Millisecond)))
}

// result is what became of a transfer, as File has it; "" where the capture
// does not tell.
func (w *watch) result(t *transfer) plan.Result {
	waited := w.end.Sub(t.last) >= patience
	switch {
	case t.accepted && t.bytes == 0 && (t.whole || t.size == 0 && !t.aborted && waited):
		return plan.Empty
	case t.accepted && t.whole && t.size > 0 && t.bytes < t.size, t.accepted && t.refusal != "":
		return plan.Short
	case t.stuck() && (t.aborted || w.end.Sub(t.firstAnswer) >= patience):
		return plan.Silent
	case t.accepted && !t.whole && !t.aborted && waited && t.scheme == "tftp":
		return plan.Short
	case t.accepted:
		return plan.Found
	case t.refusal != "" && (t.scheme == "tftp" && t.code == 1 || t.scheme == "http" && (t.code == 404 || t.code == 410)):
		return plan.NotFound
	case t.refusal != "" && (t.scheme == "tftp" || t.code == 401 || t.code == 403):
		return plan.Refused
	case t.refusal != "":
		return plan.Failed
	case t.unreachable != "":
		return plan.Unreachable
	case !t.answered() && (t.asked > 1 || waited):
		return plan.Silent
	}
	return ""
}

// stuck says that the server sends, and nothing gets to the guest.
func (t *transfer) stuck() bool {
	if t.scheme != "tftp" || !t.accepted || t.acked || t.whole {
		return false
	}
	// A guest that wants to know the size only stops at once.
	return !t.aborted || t.last.Sub(t.firstAnswer) > time.Second
}

// message is what a person should know of a result.
func (t *transfer) message() string {
	switch {
	case t.refusal != "":
		return t.refusal
	case t.unreachable == PortClosed:
		return "nobody listens on its port 69"
	case t.unreachable != "":
		return "there is no way to " + t.server.String()
	case t.stuck() && t.size >= 0:
		return "the server agrees to send it, and no DATA arrives"
	}
	return ""
}

// stations says how the servers could be reached.
func (w *watch) stations() {
	f := w.facts
	next := f.Lease.NextServer
	if next.IsValid() {
		f.NextServer = w.station(next, "next-server")
	}
	for _, t := range w.transfers {
		known := func(s Station) bool { return s.Address == t.server }
		if t.scheme != "tftp" || t.server == next || slices.ContainsFunc(f.Others, known) {
			continue
		}
		if s := w.station(t.server, "asked by the guest"); s != nil {
			f.Others = append(f.Others, *s)
		}
	}
}

// station is what the capture shows of a server; nil when the guest did not
// turn to it.
func (w *watch) station(a netip.Addr, why string) *Station {
	lease := w.facts.Lease
	s := &Station{Address: a, Why: why, Route: RouteNone}
	hop := a
	switch {
	case lease.Address.Contains(a):
		s.Route = RouteDirect
	case lease.Router.IsValid():
		s.Route, hop = RouteRouter, lease.Router
	}
	talk := w.arp[hop]
	if talk != nil && talk.mac != "" {
		s.MAC, s.ARPMs = talk.mac, plan.Millis(talk.answered.Sub(talk.asked))
	}
	turned := talk != nil && (talk.mac != "" || w.end.Sub(talk.asked) >= patience)
	for _, t := range w.transfers {
		if t.server != a {
			continue
		}
		turned = true
		// Who sends to a MAC knows it, also where no question is captured.
		s.MAC = cmp.Or(s.MAC, t.serverMAC, "somebody")
		if s.Route == RouteNone {
			s.Route = RouteRouter
		}
		if t.scheme != "tftp" {
			continue
		}
		ours := t.name == lease.BootFile
		switch result := w.result(t); {
		case t.answered() && t.unreachable == "":
			if s.TFTP != PortAnswers {
				s.TFTP, s.TFTPMs = PortAnswers, plan.Millis(t.firstAnswer.Sub(t.began))
			}
			if ours {
				s.Asked, s.HasFile = t.name, s.HasFile || t.accepted
			}
		case s.TFTP == "" && (t.unreachable != "" || result == plan.Silent):
			s.TFTP, s.Asked = cmp.Or(t.unreachable, "silent"), printable(t.name)
			s.TFTPMs = plan.Millis(cmp.Or(t.firstAnswer, t.last).Sub(t.began))
		}
	}
	if !turned {
		return nil
	}
	return s
}

// reading makes sense of the files that were asked for.
type reading struct {
	*watch
	machine program.Machine
	plan    *plan.Plan
	lacking []string // names that the capture does not tell of
}

// find fills in the search, the configuration, what boots and its files.
func (r *reading) find() {
	path := r.searchPath()
	for _, t := range r.transfers {
		link, ok := r.searched(t, path)
		result := r.result(t)
		if !ok || result == "" {
			continue
		}
		if result == plan.Unreachable || result == plan.Short {
			result = plan.Failed
		}
		r.try(plan.Try{URL: link, Result: result, Message: t.message(), Millis: t.took(), Blocks: r.blocks(t)})
		if result == plan.Found {
			r.config(t, link)
			break
		}
	}
	for _, t := range r.transfers {
		_, ok := r.searched(t, path)
		if result := r.result(t); !ok && result != "" && r.meant(t.name) {
			r.try(plan.Try{URL: t.url(), Result: result, Message: t.message(), Millis: t.took(), Meant: "another spelling"})
		}
	}
}

// try takes down one name, once for each thing that came of it.
func (r *reading) try(t plan.Try) {
	if !slices.ContainsFunc(r.facts.Search, func(o plan.Try) bool { return o.URL == t.URL && o.Result == t.Result }) {
		r.facts.Search = append(r.facts.Search, t)
	}
}

// meant says whether a name is one that a person may have thought that
// PXELINUX asks for: a check that was captured has asked for some.
func (r *reading) meant(name string) bool {
	plain := strings.NewReplacer("-", "", ":", "").Replace(strings.ToLower(name))
	if strings.Contains(plain, fmt.Sprintf("%x", []byte(r.mac))) || strings.HasPrefix(base("/"+plain), "default") {
		return true
	}
	a := r.machine.Lease.Address.Addr()
	return a.Is4() && (base("/"+name) == a.String() || base("/"+name) == fmt.Sprintf("%x", a.AsSlice()))
}

// took is how long the server needed to say yes or no.
func (t *transfer) took() float64 {
	if !t.answered() {
		return plan.Millis(t.last.Sub(t.began))
	}
	return plan.Millis(t.firstAnswer.Sub(t.began))
}

// searchPath is what the guest may ask for to find its configuration. Where it
// was started by something else than the offer's boot file, as by iPXE, the
// names that it asked for show in which directory it looks.
func (r *reading) searchPath() []string {
	path := pxelinux.SearchPath(r.machine.Host())
	dir := cmp.Or(strings.Trim(r.machine.ConfigDir, "/"), "pxelinux.cfg") + "/"
	for _, t := range r.transfers {
		if _, ok := r.searched(t, path); ok {
			return path
		}
	}
	for _, t := range r.transfers {
		if i := strings.LastIndex(t.name, dir); i >= 0 {
			r.machine.Lease.NextServer, r.machine.Lease.PathPrefix, r.machine.Lease.BootFile = t.server, t.name[:i], "pxelinux.0"
			if t.scheme != "tftp" {
				r.machine.Lease.PathPrefix = strings.TrimSuffix(t.url(), t.name[i:])
			}
			return pxelinux.SearchPath(r.machine.Host())
		}
	}
	return path
}

// searched says under which URL a transfer is part of the search.
func (r *reading) searched(t *transfer, path []string) (link string, ok bool) {
	i := slices.IndexFunc(path, t.is)
	if i < 0 {
		return "", false
	}
	return path[i], true
}

// is says whether a URL is this transfer's.
func (t *transfer) is(link string) bool {
	scheme, rest, _ := strings.Cut(link, "://")
	host, path, _ := strings.Cut(rest, "/")
	if scheme != t.scheme || host != t.host && host != t.server.String() {
		return false
	}
	if path == t.name {
		return true
	}
	plain, err := url.PathUnescape(path)
	return err == nil && plain == t.name
}

// url is the transfer's, as near as the capture tells it.
func (t *transfer) url() string {
	name := t.name
	if t.scheme == "tftp" {
		name = (&url.URL{Path: "/" + name}).EscapedPath()[1:]
	}
	return t.scheme + "://" + t.host + "/" + name
}

// seen is the transfer of a URL that says most; nil when the guest did not ask
// for it.
func (r *reading) seen(link string) *transfer {
	var best *transfer
	for _, t := range r.transfers {
		if t.is(link) && (best == nil || t.complete() && !best.complete() || t.accepted && !best.accepted || t.bytes > best.bytes && !best.complete()) {
			best = t
		}
	}
	return best
}

// opener gives to package pxelinux what the capture has.
func (r *reading) opener(_ context.Context, link string) (io.ReadCloser, error) {
	t := r.seen(link)
	if t == nil || t.accepted && !t.complete() {
		r.lacking = append(r.lacking, link)
	}
	return t.open()
}

// open returns what the capture has of a transfer; nil is one that it lacks.
func (t *transfer) open() (io.ReadCloser, error) {
	switch {
	case t == nil:
		return nil, pxelinux.ErrNotFound
	case !t.accepted:
		return nil, fmt.Errorf("%w: %s", pxelinux.ErrNotFound, t.refusal)
	case !t.complete():
		return nil, fmt.Errorf("%w: the capture does not have all of it", pxelinux.ErrNotFound)
	}
	return io.NopCloser(bytes.NewReader(t.data)), nil
}

// config reads the configuration, and says what boots by it.
func (r *reading) config(t *transfer, link string) {
	f := r.facts
	r.plan.Config = plan.Config{URL: link, Bytes: cmp.Or(max(t.size, 0), t.bytes)}
	if !t.complete() {
		f.Errors = append(f.Errors, "the capture does not have all of "+link)
		config := r.plan.Config
		f.Config = &config
		return
	}
	ctx := context.Background()
	d, err := r.decide(ctx)
	if d.Config.URL == "" {
		d.Config.URL, d.Config.Error = link, err.Error()
	}
	r.plan.Config, r.plan.Boot = d.Config, d.Boot
	f.Decided(r.plan)
	if err != nil || d.Boot.Kernel == "" {
		return
	}
	f.Args = NewArgs(xenout.SXP, f.Subject.GuestType, d.Boot.Args) // a toolstack's
	r.file("kernel", d.Boot.Kernel)
	for _, initrd := range d.Boot.Initrds {
		r.file("initrd", initrd)
	}
	f.Instead(ctx, d)
	for _, name := range r.lacking {
		// A name of the search path that is not there does no harm, nor does a
		// picture or an extension that PXELINUX did not ask for.
		searched := slices.ContainsFunc(d.Config.Tried, func(t plan.Try) bool { return t.URL == name })
		if !searched && r.seen(name) != nil {
			f.Errors = append(f.Errors, "the capture does not have all of "+name)
		}
	}
}

// maxChoices is how many labels are looked at for the one that was taken.
const maxChoices = 256

// decide is what the guest boots: the label that was named, else the one whose
// kernel it asked for, else what boots by itself.
func (r *reading) decide(ctx context.Context) (*program.Decision, error) {
	d, err := program.Decide(ctx, r.machine, r.opener)
	if r.machine.Label != "" || err != nil || d.Boot.Kernel == "" || r.seen(d.Boot.Kernel) != nil {
		return d, err
	}
	for _, l := range d.Boot.Labels[:min(len(d.Boot.Labels), maxChoices)] {
		if other, err := d.Entry(ctx, l.Name); err == nil && other.Boot.Kernel != "" && r.seen(other.Boot.Kernel) != nil {
			return other, nil
		}
	}
	return d, nil
}

func (r *reading) file(role, link string) {
	t := r.seen(link)
	if t == nil {
		r.facts.Errors = append(r.facts.Errors, fmt.Sprintf("the guest does not ask for the %s %s in this capture", role, link))
		return
	}
	file := File{Role: role, URL: link, Result: r.result(t), Bytes: t.size, Read: t.bytes, Millis: t.took(), Message: t.message()}
	if file.Result == "" {
		r.facts.Errors = append(r.facts.Errors, "the capture ends before there is an answer for "+link)
		return
	}
	if file.Bytes < 0 && t.whole {
		file.Bytes = t.bytes
	}
	if seconds := t.last.Sub(t.firstAnswer).Seconds(); t.whole && seconds > 0 && t.bytes > 0 {
		file.Rate, file.Seconds = float64(t.bytes)/seconds, seconds
	}
	if t.scheme == "tftp" && t.accepted {
		file.Blocks = r.blocks(t)
	}
	if role == "kernel" && len(t.data) > 0 {
		file.Kernel = kernelOf(t)
	}
	r.facts.Files = append(r.facts.Files, file)
}

// blocks says which sizes of DATA arrive from a transfer's server, where one of
// them does not.
func (r *reading) blocks(t *transfer) []plan.Block {
	if r.result(t) != plan.Silent {
		return nil
	}
	list := []plan.Block{{Size: t.blockSize}}
	largest := 0
	for _, o := range r.transfers {
		if o.server == t.server && o.largest < t.blockSize {
			largest = max(largest, o.largest)
		}
	}
	if largest > 0 {
		list = append(list, plan.Block{Size: largest, Arrives: true})
	}
	return list
}

// kernelOf looks into what the capture has of a kernel; nil when that is too
// little to tell anything.
func kernelOf(t *transfer) *Kernel {
	info, _ := kernel.Inspect(bytes.NewReader(t.data), int64(len(t.data)))
	if info.Format == kernel.Unknown && !t.complete() {
		return nil
	}
	return NewKernel(info)
}
