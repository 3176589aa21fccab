package program

import (
	"context"
	"io"
	"net"

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
	Wanted
}

// Wanted is what somebody asks for instead of what the lab says. Zero values
// leave it to the lab.
type Wanted struct {
	Label           string // boot this entry
	ConfigDir       string // instead of pxelinux.cfg
	Kernel, Ramdisk string // instead of the entry's: as in a configuration, or a URL

	// NoLint leaves Config.Problems and Findings out: a boot has no use for
	// them, and they cost 60 ms a MiB.
	NoLint bool
}

// MaxConfig bounds one configuration file, in bytes: PXELINUX's limit of all
// together. An Opener's error for a larger one wraps pxelinux.ErrTooLarge.
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

// Decide says what boots. The lease's boot file will name the program, when
// there is more than one.
func Decide(ctx context.Context, m Machine, open Opener) (*Decision, error) {
	return PXELINUX(ctx, m, open)
}
