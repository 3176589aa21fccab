package boot

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/gopxeboot/gopxeboot/dhcpclient"
	"github.com/gopxeboot/gopxeboot/internal/console"
	"github.com/gopxeboot/gopxeboot/internal/fetch"
	"github.com/gopxeboot/gopxeboot/internal/guest"
	"github.com/gopxeboot/gopxeboot/pxelinux"
	"golang.org/x/sys/unix"
)

// maxConfig bounds one configuration file, in bytes. The largest that anybody
// writes by program is a few hundred KiB.
const maxConfig = 4 << 20

// lastWords is how long before the parent's deadline the child gives up, so
// that it can still say at what.
const lastWords = 300 * time.Millisecond

// pipeline is one boot on its way through the stages. Each stage fills its
// part of the plan.
type pipeline struct {
	task  task
	plan  *Plan
	files fetch.Client
	open  pxelinux.Opener
	found *pxelinux.Config // nil before decide
	say   func(line)
	send  func(answer) error // to the parent; nil where there is none
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
	ctx, cancel := context.WithDeadline(context.Background(), t.Deadline.Add(-lastWords))
	defer cancel()

	var sending sync.Mutex
	p := &pipeline{task: t, plan: newPlan()}
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
	err := p.send(answer{Plan: p.plan, Failure: newFailure(failure)})
	if !errors.Is(err, guest.ErrTooLarge) {
		return err
	}
	if failure == nil && p.task.Download {
		err = c.SendLast(answer{Plan: p.plan.brief()})
	}
	if !errors.Is(err, guest.ErrTooLarge) {
		return err
	}
	if failure == nil {
		failure = &Error{NoConfig, "config", fmt.Errorf("%s: what it says is %w", quoted(p.plan.Config.URL), err), "see what is in it"}
	}
	return c.SendLast(answer{Plan: newPlan(), Failure: newFailure(failure)})
}

// asGuest is the whole way, on the guest's network. A panic in a parser is an
// error like any other; nothing outside this process is at stake.
func (p *pipeline) asGuest(ctx context.Context, c *guest.Child) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &Error{OwnFault, "boot", fmt.Errorf("a parser failed: %v", r), "please report what this server sent"}
		}
	}()
	if p.task.Request.Look != nil {
		return p.look(ctx, c)
	}
	if p.task.Local {
		p.files.Local = func(_ context.Context, name string) (*os.File, error) { return c.Open(name) }
	}
	if !p.task.Request.leases() {
		if err := p.confine(ctx, c); err != nil {
			return err
		}
		return p.withoutLease(ctx, c)
	}
	lease, err := p.lease(ctx, c)
	if err != nil {
		return err
	}
	if c.OwnNet {
		if err := p.send(answer{Configure: &configure{lease.Address, lease.Router, lease.MTU}}); err != nil {
			return err
		}
		if err := c.Receive(&struct{}{}); err != nil {
			return err
		}
	}
	if lease.LocalBoot && p.task.Request.Repository == nil {
		p.plan.Outcome = string(pxelinux.LocalBoot)
		p.stage("boot: from the guest's own disk, as the PXE boot menu says")
		return nil
	}
	host := p.host(lease)
	p.files.DNS, p.files.Domain = lease.DNS, lease.Domain
	if err := p.prepare(lease.NextServer); err != nil {
		return err
	}
	if p.task.Request.Repository != nil {
		return p.install(ctx, c.File)
	}
	p.files.Fallback = lease.NextServer
	p.files.SysAppend = host.SysAppend()
	if urls := p.task.Request.URLs; len(urls) > 0 {
		p.plan.Downloads, err = p.get(ctx, urls, c.File)
		return err
	}
	p.open = p.openURL
	boot, err := p.decide(ctx, host)
	if err != nil || !p.task.Download || boot.Outcome == pxelinux.LocalBoot {
		return err
	}
	return p.download(ctx, boot, c.File(0), c.File(1))
}

// prepare makes p.files what every download needs.
func (p *pipeline) prepare(nextServer netip.Addr) error {
	if r := &p.task.Request; r.OfVM && r.Server.IsValid() {
		nextServer = netip.Addr{} // the VM's, and not the lease's
	}
	p.files.Refuse = p.task.Reach.refuse(nextServer)
	p.files.Warn = func(text string) { p.say(line{Warn: true, Text: text}) }
	if err := p.task.Request.Transfer.apply(&p.files); err != nil {
		return &Error{Usage, "https", err, ""}
	}
	return nil
}

// confine gives up everything that the rest needs no more.
func (p *pipeline) confine(ctx context.Context, c *guest.Child) (err error) {
	p.files.RootCAs = systemRoots() // the last look at a file
	if err := c.Confine(); err != nil {
		return fail(ctx, OwnFault, "sandbox", err, "")
	}
	return nil
}

// lease does DHCP as the guest.
func (p *pipeline) lease(ctx context.Context, c *guest.Child) (*dhcpclient.Lease, error) {
	r := &p.task.Request
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
			return nil, fail(ctx, NoOutput, "pcap", err, "")
		}
		client.Conn = capture.Tap(conn)
	}
	lease, err := client.Lease(ctx)
	switch {
	case errors.Is(err, dhcpclient.ErrNoOffer) && !errors.Is(err, context.Canceled):
		// Also when it was the deadline that ended the wait: a lab without a
		// DHCP server is not slow.
		return nil, &Error{NoLease, "dhcp", fmt.Errorf("%s: %w", where, err), "see that a DHCP server serves that bridge and this MAC"}
	case err != nil:
		return nil, fail(ctx, NoLease, "dhcp", fmt.Errorf("%s: %w", where, err), "see the DHCP server's log for this MAC")
	}
	if r.Server.IsValid() {
		lease.NextServer = r.Server
	}
	if r.BootFile != "" {
		lease.BootFile = r.BootFile
	}
	p.plan.setLease(lease)
	p.stage("dhcp: %s from %s %s, next-server %s, boot file %s (%s)",
		lease.Address, lease.ServerID, where, text(lease.NextServer), quoted(lease.BootFile), took(begin))
	switch {
	case lease.LocalBoot:
	case len(r.URLs) > 0, r.Repository != nil: // they say where to go
	case !lease.NextServer.IsValid():
		return nil, &Error{NoLease, "dhcp", fmt.Errorf("%s gave %s no next-server", lease.ServerID, lease.Address.Addr()),
			"set next-server in the DHCP server, or use --server ADDRESS"}
	case lease.BootFile == "" && lease.PathPrefix == "" && lease.ConfigFile == "":
		return nil, &Error{NoLease, "dhcp", fmt.Errorf("%s gave %s no boot file", lease.ServerID, lease.Address.Addr()),
			"set filename \"pxelinux.0\" in the DHCP server, or use --bootfile pxelinux.0"}
	}
	return lease, nil
}

// notHeard is why the wire could not be opened.
func notHeard(ctx context.Context, err error) error {
	try := ""
	if errors.Is(err, os.ErrPermission) {
		try = "run as root"
	}
	return fail(ctx, OwnFault, "dhcp", err, try)
}

// offered tells of every server that answers, also of those that lose.
func (p *pipeline) offered(o dhcpclient.Offer) {
	what := "offers " + text(o.Address)
	if o.Proxy {
		what = "is a proxyDHCP server"
	}
	if len(o.Menu) > 0 {
		what += fmt.Sprintf(", PXE boot menu %q", o.Menu)
	}
	p.detail("dhcp: %s %s, next-server %s, boot file %s (after %s)", o.Server, what, quoted(text(o.NextServer)), quoted(o.BootFile), o.After.Round(100*time.Microsecond))
}

// host is the machine that PXELINUX would find itself on.
func (p *pipeline) host(lease *dhcpclient.Lease) pxelinux.Host {
	h := pxelinux.Host{
		MAC: p.task.Request.MAC, UUID: p.task.Request.UUID,
		Address: lease.Address, Server: lease.NextServer,
		BootFile: lease.BootFile, ConfigFile: lease.ConfigFile, PathPrefix: lease.PathPrefix,
		ConfigDir: p.task.Request.ConfigDir,
	}
	if len(lease.Routers) == 1 { // PXELINUX takes option 3 only when it is 4 bytes long
		h.Router = lease.Router
	}
	return h
}

// decide finds the configuration and what boots from it.
func (p *pipeline) decide(ctx context.Context, host pxelinux.Host) (*pxelinux.Boot, error) {
	begin := time.Now()
	config, err := pxelinux.Find(ctx, host, p.open)
	p.setConfig(config)
	if err != nil {
		return nil, p.noConfig(ctx, host, err)
	}
	p.stage("config: %s (%d names asked for, %s)", config.URL, len(config.Tried), took(begin))

	boot, err := p.choose(ctx, config)
	config = boot.Config // with what the way to this boot came to
	p.setConfig(config)
	if err != nil {
		return nil, fail(ctx, NotBootable, "boot", err, "")
	}
	if err := p.override(boot, host); err != nil {
		return nil, &Error{Usage, "boot", err, ""}
	}
	p.plan.setBoot(boot)
	for _, w := range p.plan.Warnings {
		p.say(line{Warn: true, Text: w})
	}
	if err := unbootable(boot); err != nil {
		return nil, fail(ctx, NotBootable, "boot", fmt.Errorf("%s: %w", config.URL, err), "")
	}
	if boot.Outcome == pxelinux.LocalBoot {
		p.stage("boot: %sfrom the guest's own disk", labelled(boot.Label))
	} else {
		p.stage("boot: %s%s", labelled(boot.Label), boot.Args)
	}
	return boot, nil
}

// setConfig is called again when the choice of what boots has led to more.
func (p *pipeline) setConfig(c *pxelinux.Config) {
	p.found = c
	p.plan.setConfig(c)
}

// unbootable says why a guest without firmware can't boot what PXELINUX would.
func unbootable(boot *pxelinux.Boot) error {
	switch {
	case boot.Err != nil:
		return boot.Err
	case boot.Outcome == pxelinux.LocalBoot:
		return nil
	case boot.Outcome == pxelinux.ChainBoot:
		return fmt.Errorf("%s%s is a boot program, which a guest without firmware can't run", labelled(boot.Label), boot.Kernel)
	case boot.Kernel == "":
		return errors.New("nothing that a guest could boot")
	}
	return nil
}

// override puts the caller's kernel and ramdisk in the place of the label's.
func (p *pipeline) override(boot *pxelinux.Boot, host pxelinux.Host) error {
	r := &p.task.Request
	if r.Kernel == "" && r.Ramdisk == "" {
		return nil
	}
	if r.Kernel != "" {
		url, err := host.Resolve(r.Kernel)
		if err != nil {
			return fmt.Errorf("--kernel: %w", err)
		}
		boot.Outcome, boot.Kernel, boot.Err = pxelinux.Linux, url, nil
	}
	if r.Ramdisk != "" {
		url, err := host.Resolve(r.Ramdisk)
		if err != nil {
			return fmt.Errorf("--ramdisk: %w", err)
		}
		boot.Initrds = []string{url}
	}
	return nil
}

// choose is what boots: the label that the caller named, or what boots without
// a key pressed. With an error, the Boot has its Config only.
func (p *pipeline) choose(ctx context.Context, config *pxelinux.Config) (*pxelinux.Boot, error) {
	label := p.task.Request.Label
	if label == "" {
		return config.Boot(ctx)
	}
	boot, err := config.BootLabel(ctx, label)
	if err == nil && boot.Label == "" {
		// PXELINUX would take it for a kernel's name; who says --label means a label.
		const most = 50
		var names []string
		for _, l := range boot.Config.Labels[:min(len(boot.Config.Labels), most)] {
			names = append(names, l.Name)
		}
		if more := len(boot.Config.Labels) - most; more > 0 {
			names = append(names, fmt.Sprintf("and %d more", more))
		}
		return boot, fmt.Errorf("no label is called %q in %s: there are %s", label, config.URL, strings.Join(names, ", "))
	}
	return boot, err
}

// noConfig says why no configuration was found. A server that says no to
// every name is one thing, a server that says nothing another.
func (p *pipeline) noConfig(ctx context.Context, host pxelinux.Host, err error) error {
	try := ""
	switch {
	case errors.Is(err, pxelinux.ErrNoConfig):
		if tried := p.plan.Config.Tried; len(tried) > 0 {
			try = fmt.Sprintf("the first name asked for was %s, the last %s", tried[0].URL, tried[len(tried)-1].URL)
		}
	case errors.Is(err, unix.ENETUNREACH):
		try = "dom0 has no route there: --net guest needs none"
	case !errors.Is(err, pxelinux.ErrTooLarge):
		try = fmt.Sprintf("see that a TFTP server runs on %s and can be reached from %s", text(host.Server), text(host.Address))
	}
	return fail(ctx, NoConfig, "config", err, try)
}

// openURL is how the package pxelinux reads what it asks for. Whatever the
// server answers instead of a file means "not there" (PXELINUX, tftp_open and
// http_open); no answer at all is something else.
func (p *pipeline) openURL(ctx context.Context, url string) (io.ReadCloser, error) {
	content, err := p.files.ReadAll(ctx, url, maxConfig)
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

func labelled(label string) string {
	if label == "" {
		return ""
	}
	return "label " + label + ": "
}

func quoted(name string) string {
	if name == "" {
		return "none"
	}
	return name
}

func took(begin time.Time) time.Duration {
	return time.Since(begin).Round(100 * time.Microsecond)
}
