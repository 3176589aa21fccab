package boot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"

	"github.com/gopxeboot/gopxeboot/dhcpclient"
	"github.com/gopxeboot/gopxeboot/internal/console"
	"github.com/gopxeboot/gopxeboot/internal/fault"
	"github.com/gopxeboot/gopxeboot/internal/fetch"
	"github.com/gopxeboot/gopxeboot/internal/guest"
	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/internal/printable"
	"github.com/gopxeboot/gopxeboot/internal/program"
	"github.com/gopxeboot/gopxeboot/xenout"
)

// machine is what a boot program finds itself on.
func (f *firmware) machine(lease *dhcpclient.Lease, wanted program.Wanted) program.Machine {
	return program.Machine{MAC: f.MAC, UUID: f.UUID, Arch: f.ROM.Arch, Lease: *lease, Wanted: wanted}
}

// named is a connection that has the name of the guest's bridge: what its interface is
// called in the child does not help a reader.
type named struct {
	guest.Conn
	where string
}

func (n named) String() string { return n.where }

// slowServer is what a DHCP server may take to answer: some ping an address for a
// second before they offer it.
const slowServer = 2 * time.Second

// lease does DHCP as the guest, and is the guest from then on. Who boots needs a
// boot file.
func (p *pipeline) lease(ctx context.Context, f *firmware, boots bool) (*dhcpclient.Lease, error) {
	if f.Lease != nil {
		return p.givenLease(ctx, f)
	}
	where := fmt.Sprintf("for %s on %s", f.MAC, p.child.Where)
	whose := f.MAC
	if p.child.Pcap != 0 { // it shows what others are told, too
		whose = nil
	}
	conn, err := p.child.Listen(whose)
	if err != nil {
		return nil, notHeard(ctx, err)
	}
	// The kernel waits for an RCU grace period before it has closed a packet
	// socket, some 10 ms. The boot need not.
	defer func() { go conn.Close() }()
	if err := p.confine(ctx); err != nil {
		return nil, err
	}
	begin := time.Now()
	client := &dhcpclient.Client{Conn: named{conn, p.child.Where}, MAC: f.MAC, UUID: f.UUID, ROM: f.ROM, Offered: p.offered}
	f.Timing.apply(client)
	client.Warn = func(text string) { p.say.Warn("dhcp: " + text) }
	if !boots {
		client.ProxyWait = -1 // for a boot file that is not needed
	}
	if p.child.Pcap != 0 {
		capture, err := dhcpclient.NewCapture(p.child.File(p.child.Pcap - 1))
		if err != nil {
			return nil, fault.In(ctx, fault.NoOutput, "pcap", err, "")
		}
		client.Conn = capture.Tap(client.Conn)
	}
	lease, err := client.Lease(ctx)
	switch {
	case errors.Is(err, dhcpclient.ErrNoOffer) && !errors.Is(err, context.Canceled):
		// Also when it was the deadline that ended the wait, and not too soon: a
		// lab without a DHCP server is not slow.
		const try = "see that a DHCP server serves that bridge and this MAC"
		err = fmt.Errorf("for %s: %w", f.MAC, err)
		if time.Since(begin) < slowServer {
			return nil, fault.In(ctx, fault.NoLease, "dhcp", err, try)
		}
		return nil, fault.New(fault.NoLease, "dhcp", err, try)
	case err != nil:
		return nil, fault.In(ctx, fault.NoLease, "dhcp", fmt.Errorf("%s: %w", where, err), "see the DHCP server's log for this MAC")
	}
	program.Override(lease, f.Server, f.BootFile)
	p.Plan.Lease = plan.NewLease(lease)
	p.say.Stage("dhcp: %s from %s %s, next-server %s, boot file %s (%s)",
		lease.Address, lease.ServerID, where, plan.Text(lease.NextServer), cmp.Or(lease.BootFile, "none"), took(begin))
	p.compare(f, lease)
	switch {
	case lease.LocalBoot, !boots:
	case !lease.NextServer.IsValid():
		return nil, fault.New(fault.NoLease, "dhcp", fmt.Errorf("%s gave %s no next-server", lease.ServerID, lease.Address.Addr()),
			"set next-server in the DHCP server, or use --server ADDRESS")
	case lease.BootFile == "" && lease.PathPrefix == "" && lease.ConfigFile == "":
		return nil, fault.New(fault.NoLease, "dhcp", fmt.Errorf("%s gave %s no boot file", lease.ServerID, lease.Address.Addr()),
			"set filename \"pxelinux.0\" in the DHCP server, or use --bootfile pxelinux.0"+f.laterAnswer()+f.otherFirmware())
	}
	if boots && program.IsIPXE(lease.BootFile) {
		lease = p.leaseAsIPXE(ctx, f, client, lease)
	}
	if err := p.child.Configure(lease); err != nil {
		return nil, err
	}
	if p.unresolved = p.findServer(ctx, f, lease); p.unresolved != nil {
		p.say.Warn(fmt.Sprintf("dhcp: the next-server's name: %v; the DHCP server %s is asked in its place", p.unresolved, lease.NextServer))
	}
	return lease, nil
}

// findServer looks the next-server up, where the lease has a name for it in the
// place of an address. Where that can't be done the DHCP server stays in its place,
// as with PXELINUX.
func (p *pipeline) findServer(ctx context.Context, f *firmware, l *dhcpclient.Lease) error {
	if l.ServerName == "" || f.Server.IsValid() {
		return nil
	}
	c := fetch.Client{DNS: l.DNS, Domain: l.Domain, Refuse: p.child.Reach.Refuse(netip.Addr{}), Names: p.files.Names, Warn: p.say.Warn}
	a, err := c.Lookup(ctx, l.ServerName)
	if err != nil {
		return err
	}
	l.NextServer, p.Plan.Lease.NextServer = a, a
	p.say.Stage("dhcp: next-server %s is %s", printable.Text(l.ServerName), a)
	return nil
}

// leaseAsIPXE asks again as the iPXE does that the ROM would load.
func (p *pipeline) leaseAsIPXE(ctx context.Context, f *firmware, client *dhcpclient.Client, first *dhcpclient.Lease) *dhcpclient.Lease {
	lease, err := program.AsIPXE(first, func(class string) (*dhcpclient.Lease, error) {
		client.ROM = f.ROM.IPXE(class)
		begin := time.Now()
		lease, err := client.Lease(ctx)
		if err != nil {
			return nil, err
		}
		program.Override(lease, f.Server, "")
		p.say.Stage("dhcp: %s from %s as %s, boot file %s (%s)", lease.Address, lease.ServerID, class, cmp.Or(lease.BootFile, "none"), took(begin))
		return lease, nil
	})
	if err != nil {
		p.say.Warn(fmt.Sprintf("dhcp: %v", err))
		return first
	}
	p.first = first
	p.Plan.Lease = plan.NewLease(lease)
	p.Plan.Lease.ROMBootFile = first.BootFile
	return lease
}

// givenLease is lease where the command line says what DHCP would.
func (p *pipeline) givenLease(ctx context.Context, f *firmware) (*dhcpclient.Lease, error) {
	lease := f.Lease
	if err := p.confine(ctx); err != nil {
		return nil, err
	}
	p.Plan.Lease = plan.NewLease(lease)
	p.say.Stage("lease: %s on %s, without DHCP, next-server %s, boot file %s",
		lease.Address, p.child.Where, cmp.Or(plan.Text(lease.NextServer), "none"), cmp.Or(lease.BootFile, "none"))
	p.compare(f, lease)
	return lease, p.child.Configure(lease)
}

// compare warns of a lease that the vif's ip= does not let through.
func (p *pipeline) compare(f *firmware, lease *dhcpclient.Lease) {
	if a := lease.Address.Addr(); !(xenout.VIF{IP: f.IP}).MayHave(a) {
		p.say.Warn(fmt.Sprintf("dhcp: the vif says ip=%s, and the lease is %s: where dom0 filters by ip=, no frame of the guest's will get through", f.IP, a))
	}
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
	p.say.Detail("dhcp: %s %s, next-server %s, boot file %s (after %s)", o.Server, what, cmp.Or(plan.Text(o.NextServer), "none"), cmp.Or(o.BootFile, "none"), console.Took(plan.Millis(o.After)))
}

// otherFirmware ends advice where a lab may serve UEFI machines only.
func (f *firmware) otherFirmware() string {
	if f.ROM.Arch != 0 {
		return ""
	}
	return "; a lab for UEFI machines only has one for --arch efi64"
}

// laterAnswer ends advice where a server may have what is missing, and answer
// after one that has it not is taken: dnsmasq pings for 3 s first.
func (f *firmware) laterAnswer() string {
	const enough = 5 * time.Second
	if f.Timing.ProxyWait >= enough {
		return ""
	}
	return fmt.Sprintf("; a server that has one and answers later is waited for with --proxy-wait %s", enough)
}

// Timing is how long DHCP waits for what: the fields of dhcpclient.Client with
// these names. Zero values are its own.
type Timing struct {
	Patience, ProxyWait, ProbeWait time.Duration
	Retransmit                     []time.Duration
}

// apply sets the client's times.
func (t Timing) apply(c *dhcpclient.Client) {
	c.Patience, c.ProxyWait, c.ProbeWait, c.Retransmit = t.Patience, t.ProxyWait, t.ProbeWait, t.Retransmit
}
