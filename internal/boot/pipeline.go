package boot

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"github.com/gopxeboot/gopxeboot/dhcpclient"
	"github.com/gopxeboot/gopxeboot/internal/check"
	"github.com/gopxeboot/gopxeboot/internal/console"
	"github.com/gopxeboot/gopxeboot/internal/fault"
	"github.com/gopxeboot/gopxeboot/internal/fetch"
	"github.com/gopxeboot/gopxeboot/internal/guest"
	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/internal/program"
	"github.com/gopxeboot/gopxeboot/pxelinux"
	"golang.org/x/sys/unix"
)

// reportTime is how long before the parent's deadline the child gives up, so
// that it can still say at what.
const reportTime = 300 * time.Millisecond

// pipeline is one boot on its way through the stages. Each stage fills its
// part of the plan.
type pipeline struct {
	task      task
	plan      *plan.Plan
	files     fetch.Client
	open      program.Opener
	facts     *check.Facts // of a look
	downloads []Download   // of get
	say       func(line)
	send      func(answer) error // to the parent; nil where there is none
}

// Child is what the child process does. It returns the process's exit status.
func Child() int {
	c, err := guest.Inside()
	if err != nil {
		return 1
	}
	debug.SetMemoryLimit(64 << 20)
	var t task
	if err := c.Receive(&t); err != nil {
		return 1
	}
	ctx, cancel := context.WithDeadline(context.Background(), t.Deadline.Add(-reportTime))
	defer cancel()

	var sending sync.Mutex
	p := &pipeline{task: t, plan: plan.New()}
	p.send = func(a answer) error {
		sending.Lock()
		defer sending.Unlock()
		return c.Send(a)
	}
	p.say = func(l line) { p.send(answer{Line: &l}) }
	err = p.asGuest(ctx, c)
	if p.end(c, err) != nil {
		return 1
	}
	return 0
}

// end tells how it ended. What is too large to tell, a boot does without, which
// needs to know what boots and no more; whoever asks for the plan gets an error.
func (p *pipeline) end(c *guest.Child, failure error) error {
	err := p.send(answer{Plan: p.plan, Facts: p.facts, Downloads: p.downloads, Failure: newFailure(failure)})
	if !errors.Is(err, guest.ErrTooLarge) {
		return err
	}
	if failure == nil && p.task.Download {
		err = c.SendLast(answer{Plan: p.plan.Brief()})
	}
	if !errors.Is(err, guest.ErrTooLarge) {
		return err
	}
	if failure == nil {
		failure = fault.New(fault.NoConfig, "config", fmt.Errorf("%s: what it says is %w", cmp.Or(p.plan.Config.URL, "none"), err), "see what is in it")
	}
	return c.SendLast(answer{Plan: plan.New(), Failure: newFailure(failure)})
}

// asGuest is the whole way, on the guest's network. A panic in a parser is an
// error like any other; nothing outside this process is at stake.
func (p *pipeline) asGuest(ctx context.Context, c *guest.Child) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fault.New(fault.Own, "boot", fmt.Errorf("a parser failed: %v", r), "please report what this server sent")
		}
	}()
	if p.task.Look != nil {
		return p.look(ctx, c)
	}
	if p.task.Local {
		p.files.Local = func(_ context.Context, name string) (*os.File, error) { return c.Open(name) }
	}
	if !p.task.Leases {
		if err := p.confine(ctx, c); err != nil {
			return err
		}
		return p.withoutLease(ctx, c)
	}
	lease, err := p.lease(ctx, c)
	if err != nil {
		return err
	}
	if err := p.configure(c, lease); err != nil {
		return err
	}
	if lease.LocalBoot && p.task.Repository == nil {
		p.plan.Outcome = pxelinux.LocalBoot
		p.stage("boot: from the guest's own disk, as the PXE boot menu says")
		return nil
	}
	if err := p.fetchAs(lease); err != nil {
		return err
	}
	if p.task.Repository != nil {
		return p.install(ctx, c.File)
	}
	if urls := p.task.URLs; len(urls) > 0 {
		p.downloads, err = p.get(ctx, urls, c.File)
		return err
	}
	p.open = p.openURL
	decided, err := p.decide(ctx, p.task.machine(lease))
	if err != nil || !p.task.Download || decided.Boot.Outcome == pxelinux.LocalBoot {
		return err
	}
	return p.download(ctx, decided, c.File(0), c.File(1))
}

// configure has the parent give us the leased address.
func (p *pipeline) configure(c *guest.Child, l *dhcpclient.Lease) error {
	if !c.OwnNet {
		return nil
	}
	if err := p.send(answer{Configure: &configure{l.Address, l.Router, l.MTU}}); err != nil {
		return err
	}
	return c.Receive(&struct{}{})
}

// fetchAs makes p.files what downloads as the guest with that lease, and as
// PXELINUX where no installer's location says what to download.
func (p *pipeline) fetchAs(l *dhcpclient.Lease) error {
	p.files.DNS, p.files.Domain = l.DNS, l.Domain
	if p.task.Repository == nil {
		m := p.task.machine(l)
		p.files.Fallback, p.files.SysAppend = l.NextServer, m.Host().SysAppend()
	}
	return p.prepare(l.NextServer)
}

// prepare makes p.files what every download needs.
func (p *pipeline) prepare(nextServer netip.Addr) error {
	if r := &p.task; r.OfVM && r.Server.IsValid() {
		nextServer = netip.Addr{} // the VM's, and not the lease's
	}
	p.files.Servers = new(fetch.Servers)
	p.files.Refuse = p.task.Reach.refuse(nextServer)
	p.files.Warn = func(text string) { p.say(line{Warn: true, Text: text}) }
	if err := p.task.Transfer.apply(&p.files); err != nil {
		return fault.New(fault.Usage, "https", err, "")
	}
	return nil
}

// confine gives up everything that the rest needs no more.
func (p *pipeline) confine(ctx context.Context, c *guest.Child) (err error) {
	p.files.RootCAs = systemRoots() // the last look at a file
	if err := c.Confine(); err != nil {
		return fault.In(ctx, fault.Own, "sandbox", err, "")
	}
	return nil
}

// lease does DHCP as the guest.
func (p *pipeline) lease(ctx context.Context, c *guest.Child) (*dhcpclient.Lease, error) {
	r := &p.task
	where := fmt.Sprintf("for %s on %s", r.MAC, p.task.Bridge)
	conn, err := c.Listen()
	if err != nil {
		return nil, notHeard(ctx, err)
	}
	// The kernel waits for an RCU grace period before it has closed a packet
	// socket, some 10 ms. Nobody else need.
	defer func() { go conn.Close() }()
	if err := p.confine(ctx, c); err != nil {
		return nil, err
	}
	begin := time.Now()
	client := &dhcpclient.Client{Conn: conn, MAC: r.MAC, UUID: r.UUID, ROM: r.ROM, Offered: p.offered}
	r.Timing.apply(client)
	client.Warn = func(text string) { p.say(line{Warn: true, Text: "dhcp: " + text}) }
	if len(r.URLs) > 0 || r.Repository != nil {
		client.ProxyWait = -1 // for a boot file that nobody needs
	}
	if p.task.Pcap != 0 {
		capture, err := dhcpclient.NewCapture(c.File(p.task.Pcap - 1))
		if err != nil {
			return nil, fault.In(ctx, fault.NoOutput, "pcap", err, "")
		}
		client.Conn = capture.Tap(conn)
	}
	lease, err := client.Lease(ctx)
	switch {
	case errors.Is(err, dhcpclient.ErrNoOffer) && !errors.Is(err, context.Canceled):
		// Also when it was the deadline that ended the wait: a lab without a
		// DHCP server is not slow.
		return nil, fault.New(fault.NoLease, "dhcp", fmt.Errorf("%s: %w", where, err), "see that a DHCP server serves that bridge and this MAC")
	case err != nil:
		return nil, fault.In(ctx, fault.NoLease, "dhcp", fmt.Errorf("%s: %w", where, err), "see the DHCP server's log for this MAC")
	}
	if r.Server.IsValid() {
		lease.NextServer = r.Server
	}
	if r.BootFile != "" {
		lease.BootFile = r.BootFile
	}
	p.plan.Lease = plan.NewLease(lease)
	p.stage("dhcp: %s from %s %s, next-server %s, boot file %s (%s)",
		lease.Address, lease.ServerID, where, plan.Text(lease.NextServer), cmp.Or(lease.BootFile, "none"), took(begin))
	switch {
	case lease.LocalBoot:
	case len(r.URLs) > 0, r.Repository != nil: // they say where to go
	case !lease.NextServer.IsValid():
		return nil, fault.New(fault.NoLease, "dhcp", fmt.Errorf("%s gave %s no next-server", lease.ServerID, lease.Address.Addr()),
			"set next-server in the DHCP server, or use --server ADDRESS")
	case lease.BootFile == "" && lease.PathPrefix == "" && lease.ConfigFile == "":
		return nil, fault.New(fault.NoLease, "dhcp", fmt.Errorf("%s gave %s no boot file", lease.ServerID, lease.Address.Addr()),
			"set filename \"pxelinux.0\" in the DHCP server, or use --bootfile pxelinux.0")
	}
	return lease, nil
}

// notHeard is why the wire could not be opened.
func notHeard(ctx context.Context, err error) error {
	try := ""
	if errors.Is(err, os.ErrPermission) {
		try = "run as root"
	}
	return fault.In(ctx, fault.Own, "dhcp", err, try)
}

// offered tells of every server that answers, also of those that lose.
func (p *pipeline) offered(o dhcpclient.Offer) {
	what := "offers " + plan.Text(o.Address)
	if o.Proxy {
		what = "is a proxyDHCP server"
	}
	if len(o.Menu) > 0 {
		what += fmt.Sprintf(", PXE boot menu %q", o.Menu)
	}
	p.detail("dhcp: %s %s, next-server %s, boot file %s (after %s)", o.Server, what, cmp.Or(plan.Text(o.NextServer), "none"), cmp.Or(o.BootFile, "none"), o.After.Round(100*time.Microsecond))
}

// machine is what a boot program finds itself on.
func (t *task) machine(lease *dhcpclient.Lease) program.Machine {
	return program.Machine{MAC: t.MAC, UUID: t.UUID, Arch: t.ROM.Arch, Lease: *lease, Wanted: t.Wanted, NoLint: t.Download}
}

// decide finds the configuration and what boots from it.
func (p *pipeline) decide(ctx context.Context, m program.Machine) (*program.Decision, error) {
	begin := time.Now()
	d, err := program.Decide(ctx, m, p.open)
	p.plan.Config, p.plan.Boot = d.Config, d.Boot
	failed, _ := errors.AsType[*program.Error](err)
	if failed != nil && failed.Stage == plan.StageConfig {
		return d, p.noConfig(ctx, &m.Lease, failed.Err)
	}
	p.stage("config: %s (%d names asked for, %s)", d.Config.URL, len(d.Config.Tried), took(begin))
	if failed != nil && failed.Wanted {
		return d, fault.New(fault.Usage, failed.Stage, failed.Err, "")
	}
	if d.Boot.Outcome != "" {
		for _, w := range d.Boot.Warnings {
			p.say(line{Warn: true, Text: w})
		}
	}
	if failed != nil {
		return d, fault.In(ctx, fault.NotBootable, failed.Stage, failed.Err, "")
	}
	what := d.Boot.Args
	if d.Boot.Outcome == pxelinux.LocalBoot {
		what = "from the guest's own disk"
	}
	p.stage("boot: %s%s", plan.LabelText(d.Boot.Label), what)
	return d, nil
}

// noConfig says why no configuration was found. A server that says no to
// every name is one thing, a server that says nothing another.
func (p *pipeline) noConfig(ctx context.Context, lease *dhcpclient.Lease, err error) error {
	try := ""
	switch {
	case errors.Is(err, pxelinux.ErrNoConfig):
		if tried := p.plan.Config.Tried; len(tried) > 0 {
			try = fmt.Sprintf("the first name asked for was %s, the last %s", tried[0].URL, tried[len(tried)-1].URL)
		}
	case errors.Is(err, unix.ENETUNREACH):
		try = "dom0 has no route there: --net guest needs none"
	case !errors.Is(err, pxelinux.ErrTooLarge):
		try = fmt.Sprintf("see that a TFTP server runs on %s and can be reached from %s", plan.Text(lease.NextServer), plan.Text(lease.Address))
	}
	return fault.In(ctx, fault.NoConfig, "config", err, try)
}

// openURL is how the package pxelinux reads what it asks for. Whatever the
// server answers instead of a file means "not there" (PXELINUX, tftp_open and
// http_open); no answer at all is something else.
func (p *pipeline) openURL(ctx context.Context, url string) (io.ReadCloser, error) {
	content, err := p.files.ReadAll(ctx, url, program.MaxConfig)
	if errors.Is(err, fetch.ErrNotFound) || errors.Is(err, fetch.ErrRefused) {
		p.detail("config: %v", err)
		return nil, fmt.Errorf("%w: %w", pxelinux.ErrNotFound, err)
	}
	if e, ok := errors.AsType[*fetch.Error](err); ok {
		return nil, e.Err // package pxelinux names the URL itself
	}
	if err != nil {
		return nil, err
	}
	return io.NopCloser(bytes.NewReader(content)), nil
}

func (p *pipeline) stage(format string, args ...any) {
	p.say(line{Level: console.Normal, Text: fmt.Sprintf(format, args...)})
}

func (p *pipeline) detail(format string, args ...any) {
	p.say(line{Level: console.Verbose, Text: fmt.Sprintf(format, args...)})
}

func took(begin time.Time) time.Duration {
	return time.Since(begin).Round(100 * time.Microsecond)
}
