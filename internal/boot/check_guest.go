package boot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/gopxeboot/gopxeboot/dhcpclient"
	"github.com/gopxeboot/gopxeboot/dhcpclient/survey"
	"github.com/gopxeboot/gopxeboot/internal/check"
	"github.com/gopxeboot/gopxeboot/internal/console"
	"github.com/gopxeboot/gopxeboot/internal/fetch"
	"github.com/gopxeboot/gopxeboot/internal/guest"
	"github.com/gopxeboot/gopxeboot/internal/wire"
	"github.com/gopxeboot/gopxeboot/pxelinux"
	"golang.org/x/sys/unix"
)

// onlooker goes through a boot as the guest, and takes down what it sees.
type onlooker struct {
	*pipeline
	child *guest.Child
	want  *Look
	facts *check.Facts
	conn  *sharedConn
	vlans map[uint16]guest.Conn // to ask in other VLANs
	lease *dhcpclient.Lease
	host  pxelinux.Host
	texts map[string][]byte // configuration files by URL
	tries map[string]check.Try
}

// look is what the child does for Check, in the place of a boot. What is wrong
// in the lab is no error.
func (p *pipeline) look(ctx context.Context, c *guest.Child) error {
	debug.SetMemoryLimit(256 << 20) // a kernel, and what unpacks it
	r := &p.task.Request
	o := &onlooker{
		pipeline: p, child: c, want: r.Look,
		facts: &check.Facts{Began: time.Now()},
		vlans: map[uint16]guest.Conn{}, texts: map[string][]byte{}, tries: map[string]check.Try{},
	}
	say := p.say
	p.say = func(l line) { // what a boot would say is detail here
		l.Warn, l.Level = false, console.Verbose
		say(l)
	}
	conn, elsewhere, err := o.listen(c)
	if err != nil {
		return notHeard(ctx, err)
	}
	defer conn.Close()
	if p.task.Pcap != 0 && c.OwnNet { // of dom0's bridge the parent records
		recorder, err := wire.Record(c.Interface, c.File(p.task.Pcap-1))
		if err != nil {
			return fail(ctx, OwnFault, "pcap", err, "")
		}
		defer func() {
			if err := recorder.Stop(); err != nil {
				p.say(line{Warn: true, Text: err.Error()})
			}
		}()
	}
	if err := p.confine(ctx, c); err != nil {
		return err
	}
	o.conn = shareConn(conn)
	if o.want.Count > 0 {
		o.storm(ctx)
	} else if err := o.walk(ctx, elsewhere); err != nil {
		return err
	}
	slices.SortStableFunc(o.facts.Events, func(a, b check.Event) int { return cmp.Compare(a.Millis, b.Millis) })
	p.plan.Facts = o.facts
	return nil
}

// listen opens all sockets that need rights.
func (o *onlooker) listen(c *guest.Child) (conn, elsewhere guest.Conn, err error) {
	if conn, err = c.Listen(); err != nil {
		return nil, nil, err
	}
	if elsewhere, err = c.ListenOthers(); err != nil {
		o.trouble("other VLANs can't be listened to: %v", err)
		elsewhere = nil
	}
	for _, vlan := range o.want.VLANs {
		if other, err := c.ListenVLAN(vlan); err == nil {
			o.vlans[vlan] = other
		}
	}
	return conn, elsewhere, nil
}

// trouble takes down what could not be looked at.
func (o *onlooker) trouble(format string, args ...any) {
	o.facts.Errors = append(o.facts.Errors, fmt.Sprintf(format, args...))
}

// walk is the way of a boot. An error is one of ours; what the lab does wrong
// ends the walk only.
func (o *onlooker) walk(ctx context.Context, elsewhere guest.Conn) error {
	if err := o.dhcp(ctx, elsewhere); err != nil {
		return fail(ctx, OwnFault, "dhcp", err, "")
	}
	l := o.lease
	if l == nil || o.facts.Lease.InUseBy != "" {
		return nil
	}
	defer o.giveBack()
	o.plan.setLease(l)
	if l.LocalBoot || !l.NextServer.IsValid() || l.BootFile == "" && l.PathPrefix == "" && l.ConfigFile == "" {
		return nil
	}
	if o.child.OwnNet {
		if err := o.send(answer{Configure: &configure{l.Address, l.Router, l.MTU}}); err != nil {
			return err
		}
		if err := o.child.Receive(&struct{}{}); err != nil {
			return err
		}
	}
	o.host = o.pipeline.host(l)
	o.files.DNS, o.files.Domain, o.files.Fallback = l.DNS, l.Domain, l.NextServer
	o.files.SysAppend = o.host.SysAppend()
	if err := o.prepare(l.NextServer); err != nil {
		return err
	}
	// A server that is there answers at once; the boot itself is more patient.
	o.files.TFTP.Timeout, o.files.TFTP.Retries, o.files.Timeout = time.Second, 2, 5*time.Second
	if !o.server(ctx) {
		o.otherServers(ctx)
		return nil
	}
	boot := o.config(ctx)
	if o.plan.Config.URL == "" {
		o.otherServers(ctx)
	}
	if boot != nil && boot.Kernel != "" {
		o.bootFiles(ctx, boot)
	}
	return nil
}

// dhcp asks as the guest, and in other ways when that comes to nothing.
func (o *onlooker) dhcp(ctx context.Context, elsewhere guest.Conn) error {
	r, f := &o.task.Request, o.facts
	f.Subject.VendorClass = vendorClass(r.ROM)
	end := o.conn.end(nil)
	defer end.stop()
	client := o.client(end)
	config := survey.Config{Wait: o.want.Wait}
	if elsewhere != nil {
		config.OtherVLANs = elsewhere
		defer elsewhere.Close()
	}
	seen, err := survey.Run(ctx, client, config)
	if err != nil {
		return err
	}
	f.AddSurvey(seen)
	o.lease = seen.Lease
	if l := o.lease; l == nil || l.BootFile == "" && l.PathPrefix == "" && l.ConfigFile == "" && !l.LocalBoot {
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
	if o.want.Take {
		o.take(ctx, client)
	}
	if o.lease != nil && r.Server.IsValid() {
		o.lease.NextServer, f.Lease.NextServer = r.Server, r.Server
		f.Merged = replaced(f.Merged, check.Value{Name: "next-server", Value: r.Server.String(), Origin: "--server"})
	}
	if o.lease != nil && r.BootFile != "" {
		o.lease.BootFile, f.Lease.BootFile = r.BootFile, r.BootFile
		f.Merged = replaced(f.Merged, check.Value{Name: "boot file", Value: r.BootFile, Origin: "--bootfile"})
	}
	return nil
}

// again asks as the guest once more, and often, before it is believed that the
// server wants to be asked in another way: frames may have got lost.
func (o *onlooker) again(ctx context.Context, client *dhcpclient.Client) error {
	client.Retransmit = []time.Duration{o.want.Wait / 10}
	seen, err := survey.Run(ctx, client, survey.Config{Wait: o.want.Wait})
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
func (o *onlooker) client(conn dhcpclient.FrameConn) *dhcpclient.Client {
	r := &o.task.Request
	c := &dhcpclient.Client{Conn: conn, MAC: r.MAC, UUID: r.UUID, ROM: r.ROM, Offered: o.offered}
	r.Timing.apply(c)
	return c
}

// vendorClass is option 60 as it is sent.
func vendorClass(rom dhcpclient.ROM) string {
	if given, ok := rom.Options[60]; ok {
		return string(given)
	}
	return cmp.Or(rom.VendorClass, "PXEClient")
}

// replaced puts a value in the place of the one with its name.
func replaced(list []check.Value, v check.Value) []check.Value {
	i := slices.IndexFunc(list, func(o check.Value) bool { return o.Name == v.Name })
	if i < 0 {
		return append(list, v)
	}
	old := list[i]
	old.Passed = nil
	v.Passed = append(v.Passed, old)
	list[i] = v
	return list
}

// take takes the lease that was offered.
func (o *onlooker) take(ctx context.Context, client *dhcpclient.Client) {
	began := time.Now()
	client.Conn = recorder{client.Conn, o}
	// It has just offered: who is silent for so long stays so. After a NAK a
	// client has to begin anew, ten seconds later (RFC 2131, section 3.1).
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	lease, err := client.Lease(ctx)
	taken := &check.Request{Result: "ack", Millis: ms(time.Since(began))}
	o.facts.Request = taken
	if err == nil {
		o.lease = lease
		return
	}
	o.lease = nil
	taken.Message = err.Error()
	switch {
	case errors.Is(err, dhcpclient.ErrNak):
		taken.Result = "nak"
	case errors.Is(err, dhcpclient.ErrInUse):
		taken.Result = "in use"
	default:
		taken.Result = "no answer"
	}
}

// giveBack releases a lease that was taken.
func (o *onlooker) giveBack() {
	if o.facts.Request == nil || o.facts.Request.Result != "ack" {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second) // also when there is no more time
	defer cancel()
	end := o.conn.end(nil)
	defer end.stop()
	client := o.client(recorder{end, o})
	if err := client.Release(ctx, o.lease); err != nil {
		o.trouble("%v", err)
		return
	}
	o.facts.Request.Released = true
}

// recorder takes down what is said to and by the guest.
type recorder struct {
	dhcpclient.FrameConn
	o *onlooker
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
	if err != nil || m.CHAddr.String() != r.o.task.Request.MAC.String() || len(r.o.facts.Events) > 1000 {
		return
	}
	r.o.facts.AddMessage(time.Now(), m, sent)
}

// event takes down a request and what came of it.
func (o *onlooker) event(began time.Time, kind, to, summary string, failed bool) {
	if len(o.facts.Events) > 1000 {
		return
	}
	o.facts.Events = append(o.facts.Events, check.Event{
		Millis: ms(began.Sub(o.facts.Began)), Took: ms(time.Since(began)), From: "guest", To: to, Kind: kind, Summary: summary, Failed: failed,
	})
}

func ms(d time.Duration) float64 {
	return float64(d.Round(10*time.Microsecond)) / float64(time.Millisecond)
}

// server looks at the next-server, and says whether it is worth asking for a
// configuration.
func (o *onlooker) server(ctx context.Context) bool {
	path := pxelinux.SearchPath(o.host)
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
	if address != o.lease.NextServer {
		why = "path prefix"
	}
	s := o.station(ctx, address, why)
	if s.TFTP == "silent" && s.MAC != "" {
		s.AnswersFrom = o.answersFrom(ctx, s)
	}
	if s.TFTP == "silent" && s.MAC != "" && !s.AnswersFrom.IsValid() {
		// A disk may have to spin up first. A ROM waits for minutes.
		impatient := o.files.TFTP
		o.files.TFTP.Timeout, o.files.TFTP.Retries = 2*time.Second, 1
		if s = o.station(ctx, address, why); s.TFTP != "answers" {
			o.files.TFTP = impatient
		}
	}
	o.facts.NextServer = &s
	return s.TFTP == "answers"
}

// answersFrom is the address, other than the one that was asked, from which a
// TFTP answer comes; the zero one when none comes.
func (o *onlooker) answersFrom(ctx context.Context, s check.Station) (other netip.Addr) {
	conn, err := net.ListenUDP("udp4", nil) // takes what anybody says
	if err != nil {
		return other
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	conn.SetDeadline(time.Now().Add(o.files.TFTP.Timeout))
	if _, err := conn.WriteToUDPAddrPort([]byte("\x00\x01"+s.Asked+"\x00octet\x00"), netip.AddrPortFrom(s.Address, 69)); err != nil {
		return other
	}
	_, from, err := conn.ReadFromUDPAddrPort(make([]byte, 1500))
	if from := from.Addr().Unmap(); err == nil && from != s.Address {
		other = from
	}
	return other
}

// asked is the file that a TFTP server is asked for, to see whether it is one:
// the boot file, which a ROM would ask for first.
func (o *onlooker) asked() string {
	if name := o.lease.BootFile; name != "" && !strings.Contains(name, "://") {
		return name
	}
	path := pxelinux.SearchPath(o.host)
	u, err := url.Parse(path[len(path)-1])
	if err != nil {
		return "pxelinux.0"
	}
	return strings.TrimPrefix(u.Path, "/")
}

// station asks a machine whether it is there, and whether it speaks TFTP.
func (o *onlooker) station(ctx context.Context, a netip.Addr, why string) check.Station {
	l := o.lease
	s := check.Station{Address: a, Why: why, Route: "none", Asked: o.asked()}
	hop := netip.Addr{}
	switch {
	case l.Address.Contains(a):
		s.Route, hop = "direct", a
	case l.Router.IsValid():
		s.Route, hop = "router", l.Router
	}
	if hop.IsValid() {
		began := time.Now()
		if mac := o.arp(ctx, hop); mac != nil {
			s.MAC, s.ARPMs = mac.String(), ms(time.Since(began))
		}
	}
	host := o.host
	host.Server = a
	link, err := host.Resolve("::" + s.Asked)
	if err != nil {
		return s
	}
	began := time.Now()
	f, err := o.files.Open(ctx, link)
	s.TFTPMs = ms(time.Since(began))
	switch {
	case err == nil:
		f.Close()
		s.TFTP, s.HasFile = "answers", true
	case errors.Is(err, fetch.ErrNotFound), errors.Is(err, fetch.ErrRefused):
		s.TFTP = "answers"
	case errors.Is(err, fetch.ErrNoServer):
		s.TFTP = "closed"
	case errors.Is(err, fetch.ErrTimeout):
		s.TFTP = "silent"
	case isForbidden(err):
		s.TFTP = "unreachable"
		o.trouble("%v", err)
	case isUnreachable(err):
		s.TFTP = "unreachable"
	default:
		// Something odd, but something.
		s.TFTP = "answers"
		o.trouble("%v", err)
	}
	o.event(began, "RRQ", a.String(), s.Asked+": "+s.TFTP, s.TFTP != "answers")
	return s
}

func isUnreachable(err error) bool {
	for _, e := range []error{unix.ENETUNREACH, unix.EHOSTUNREACH, unix.EHOSTDOWN, unix.ENETDOWN, unix.EACCES, unix.EPERM} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// otherServers asks who else could be meant by next-server.
func (o *onlooker) otherServers(ctx context.Context) {
	if o.facts.NextServer == nil {
		return
	}
	known := []netip.Addr{o.facts.NextServer.Address}
	ask := func(a netip.Addr, why string) {
		const most = 8
		if usable(a) && !slices.Contains(known, a) && len(known) <= most && a != o.lease.Address.Addr() {
			known = append(known, a)
			o.facts.Others = append(o.facts.Others, o.station(ctx, a, why))
		}
	}
	o.files.TFTP.Timeout, o.files.TFTP.Retries = 500*time.Millisecond, 1
	ask(o.lease.ServerID, "the DHCP server")
	for _, offer := range o.facts.Offers {
		ask(offer.Server, "a DHCP server")
		for _, v := range offer.Values {
			if a, err := netip.ParseAddr(v.Value); err == nil && v.Name == "next-server" {
				ask(a, "next-server of "+offer.Server.String())
			}
		}
		for _, option := range offer.Options {
			if a, err := netip.ParseAddr(strings.Trim(option.Value, `"`)); err == nil && (option.Code == 66 || option.Code == 150) {
				ask(a, fmt.Sprintf("option %d", option.Code))
			}
		}
		ask(offer.Relay, "the relay")
	}
	ask(o.lease.Router, "the router")
}

// arp asks who has an address, in the guest's name. It is nil when nobody says
// so within a second.
func (o *onlooker) arp(ctx context.Context, a netip.Addr) net.HardwareAddr {
	end := o.conn.end(isARP)
	defer end.stop()
	began := time.Now()
	mac := survey.Holder(ctx, end, o.task.Request.MAC, o.lease.Address.Addr(), a)
	what := "nobody has " + a.String()
	if mac != nil {
		what = fmt.Sprintf("%s is at %s", a, mac)
	}
	o.event(began, "ARP", "broadcast", what, mac == nil)
	return mac
}
