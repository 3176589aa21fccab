// Package boot is the way from the toolstack's question to its answer:
//
//	argv -> Request -> lease -> config -> plan -> files -> Result
//
// It is the only package that knows all the others. Boot and Preview are the
// parent's side; pipeline.go is what its child does as the guest.
package boot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"time"

	"github.com/gopxeboot/gopxeboot/dhcpclient"
	"github.com/gopxeboot/gopxeboot/internal/console"
	"github.com/gopxeboot/gopxeboot/internal/domain"
	"github.com/gopxeboot/gopxeboot/internal/guest"
	"github.com/gopxeboot/gopxeboot/internal/wire"
	"github.com/gopxeboot/gopxeboot/pxelinux"
	"github.com/gopxeboot/gopxeboot/xenout"
)

// Request is one boot, as the caller wants it.
type Request struct {
	MAC    net.HardwareAddr
	Bridge string // "" is xenbr0, or the only bridge there is
	VLAN   uint16 // where the guest is on the bridge; 0 for no VLAN
	UUID   string // the guest's uuid as text; "" when unknown
	Net    guest.Net
	RunAs  int // uid of the process that reads from the network; 0 is one that nobody has

	ROM    dhcpclient.ROM // what the guest's firmware says it is, to DHCP
	Timing Timing         // how long DHCP waits
	Pcap   *os.File       `json:"-"` // a packet capture of DHCP; nil for none

	Label     string     // boot this label instead of what the configuration says
	ConfigDir string     // instead of pxelinux.cfg
	Server    netip.Addr // instead of the lease's next-server
	BootFile  string     // instead of the lease's boot file

	Repository *Repository // instead of DHCP's boot file and a configuration; nil for none
	LocalBoot  bool        // boot from Disk at once, asking nobody

	Kernel, Ramdisk string // instead of what the label names: as in a configuration, or a URL
	Disk            string // the guest's, for LOCALBOOT
	Pygrub          string // who boots from it; "" is the one that Xen has
	Offset          string // where the partition begins on it, for pygrub; "" lets pygrub look
	Quiet           bool   // pygrub asks nothing
	Interactive     bool   // it does, also where it has to be root for that
	Args            string // the toolstack's own, added to the end
	OutputDirectory string
	Format          xenout.Format

	// OfVM says that the request is made of a VM's fields, which others than
	// dom0's root may write: what it names in dom0's network is not asked for
	// that reason.
	OfVM bool

	// Host tells which domains run; nil is not to ask. Domid is the one that is
	// being created, 0 when it is not known.
	Host  *domain.Host `json:"-"`
	Domid int

	Look     *Look    // for Check; nil otherwise
	URLs     []string // for Get
	Transfer Transfer

	// Commit is called when the result is written: what has to be done before
	// the guest boots, and only if it does. Its error is the boot's.
	Commit func(context.Context) error `json:"-"`

	MaxKernel, MaxInitrd int64         // bytes
	Timeout              time.Duration // for everything
}

// Boot does the whole job: it leaves a kernel and a ramdisk in the output
// directory and writes their names to out. After an error both are as they
// were before.
func Boot(ctx context.Context, r Request, out *Output, con *console.Console) (result xenout.Result, err error) {
	ctx, cancel := r.inTime(ctx)
	defer cancel()
	place := newPlace(r.OutputDirectory)
	cleanup, err := startCleanup(place)
	if err != nil {
		return result, &Error{OwnFault, "output", err, ""}
	}
	var files []*resultFile
	defer func() {
		if err != nil {
			for _, f := range files {
				f.discard()
			}
			cleanup.now()
		}
	}()
	if err := place.make(); err != nil {
		return result, &Error{NoOutput, "output", err, "--output-directory names where kernel and initrd go"}
	}
	for _, name := range []string{place.kernel, place.ramdisk} {
		f, err := createResult(name)
		if err != nil {
			return result, &Error{NoOutput, "output", err, "--output-directory names where kernel and initrd go"}
		}
		files = append(files, f)
	}
	kernel, ramdisk := files[0], files[1]
	plan := newPlan()
	if r.LocalBoot {
		plan.Outcome = string(pxelinux.LocalBoot)
	} else if plan, err = watched(ctx, r, con, cleanup, kernel, ramdisk); err != nil {
		return result, err
	}
	if plan.Outcome == string(pxelinux.LocalBoot) {
		result, err = localBoot(ctx, r, place.pygrub, kernel, ramdisk, con)
	} else {
		result, err = answerTo(r, plan, kernel, ramdisk, con)
	}
	if err != nil {
		return result, err
	}
	if err := xenout.Write(out, r.Format, result); err != nil {
		return result, &Error{NoOutput, "output", err, ""}
	}
	if r.Commit != nil {
		if err = r.Commit(ctx); err != nil {
			return result, err
		}
	}
	if err := cleanup.keep(); err != nil {
		return result, &Error{OwnFault, "output", err, ""}
	}
	return result, nil
}

// watched is asGuest for a child that downloads: one that writes what it may
// not is ended.
func watched(ctx context.Context, r Request, con *console.Console, cleanup *cleanup, kernel, ramdisk *resultFile) (*Plan, error) {
	look := time.NewTicker(watchPeriod)
	defer look.Stop()
	ctx, stop := watch(ctx, look.C, bounded{"kernel", kernel, r.MaxKernel}, bounded{"initrd", ramdisk, r.MaxInitrd})
	defer stop()
	return asGuest(ctx, r, con, cleanup, kernel.File, ramdisk.File)
}

// Preview finds out what would boot, without downloading it. The plan is
// returned also with an error, with what is known by then.
func Preview(ctx context.Context, r Request, con *console.Console) (*Plan, error) {
	ctx, cancel := r.inTime(ctx)
	defer cancel()
	return asGuest(ctx, r, con, nil)
}

// inTime is the one deadline for everything.
func (r *Request) inTime(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, r.Timeout, context.DeadlineExceeded)
}

// asGuest runs the pipeline in a child that is the guest. With files, the
// first one gets the kernel, the second one the initrds; with a cleanup process,
// that one removes the guest's port, while we go on.
func asGuest(ctx context.Context, r Request, con *console.Console, cleanup *cleanup, files ...*os.File) (*Plan, error) {
	plan := newPlan()
	plan.MAC, plan.UUID = r.MAC.String(), r.UUID
	download, pcap := len(files) > 0, 0
	if r.Pcap != nil {
		pcap = len(files) + 1
		files = append(files, r.Pcap)
	}
	if r.Repository != nil && !r.Repository.network() {
		r.Net = guest.None
	}
	network, why, err := r.settle(ctx, cleanup != nil, con)
	if err != nil {
		return plan, err
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
	local, err := r.localFiles()
	if err != nil {
		return plan, &Error{NoConfig, "location", err, ""}
	}
	if local != nil {
		defer local.close()
		spec.Open = local.open
	}
	g, err := guest.Start(ctx, spec)
	if err != nil {
		code, try := OwnFault, ""
		switch {
		case errors.Is(err, guest.ErrNoBridge):
			code = Usage
		case errors.Is(err, guest.ErrClaimed):
			try = "wait until that one has ended, or end it"
		case errors.Is(err, os.ErrPermission):
			try = "run as root"
		}
		return plan, fail(ctx, code, "network", err, try)
	}
	if cleanup.leave(g.Port()) {
		defer g.Leave()
	} else {
		defer g.Close()
	}
	plan.Net = string(g.Net)
	if !guest.Filtered {
		con.Warn("network: on " + runtime.GOARCH + " the process that reads from it is not kept from system calls: see SECURITY.md")
	}
	where := g.Bridge
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
		con.Warn(fmt.Sprintf("network: %s was seen on port %s of %s: if another machine has it, both lose frames", r.MAC, g.Seen, g.Bridge))
	}

	if r.Look != nil && r.Pcap != nil && g.Net == guest.Dom0 {
		// All of dom0's frames there are not for the child.
		recorder, err := wire.Record(g.Bridge, r.Pcap)
		if err != nil {
			return plan, fail(ctx, OwnFault, "pcap", err, "")
		}
		defer func() {
			if err := recorder.Stop(); err != nil {
				con.Warn(err.Error())
			}
		}()
	}
	t := task{Request: r, Download: download, Pcap: pcap, Bridge: where, Local: local != nil}
	t.Deadline, _ = ctx.Deadline()
	if g.Net == guest.Dom0 {
		if t.Reach, err = r.reach(g); err != nil {
			return plan, fail(ctx, OwnFault, "network", err, "")
		}
	}
	if err := g.Send(t); err != nil {
		return plan, fail(ctx, OwnFault, "network", err, "")
	}
	configured := false
	for {
		a, err := receive(ctx, g)
		if err != nil {
			return plan, fail(ctx, OwnFault, "network", err, "")
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
				return plan, fail(ctx, NoLease, "dhcp", err, "")
			}
			if err := g.Send(struct{}{}); err != nil {
				return plan, fail(ctx, OwnFault, "network", err, "")
			}
		case a.Resolve != "" && r.asksDom0():
			if err := g.Send(resolveForChild(ctx, a.Resolve)); err != nil {
				return plan, fail(ctx, OwnFault, "network", err, "")
			}
		case a.Plan != nil:
			a.Plan.MAC, a.Plan.UUID, a.Plan.Net = plan.MAC, plan.UUID, plan.Net
			return a.Plan, a.Failure.err(ctx)
		default:
			return plan, fail(ctx, OwnFault, "network", errors.New("the guest's process sent a message that says nothing"), "")
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
	if a := c.Address; !usable(a.Addr()) || a.Bits() < 1 {
		return fmt.Errorf("the leased address %s is none that a guest can have", a)
	}
	if r := c.Router; r.IsValid() && !usable(r) {
		return fmt.Errorf("the router's address %s is none that a machine can have", r)
	}
	return g.Configure(c.Address, c.Router, c.MTU)
}

// usable says whether a machine can have the address: IPv4, and neither
// 0.0.0.0/8, nor loopback, nor from 224.0.0.0 on, which is multicast,
// reserved and broadcast (RFC 6890).
func usable(a netip.Addr) bool {
	if !a.Is4() {
		return false
	}
	first := a.As4()[0]
	return first != 0 && first != 127 && first < 224
}

func because(why string) string {
	if why == "" {
		return ""
	}
	return ": " + why
}

// answerTo makes the result of what the child claims. The child may have been
// taken over by what it read: the files are the ones that we opened, and the
// arguments are one line of Xen's length.
func answerTo(r Request, plan *Plan, kernel, ramdisk *resultFile, con *console.Console) (xenout.Result, error) {
	var none xenout.Result
	if err := kernel.settle(r.MaxKernel); err != nil {
		return none, &Error{NotFetched, "kernel", err, ""}
	}
	args, err := fitArgs(r, xenout.MergeArgs(plan.Args, r.Args), con)
	if err != nil {
		return none, &Error{NotBootable, "boot", err, r.shorten(plan)}
	}
	if err := kernel.publish(); err != nil {
		return none, &Error{NoOutput, "output", err, ""}
	}
	result := xenout.Result{Kernel: kernel.name, Args: args}
	if len(plan.Initrds) == 0 {
		ramdisk.discard()
		return result, nil
	}
	if err := ramdisk.settle(r.MaxInitrd); err != nil {
		return none, &Error{NotFetched, "initrd", err, ""}
	}
	if err := ramdisk.publish(); err != nil {
		return none, &Error{NoOutput, "output", err, ""}
	}
	result.Ramdisk = ramdisk.name
	return result, nil
}

// fitArgs makes a command line that the guest gets whole.
func fitArgs(r Request, args string, con *console.Console) (string, error) {
	fitted, dropped, err := xenout.FitArgs(r.Format, args)
	if dropped {
		con.Warn(fmt.Sprintf("the command line is longer than %d bytes: BOOT_IMAGE= and initrd= are left out", r.Format.MaxArgs()))
	}
	return fitted, err
}
