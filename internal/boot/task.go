package boot

import (
	"context"
	"errors"
	"net"
	"net/netip"

	"github.com/gopxeboot/gopxeboot/dhcpclient"
	"github.com/gopxeboot/gopxeboot/internal/check/probe"
	"github.com/gopxeboot/gopxeboot/internal/install"
	"github.com/gopxeboot/gopxeboot/internal/program"
)

// tasks are what the parent may ask of the child; one of them is set. Each has
// what its job takes, and nothing of the guest's disk, of the output directory or
// of the toolstack.
type tasks struct {
	Boot    *bootTask    `json:",omitempty"`
	Plan    *planTask    `json:",omitempty"`
	Install *installTask `json:",omitempty"`
	Get     *getTask     `json:",omitempty"`
	Look    *lookTask    `json:",omitempty"`
}

func (t *tasks) run(ctx context.Context, p *pipeline) error {
	switch {
	case t.Boot != nil:
		return t.Boot.run(ctx, p)
	case t.Plan != nil:
		d, err := t.Plan.run(ctx, p)
		return p.choose(ctx, d, err, func(context.Context, *program.Decision) error { return nil })
	case t.Install != nil:
		return t.Install.run(ctx, p)
	case t.Get != nil:
		return t.Get.run(ctx, p)
	case t.Look != nil:
		return t.Look.run(ctx, p)
	}
	return errors.New("the parent asks for nothing")
}

// firmware is who asks for a lease, and what is taken instead of the lease's.
type firmware struct {
	MAC      net.HardwareAddr
	UUID     string // "" when unknown
	ROM      dhcpclient.ROM
	Timing   Timing
	Server   netip.Addr // instead of the next-server
	BootFile string
	IP       string            // of the vif, which the lease is compared with
	Lease    *dhcpclient.Lease // instead of asking; nil asks
}

// planTask finds out what boots.
type planTask struct {
	Firmware firmware
	Transfer Transfer
	Wanted   program.Wanted
}

// bootTask downloads it, too: the kernel to the first file, the initrds to the
// second.
type bootTask struct {
	Plan   planTask
	Limits limits
	Gate   gate
}

// limits are how much is taken as kernel and initrds, and from where.
type limits struct {
	MaxKernel, MaxInitrd int64 // bytes
	Cached               bool  // the parent has a cache
}

// installTask finds an install repository's kernel and ramdisk.
type installTask struct {
	Firmware   *firmware `json:",omitempty"` // nil: without a lease, in dom0's network or in none
	Transfer   Transfer
	Repository install.Repository
	Limits     *limits `json:",omitempty"` // nil downloads nothing
	Gate       gate
}

// getTask downloads files to those that the child has, in their order.
type getTask struct {
	Firmware firmware
	Transfer Transfer
	URLs     []string
	MaxSize  int64 // bytes, of each
}

// lookTask looks at what is wrong with a lab.
type lookTask struct {
	Firmware firmware
	Transfer Transfer
	Wanted   program.Wanted
	Look     probe.Look
	Gate     gate
	VLANs    []uint16 // to ask in when no server answers in the guest's
}

// firmware is the guest's.
func (o *Options) firmware() firmware {
	return firmware{MAC: o.MAC, UUID: o.UUID, ROM: o.ROM, Timing: o.Timing, Server: o.Server, BootFile: o.BootFile, IP: o.IP, Lease: o.Lease}
}

// planTask is the one for a configuration.
func (o *Options) planTask() planTask {
	t := planTask{o.firmware(), o.Transfer, o.Wanted}
	t.Wanted.Person = o.Person != nil
	return t
}

// task is that of a boot, or of a plan.
func (o *Options) task(boots bool) tasks {
	limits := &limits{o.MaxKernel, o.MaxInitrd, o.Cache != nil}
	switch {
	case o.Repository != nil:
		t := &installTask{Transfer: o.Transfer, Repository: *o.Repository, Gate: o.gate()}
		if boots {
			t.Limits = limits
		}
		if o.leases() {
			t.Firmware = new(o.firmware())
		}
		return tasks{Install: t}
	case boots:
		return tasks{Boot: &bootTask{o.planTask(), *limits, o.gate()}}
	}
	return tasks{Plan: new(o.planTask())}
}
