package boot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/console"
	"github.com/gopxeboot/gopxeboot/internal/fault"
	"github.com/gopxeboot/gopxeboot/internal/fetch"
	"github.com/gopxeboot/gopxeboot/internal/install"
	"github.com/gopxeboot/gopxeboot/internal/kernel"
	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/internal/printable"
	"github.com/gopxeboot/gopxeboot/pxelinux"
	"golang.org/x/sys/unix"
)

// run finds what boots, and fetches it. Without a lease it does so in dom0's
// network, as xenpvnetboot did, or in none.
func (t *installTask) run(ctx context.Context, p *pipeline) error {
	p.gate = t.Gate
	if t.Firmware == nil {
		if err := p.confine(ctx); err != nil {
			return err
		}
		if p.child.AsDom0 {
			p.files.Resolve = p.child.Resolver(ctx)
		}
		if err := p.prepare(&t.Transfer, netip.Addr{}); err != nil {
			return err
		}
	} else {
		lease, err := p.lease(ctx, t.Firmware, false)
		if err != nil {
			return err
		}
		if err := p.fetchAs(t.Firmware, &t.Transfer, lease); err != nil {
			return err
		}
	}
	p.files.Images = fetch.NewImages(ctx) // else each name would open the image again
	defer p.files.Images.Close()
	if err := p.verifyIn(ctx, t.Repository.Directory()); err != nil {
		return err
	}
	begin, told := time.Now(), 0
	found, err := t.Repository.Find(ctx, p.files, p.lookFirst, func(ctx context.Context, found install.Found) error {
		t.record(p.Plan, found)
		told = p.tell(found.Tried, told)
		if err := p.verified(found.Kernel, []string{found.Ramdisk}); err != nil {
			return err
		}
		p.say.Stage("location: kernel %s, ramdisk %s (after %s, %s)", p.Plan.Kernel, cmp.Or(strings.Join(p.Plan.Initrds, ""), "none"), console.Count(len(found.Tried), "name"), took(begin))
		if p.Plan.Args != "" {
			p.say.Stage("boot: %s", p.Plan.Args)
		}
		if t.Limits == nil {
			return nil
		}
		return t.download(ctx, p, found)
	})
	t.record(p.Plan, found)
	p.tell(found.Tried, told)
	if err != nil && p.unverified != nil {
		return p.verified("", nil)
	}
	if _, ours := errors.AsType[*fault.Error](err); err != nil && !ours {
		return fault.In(ctx, fault.NoConfig, "location", err, cmp.Or(p.adviceFor(err), p.hint(err)))
	}
	return err
}

// download fetches what was found. A kernel that is none, as all of it shows, lets
// the search go on.
func (t *installTask) download(ctx context.Context, p *pipeline, found install.Found) error {
	boot := &plan.Boot{Kernel: found.Kernel}
	if found.Ramdisk != "" {
		boot.Initrds = []string{found.Ramdisk}
	}
	kernelFile, ramdisk := p.child.File(0), p.child.File(1)
	if err := empty(ctx, kernelFile, ramdisk); err != nil { // of a kernel that was none
		return err
	}
	err := p.fetchBoth(ctx, boot, t.Limits, kernelFile, ramdisk)
	if e, ok := errors.AsType[*fault.Error](err); ok && e.Stage == "kernel" && t.Repository.Wanted.Kernel == "" {
		if misfit, ok := errors.AsType[*kernel.Misfit](err); ok {
			p.say.Warn(fmt.Sprintf("location: %s: %s; the search goes on", printable.WithoutPassword(found.Kernel), misfit))
			return &install.Unfit{Err: err}
		}
	}
	return err
}

// tell says which names were tried, those that were told left out, and how many
// are told now.
func (p *pipeline) tell(tried []plan.Try, told int) int {
	for _, try := range tried[told:] {
		p.say.Detail("location: %s: %s (%s)", try.URL, try.Result, console.Took(try.Millis))
	}
	return len(tried)
}

func (p *pipeline) adviceFor(err error) string {
	switch {
	case p.child.AsDom0 && errors.Is(err, unix.ENETUNREACH):
		return "dom0 has no route there: say the guest's mac=00:16:3e:xx:xx:xx,bridge=xenbr0, and DHCP gives it one"
	case errors.Is(err, fetch.ErrLogin):
		return "USER:PASSWORD@ goes before the host"
	case errors.Is(err, install.ErrNothing):
		return "--kernel and --ramdisk name the files"
	}
	return ""
}

// record writes down what boots there, without passwords.
func (t *installTask) record(p *plan.Plan, found install.Found) {
	p.Location = t.Repository.Location.String()
	p.Config.Tried = slices.Clone(found.Tried)
	if found.Kernel == "" {
		return
	}
	p.Outcome, p.Kernel = pxelinux.Linux, printable.WithoutPassword(found.Kernel)
	if found.Ramdisk != "" {
		p.Initrds = []string{printable.WithoutPassword(found.Ramdisk)}
	}
	p.SetArgs(strings.TrimSpace(found.Args + " " + t.Repository.Args))
}
