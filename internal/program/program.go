package program

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"

	"github.com/gopxeboot/gopxeboot/dhcpclient"
	"github.com/gopxeboot/gopxeboot/internal/grub"
	"github.com/gopxeboot/gopxeboot/internal/ipxe"
	"github.com/gopxeboot/gopxeboot/internal/menu"
	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/pxelinux"
)

// Machine is what a boot program finds itself on, and what DHCP told it. Zero
// values are "not known".
type Machine struct {
	MAC   net.HardwareAddr
	UUID  string // as text
	Arch  uint16 // option 93
	Lease dhcpclient.Lease
	// First is the lease that the ROM got, where it names an iPXE program and
	// Lease is what DHCP answered to that; nil where the ROM asked alone.
	First *dhcpclient.Lease
	// Head is an Opener of what iPXE looks at, kernels as well, of which the beginning
	// is enough; nil is the program's own.
	Head Opener
	// Post is an Opener that sends a form, for iPXE's params; nil sends none.
	Post func(ctx context.Context, url, form string) (io.ReadCloser, error)
	// Lookup is the address of a name, for iPXE's nslookup; nil finds none.
	Lookup func(ctx context.Context, host string) (netip.Addr, error)
	// Verified says whether a file is verified where it boots; nil where none is.
	Verified func(url string) bool
	Wanted
}

// Wanted is what somebody asks for instead of what the lab says. Zero values
// leave it to the lab.
type Wanted struct {
	Label           string            // boot this entry; of iPXE's menus, or those that lead to it: a/b
	OfVM            bool              // Label is in a VM's fields, and not dom0's root's: it opens nothing that has a password
	Program         plan.Program      // instead of the one that the boot file names
	Set             map[string]string // iPXE's settings, by NAME or NAME:TYPE
	ConfigDir       string            // instead of pxelinux.cfg
	Kernel, Ramdisk string            // instead of the entry's: as in a configuration, or a URL

	// NoLint leaves Config.Problems and Findings to Decision.Lint: a boot has no
	// use for them until it fails, and they cost 60 ms a MiB.
	NoLint bool
	// Person makes a Decision with Asks.
	Person bool
}

// override puts the wanted kernel and ramdisk in the place of the entry's, by
// their URLs.
func (w *Wanted) override(resolve func(name string) (url string, err error), setKernel, setRamdisk func(url string)) error {
	for _, o := range []struct {
		option, name string
		set          func(url string)
	}{{"--kernel", w.Kernel, setKernel}, {"--ramdisk", w.Ramdisk, setRamdisk}} {
		if o.name == "" {
			continue
		}
		url, err := resolve(o.name)
		if err != nil {
			return fmt.Errorf("%s: %w", o.option, err)
		}
		o.set(url)
	}
	return nil
}

// MaxConfig bounds one configuration file, in bytes: PXELINUX's limit of all
// together, which is more than GRUB's own file has, of up to 5 MiB. An Opener's
// error for a larger one wraps pxelinux.ErrTooLarge.
const MaxConfig = pxelinux.MaxBytes

// Opener opens the file behind an absolute URL. An error that wraps
// pxelinux.ErrNotFound or fs.ErrNotExist lets the program go on to its next
// choice, as does an empty file; any other error ends the search.
type Opener func(ctx context.Context, url string) (io.ReadCloser, error)

// Program is a boot program. The Decision is never nil: with an error it holds
// what is known by then. The error is an *Error.
type Program func(ctx context.Context, m Machine, open Opener) (*Decision, error)

// Decision is what a boot program boots: its part of the plan, and how it would
// go on.
type Decision struct {
	Config plan.Config
	Boot   plan.Boot

	// NotFound is what boots when the server does not have a file of Boot, by
	// its URL; nil only with an error.
	NotFound func(ctx context.Context, url string) (*Decision, error)
	// Entry is what boots when somebody picks an entry by its name; nil without
	// a configuration.
	Entry func(ctx context.Context, name string) (*Decision, error)
	// Lint is Config with lint's findings, where it has none because of NoLint; nil
	// where there are none to be had.
	Lint func(context.Context) plan.Config
	// Asks is the user that the program would wait for; nil where it boots at
	// once.
	Asks *Asks
}

// addLabel records an entry.
func (d *Decision) addLabel(l plan.Label) {
	d.Boot.Labels = append(d.Boot.Labels, l)
	if len(d.Config.Labels) < plan.MaxLabels {
		d.Config.Labels = append(d.Config.Labels, l.Name)
	}
}

// addFinding records what lint says, while there is room.
func addFinding(c *plan.Config, f plan.Finding) {
	if len(c.Findings) < plan.MaxFindings {
		c.Findings, c.Problems = append(c.Findings, f), append(c.Problems, f.String())
	}
}

// Asks is what a program lets a user choose from.
type Asks struct {
	Offer menu.Offer
	// Valid says why a choice's password is not the right one.
	Valid func(menu.Choice) error
	// Choose is what boots by a choice, which has to be valid.
	Choose func(ctx context.Context, c menu.Choice) (*Decision, error)
}

// oneMenu is a menu whose entries, which are called that, boot; nil where it
// can't be shown.
func oneMenu(m menu.Menu, called string, choose func(ctx context.Context, entry int) (*Decision, error)) *Asks {
	a := &Asks{Offer: menu.Offer{Menus: []menu.Menu{m}}, Valid: func(menu.Choice) error { return nil }}
	if a.Offer.Check() != nil { // there are too many entries
		return nil
	}
	a.Choose = func(ctx context.Context, c menu.Choice) (*Decision, error) {
		if e := a.Offer.At(c); e == nil || e.Kind != menu.Boots || c.Line != "" {
			return &Decision{}, &Error{plan.StageBoot, fmt.Errorf("what was chosen is no %s that boots", called), true}
		}
		return choose(ctx, c.Entry)
	}
	return a
}

// Error is why nothing boots.
type Error struct {
	Stage  plan.Stage
	Err    error
	Wanted bool // what somebody asks for can't be
}

func (e *Error) Error() string { return string(e.Stage) + ": " + e.Err.Error() }

func (e *Error) Unwrap() error { return e.Err }

// RunsIPXE says whether iPXE is the boot program.
func (m *Machine) RunsIPXE() bool {
	if m.Program != "" {
		return m.Program == plan.IPXE
	}
	return m.First != nil || namesScript(m.Lease.BootFile)
}

// ipxeFirst is iPXE, and PXELINUX where it boots nothing. A server that is silent
// may be slow, and then PXELINUX's configuration is not what the lab wants.
func ipxeFirst(ctx context.Context, m Machine, open Opener) (*Decision, error) {
	x := newScript(m, open)
	d, err := x.run(ctx, m.Label, nil)
	failed, _ := errors.AsType[*Error](err)
	if err == nil || failed != nil && failed.Wanted || m.Program != "" || x.unanswered != nil || ctx.Err() != nil {
		return d, err
	}
	if m.First != nil {
		m.Lease = *m.First
	}
	instead, otherErr := PXELINUX(ctx, m, open)
	if otherErr != nil {
		return d, err
	}
	instead.Boot.Warnings = append(instead.Boot.Warnings, fmt.Sprintf("iPXE boots nothing: %v; this is PXELINUX's configuration", err))
	return instead, nil
}

// Decide says what boots. The lease's boot file names the program, or its
// content does where the name says nothing and no configuration is found. Labs
// that name GRUB or iPXE and keep a pxelinux.cfg have always booted by that, and
// still do.
func Decide(ctx context.Context, m Machine, open Opener) (*Decision, error) {
	if m.RunsIPXE() {
		return ipxeFirst(ctx, m, open)
	}
	if m.Program == plan.PXELINUX {
		return PXELINUX(ctx, m, open)
	}
	if m.Program == plan.GRUB {
		return GRUB(ctx, m, open)
	}
	file := m.Lease.BootFile
	var first *Decision
	var noConfig error
	if named := NamesGRUB(file); named || namesEFI(file) {
		d, err := runGRUB(ctx, m, open, named)
		if d != nil && !errors.Is(err, grub.ErrNoConfig) {
			return d, err
		}
		first, noConfig = d, err
	}
	d, err := PXELINUX(ctx, m, open)
	switch {
	case first != nil:
		d.Config.Tried = append(first.Config.Tried, d.Config.Tried...)
		if errors.Is(err, pxelinux.ErrNoConfig) {
			return d, &Error{Stage: plan.StageConfig, Err: fmt.Errorf("%w, and %w", errors.Unwrap(noConfig), errors.Unwrap(err))}
		}
		d.Boot.Warnings = append([]string{fmt.Sprintf("the boot file %s is GRUB, and the server has no grub.cfg: PXELINUX's configuration counts", file)}, d.Boot.Warnings...)
	case errors.Is(err, pxelinux.ErrNoConfig) && file != "" && !namesPXELINUX(file) && !namesEFI(file):
		head := headOf(ctx, m, open)
		if !IsIPXE(file) && ipxe.IsScript(head) {
			return iPXE(ctx, m, open)
		}
		if !IsIPXE(file) && bytes.Contains(head, []byte("PXE->EB:")) {
			return d, unnamedIPXE(file, errors.Unwrap(err))
		}
		if other, otherErr := runGRUB(ctx, m, open, false); other != nil {
			other.Config.Tried = append(d.Config.Tried, other.Config.Tried...)
			return other, otherErr
		}
	}
	return d, err
}
