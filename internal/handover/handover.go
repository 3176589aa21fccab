// Package handover is how what boots gets to the toolstack: two files and an
// answer that names them, all of it or nothing.
//
// Who downloads the files may have been taken over by what it read. It is
// watched while it writes, and what it wrote is checked when it has ended.
package handover

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/gopxeboot/gopxeboot/internal/console"
	"github.com/gopxeboot/gopxeboot/internal/fault"
	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/pxelinux"
	"github.com/gopxeboot/gopxeboot/xenout"
)

// Spec is what the caller wants of the result.
type Spec struct {
	OutputDirectory string // an absolute path; it need not exist
	Format          xenout.Format
	Type            xenout.GuestType // "" when unknown
	Args            string           // the toolstack's own, added to the end

	MaxKernel, MaxInitrd int64 // bytes

	// For pygrub, which LOCALBOOT leads to.
	Disk        string // the guest's; "" for none
	Pygrub      string // the program or its name; "" is the one that Xen has
	Offset      string // where the partition begins on the disk; "" lets pygrub look
	Quiet       bool   // it asks nothing
	Interactive bool   // it does, also where it has to be root for that
	RunAs       int    // its uid; 0 is one that is not used
}

// Handover is one result on its way.
type Handover struct {
	spec            Spec
	place           place
	cleanup         *cleanup
	kernel, ramdisk *resultFile
	con             *console.Console
}

// Begin makes the two files, empty, and starts the process that removes them
// should we be killed. After it comes Keep or Discard.
func Begin(spec Spec, con *console.Console) (*Handover, error) {
	h := &Handover{spec: spec, place: newPlace(spec.OutputDirectory), con: con}
	var err error
	if h.cleanup, err = startCleanup(h.place); err != nil {
		return nil, fault.New(fault.Own, "output", err, "")
	}
	err = h.place.make()
	if err == nil {
		h.kernel, err = newResult("kernel", h.place.kernel, spec.MaxKernel)
	}
	if err == nil {
		h.ramdisk, err = newResult("initrd", h.place.ramdisk, spec.MaxInitrd)
	}
	if err != nil {
		h.Discard()
		return nil, noOutput(err)
	}
	return h, nil
}

// noOutput is the error of a file that can't be made.
func noOutput(err error) error {
	return fault.New(fault.NoOutput, "output", err, "--output-directory names where kernel and initrd go")
}

// Files are for the kernel and the initrds, to write to.
func (h *Handover) Files() (kernel, ramdisk *os.File) { return h.kernel.File, h.ramdisk.File }

// Watch returns a context that ends when one of the files takes more than it may.
// The *fault.Error that says so is its cause.
func (h *Handover) Watch(ctx context.Context) (context.Context, func()) {
	return watchByClock(ctx, func() (int64, error) { return overgrown([]*resultFile{h.kernel, h.ramdisk}) })
}

// Result makes the result of what a child claims: the files are the ones that
// we opened, and the arguments are one line of Xen's length. When the disk is to
// boot it has pygrub make it.
func (h *Handover) Result(ctx context.Context, p *plan.Plan) (xenout.Result, error) {
	if p.Outcome == pxelinux.LocalBoot {
		return h.localBoot(ctx)
	}
	var none xenout.Result
	if err := h.kernel.settle(); err != nil {
		return none, fault.New(fault.NotFetched, "kernel", err, "")
	}
	args, err := h.fitArgs(xenout.MergeArgs(p.Args, h.spec.Args))
	if err != nil {
		try := "shorten APPEND in " + p.Config.URL
		if p.Config.URL == "" { // of an install repository
			try = "shorten --args"
		}
		return none, fault.New(fault.NotBootable, "boot", err, try)
	}
	if h.spec.Type == xenout.PVH && !strings.Contains(" "+args, " console=hvc") {
		// For a PVH guest Linux adds no console itself (arch/x86/xen/enlighten_pvh.c, xen_pvh_init).
		h.con.Warn("without console=hvc0 a PVH guest's console shows nothing of Linux: add it to APPEND, or to extra= or --args of the guest")
	}
	if err := h.kernel.publish(); err != nil {
		return none, fault.New(fault.NoOutput, "output", err, "")
	}
	result := xenout.Result{Kernel: h.kernel.name, Args: args}
	if len(p.Initrds) == 0 {
		h.ramdisk.discard()
		return result, nil
	}
	if err := h.ramdisk.settle(); err != nil {
		return none, fault.New(fault.NotFetched, "initrd", err, "")
	}
	if err := h.ramdisk.publish(); err != nil {
		return none, fault.New(fault.NoOutput, "output", err, "")
	}
	result.Ramdisk = h.ramdisk.name
	return result, nil
}

// fitArgs makes a command line that the guest gets whole.
func (h *Handover) fitArgs(args string) (string, error) {
	fitted, dropped, err := xenout.FitArgs(h.spec.Format, h.spec.Type, args)
	if dropped {
		h.con.Warn(fmt.Sprintf("the command line is longer than %d bytes: BOOT_IMAGE= and initrd= are left out", h.spec.Type.MaxArgs(h.spec.Format)))
	}
	return fitted, err
}

// Leave gives the removal of the guest's port, by its index, to the cleanup
// process, and says whether that will do it.
func (h *Handover) Leave(port int) bool { return h.cleanup.leave(port) }

// Keep leaves the files where they are: the answer is given.
func (h *Handover) Keep() error {
	if err := h.cleanup.keep(); err != nil {
		return fault.New(fault.Own, "output", err, "")
	}
	return nil
}

// Discard removes all that the result has left, and the directories that were
// made for it.
func (h *Handover) Discard() {
	for _, f := range []*resultFile{h.kernel, h.ramdisk} {
		if f != nil {
			f.discard()
		}
	}
	h.cleanup.now()
}
