package boot

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/gopxeboot/gopxeboot/dhcpclient"
	"github.com/gopxeboot/gopxeboot/internal/check/probe"
	"github.com/gopxeboot/gopxeboot/internal/console"
	"github.com/gopxeboot/gopxeboot/internal/fault"
	"github.com/gopxeboot/gopxeboot/internal/fetch"
	"github.com/gopxeboot/gopxeboot/internal/guest"
	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/internal/program"
	"github.com/gopxeboot/gopxeboot/internal/session"
	"github.com/gopxeboot/gopxeboot/internal/wire"
)

// run is what the child does for Check, in the place of a boot. What is wrong in
// the lab is no error.
func (l *lookTask) run(ctx context.Context, p *pipeline) error {
	c, f := p.child, &l.Firmware
	debug.SetMemoryLimit(256 << 20) // a kernel, and what unpacks it
	say := p.say
	p.say = func(l session.Line) { // what a boot would say is detail here
		l.Warn, l.Level = false, console.Verbose
		say(l)
	}
	t := probe.Task{
		Look: l.Look, Gate: l.Gate.Guest, Machine: f.machine(&dhcpclient.Lease{}, l.Wanted), Lease: f.Lease, Server: f.Server, BootFile: f.BootFile,
		Client: dhcpclient.Client{MAC: f.MAC, UUID: f.UUID, ROM: f.ROM, Offered: p.offered},
		VLANs:  map[uint16]guest.Conn{}, OwnNet: c.OwnNet,
	}
	f.Timing.apply(&t.Client)
	var err error
	if t.Wire, err = c.Listen(nil); err != nil {
		return notHeard(ctx, err)
	}
	t.Wire = named{t.Wire, c.Where}
	defer t.Wire.Close()
	if bridge, err := c.ListenBridge(); err == nil {
		t.Bridge = bridge
		defer bridge.Close()
	}
	others, othersErr := c.ListenOthers()
	if othersErr == nil {
		t.OtherVLANs = others
	}
	for _, vlan := range l.VLANs {
		if other, err := c.ListenVLAN(vlan); err == nil {
			t.VLANs[vlan] = other
		}
	}
	if c.Pcap != 0 && c.OwnNet { // of dom0's bridge the parent records
		recorder, err := wire.Record(c.Interface, c.File(c.Pcap-1))
		if err != nil {
			return fault.In(ctx, fault.Own, plan.StagePcap, err, "")
		}
		defer func() {
			if err := recorder.Stop(); err != nil {
				p.say.Warn(err.Error())
			}
		}()
	}
	if err := p.confine(ctx); err != nil {
		return err
	}
	t.Seen = c.Seen
	t.Configure = func(ctx context.Context, m *program.Machine) (files fetch.Client, unresolved, err error) {
		if err = c.Configure(&m.Lease); err == nil {
			unresolved = p.findServer(ctx, f, &m.Lease)
			err = p.fetchAsProgram(f, &l.Transfer, m)
		}
		return p.files, unresolved, err
	}
	t.Decide = func(ctx context.Context, m program.Machine, open program.Opener) (*program.Decision, error) {
		p.open = open
		return p.decide(ctx, m)
	}
	facts, found, err := probe.Run(ctx, t)
	if _, ours := errors.AsType[*fault.Error](err); err != nil && !ours {
		err = fault.In(ctx, fault.Own, plan.StageDHCP, err, "")
	}
	if err != nil {
		return err
	}
	if othersErr != nil {
		facts.Errors = append(facts.Errors, fmt.Sprintf("other VLANs can't be listened to: %v", othersErr))
	}
	p.Facts, p.Plan = facts, found
	return nil
}
