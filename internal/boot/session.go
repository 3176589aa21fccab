package boot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"

	"github.com/gopxeboot/gopxeboot/internal/console"
	"github.com/gopxeboot/gopxeboot/internal/fault"
	"github.com/gopxeboot/gopxeboot/internal/guest"
	"github.com/gopxeboot/gopxeboot/internal/handover"
	"github.com/gopxeboot/gopxeboot/internal/install"
	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/internal/wire"
)

// asGuest runs the pipeline in a child that is the guest. With files, the
// first one gets the kernel, the second one the initrds. leave is nil or takes
// the guest's port, by its index, and says whether it will be removed, while we
// go on.
func asGuest(ctx context.Context, r Request, con *console.Console, leave func(port int) bool, files ...*os.File) (answer, error) {
	p := plan.New()
	p.MAC, p.UUID, p.GuestType = r.MAC.String(), r.UUID, r.Type
	known := answer{Plan: p} // with an error
	download, pcap := len(files) > 0, 0
	if r.Pcap != nil {
		pcap = len(files) + 1
		files = append(files, r.Pcap)
		watched, stop := handover.WatchFile(ctx, "pcap", r.Pcap, wire.MaxFile)
		defer stop()
		ctx = watched
	}
	if r.Repository != nil && !r.Repository.OnNetwork() {
		r.Net = guest.None
	}
	if err := r.reachable(); err != nil {
		return known, err
	}
	network, why, err := r.settle(ctx, leave != nil, con)
	if err != nil {
		return known, err
	}
	spec := guest.Spec{
		MAC: r.MAC, Bridge: r.Bridge, VLAN: r.VLAN, Net: network, RunAs: r.RunAs,
		Files: files, MaxFile: uint64(max(r.MaxKernel, r.MaxInitrd)),
	}
	if !r.leases() {
		spec.MAC = nil
	}
	if r.Look != nil {
		spec.Survey = &guest.Survey{MACs: r.Look.MACs, VLANs: r.Look.VLANs}
	}
	var local *install.LocalFiles
	if r.Repository != nil {
		if local, err = r.Repository.LocalFiles(); err != nil {
			return known, fault.New(fault.NoConfig, "location", err, "")
		}
	}
	if local != nil {
		defer local.Close()
		spec.Open = local.Open
	}
	g, err := guest.Start(ctx, spec)
	if err != nil {
		return known, notStarted(ctx, err)
	}
	if leave != nil && leave(g.Port()) {
		defer g.Leave()
	} else {
		defer g.Close()
	}
	p.Net = string(g.Net)
	where := tellNetwork(g, r.MAC, why, con)
	if r.Look != nil && r.Pcap != nil && g.Net == guest.Dom0 {
		// All of dom0's frames there are not for the child.
		recorder, err := wire.Record(g.Bridge, r.Pcap)
		if err != nil {
			return known, fault.In(ctx, fault.Own, "pcap", err, "")
		}
		defer func() {
			if err := recorder.Stop(); err != nil {
				con.Warn(err.Error())
			}
		}()
	}
	t := r.task()
	t.Download, t.Pcap, t.Bridge, t.Local = download, pcap, where, local != nil
	t.Deadline, _ = ctx.Deadline()
	if g.Net == guest.Dom0 {
		if t.Reach, err = r.reach(g); err != nil {
			return known, fault.In(ctx, fault.Own, "network", err, "")
		}
	}
	if err := g.Send(t); err != nil {
		return known, fault.In(ctx, fault.Own, "network", err, "")
	}
	done, err := converse(ctx, g, r.asksDom0(), con)
	if done.Plan == nil {
		return known, err
	}
	done.Plan.MAC, done.Plan.UUID, done.Plan.GuestType, done.Plan.Net = p.MAC, p.UUID, p.GuestType, p.Net
	return done, err
}

// notStarted is why there is no child.
func notStarted(ctx context.Context, err error) error {
	code, try := fault.Own, ""
	switch {
	case errors.Is(err, guest.ErrNoBridge):
		code = fault.Usage
	case errors.Is(err, guest.ErrClaimed):
		try = "wait until that one has ended, or end it"
	case errors.Is(err, os.ErrPermission):
		try = "run as root"
	}
	return fault.In(ctx, code, "network", err, try)
}

// tellNetwork says which network it is, and why, and returns where the guest is
// on it.
func tellNetwork(g *guest.Guest, mac net.HardwareAddr, why string, con *console.Console) (where string) {
	if !guest.Filtered {
		con.Warn("network: on " + runtime.GOARCH + " the process that reads from it is not kept from system calls: see SECURITY.md")
	}
	where = g.Bridge
	if g.VLAN != 0 {
		where = fmt.Sprintf("%s, VLAN %d", where, g.VLAN)
	}
	switch {
	case g.Net == guest.None:
		con.Detail("network: none, as all files are dom0's")
	case where == "":
		con.Detail("network: dom0's own, and no DHCP")
	case g.Net == guest.Dom0 && cmp.Or(why, g.Why) != "": // it was not asked for
		con.Stage(fmt.Sprintf("network: dom0's own, with DHCP on %s: %s", where, cmp.Or(why, g.Why)))
	default:
		con.Detail(fmt.Sprintf("network: --net %s on %s%s", g.Net, where, because(g.Why)))
	}
	if g.Seen != "" {
		con.Warn(fmt.Sprintf("network: %s was seen on port %s of %s: if another machine has it, both lose frames", mac, g.Seen, g.Bridge))
	}
	return where
}

// converse answers the child until it says how it ended: that answer has a plan,
// and its error is the child's. The child may ask for names only where it
// downloads as dom0.
func converse(ctx context.Context, g *guest.Guest, names bool, con *console.Console) (answer, error) {
	configured := false
	for {
		a, err := receive(ctx, g)
		if err != nil {
			return answer{}, fault.In(ctx, fault.Own, "network", err, "")
		}
		switch {
		case a.Line != nil:
			a.Line.print(con)
		case a.Configure != nil:
			err := configureOnce(g, a.Configure, &configured)
			if router, ok := errors.AsType[*guest.RouterError](err); ok {
				// A machine with that lease has no usable router either, and
				// boots from what is on its own network.
				con.Warn(fmt.Sprintf("dhcp: %v; only %s is reached: correct option 3 (routers) in the DHCP server", router, a.Configure.Address.Masked()))
				err = nil
			}
			if err != nil {
				return answer{}, fault.In(ctx, fault.NoLease, "dhcp", err, "")
			}
			if err := g.Send(struct{}{}); err != nil {
				return answer{}, fault.In(ctx, fault.Own, "network", err, "")
			}
		case a.Resolve != "" && names:
			if err := g.Send(resolveForChild(ctx, a.Resolve)); err != nil {
				return answer{}, fault.In(ctx, fault.Own, "network", err, "")
			}
		case a.Plan != nil:
			return a, a.Failure.err(ctx)
		default:
			return answer{}, fault.In(ctx, fault.Own, "network", errors.New("the guest's process sent a message that says nothing"), "")
		}
	}
}

// receive takes the child's next message, and waits no longer for it than
// there is time: a child that was taken over may have left a process behind
// that holds our pipe open.
func receive(ctx context.Context, g *guest.Guest) (answer, error) {
	type received struct {
		answer
		err error
	}
	done := make(chan received, 1)
	go func() {
		var r received
		r.err = g.Receive(&r.answer)
		done <- r
	}()
	select {
	case r := <-done:
		return r.answer, r.err
	case <-ctx.Done():
		return answer{}, context.Cause(ctx)
	}
}

// configureOnce gives the child the address that it says it has leased. One
// that was taken over can ask for any, but only once and only for one that a
// guest can have.
func configureOnce(g *guest.Guest, c *configure, done *bool) error {
	if *done {
		return errors.New("the guest's process asks for a second address")
	}
	*done = true
	if a := c.Address; !guest.Usable(a.Addr()) || a.Bits() < 1 {
		return fmt.Errorf("the leased address %s is none that a guest can have", a)
	}
	if r := c.Router; r.IsValid() && !guest.Usable(r) {
		return fmt.Errorf("the router's address %s is none that a machine can have", r)
	}
	return g.Configure(c.Address, c.Router, c.MTU)
}

func because(why string) string {
	if why == "" {
		return ""
	}
	return ": " + why
}
