package program

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/gopxeboot/gopxeboot/dhcpclient"
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
	Wanted
}

// Wanted is what somebody asks for instead of what the lab says. Zero values
// leave it to the lab.
type Wanted struct {
	Label           string            // boot this entry; of iPXE's menus, or those that lead to it: a/b
	Program         Name              // instead of the one that the boot file names
	Set             map[string]string // iPXE's settings, by NAME or NAME:TYPE
	ConfigDir       string            // instead of pxelinux.cfg
	Kernel, Ramdisk string            // instead of the entry's: as in a configuration, or a URL

	// NoLint leaves Config.Problems and Findings out: a boot has no use for
	// them, and they cost 60 ms a MiB.
	NoLint bool
}

// MaxConfig bounds one configuration file, in bytes. The largest that anybody
// writes by program is a few hundred KiB.
const MaxConfig = 4 << 20

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

	// NotFound is what boots when the server does not have a file of Boot; nil
	// only with an error.
	NotFound func(context.Context) (*Decision, error)
	// Entry is what boots when somebody picks an entry by its name; nil without
	// a configuration.
	Entry func(ctx context.Context, name string) (*Decision, error)
}

// Error is why nothing boots.
type Error struct {
	Stage  plan.Stage
	Err    error
	Wanted bool // what somebody asks for can't be
}

func (e *Error) Error() string { return string(e.Stage) + ": " + e.Err.Error() }

func (e *Error) Unwrap() error { return e.Err }

// Decide says what boots. The lease's boot file names the program. Where iPXE
// boots nothing, PXELINUX's search follows: labs name an iPXE program and keep a
// pxelinux.cfg beside it. Where no configuration of PXELINUX's is found, and the
// boot file is not known by its name, its first bytes decide.
func Decide(ctx context.Context, m Machine, open Opener) (*Decision, error) {
	file := m.Lease.BootFile
	if !m.RunsIPXE() {
		d, err := run(ctx, NamePXELINUX, PXELINUX, m, open)
		if !errors.Is(err, pxelinux.ErrNoConfig) || m.Program != "" || file == "" || strings.Contains(file, "pxelinux") || IsIPXE(file) || !beginsScript(ctx, m, open) {
			return d, err
		}
		return run(ctx, IPXE, iPXE, m, open)
	}
	d, err := run(ctx, IPXE, iPXE, m, open)
	failed, _ := errors.AsType[*Error](err)
	if err == nil || failed != nil && failed.Wanted || m.Program != "" || ctx.Err() != nil {
		return d, err
	}
	if m.First != nil {
		m.Lease = *m.First
	}
	instead, otherErr := run(ctx, NamePXELINUX, PXELINUX, m, open)
	if otherErr != nil {
		return d, err
	}
	instead.Boot.Warnings = append(instead.Boot.Warnings, fmt.Sprintf("iPXE boots nothing: %v; this is PXELINUX's configuration", err))
	return instead, nil
}

// RunsIPXE says whether iPXE is the boot program.
func (m *Machine) RunsIPXE() bool {
	return cmp.Or(m.Program, Of(m.Lease.BootFile)) == IPXE || m.Program == "" && m.First != nil
}

// run is a program's decision, with its name in it.
func run(ctx context.Context, name Name, p Program, m Machine, open Opener) (*Decision, error) {
	d, err := p(ctx, m, open)
	if d.Config.URL != "" {
		d.Boot.Program = string(name)
	}
	return d, err
}
