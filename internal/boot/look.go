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
	"github.com/gopxeboot/gopxeboot/internal/wire"
)

// look is what the child does for Check, in the place of a boot. What is wrong
// in the lab is no error.
func (p *pipeline) look(ctx context.Context, c *guest.Child) error {
	debug.SetMemoryLimit(256 << 20) // a kernel, and what unpacks it
	say := p.say
	p.say = func(l line) { // what a boot would say is detail here
		l.Warn, l.Level = false, console.Verbose
		say(l)
	}
	r := &p.task
	t := probe.Task{
		Look: r.Look.Look, Machine: r.machine(&dhcpclient.Lease{}), Server: r.Server, BootFile: r.BootFile,
		Client: dhcpclient.Client{MAC: r.MAC, UUID: r.UUID, ROM: r.ROM, Offered: p.offered},
		VLANs:  map[uint16]guest.Conn{},
	}
	r.Timing.apply(&t.Client)
	var err error
	if t.Wire, err = c.Listen(); err != nil {
		return notHeard(ctx, err)
	}
	defer t.Wire.Close()
	heard, elsewhereErr := c.ListenOthers()
	if elsewhereErr == nil {
		t.Elsewhere = heard
	}
	for _, vlan := range r.Look.VLANs {
		if other, err := c.ListenVLAN(vlan); err == nil {
			t.VLANs[vlan] = other
		}
	}
	if p.task.Pcap != 0 && c.OwnNet { // of dom0's bridge the parent records
		recorder, err := wire.Record(c.Interface, c.File(p.task.Pcap-1))
		if err != nil {
			return fault.In(ctx, fault.Own, plan.StagePcap, err, "")
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
	t.Configure = func(l *dhcpclient.Lease) (fetch.Client, error) {
		err := p.configure(c, l)
		if err == nil {
			err = p.fetchAs(l)
		}
		return p.files, err
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
	if elsewhereErr != nil {
		facts.Errors = append(facts.Errors, fmt.Sprintf("other VLANs can't be listened to: %v", elsewhereErr))
	}
	p.facts, p.plan = facts, found
	return nil
}
