package boot

import (
	"cmp"
	"context"
	"errors"
	"net/netip"
	"strings"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/console"
	"github.com/gopxeboot/gopxeboot/internal/fault"
	"github.com/gopxeboot/gopxeboot/internal/fetch"
	"github.com/gopxeboot/gopxeboot/internal/install"
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
	begin := time.Now()
	found, err := t.Repository.Find(ctx, p.files, p.lookFirst)
	t.record(p.Plan, found)
	for _, try := range found.Tried {
		p.say.Detail("location: %s: %s (%s)", try.URL, try.Result, console.Took(try.Millis))
	}
	if err == nil || p.unverified != nil {
		if err := p.verified(found.Kernel, []string{found.Ramdisk}); err != nil {
			return err
		}
	}
	if err != nil {
		return fault.In(ctx, fault.NoConfig, "location", err, cmp.Or(p.adviceFor(err), p.hint(err)))
	}
	p.say.Stage("location: kernel %s, ramdisk %s (%s, %s)", p.Plan.Kernel, cmp.Or(strings.Join(p.Plan.Initrds, ""), "none"), after(len(found.Tried)), took(begin))
	if p.Plan.Args != "" {
		p.say.Stage("boot: %s", p.Plan.Args)
	}
	if t.Limits == nil {
		return nil
	}
	boot := &plan.Boot{Kernel: found.Kernel}
	if found.Ramdisk != "" {
		boot.Initrds = []string{found.Ramdisk}
	}
	return p.fetchBoth(ctx, boot, t.Limits, p.child.File(0), p.child.File(1))
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
	p.Config.Tried = append(p.Config.Tried, found.Tried...)
	if found.Kernel == "" {
		return
	}
	p.Outcome, p.Kernel = pxelinux.Linux, printable.WithoutPassword(found.Kernel)
	if found.Ramdisk != "" {
		p.Initrds = []string{printable.WithoutPassword(found.Ramdisk)}
	}
	p.SetArgs(strings.TrimSpace(found.Args + " " + t.Repository.Args))
}
