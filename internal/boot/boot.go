// Package boot is the way from the toolstack's question to its answer:
//
//	argv -> Options -> lease -> plan -> files -> Result
//
// It is the only package that knows all the others. Boot shows the way. The
// lease, the plan and the files are a child's, which acts as the guest and is
// told one task (task.go); all else is the parent's.
package boot

import (
	"context"
	"net/url"
	"os"
	"time"

	"github.com/gopxeboot/gopxeboot/dhcpclient"
	"github.com/gopxeboot/gopxeboot/internal/cache"
	"github.com/gopxeboot/gopxeboot/internal/console"
	"github.com/gopxeboot/gopxeboot/internal/deadline"
	"github.com/gopxeboot/gopxeboot/internal/fault"
	"github.com/gopxeboot/gopxeboot/internal/guest"
	"github.com/gopxeboot/gopxeboot/internal/handover"
	"github.com/gopxeboot/gopxeboot/internal/install"
	"github.com/gopxeboot/gopxeboot/internal/once"
	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/internal/program"
	"github.com/gopxeboot/gopxeboot/internal/session"
	"github.com/gopxeboot/gopxeboot/internal/verify"
	"github.com/gopxeboot/gopxeboot/pxelinux"
	"github.com/gopxeboot/gopxeboot/xenout"
)

// Options are all that the caller wants, of any mode.
type Options struct {
	session.Network
	UUID string // the guest's uuid as text; "" when unknown

	ROM      dhcpclient.ROM    // what the guest's firmware says it is, to DHCP
	Timing   Timing            // how long DHCP waits
	BootFile string            // instead of the lease's boot file
	Lease    *dhcpclient.Lease // instead of DHCP; nil for DHCP
	IP       string            // the vif's ip=, which a lease is compared with
	program.Wanted
	Transfer Transfer

	Repository *install.Repository // instead of DHCP's boot file and a configuration; nil for none
	LocalBoot  bool                // boot from the disk at once, asking no server

	Force bool         // hand over also what the guest can't boot
	Cache *cache.Cache // of files whose digest is known; nil for none

	handover.Spec // RunAs is also the uid of the process that reads from the network

	// Once is the mark that the guest has booted from the network, made before the
	// answer is given, unless that is the guest's own disk; nil for none.
	Once *once.Mark

	// Apply has XAPI boot the result of the format XE.
	Apply bool

	// Commit is called when the result is written: what has to be done before
	// the guest boots, and only if it does. Its error is the boot's.
	Commit func(context.Context) error

	Timeout time.Duration // for everything

	Person *session.Person // who may choose what boots; nil for no one
}

// Boot does the whole job: it leaves a kernel and a ramdisk in the output
// directory and writes their names to out. After an error both are as they
// were before.
func Boot(ctx context.Context, o Options, out *handover.Output, con *console.Console) (result xenout.Result, err error) {
	ctx, cancel := o.inTime(ctx)
	defer cancel()
	if err = handover.Closed(out.File); err != nil && !o.Apply {
		return result, fault.New(fault.NoOutput, "output", err, "--output names a file or FIFO for the answer")
	}
	h, err := handover.Begin(o.Spec, con)
	if err != nil {
		return result, err
	}
	defer func() {
		if err != nil {
			h.Discard()
			err = h.WithDirectory(err)
		}
	}()
	p, err := o.fetch(ctx, h, con) // bootTask.run, in the child
	if err != nil {
		return result, err
	}
	if result, err = h.Result(ctx, p); err != nil {
		return result, err
	}
	if o.Format == xenout.XE {
		result.VM = o.UUID
	}
	// Where the lab says the disk, no installer was booted: an answer like that
	// must not use up the boot from the network.
	if o.Once != nil && p.Outcome != pxelinux.LocalBoot {
		if err = o.Once.Write(); err != nil {
			return result, noMark(err)
		}
		defer func() {
			if err != nil {
				o.Once.Clear() // else the next boot is the disk's, which is safe
			}
		}()
	}
	if err = xenout.Write(out, o.Format, result); err != nil {
		return result, fault.New(fault.NoOutput, "output", err, "")
	}
	if o.Commit != nil {
		if err = o.Commit(ctx); err != nil {
			return result, err
		}
	}
	if !o.Apply {
		return result, h.Keep()
	}
	if err = o.apply(ctx, result); err != nil {
		return result, err
	}
	if err = h.Keep(); err == nil {
		o.removeEarlier(result, con)
	}
	return result, err
}

// run is a boot in the child.
func (t *bootTask) run(ctx context.Context, p *pipeline) error {
	p.gate = t.Gate
	t.Plan.Wanted.NoLint = true
	p.given = map[plan.Stage]string{}
	if t.Plan.Wanted.Kernel != "" {
		p.given["kernel"] = "--kernel"
	}
	if t.Plan.Wanted.Ramdisk != "" {
		p.given["initrd"] = "--ramdisk"
	}
	p.held.Begin()
	decided, err := t.Plan.run(ctx, p)
	kernel, ramdisk := p.child.File(0), p.child.File(1)
	again := false
	return p.choose(ctx, decided, err, func(ctx context.Context, d *program.Decision) error {
		if again {
			if err := empty(ctx, kernel, ramdisk); err != nil {
				return err
			}
		}
		if again = true; p.Plan.Outcome == pxelinux.LocalBoot {
			return nil
		}
		return p.download(ctx, d, &t.Limits, kernel, ramdisk)
	})
}

// run gets a lease and finds out what boots.
func (t *planTask) run(ctx context.Context, p *pipeline) (*program.Decision, error) {
	lease, err := p.lease(ctx, &t.Firmware, true)
	if err != nil {
		return nil, err
	}
	if lease.LocalBoot {
		p.Plan.Outcome = pxelinux.LocalBoot
		p.say.Stage("boot: from the guest's own disk, as the PXE boot menu says")
		return nil, nil
	}
	m := t.Firmware.machine(lease, t.Wanted)
	m.First = p.first
	if err := p.fetchAsProgram(&t.Firmware, &t.Transfer, &m); err != nil {
		return nil, err
	}
	p.open, m.Head, m.Post, m.Lookup = p.openURL, p.openHead, p.post, p.files.Lookup
	if m.RunsIPXE() {
		p.open = p.openHead
	}
	if list, err := m.Host().Resolve(verify.Name); err == nil { // else nothing is asked for
		if err := p.verifyIn(ctx, directory(list)); err != nil {
			return nil, err
		}
	}
	if p.check.How() != "" {
		m.Verified = p.check.Listed
	}
	d, err := p.decide(ctx, m)
	if err == nil || p.unverified != nil {
		err = p.verified(d.Boot.Kernel, d.Boot.Initrds)
	}
	return d, err
}

// fetch has a child fetch what boots. One that writes what it may not is ended.
func (o *Options) fetch(ctx context.Context, h *handover.Handover, con *console.Console) (*plan.Plan, error) {
	if o.LocalBoot {
		return fromDisk(), nil
	}
	ctx, stop := h.Watch(ctx)
	defer stop()
	s := o.session()
	kernel, ramdisk := h.Files()
	s.Files, s.Leave = []*os.File{kernel, ramdisk}, h.Leave
	a, err := o.run(ctx, s, o.task(true), con)
	return a.Plan, err
}

// fromDisk is the plan of a boot that asks no server.
func fromDisk() *plan.Plan {
	p := plan.New()
	p.Outcome = pxelinux.LocalBoot
	return p
}

// Preview finds out what would boot, without downloading it. The plan is
// returned also with an error, with what is known by then.
func Preview(ctx context.Context, o Options, con *console.Console) (*plan.Plan, error) {
	if o.LocalBoot {
		return o.describe(fromDisk()), nil
	}
	ctx, cancel := o.inTime(ctx)
	defer cancel()
	a, err := o.run(ctx, o.session(), o.task(false), con)
	return a.Plan, err
}

// inTime is the one deadline for everything.
func (o *Options) inTime(ctx context.Context) (context.Context, context.CancelFunc) {
	return deadline.With(ctx, o.Timeout)
}

// session is what the child of any mode is given.
func (o *Options) session() session.Spec {
	s := session.Spec{Network: o.Network, Leases: o.leases(), RunAs: o.RunAs, MaxFile: max(o.MaxKernel, o.MaxInitrd), Person: o.Person}
	s.Net = o.net()
	if o.Repository != nil {
		s.Hosts = hosts(o.Repository.URLs())
	}
	s.Hosts = append(s.Hosts, hosts([]string{o.Transfer.Proxy})...)
	return s
}

// net is none for dom0's own files.
func (o *Options) net() guest.Net {
	if o.Repository != nil && !o.Repository.OnNetwork() {
		return guest.None
	}
	return o.Net
}

// leases says whether the child asks for a lease: not for dom0's own files, and
// not when it is to download an installer as dom0, as xenpvnetboot did.
func (o *Options) leases() bool {
	net := o.net()
	return o.Repository == nil || net != guest.None && net != guest.Dom0
}

// hosts are the servers in URLs.
func hosts(urls []string) (list []string) {
	for _, text := range urls {
		if u, err := url.Parse(text); err == nil && u.Hostname() != "" { // else the download says why
			list = append(list, u.Hostname())
		}
	}
	return list
}

// run has a child do a task.
func (o *Options) run(ctx context.Context, s session.Spec, t tasks, con *console.Console) (session.Answer, error) {
	if o.Repository != nil {
		local, err := o.Repository.LocalFiles()
		if err != nil {
			return session.Answer{Plan: o.describe(plan.New())}, fault.New(fault.NoConfig, "location", err, "")
		}
		if local != nil {
			defer local.Close()
			s.Open = local.Open
		}
	}
	if o.Cache != nil && len(s.Files) > 0 {
		defer o.Cache.Close()
		s.Open = o.opener(s.Files, s.Open)
	}
	a, err := session.Run(ctx, s, t, con)
	o.describe(a.Plan)
	return a, err
}

// describe says whose plan it is.
func (o *Options) describe(p *plan.Plan) *plan.Plan {
	p.MAC, p.UUID, p.GuestType = o.MAC.String(), o.UUID, o.Type
	return p
}

// Helper does the work of this process when it is not what somebody started
// but a helper of another gopxeboot: the guest, or a cleanup process. main has
// to ask before anything else.
func Helper() (status int, helper bool) {
	if guest.IsChild() {
		return child(), true
	}
	return 0, handover.IsCleanup()
}
