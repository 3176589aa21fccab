package program

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/gopxeboot/gopxeboot/internal/ipxe"
	"github.com/gopxeboot/gopxeboot/internal/plan"
)

// namesLKRN says whether a kernel is an iPXE for boot programs that know kernels
// only, as Foreman and matchbox name it in a pxelinux.cfg.
func namesLKRN(kernel string) bool {
	name := base(kernel)
	return path.Ext(name) == ".lkrn" && strings.Contains(name, "pxe")
}

// lkrn puts what such an iPXE boots in its place: its command line is a script, or
// else its initrd is (arch/x86/core/runtime.c).
func (x *pxe) lkrn(ctx context.Context, d *Decision) error {
	b := &d.Boot
	var words []string
	for _, w := range strings.Fields(b.Args) {
		if !strings.HasPrefix(w, "BOOT_IMAGE=") && !strings.HasPrefix(w, "initrd=") {
			words = append(words, w)
		}
	}
	s := newScript(x.machine, x.open)
	if x.machine.Head != nil {
		s.open = x.machine.Head
	}
	var r *ipxe.Result
	var err error
	switch {
	case len(words) > 0:
		r, err = ipxe.RunLine(ctx, s.guest(), s.env(), strings.Join(words, " "), ipxe.FileURL(x.machine.Lease.NextServer, base(b.Kernel)))
	case len(b.Initrds) > 0:
		r, err = ipxe.Run(ctx, s.guest(), s.env(), b.Initrds[0])
	default:
		return fmt.Errorf("%s%s is an iPXE without a script: it would ask DHCP for one, which the boot file can name", plan.LabelText(b.Label), b.Kernel)
	}
	if err != nil {
		return fmt.Errorf("%s%w", plan.LabelText(b.Label), err)
	}
	b.Warnings = append(b.Warnings, fmt.Sprintf("%s%s is an iPXE: what its script boots is booted", plan.LabelText(b.Label), b.Kernel))
	b.Initrds, b.Modules = []string{}, []plan.Module{}
	label, waits := b.Label, b.Waits
	other := &Decision{Boot: *b}
	s.take(other, r)
	other.Boot.Label, other.Boot.Waits, other.Boot.Labels = label, waits || r.Waits, b.Labels
	d.Boot = other.Boot
	d.NotFound = func(context.Context, string) (*Decision, error) {
		return d, &Error{Stage: plan.StageBoot, Err: fs.ErrNotExist}
	}
	return nil
}
