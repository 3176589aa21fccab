// Package boot is the way from the toolstack's question to its answer:
//
//	argv -> Request -> lease -> config -> plan -> files -> Result
//
// It is the only package that knows all the others. Boot and Preview are the
// parent's side; session.go runs the child, and pipeline.go is what it does as
// the guest.
package boot

import (
	"context"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/gopxeboot/gopxeboot/dhcpclient"
	"github.com/gopxeboot/gopxeboot/internal/console"
	"github.com/gopxeboot/gopxeboot/internal/domain"
	"github.com/gopxeboot/gopxeboot/internal/fault"
	"github.com/gopxeboot/gopxeboot/internal/guest"
	"github.com/gopxeboot/gopxeboot/internal/handover"
	"github.com/gopxeboot/gopxeboot/internal/install"
	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/internal/program"
	"github.com/gopxeboot/gopxeboot/pxelinux"
	"github.com/gopxeboot/gopxeboot/xenout"
)

// Request is one boot, as the caller wants it.
type Request struct {
	MAC    net.HardwareAddr
	Bridge string // "" is xenbr0, or the only bridge there is
	VLAN   uint16 // where the guest is on the bridge; 0 for no VLAN
	// Elsewhere is why its network can't be reached from here; nil if it can.
	Elsewhere *xenout.NetworkError `json:"-"`
	UUID      string               // the guest's uuid as text; "" when unknown
	Net       guest.Net

	ROM    dhcpclient.ROM // what the guest's firmware says it is, to DHCP
	Timing Timing         // how long DHCP waits
	Pcap   *os.File       `json:"-"` // a packet capture of DHCP; nil for none

	program.Wanted
	Server   netip.Addr // instead of the lease's next-server
	BootFile string     // instead of the lease's boot file

	Repository *install.Repository // instead of DHCP's boot file and a configuration; nil for none
	LocalBoot  bool                // boot from Disk at once, asking nobody

	Force bool // hand over also what the guest can't boot

	handover.Spec // RunAs is also the uid of the process that reads from the network

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

	Timeout time.Duration // for everything
}

// Boot does the whole job: it leaves a kernel and a ramdisk in the output
// directory and writes their names to out. After an error both are as they
// were before.
func Boot(ctx context.Context, r Request, out *handover.Output, con *console.Console) (result xenout.Result, err error) {
	ctx, cancel := r.inTime(ctx)
	defer cancel()
	h, err := handover.Begin(r.Spec, con)
	if err != nil {
		return result, err
	}
	defer func() {
		if err != nil {
			h.Discard()
		}
	}()
	p := plan.New()
	if r.LocalBoot {
		p.Outcome = pxelinux.LocalBoot
	} else if p, err = fetched(ctx, r, con, h); err != nil {
		return result, err
	}
	if result, err = h.Result(ctx, p); err != nil {
		return result, err
	}
	if err = xenout.Write(out, r.Format, result); err != nil {
		return result, fault.New(fault.NoOutput, "output", err, "")
	}
	if r.Commit != nil {
		if err = r.Commit(ctx); err != nil {
			return result, err
		}
	}
	return result, h.Keep()
}

// fetched is asGuest for a child that downloads: one that writes what it may
// not is ended.
func fetched(ctx context.Context, r Request, con *console.Console, h *handover.Handover) (*plan.Plan, error) {
	ctx, stop := h.Watch(ctx)
	defer stop()
	kernel, ramdisk := h.Files()
	a, err := asGuest(ctx, r, con, h.Leave, kernel, ramdisk)
	return a.Plan, err
}

// Preview finds out what would boot, without downloading it. The plan is
// returned also with an error, with what is known by then.
func Preview(ctx context.Context, r Request, con *console.Console) (*plan.Plan, error) {
	ctx, cancel := r.inTime(ctx)
	defer cancel()
	a, err := asGuest(ctx, r, con, nil)
	return a.Plan, err
}

// inTime is the one deadline for everything.
func (r *Request) inTime(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, r.Timeout, context.DeadlineExceeded)
}
