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
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/gopxeboot/gopxeboot/dhcpclient"
	"github.com/gopxeboot/gopxeboot/internal/console"
	"github.com/gopxeboot/gopxeboot/internal/domain"
	"github.com/gopxeboot/gopxeboot/internal/fault"
	"github.com/gopxeboot/gopxeboot/internal/guest"
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
	Type      xenout.GuestType     // "" when unknown
	Net       guest.Net
	RunAs     int // uid of the process that reads from the network; 0 is one that nobody has

	ROM    dhcpclient.ROM // what the guest's firmware says it is, to DHCP
	Timing Timing         // how long DHCP waits
	Pcap   *os.File       `json:"-"` // a packet capture of DHCP; nil for none

	program.Wanted
	Server   netip.Addr // instead of the lease's next-server
	BootFile string     // instead of the lease's boot file

	Repository *Repository // instead of DHCP's boot file and a configuration; nil for none
	LocalBoot  bool        // boot from Disk at once, asking nobody

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
		return result, fault.New(fault.Own, "output", err, "")
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
		return result, fault.New(fault.NoOutput, "output", err, "--output-directory names where kernel and initrd go")
	}
	for _, name := range []string{place.kernel, place.ramdisk} {
		f, err := createResult(name)
		if err != nil {
			return result, fault.New(fault.NoOutput, "output", err, "--output-directory names where kernel and initrd go")
		}
		files = append(files, f)
	}
	kernel, ramdisk := files[0], files[1]
	p := plan.New()
	if r.LocalBoot {
		p.Outcome = pxelinux.LocalBoot
	} else if p, err = watched(ctx, r, con, cleanup, kernel, ramdisk); err != nil {
		return result, err
	}
	if p.Outcome == pxelinux.LocalBoot {
		result, err = localBoot(ctx, r, place.pygrub, kernel, ramdisk, con)
	} else {
		result, err = answerTo(r, p, kernel, ramdisk, con)
	}
	if err != nil {
		return result, err
	}
	if err := xenout.Write(out, r.Format, result); err != nil {
		return result, fault.New(fault.NoOutput, "output", err, "")
	}
	if r.Commit != nil {
		if err = r.Commit(ctx); err != nil {
			return result, err
		}
	}
	if err := cleanup.keep(); err != nil {
		return result, fault.New(fault.Own, "output", err, "")
	}
	return result, nil
}

// watched is asGuest for a child that downloads: one that writes what it may
// not is ended.
func watched(ctx context.Context, r Request, con *console.Console, cleanup *cleanup, kernel, ramdisk *resultFile) (*plan.Plan, error) {
	ctx, stop := keepWatching(ctx, bounded{"kernel", kernel, r.MaxKernel}, bounded{"initrd", ramdisk, r.MaxInitrd})
	defer stop()
	a, err := asGuest(ctx, r, con, cleanup, kernel.File, ramdisk.File)
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

// answerTo makes the result of what the child claims. The child may have been
// taken over by what it read: the files are the ones that we opened, and the
// arguments are one line of Xen's length.
func answerTo(r Request, p *plan.Plan, kernel, ramdisk *resultFile, con *console.Console) (xenout.Result, error) {
	var none xenout.Result
	if err := kernel.settle(r.MaxKernel); err != nil {
		return none, fault.New(fault.NotFetched, "kernel", err, "")
	}
	args, err := fitArgs(r, xenout.MergeArgs(p.Args, r.Args), con)
	if err != nil {
		return none, fault.New(fault.NotBootable, "boot", err, r.shorten(p))
	}
	if err := kernel.publish(); err != nil {
		return none, fault.New(fault.NoOutput, "output", err, "")
	}
	result := xenout.Result{Kernel: kernel.name, Args: args}
	if len(p.Initrds) == 0 {
		ramdisk.discard()
		return result, nil
	}
	if err := ramdisk.settle(r.MaxInitrd); err != nil {
		return none, fault.New(fault.NotFetched, "initrd", err, "")
	}
	if err := ramdisk.publish(); err != nil {
		return none, fault.New(fault.NoOutput, "output", err, "")
	}
	result.Ramdisk = ramdisk.name
	return result, nil
}

// fitArgs makes a command line that the guest gets whole.
func fitArgs(r Request, args string, con *console.Console) (string, error) {
	fitted, dropped, err := xenout.FitArgs(r.Format, r.Type, args)
	if dropped {
		con.Warn(fmt.Sprintf("the command line is longer than %d bytes: BOOT_IMAGE= and initrd= are left out", r.Type.MaxArgs(r.Format)))
	}
	return fitted, err
}
