package probe

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gopxeboot/gopxeboot/dhcpclient"
	"github.com/gopxeboot/gopxeboot/dhcpclient/survey"
	"github.com/gopxeboot/gopxeboot/internal/check"
	"github.com/gopxeboot/gopxeboot/internal/fetch"
	"github.com/gopxeboot/gopxeboot/internal/guest"
	"github.com/gopxeboot/gopxeboot/internal/ipxe"
	"github.com/gopxeboot/gopxeboot/internal/kernel"
	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/internal/program"
	"github.com/gopxeboot/gopxeboot/internal/wire"
	"github.com/gopxeboot/gopxeboot/pxelinux"
	"golang.org/x/sys/unix"
)

// Look is how a lab is looked at.
type Look struct {
	Take  bool          // take the lease, and release it
	Quick bool          // do not read the kernel
	Wait  time.Duration // how long servers are listened to after DISCOVER
	Count int           // how many guests ask at once; 0 is to look at one guest's boot
	Rate  float64       // of them ask in a second

	Random bool // the MAC is made up
	// MACs are of other guests, made up: as many as Count, and one at least.
	MACs []net.HardwareAddr
	// Idle is an address of the guest's network that no machine has, as far as
	// dom0 knows: DHCP servers are asked from it for other things than an address.
	// Zero is none.
	Idle netip.Addr
}

// Task is a look: who the guest is, and what the process that looks can do.
type Task struct {
	Look
	Machine  program.Machine   // the guest, without a lease
	Client   dhcpclient.Client // how it asks for one, without a connection
	Lease    *dhcpclient.Lease // instead of asking DHCP; nil asks
	Server   netip.Addr        // instead of the lease's next-server
	BootFile string            // instead of the lease's boot file

	Gate kernel.Guest // who is to boot a kernel

	Wire       guest.Conn            // the guest's
	OtherVLANs guest.Conn            // receives frames of all VLANs; nil where that is not possible
	VLANs      map[uint16]guest.Conn // to ask in other VLANs; 0 is without a tag
	Bridge     guest.Conn            // to ask by dom0's end of the bridge, also for files; nil where that is not possible
	OwnNet     bool                  // Wire is a port of the guest's own

	// Seen is told after each step what is known so far.
	Seen func(check.Facts)
	// Configure gives the guest its address, looks its next-server up where the
	// lease has a name, and returns how it downloads then, and why the name could
	// not be looked up.
	Configure func(context.Context, *program.Machine) (files fetch.Client, unresolved, err error)
	// Decide is program.Decide.
	Decide func(context.Context, program.Machine, program.Opener) (*program.Decision, error)
}

// observer goes through a boot as the guest, and records what it sees.
type observer struct {
	task  *Task
	facts *check.Facts
	plan  *plan.Plan
	conn  *sharedConn

	machine program.Machine // with its lease
	lease   *dhcpclient.Lease
	first   *dhcpclient.Lease // the ROM's, where iPXE has another; else nil
	files   fetch.Client
	held    fetch.Holds
	tries   map[string]plan.Try
	// ask is for a configuration file; at is where it is after redirects, if that is known.
	ask func(ctx context.Context, url string) (content []byte, at string, err error)
	// look is for what iPXE looks at, with a form or "".
	look func(ctx context.Context, url, form string) (content []byte, at string, err error)
}

// Run looks at a lab. What is wrong there is in the facts and the plan, and is
// no error.
func Run(ctx context.Context, t Task) (*check.Facts, *plan.Plan, error) {
	o := &observer{
		task: &t, facts: &check.Facts{Began: time.Now()}, plan: plan.New(), conn: shareConn(t.Wire), tries: map[string]plan.Try{},
	}
	o.look = func(ctx context.Context, url, form string) ([]byte, string, error) {
		files := o.files
		files.Form = form
		return o.held.ReadHead(ctx, &files, url, ipxe.HeadSize, program.IsText, program.MaxConfig, func(content []byte) bool {
			return form == "" && !ipxe.IsScript(content)
		})
	}
	o.held.Begin()
	defer o.held.Keep()
	o.ask = func(ctx context.Context, url string) ([]byte, string, error) {
		if o.machine.RunsIPXE() { // which looks at what boots, too
			return o.look(ctx, url, "")
		}
		content, err := o.files.ReadAll(ctx, url, program.MaxConfig)
		return content, "", err
	}
	if t.Count > 0 {
		o.storm(ctx)
	} else if err := o.walk(ctx); err != nil {
		return o.facts, o.plan, err
	}
	slices.SortStableFunc(o.facts.Events, func(a, b check.Event) int { return cmp.Compare(a.Millis, b.Millis) })
	return o.facts, o.plan, nil
}

// seen is the end of a step.
func (o *observer) seen() {
	if o.task.Seen != nil {
		o.task.Seen(*o.facts)
	}
}

// failed records what could not be looked at.
func (o *observer) failed(format string, args ...any) {
	o.facts.Errors = append(o.facts.Errors, fmt.Sprintf(format, args...))
}

// walk is the way of a boot. An error is one of ours; what the lab does wrong
// ends the walk only.
func (o *observer) walk(ctx context.Context) error {
	if o.task.Lease != nil {
		o.given(ctx)
	} else if err := o.dhcp(ctx); err != nil {
		return err
	}
	defer o.release()
	if offered := &o.facts.Lease; offered.InUseBy != "" { // and declined, with --request
		o.facts.ARPForAll = o.answersAll(ctx, offered.Address, offered.InUseBy)
		return nil
	}
	l := o.lease
	if l == nil {
		return nil
	}
	o.plan.Lease = o.facts.Lease
	o.seen()
	if l.LocalBoot || !l.NextServer.IsValid() || !o.plan.Lease.NamesBoot() {
		return nil
	}
	o.machine = o.task.Machine
	o.machine.Lease, o.machine.First = *l, o.first
	files, unresolved, err := o.task.Configure(ctx, &o.machine)
	if err != nil {
		return err
	}
	o.files = files
	o.files.LookedUp = o.lookedUp
	if l.ServerName != "" {
		o.facts.Found(l.ServerName, o.machine.Lease.NextServer, unresolved)
		l.NextServer, o.plan.Lease = o.machine.Lease.NextServer, o.facts.Lease
	}
	// A server that is there answers at once; the boot itself is more patient.
	o.files.Servers = nil
	o.files.TFTP.Timeout, o.files.TFTP.Retries, o.files.Timeout = time.Second, 2, 5*time.Second
	if !o.server(ctx) {
		o.otherServers(ctx)
		return nil
	}
	o.seen()
	d := o.config(ctx)
	if o.plan.Config.URL == "" {
		o.otherServers(ctx)
	}
	o.seen()
	if d != nil && d.Boot.Kernel != "" {
		o.bootFiles(ctx, d)
	}
	return nil
}

// answersAll says whether that machine answers ARP for whatever address of the network
// it is asked for, which is proxy ARP.
func (o *observer) answersAll(ctx context.Context, network netip.Prefix, holder string) bool {
	const asked = 3
	if !network.Addr().Is4() || network.Bits() > 28 {
		return false
	}
	first := network.Masked().Addr().As4()
	for holds, draws := 0, 0; holds < asked; draws++ {
		a := binary.BigEndian.Uint32(first[:]) + 1 + rand.Uint32N(1<<(32-network.Bits())-2)
		address := netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, a)))
		mac := o.arp(ctx, netip.IPv4Unspecified(), address)
		switch {
		case mac == nil || draws > 3*asked:
			return false
		case address != network.Addr() && mac.String() == holder: // another may be a machine's own
			holds++
		}
	}
	return true
}

// given takes the lease that the command line says, unless another station has
// its address.
func (o *observer) given(ctx context.Context) {
	lease, said := *o.task.Lease, func(f dhcpclient.Field) dhcpclient.Origin { return dhcpclient.Origin{Field: f} }
	o.lease = &lease
	o.facts.SetLease(o.lease, &dhcpclient.Origins{
		Address: said(check.OurAddress), Routers: said(check.OurRouter), NextServer: said(check.OurServer), BootFile: said(check.OurBootFile),
		DNS: said(check.OurOption), ConfigFile: said(check.OurOption), PathPrefix: said(check.OurOption),
	})
	if mac := o.arp(ctx, netip.IPv4Unspecified(), lease.Address.Addr()); mac != nil { // as RFC 5227, section 2.1.1, probes
		o.facts.Lease.InUseBy = mac.String()
	}
}

// dhcp asks as the guest, and in other ways when that comes to nothing.
func (o *observer) dhcp(ctx context.Context) error {
	r, f := o.task, o.facts
	f.Subject.VendorClass = vendorClass(r.Client.ROM)
	end := o.conn.end(nil)
	defer end.stop()
	client := o.client(end)
	config := survey.Config{Wait: max(o.task.Wait, r.Client.ProxyWait)}
	if others := o.task.OtherVLANs; others != nil {
		config.OtherVLANs = others
		defer others.Close()
	}
	seen, err := survey.Run(ctx, client, config)
	if err != nil {
		return err
	}
	f.AddSurvey(seen)
	o.lease = seen.Lease
	if l := &f.Lease; o.lease == nil || !l.NamesBoot() && !l.LocalBoot && !f.TooLate() {
		o.variants(ctx)
	}
	if o.lease == nil && slices.ContainsFunc(f.Variants, func(v check.Variant) bool { return v.Answered && v.Name != check.AskedInform }) {
		if err := o.again(ctx, client); err != nil {
			return err
		}
	}
	if o.lease == nil {
		return nil
	}
	if o.task.Take {
		o.take(ctx, client)
	}
	if o.lease != nil {
		program.Override(o.lease, r.Server, r.BootFile)
	}
	if o.lease != nil && r.Server.IsValid() {
		f.Lease.NextServer = r.Server
		f.Merged = check.Replaced(f.Merged, check.Value{Name: check.ValueNextServer, Value: r.Server.String(), Origin: check.Origin{Field: check.OurServer}})
	}
	if o.lease != nil && r.BootFile != "" {
		f.Lease.BootFile = r.BootFile
		f.Merged = check.Replaced(f.Merged, check.Value{Name: check.ValueBootFile, Value: r.BootFile, Origin: check.Origin{Field: check.OurBootFile}})
	}
	if o.lease != nil && program.IsIPXE(o.lease.BootFile) {
		return o.asIPXE(ctx, client)
	}
	return nil
}

// asIPXE asks again as the iPXE does that the ROM would load, and takes nothing.
func (o *observer) asIPXE(ctx context.Context, client *dhcpclient.Client) error {
	var origins *dhcpclient.Origins
	lease, err := program.AsIPXE(o.lease, func(class string) (*dhcpclient.Lease, error) {
		again := *client
		again.ROM = o.task.Client.ROM.IPXE(class)
		seen, err := survey.Run(ctx, &again, survey.Config{Wait: o.task.Wait})
		if err != nil {
			return nil, err
		}
		o.facts.AddIPXE(class, seen, o.task.Wait)
		if seen.Lease == nil {
			return nil, dhcpclient.ErrNoOffer
		}
		program.Override(seen.Lease, o.task.Server, "")
		origins = &seen.Origins
		return seen.Lease, nil
	})
	if errors.Is(err, dhcpclient.ErrNoOffer) {
		return nil
	}
	if err == nil {
		o.facts.SetIPXE(lease, origins)
		o.first, o.lease = o.lease, lease
	}
	return err
}

// again asks as the guest once more, and often, before it concludes that the
// server wants to be asked in another way: frames may have got lost.
func (o *observer) again(ctx context.Context, client *dhcpclient.Client) error {
	client.Retransmit = []time.Duration{o.task.Wait / 10}
	seen, err := survey.Run(ctx, client, survey.Config{Wait: o.task.Wait})
	client.Retransmit = nil
	if err != nil || seen.Lease == nil {
		return err
	}
	o.facts.AddSurvey(seen)
	o.lease = seen.Lease
	o.facts.Unsteady, o.facts.Variants = true, nil
	return nil
}

// client is a DHCP client that is the guest.
func (o *observer) client(conn dhcpclient.FrameConn) *dhcpclient.Client {
	c := o.task.Client
	c.Conn = conn
	return &c
}

// vendorClass is option 60 as it is sent.
func vendorClass(rom dhcpclient.ROM) string {
	if given, ok := rom.Options[60]; ok {
		return string(given)
	}
	return cmp.Or(rom.VendorClass, "PXEClient")
}

// take takes the lease that was offered.
func (o *observer) take(ctx context.Context, client *dhcpclient.Client) {
	began := time.Now()
	client.Conn = recorder{client.Conn, o}
	// It has just offered: who is silent for so long stays so. After a NAK a
	// client has to begin anew, ten seconds later (RFC 2131, section 3.1).
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	lease, err := client.Lease(ctx)
	taken := &check.Request{Result: check.Acked, Millis: plan.Millis(time.Since(began))}
	o.facts.Request = taken
	if err == nil {
		o.lease = lease
		o.facts.Took(lease)
		return
	}
	o.lease = nil
	taken.Message = err.Error()
	switch {
	case errors.Is(err, dhcpclient.ErrNak):
		taken.Result = check.Nakked
	case errors.Is(err, dhcpclient.ErrInUse):
		taken.Result = check.InUse
	default:
		taken.Result = check.Unanswered
	}
}

// release gives back a lease that was taken.
func (o *observer) release() {
	if o.facts.Request == nil || o.facts.Request.Result != check.Acked {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second) // also when there is no more time
	defer cancel()
	end := o.conn.end(nil)
	defer end.stop()
	client := o.client(recorder{end, o})
	if err := client.Release(ctx, cmp.Or(o.first, o.lease)); err != nil {
		o.failed("%v", err)
		return
	}
	o.facts.Request.Released = true
}

// recorder records what is said to and by the guest.
type recorder struct {
	dhcpclient.FrameConn
	o *observer
}

func (r recorder) Write(frame []byte) (int, error) {
	r.add(frame, true)
	return r.FrameConn.Write(frame)
}

func (r recorder) Read(b []byte) (int, error) {
	n, err := r.FrameConn.Read(b)
	if err == nil {
		r.add(b[:n], false)
	}
	return n, err
}

func (r recorder) add(frame []byte, sent bool) {
	m, err := survey.Decode(frame)
	if err != nil || m.CHAddr.String() != r.o.task.Machine.MAC.String() || len(r.o.facts.Events) > 1000 {
		return
	}
	r.o.facts.AddMessage(time.Now(), m, sent)
}

// event records a request and what came of it.
func (o *observer) event(began time.Time, kind, to, summary string, failed bool) {
	if len(o.facts.Events) > 1000 {
		return
	}
	o.facts.Events = append(o.facts.Events, check.Event{
		Millis: plan.Millis(began.Sub(o.facts.Began)), Took: plan.Millis(time.Since(began)), From: check.EventGuest, To: to, Kind: kind, Summary: summary, Failed: failed,
	})
}

// server looks at the next-server, and says whether it is worth asking for a
// configuration.
func (o *observer) server(ctx context.Context) bool {
	path := o.searchPath()
	if len(path) == 0 {
		return false
	}
	first, err := url.Parse(path[0])
	if err != nil || first.Scheme != "tftp" {
		return true // HTTP and FTP speak for themselves
	}
	address, err := netip.ParseAddr(first.Hostname())
	if err != nil {
		return true // a name; who resolves it will say so
	}
	why := "next-server"
	switch {
	case address == o.lease.NextServer:
	case o.machine.RunsIPXE():
		why = "boot file"
	default:
		why = "path prefix"
	}
	s := o.station(ctx, address, why)
	// The kernel asks for the MAC three times, and may have had bad luck.
	for again := 0; again < 2 && s.TFTP == check.PortUnreachable && s.MAC != "" && s.Rejected == nil && o.task.OwnNet; again++ {
		s = o.station(ctx, address, why)
	}
	junk := ""
	if s.TFTP == check.PortSilent && s.MAC != "" {
		s.AnswersFrom, junk, _ = answersFrom(ctx, netip.AddrPortFrom(address, wire.PortTFTP), s.Asked, o.files.TFTP.Timeout)
	}
	if s.TFTP == check.PortSilent && s.MAC != "" && !s.AnswersFrom.IsValid() {
		// A disk may have to spin up first. A ROM waits for minutes.
		client := o.files.TFTP
		o.files.TFTP.Timeout, o.files.TFTP.Retries = 2*time.Second, 1
		if s = o.station(ctx, address, why); s.TFTP != check.PortAnswers {
			o.files.TFTP = client
		}
	}
	if o.fromDom0(ctx, &s) {
		// It may have come up meanwhile, or be slow: that the guest has no answer, and
		// has waited for it at least as long, is the proof.
		slow := o.byFrames(ctx, &s, o.hop(address))
		if slow {
			o.files.TFTP.Timeout, o.files.TFTP.Retries = 4*time.Second, 2
		}
		again := o.station(ctx, address, why)
		again.FromDom0 = !slow && (again.MAC == "" || again.TFTP == check.PortSilent)
		s = again
	}
	if s.Route == check.RouteDirect && s.MAC == "" && o.lease.Router.IsValid() && o.lease.Router != address {
		s.ByRouter = o.byFrames(ctx, &s, o.lease.Router)
	}
	if s.TFTP == check.PortSilent {
		s.NoTFTP = junk
	}
	o.facts.NextServer = &s
	return s.TFTP == check.PortAnswers
}

// searchPath is what the boot program asks for first.
func (o *observer) searchPath() []string {
	if o.machine.RunsIPXE() {
		if script, err := o.machine.Script(); err == nil {
			return []string{script}
		}
	}
	return pxelinux.SearchPath(o.machine.Host())
}

// answersFrom is the address, other than the one that was asked, from which a
// TFTP answer comes, and what comes of that one which is no TFTP; the zero one and ""
// when none comes. speaks says that the right one answers as it should.
func answersFrom(ctx context.Context, server netip.AddrPort, name string, wait time.Duration) (other netip.Addr, junk string, speaks bool) {
	conn, end, err := sendRequest(ctx, server, readRequest(name))
	if err != nil {
		return other, "", false
	}
	defer end()
	conn.SetDeadline(time.Now().Add(wait))
	b := make([]byte, 1500)
	for {
		n, from, err := conn.ReadFromUDPAddrPort(b)
		switch a := from.Addr().Unmap(); {
		case err != nil:
			return other, junk, false
		case isTFTP(b[:n]) && a != server.Addr():
			return a, "", false
		case isTFTP(b[:n]):
			return other, "", true
		case a == server.Addr() && junk == "":
			const most = 24
			junk = strconv.QuoteToASCII(string(b[:min(n, most)]))
		}
	}
}

// isTFTP says whether a packet is one that answers a request (RFC 1350 §5, RFC 2347).
func isTFTP(p []byte) bool {
	return len(p) >= 4 && slices.Contains([]uint16{wire.TFTPData, wire.TFTPError, wire.TFTPOACK}, binary.BigEndian.Uint16(p))
}

// asked is the file that a TFTP server is asked for, to see whether it is one:
// the boot file, which a ROM would ask for first.
func (o *observer) asked() string {
	if name := o.lease.BootFile; name != "" && !strings.Contains(name, "://") && !o.machine.RunsIPXE() {
		return name
	}
	path := o.searchPath()
	u, err := url.Parse(path[len(path)-1])
	if err != nil {
		return "pxelinux.0"
	}
	return strings.TrimPrefix(u.Path, "/")
}

// station asks a machine whether it is there, and whether it speaks TFTP.
func (o *observer) station(ctx context.Context, a netip.Addr, why string) check.Station {
	l := o.lease
	s := check.Station{Address: a, Why: why, Route: routeTo(l, a), Asked: o.asked()}
	hop := o.hop(a)
	claimed := o.claims(hop)
	defer claimed.stop()
	if hop.IsValid() {
		began := time.Now()
		if mac := o.arp(ctx, l.Address.Addr(), hop); mac != nil {
			s.MAC, s.ARPMs = mac.String(), plan.Millis(time.Since(began))
		}
	}
	host := o.machine.Host()
	host.Server = a
	link, err := host.Resolve("::" + s.Asked)
	if err != nil {
		return s
	}
	began := time.Now()
	f, err := o.files.Open(ctx, link)
	s.TFTPMs = plan.Millis(time.Since(began))
	switch {
	case err == nil:
		f.Close()
		s.TFTP, s.HasFile = check.PortAnswers, true
	case errors.Is(err, fetch.ErrNotFound), errors.Is(err, fetch.ErrRefused):
		s.TFTP = check.PortAnswers
	case errors.Is(err, fetch.ErrNoServer):
		s.TFTP = check.PortClosed
		s.Rejected = rejection(ctx, netip.AddrPortFrom(a, wire.PortTFTP), readRequest(s.Asked))
		if s.Rejected.Filtered() {
			s.TFTP = check.PortUnreachable
		}
	case errors.Is(err, fetch.ErrTimeout):
		s.TFTP = check.PortSilent
	case errors.Is(err, fetch.ErrForbidden):
		s.TFTP = check.PortUnreachable
		o.failed("%v", err)
	case isUnreachable(err):
		s.TFTP = check.PortUnreachable
		s.Rejected = rejected(ctx, link, err)
	default:
		// Something odd, but something.
		s.TFTP = check.PortAnswers
		o.failed("%v", err)
	}
	if other := claimed.other(s.MAC); other != nil && s.MAC != "" {
		s.OtherMAC = other.String()
	}
	o.event(began, "RRQ", a.String(), s.Asked+": "+string(s.TFTP), s.TFTP != check.PortAnswers)
	return s
}

// hop is who frames for an address go to: that machine, or the router; the zero one
// for none.
func (o *observer) hop(a netip.Addr) netip.Addr {
	if o.lease.Address.Contains(a) {
		return a
	}
	return o.lease.Router
}

// routeTo is the way to an address with that lease.
func routeTo(l *dhcpclient.Lease, a netip.Addr) check.Route {
	switch {
	case l.Address.Contains(a):
		return check.RouteDirect
	case l.Router.IsValid():
		return check.RouteRouter
	}
	return check.RouteNone
}

func isUnreachable(err error) bool {
	return slices.ContainsFunc([]error{unix.ENETUNREACH, unix.EHOSTUNREACH, unix.EHOSTDOWN, unix.ENETDOWN, unix.EACCES, unix.EPERM},
		func(e error) bool { return errors.Is(err, e) })
}

// otherServers asks who else could be meant by next-server.
func (o *observer) otherServers(ctx context.Context) {
	if o.facts.NextServer == nil {
		return
	}
	known := []netip.Addr{o.facts.NextServer.Address}
	ask := func(a netip.Addr, why string) {
		const most = 8
		if guest.Usable(a) && !slices.Contains(known, a) && len(known) <= most && a != o.lease.Address.Addr() {
			known = append(known, a)
			o.facts.Others = append(o.facts.Others, o.station(ctx, a, why))
		}
	}
	o.files.TFTP.Timeout, o.files.TFTP.Retries = 500*time.Millisecond, 1
	o.lookUp(ctx)
	for _, offer := range o.facts.Offers {
		for _, b := range offer.BootServers {
			ask(b.Address, b.String())
		}
	}
	ask(o.lease.ServerID, "the DHCP server")
	for _, offer := range o.facts.Offers {
		ask(offer.Server, "a DHCP server")
		for _, v := range offer.Values {
			if a, err := netip.ParseAddr(v.Value); err == nil && v.Name == check.ValueNextServer {
				ask(a, "next-server of "+offer.Server.String())
			}
		}
		ask(offer.Relay, "the relay")
	}
	ask(o.lease.Router, "the router")
}

// lookUp looks up the names that offers have for boot servers.
func (o *observer) lookUp(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, o.files.Timeout)
	defer cancel()
	for _, offer := range o.facts.Offers {
		for _, b := range offer.BootServers {
			if b.Name != "" && !b.Address.IsValid() && b.Message == "" {
				a, err := o.files.Lookup(ctx, b.Name)
				o.facts.Found(b.Name, a, err)
			}
		}
	}
}

// arp asks who has an address, in the guest's name and from its own address. It is
// nil when no machine says so within a second.
func (o *observer) arp(ctx context.Context, own, a netip.Addr) net.HardwareAddr {
	end := o.conn.end(isARP)
	defer end.stop()
	began := time.Now()
	mac := survey.Holder(ctx, end, o.task.Machine.MAC, own, a)
	what := "no machine has " + a.String()
	if mac != nil {
		what = fmt.Sprintf("%s is at %s", a, mac)
	}
	o.event(began, "ARP", check.EventBroadcast, what, mac == nil)
	return mac
}
