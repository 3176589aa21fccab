package boot

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/check"
	"github.com/gopxeboot/gopxeboot/internal/check/probe"
	"github.com/gopxeboot/gopxeboot/internal/console"
	"github.com/gopxeboot/gopxeboot/internal/fault"
	"github.com/gopxeboot/gopxeboot/internal/guest"
	"github.com/gopxeboot/gopxeboot/internal/kernel"
	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/internal/printable"
	"github.com/gopxeboot/gopxeboot/internal/room"
	"github.com/gopxeboot/gopxeboot/internal/session"
	"github.com/gopxeboot/gopxeboot/xenout"
	"golang.org/x/sys/unix"
)

// Check goes through the guest's boot and takes nothing: no lease, unless
// look.Take says so, and no file but the kernel, which it looks into. What is
// wrong is in the facts; the error says why it could not look. seen, when not nil,
// is told after each step what is known so far.
func Check(ctx context.Context, o Options, look probe.Look, seen func(check.Facts), con *console.Console) (*check.Facts, *plan.Plan, error) {
	ctx, cancel := o.inTime(ctx)
	defer cancel()
	facts := &check.Facts{Began: time.Now()}
	s := o.session()
	if err := s.Reachable(); err != nil {
		return facts, plan.New(), err
	}
	name, vlan, err := guest.FindBridge(o.Bridge, o.VLAN)
	if port, ok := errors.AsType[*guest.PortError](err); ok {
		facts.Subject = o.subject(o.VLAN, look)
		facts.Bridge = &check.Bridge{Name: port.Name, Kind: "port", Up: true, PortOf: port.Of, Instead: port.Try}
		return facts, o.describe(plan.New()), nil
	}
	if err != nil {
		return facts, plan.New(), fault.In(ctx, fault.Usage, "network", err, "")
	}
	// Before we speak with the guest's MAC ourselves.
	wires, idle := probe.Bridge(name, o.MAC)
	vlans := probe.OtherVLANs(wires, vlan)
	look.Idle = idle
	for range max(look.Count, 1) {
		look.MACs = append(look.MACs, probe.RandomMAC())
	}
	subject := o.subject(vlan, look)
	facts.Subject, facts.Bridge = subject, wires
	if !wires.Up {
		return facts, o.describe(plan.New()), nil
	}
	s.Survey = &guest.Survey{MACs: look.MACs, VLANs: vlans}
	of := func(a session.Answer) { // whose facts they are
		subject.Net, subject.VendorClass = a.Plan.Net, a.Facts.Subject.VendorClass
		a.Facts.Subject, a.Facts.Bridge = subject, wires
		a.Facts.Limits = &check.Limits{Kernel: o.MaxKernel, Initrd: o.MaxInitrd, Seconds: o.Timeout.Seconds()}
		if a.Runs != nil {
			wires.Running = &check.Running{Domid: a.Runs.Domid, Interface: a.Runs.Interface}
		}
	}
	s.Seen = func(a session.Answer) {
		if seen != nil && a.Facts.Bounded() == nil {
			of(a)
			seen(*a.Facts)
		}
	}
	a, err := o.run(ctx, s, tasks{Look: &lookTask{o.firmware(), o.Transfer, o.Wanted, look, o.gate(), vlans}}, con)
	if a.Facts == nil {
		if err == nil {
			err = fault.New(fault.Own, "check", errors.New("the guest's process has nothing to tell"), "")
		}
		return facts, a.Plan, err
	}
	if err := a.Facts.Bounded(); err != nil { // by a child that was taken over
		return facts, a.Plan, fault.New(fault.Own, "check", err, "")
	}
	of(a)
	facts = a.Facts
	for _, w := range facts.Errors {
		con.Detail(w)
	}
	o.fits(facts)
	facts.Millis = float64(time.Since(facts.Began).Microseconds()) / 1000
	return facts, a.Plan, err
}

// subject is the guest, as far as is known without a look.
func (o *Options) subject(vlan uint16, look probe.Look) check.Subject {
	return check.Subject{
		MAC: o.MAC.String(), UUID: o.UUID, Arch: o.ROM.Arch, VLAN: vlan, Machine: string(kernel.ThisHost()), Xen: probe.XenRelease(), Random: look.Random, IP: o.IP, GuestType: o.Type,
		Kernel: printable.Redacted(o.Wanted.Kernel), Ramdisk: printable.Redacted(o.Wanted.Ramdisk),
	}
}

// fits compares what boots with what there is room for.
func (o *Options) fits(f *check.Facts) {
	if f.Boot == nil || f.Boot.Kernel == "" {
		return
	}
	f.Args = check.NewArgs(o.Format, o.Type, xenout.MergeArgs(f.Boot.Args, o.Args))
	space := &check.Space{Directory: o.OutputDirectory}
	for _, file := range f.Files {
		space.Needed += (max(file.Bytes, 0) + 3) &^ 3
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(existing(o.OutputDirectory), &fs); err == nil {
		space.Free, space.ReadOnly = max(room.Left(&fs), 0), fs.Flags&unix.ST_RDONLY != 0
		f.Space = space
	}
}

// existing is a directory, or the nearest above it that is there.
func existing(dir string) string {
	for ; dir != "/" && dir != "."; dir = filepath.Dir(dir) {
		if _, err := os.Stat(dir); err == nil {
			break
		}
	}
	return dir
}
