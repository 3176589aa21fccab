// Package boot is the way from the toolstack's question to its answer:
//
//	argv -> Request -> lease -> config -> plan -> files -> Result
//
// It is the only package that knows all the others. Boot and Preview are the
// parent's side; pipeline.go is what its child does as the guest.
package boot

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/console"
	"github.com/gopxeboot/gopxeboot/internal/guest"
	"github.com/gopxeboot/gopxeboot/pxelinux"
	"github.com/gopxeboot/gopxeboot/xenout"
)

// Request is one boot, as the caller wants it.
type Request struct {
	MAC    net.HardwareAddr
	Bridge string // "" is xenbr0, or the only bridge there is
	UUID   string // the guest's uuid as text; "" when unknown
	Net    guest.Net
	RunAs  int // uid of the process that reads from the network; 0 is one that nobody has

	Label     string     // boot this label instead of what the configuration says
	ConfigDir string     // instead of pxelinux.cfg
	Server    netip.Addr // instead of the lease's next-server
	BootFile  string     // instead of the lease's boot file

	Kernel, Ramdisk string // instead of what the label names: as in a configuration, or a URL
	Disk            string // the guest's, for LOCALBOOT
	Pygrub          string // who boots from it; "" is the one that Xen has
	Quiet           bool   // nobody is there to answer a question
	Args            string // the toolstack's own, added to the end
	OutputDirectory string
	Format          xenout.Format

	MaxKernel, MaxInitrd int64         // bytes
	Timeout              time.Duration // for everything
}

// Boot does the whole job: it leaves a kernel and a ramdisk in the output
// directory and writes their names to out. After an error both are as they
// were before.
func Boot(ctx context.Context, r Request, out *Output, con *console.Console) (result xenout.Result, err error) {
	ctx, cancel := r.inTime(ctx)
	defer cancel()
	undo, err := outputDirectory(r.OutputDirectory)
	if err != nil {
		return result, &Error{NoOutput, "output", err, "--output-directory names where kernel and initrd go"}
	}
	var files []*resultFile
	var sweeper *broom
	defer func() {
		if err != nil {
			for _, f := range files {
				f.discard()
			}
			if sweeper != nil {
				sweeper.sweep()
			}
			for _, path := range []string{result.Kernel, result.Ramdisk} {
				if path != "" { // pygrub's
					os.Remove(path)
				}
			}
			undo()
		}
	}()
	for _, kind := range []string{"kernel", "ramdisk"} {
		f, err := createResult(r.OutputDirectory, kind)
		if err != nil {
			return result, &Error{NoOutput, "output", err, "--output-directory names where kernel and initrd go"}
		}
		files = append(files, f)
	}
	kernel, ramdisk := files[0], files[1]
	if sweeper, err = newBroom(kernel.name, ramdisk.name); err != nil {
		return result, &Error{OwnFault, "output", err, ""}
	}
	plan, err := asGuest(ctx, r, con, kernel.File, ramdisk.File)
	if err != nil {
		return result, err
	}
	if plan.Outcome == string(pxelinux.LocalBoot) {
		kernel.discard()
		ramdisk.discard()
		result, err = localBoot(ctx, r, con)
	} else {
		result, err = answerTo(r, plan, kernel, ramdisk, con)
	}
	if err != nil {
		return result, err
	}
	if err := xenout.Write(out, r.Format, result); err != nil {
		return result, &Error{NoOutput, "output", err, ""}
	}
	if err := sweeper.putAway(); err != nil {
		return result, &Error{OwnFault, "output", err, ""}
	}
	return result, nil
}

// Preview finds out what would boot, without downloading it. The plan is
// returned also with an error, with what is known by then.
func Preview(ctx context.Context, r Request, con *console.Console) (*Plan, error) {
	ctx, cancel := r.inTime(ctx)
	defer cancel()
	return asGuest(ctx, r, con)
}

// inTime is the one deadline for everything.
func (r *Request) inTime(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, r.Timeout, context.DeadlineExceeded)
}

// asGuest runs the pipeline in a child that is the guest. With files, the
// first one gets the kernel, the second one the initrds.
func asGuest(ctx context.Context, r Request, con *console.Console, files ...*os.File) (*Plan, error) {
	plan := newPlan()
	plan.MAC, plan.UUID = r.MAC.String(), r.UUID
	g, err := guest.Start(ctx, guest.Spec{
		MAC: r.MAC, Bridge: r.Bridge, Net: r.Net, RunAs: r.RunAs,
		Files: files, MaxFile: uint64(max(r.MaxKernel, r.MaxInitrd)),
	})
	if err != nil {
		code := OwnFault
		if errors.Is(err, guest.ErrNoBridge) {
			code = Usage
		}
		return plan, fail(ctx, code, "network", err, "")
	}
	defer g.Close()
	plan.Net = string(g.Net)
	con.Detail(fmt.Sprintf("network: --net %s on %s%s", g.Net, g.Bridge, because(g.Why)))

	deadline, _ := ctx.Deadline()
	if err := g.Send(task{Request: r, Deadline: deadline, Download: len(files) > 0, Bridge: g.Bridge}); err != nil {
		return plan, fail(ctx, OwnFault, "network", err, "")
	}
	for {
		var a answer
		if err := g.Receive(&a); err != nil {
			return plan, fail(ctx, OwnFault, "network", err, "")
		}
		switch {
		case a.Line != nil:
			a.Line.print(con)
		case a.Configure != nil:
			if err := g.Configure(a.Configure.Address, a.Configure.Router); err != nil {
				return plan, fail(ctx, NoLease, "dhcp", err, "")
			}
			if err := g.Send(struct{}{}); err != nil {
				return plan, fail(ctx, OwnFault, "network", err, "")
			}
		case a.Plan != nil:
			a.Plan.MAC, a.Plan.UUID, a.Plan.Net = plan.MAC, plan.UUID, plan.Net
			return a.Plan, a.Failure.err(ctx)
		}
	}
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
	if err := checkFile(kernel.File, 1, r.MaxKernel); err != nil {
		return none, &Error{NotFetched, "kernel", err, ""}
	}
	args, dropped, err := xenout.FitArgs(xenout.MergeArgs(plan.Args, r.Args))
	if err != nil {
		return none, &Error{NotBootable, "boot", err, "shorten APPEND in " + plan.Config.URL}
	}
	if dropped {
		con.Warn("the command line is too long for Xen: BOOT_IMAGE= and initrd= are left out")
	}
	if err := kernel.publish(); err != nil {
		return none, &Error{NoOutput, "output", err, ""}
	}
	result := xenout.Result{Kernel: kernel.name, Args: args}
	if len(plan.Initrds) == 0 {
		ramdisk.discard()
		return result, nil
	}
	if err := checkFile(ramdisk.File, 1, r.MaxInitrd); err != nil {
		return none, &Error{NotFetched, "initrd", err, ""}
	}
	if err := ramdisk.publish(); err != nil {
		return none, &Error{NoOutput, "output", err, ""}
	}
	result.Ramdisk = ramdisk.name
	return result, nil
}

func checkFile(f *os.File, least, most int64) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if size := info.Size(); size < least || size > most {
		return fmt.Errorf("its size is %d bytes, which is not between %d and %d", size, least, most)
	}
	return nil
}
