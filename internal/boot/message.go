package boot

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"time"

	"github.com/gopxeboot/gopxeboot/dhcpclient"
	"github.com/gopxeboot/gopxeboot/internal/check"
	"github.com/gopxeboot/gopxeboot/internal/check/probe"
	"github.com/gopxeboot/gopxeboot/internal/console"
	"github.com/gopxeboot/gopxeboot/internal/fault"
	"github.com/gopxeboot/gopxeboot/internal/guest"
	"github.com/gopxeboot/gopxeboot/internal/install"
	"github.com/gopxeboot/gopxeboot/internal/kernel"
	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/internal/program"
)

// task is what the parent asks of the child: who the guest is, how its network
// may be used, and one job. It has no more of the Request than that takes.
type task struct {
	MAC      net.HardwareAddr
	UUID     string
	ROM      dhcpclient.ROM
	Timing   Timing
	Server   netip.Addr // instead of the lease's
	BootFile string     // instead of the lease's
	Wanted   program.Wanted
	Guest    kernel.Guest // who is to boot the kernel
	Force    bool         // also what it can't boot
	OfVM     bool         // a VM's fields name the server
	Transfer Transfer

	Bridge   string // and VLAN, for messages
	Deadline time.Time
	Leases   bool     // asks for a lease first
	Dom0     bool     // was asked to use dom0's network
	Hosts    []string // that the command line names
	Reach    *reach   // of the network, where it is dom0's
	Local    bool     // the parent opens the files of dom0's that were named
	Pcap     int      // which of the files the packet capture is, counted from 1; 0 for none

	// The job; without one of these it is to decide what boots.
	Look       *Look
	Repository *install.Repository
	URLs       []string
	Download   bool // what boots, too

	MaxKernel, MaxInitrd int64 // bytes
}

// task is the child's part of a request. What depends on the network is left to
// whoever knows it.
func (r *Request) task() task {
	return task{
		MAC: r.MAC, UUID: r.UUID, ROM: r.ROM, Timing: r.Timing, Server: r.Server, BootFile: r.BootFile,
		Wanted: r.Wanted, Force: r.Force, OfVM: r.OfVM, Transfer: r.Transfer,
		Guest:  kernel.Guest{Type: r.Type, Host: kernel.ThisHost(), Xen: probe.XenRelease(), Direct: r.Format.Direct()},
		Leases: r.leases(), Dom0: r.Net == guest.Dom0, Hosts: r.hosts(),
		Look: r.Look, Repository: r.Repository, URLs: r.URLs, MaxKernel: r.MaxKernel, MaxInitrd: r.MaxInitrd,
	}
}

// answer is one message of the child: exactly one of Line, Configure, Resolve
// and Plan is set. Plan is the last one, and the fields behind it belong to it.
type answer struct {
	Line      *line        `json:",omitempty"`
	Configure *configure   `json:",omitempty"`
	Resolve   string       `json:",omitempty"` // a host's name, for who downloads as dom0
	Plan      *plan.Plan   `json:",omitempty"`
	Facts     *check.Facts `json:",omitempty"` // of Check
	Downloads []Download   `json:",omitempty"` // of Get
	Failure   *failure     `json:",omitempty"`
}

// configure asks the parent for an address and an MTU on the child's interface.
type configure struct {
	Address netip.Prefix
	Router  netip.Addr
	MTU     int // 0 for none
}

// resolved is the parent's answer to Resolve.
type resolved struct {
	Address netip.Addr
	Error   string
}

// line is something for a person to read.
type line struct {
	Level    console.Level
	Warn     bool
	Text     string
	Progress *progress `json:",omitempty"` // instead of Text
}

// progress is how far the downloads are.
type progress struct {
	Done, Total int64 // bytes; Total is -1 while it is not known
	Took        time.Duration
}

func (l *line) print(con *console.Console) {
	switch {
	case l.Progress != nil:
		con.Progress(l.Progress.Done, l.Progress.Total, l.Progress.Took)
	case l.Warn:
		con.Warn(l.Text)
	case l.Level >= console.Verbose:
		con.Detail(l.Text)
	default:
		con.Stage(l.Text)
	}
}

// failure is an Error on its way from the child to the parent.
type failure struct {
	Code      fault.Code
	Stage     plan.Stage
	Text, Try string
}

func newFailure(err error) *failure {
	if err == nil {
		return nil
	}
	var e *fault.Error
	if !errors.As(err, &e) {
		e = &fault.Error{Code: fault.CodeOf(err), Stage: "boot", Err: err}
	}
	return &failure{e.Code, e.Stage, cut(e.Err.Error()), cut(e.Try)}
}

// cut keeps a line within what can always be told (guest.Child.SendLast), also
// where JSON makes six bytes of one.
func cut(text string) string {
	const most = 4 << 10
	if len(text) <= most {
		return text
	}
	return text[:most] + "..."
}

// err is the Error again. When the parent was cancelled, that is the reason
// for whatever the child ran into.
func (f *failure) err(ctx context.Context) error {
	if f == nil {
		return nil
	}
	if f.Code == fault.Done { // a child that was taken over can claim anything
		f.Code = fault.Own
	}
	return fault.In(ctx, f.Code, f.Stage, errors.New(f.Text), f.Try)
}
