// Package session is the parent and the child of one job on the guest's network:
// Run and its conversation are the parent's side, Serve and Child the child's.
// The child may ask for one address, for names where it downloads as dom0, for
// files of dom0's that were named and of the cache, and for a choice from its
// menu; nothing else.
package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/check"
	"github.com/gopxeboot/gopxeboot/internal/console"
	"github.com/gopxeboot/gopxeboot/internal/domain"
	"github.com/gopxeboot/gopxeboot/internal/fault"
	"github.com/gopxeboot/gopxeboot/internal/guest"
	"github.com/gopxeboot/gopxeboot/internal/handover"
	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/internal/printable"
	"github.com/gopxeboot/gopxeboot/internal/wire"
	"github.com/gopxeboot/gopxeboot/xenout"
)

// Network is the guest's network, and what dom0 knows of it.
type Network struct {
	MAC    net.HardwareAddr // the guest's; nil when unknown
	Bridge string           // "" is xenbr0, or the only bridge there is
	VLAN   uint16           // where the guest is on the bridge; 0 for no VLAN
	Net    guest.Net

	// Unreachable is why its network can't be reached from here; nil if it can.
	Unreachable *xenout.NetworkError

	// Host tells which domains run; nil is not to ask. Domid is the one that is
	// being created, 0 when it is not known.
	Host  *domain.Host
	Domid int

	// OfVM says that the options are made of a VM's fields, which others than
	// dom0's root may write: what they name in dom0's network is not asked for
	// that reason. Server is who is asked instead of the lease's next-server.
	OfVM   bool
	Server netip.Addr

	Pcap *os.File // a packet capture of DHCP; nil for none
}

// Spec is what a child is given, besides its job.
type Spec struct {
	Network
	Leases bool // it acts as the guest and asks for a lease
	RunAs  int  // the child's uid; 0 is one that is not used

	Files   []*os.File // that it may write
	MaxFile int64      // bytes, of each
	Open    func(name string) (*os.File, error)
	Hosts   []string // servers by name or address, that the command line names
	Survey  *guest.Survey

	// Seen is told what a look has seen so far, after each step; nil for no one.
	Seen func(Answer)

	// Person is who is asked what to boot; nil for no one.
	Person *Person

	// Leave is for a boot: it takes the guest's port, by its index, and says
	// whether that will be removed while we go on. Who only looks has none.
	Leave func(port int) bool
}

// Run has a child do a job, which is one message for it, and answers what it asks.
// There is a plan also with an error, with what is known by then.
func Run(ctx context.Context, s Spec, job any, con *console.Console) (Answer, error) {
	known := Answer{Plan: plan.New()}
	t := terms{AsDom0: !s.Leases && s.Net == guest.Dom0, Hosts: s.Hosts, Local: s.Open != nil, Brief: s.Leave != nil}
	if s.OfVM {
		t.Hosts = nil
	}
	if s.Pcap != nil {
		s.Files = append(slices.Clone(s.Files), s.Pcap)
		t.Pcap = len(s.Files)
		watched, stop := handover.WatchFile(ctx, "pcap", s.Pcap, wire.MaxFile)
		defer stop()
		ctx = watched
	}
	if err := s.Reachable(); err != nil {
		return known, err
	}
	network, runs, err := s.settle(ctx, con)
	if err != nil {
		return known, err
	}
	why := ""
	if runs != nil {
		why = whoHas(runs) + ": a port of our own would take its traffic"
	}
	spec := guest.Spec{
		MAC: s.MAC, Bridge: s.Bridge, VLAN: s.VLAN, Net: network, RunAs: s.RunAs,
		Files: s.Files, MaxFile: uint64(s.MaxFile), Survey: s.Survey, Open: s.Open,
	}
	if !s.Leases {
		spec.MAC = nil
	}
	life, cancel := withGrace(ctx, reportGrace)
	defer cancel()
	g, err := guest.Start(life, spec)
	if err != nil {
		return known, notStarted(ctx, err)
	}
	if s.Leave != nil && g.Port() != 0 && s.Leave(g.Port()) {
		defer g.Leave()
	} else {
		defer g.Close()
	}
	known.Plan.Net = string(g.Net)
	seen := func(f *check.Facts) {
		if s.Seen != nil {
			s.Seen(Answer{Plan: known.Plan, Runs: runs, Facts: f})
		}
	}
	seen(new(check.Facts))
	t.Where = tellNetwork(g, s.MAC, why, con)
	if s.Survey != nil && s.Pcap != nil && g.Net == guest.Dom0 {
		// All of dom0's frames there are not for the child.
		recorder, err := wire.Record(g.Bridge, s.Pcap)
		if err != nil {
			return known, fault.In(ctx, fault.Own, "pcap", err, "")
		}
		defer func() {
			if err := recorder.Stop(); err != nil {
				con.Warn(err.Error())
			}
		}()
	}
	t.Deadline, _ = ctx.Deadline()
	if g.Net == guest.Dom0 {
		if t.Reach, err = s.reach(g); err != nil {
			return known, fault.In(ctx, fault.Own, "network", err, "")
		}
	}
	for _, message := range []any{t, job} {
		if err := g.Send(message); err != nil {
			return known, fault.In(ctx, fault.Own, "network", err, "")
		}
	}
	c := conversation{guest: g, names: t.AsDom0, person: s.Person, seen: seen, con: con}
	done, err := c.run(ctx, life)
	if done.Plan == nil {
		return known, err
	}
	done.Plan.Net, done.Runs = known.Plan.Net, runs
	return done, err
}

// Reachable says why the guest's network can't be reached from here.
func (s *Spec) Reachable() error {
	if s.Unreachable == nil || !s.Leases {
		return nil
	}
	return fault.New(fault.Usage, "network", s.Unreachable, s.Unreachable.Try)
}

// notStarted is why there is no child.
func notStarted(ctx context.Context, err error) error {
	code, try := fault.Own, ""
	down, isDown := errors.AsType[*guest.DownError](err)
	switch {
	case errors.Is(err, guest.ErrNoBridge):
		code = fault.Usage
		if _, port := errors.AsType[*guest.PortError](err); !port {
			try = "name the guest's bridge in its vif, bridge=NAME"
		}
	case isDown:
		try = fmt.Sprintf("ip link set %s up", down.Name)
	case errors.Is(err, guest.ErrClaimed):
		try = "wait until that one has ended, or end it"
	case errors.Is(err, os.ErrPermission):
		try = "run as root"
	}
	return fault.In(ctx, code, "network", err, try)
}

// tellNetwork says which network it is, and why, and returns where the guest is
// on it.
func tellNetwork(g *guest.Guest, mac net.HardwareAddr, why string, con *console.Console) (where string) {
	if !guest.Filtered {
		con.Warn("network: on " + runtime.GOARCH + " the process that reads from it is not kept from system calls: see SECURITY.md")
	}
	where = g.Bridge
	if g.VLAN != 0 {
		where = fmt.Sprintf("%s, VLAN %d", where, g.VLAN)
	}
	switch {
	case g.Net == guest.None:
		con.Detail("network: none, as all files are dom0's")
	case where == "":
		con.Detail("network: dom0's own, and no DHCP")
	case g.Net == guest.Dom0 && cmp.Or(why, g.Why) != "": // it was not asked for
		con.Stage(fmt.Sprintf("network: dom0's own, with DHCP on %s: %s", where, cmp.Or(why, g.Why)))
	default:
		con.Detail(fmt.Sprintf("network: --net %s on %s%s", g.Net, where, because(g.Why)))
	}
	if g.Seen != "" {
		con.Warn(fmt.Sprintf("network: %s was seen on port %s of %s: if another machine has it, both lose frames", mac, g.Seen, g.Bridge))
	}
	return where
}

// maxNames is how many names dom0 resolves for one child, which asks once for each.
const maxNames = 256

// conversation is what a child asks its parent for until it says how it ended.
type conversation struct {
	guest  *guest.Guest
	names  bool    // it may ask for names, as it downloads as dom0
	person *Person // it may ask for a choice; nil for not
	seen   func(*check.Facts)
	con    *console.Console

	configured bool
	resolved   int
	asks       *asking
}

// run answers the child until it says how it ended: that answer has a plan, and its
// error is the child's. life is how long it is listened to.
func (c *conversation) run(ctx, life context.Context) (Answer, error) {
	defer func() { c.asks.end() }()
	for {
		a, err := receive(life, c.guest)
		ended := false
		if err == nil {
			ended, err = c.answer(ctx, &a)
		}
		if _, ours := errors.AsType[*fault.Error](err); err != nil && !ours {
			err = fault.In(ctx, fault.Own, "network", err, "")
		}
		switch {
		case err != nil:
			return Answer{}, err
		case ended:
			a.Answer.Facts = (*check.Facts)(a.Facts)
			return a.Answer, a.Failure.err(ctx)
		}
	}
}

// answer does what one message asks for, and says whether it is the last one.
func (c *conversation) answer(ctx context.Context, a *answer) (last bool, err error) {
	switch {
	case a.Line != nil:
		Print(c.con)(*a.Line)
	case a.Configure != nil:
		err := configureOnce(c.guest, a.Configure, &c.configured)
		if router, ok := errors.AsType[*guest.RouterError](err); ok {
			// A machine with that lease has no usable router either, and
			// boots from what is on its own network.
			c.con.Warn(fmt.Sprintf("dhcp: %v; only %s is reached: correct option 3 (routers) in the DHCP server", router, a.Configure.Address.Masked()))
			err = nil
		}
		if err != nil {
			return false, fault.In(ctx, fault.NoLease, "dhcp", err, "")
		}
		return false, c.guest.Send(struct{}{})
	case a.Resolve != "" && c.names:
		if c.resolved++; c.resolved > maxNames {
			return false, fmt.Errorf("the guest's process asks for more than %d names", maxNames)
		}
		return false, c.guest.Send(resolveForChild(ctx, a.Resolve))
	case a.Offer != nil && c.asks.over():
		asks, err := c.person.ask(ctx, c.guest, a.Offer, c.asks, c.con)
		c.asks = asks
		return false, err
	case a.Checked != nil && c.asks != nil:
		c.asks.answered(*a.Checked)
	case a.Seen != nil:
		c.seen((*check.Facts)(a.Seen))
	case a.Complete:
		c.asks.completed()
	case a.Plan != nil:
		return true, nil
	default:
		return false, errors.New("the guest's process sent a message that says nothing")
	}
	return false, nil
}

// reportGrace is how long after the deadline a child may say how it ended: it gives up
// reportTime before that, but a machine with much to do may let it run later.
const reportGrace = 2 * time.Second

// withGrace is a context that ends as ctx does, but so much later where that is by
// its deadline.
func withGrace(ctx context.Context, grace time.Duration) (context.Context, context.CancelFunc) {
	later, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		cause := context.Cause(ctx)
		if errors.Is(cause, context.DeadlineExceeded) {
			select {
			case <-later.Done():
			case <-time.After(grace):
			}
		}
		cancel(cause)
	})
	return later, func() { stop(); cancel(context.Canceled) }
}

// receive takes the child's next message, and waits no longer for it than
// there is time: a child that was taken over may have left a process behind
// that holds our pipe open.
func receive(ctx context.Context, g *guest.Guest) (answer, error) {
	type received struct {
		answer
		err error
	}
	done := make(chan received, 1)
	go func() {
		var r received
		r.err = g.Receive(&r.answer)
		done <- r
	}()
	select {
	case r := <-done:
		return r.answer, r.err
	case <-ctx.Done():
		return answer{}, context.Cause(ctx)
	}
}

// configureOnce gives the child the address that it says it has leased. One
// that was taken over can ask for any, but only once and only for one that a
// guest can have.
func configureOnce(g *guest.Guest, c *configure, done *bool) error {
	if *done {
		return errors.New("the guest's process asks for a second address")
	}
	*done = true
	if a := c.Address; !guest.Usable(a.Addr()) || a.Bits() < 1 {
		return fmt.Errorf("the leased address %s is none that a guest can have", a)
	}
	if r := c.Router; r.IsValid() && !guest.Usable(r) {
		return fmt.Errorf("the router's address %s is none that a machine can have", r)
	}
	return g.Configure(c.Address, c.Router, c.MTU)
}

func because(why string) string {
	if why == "" {
		return ""
	}
	return ": " + why
}

// resolveForChild asks as dom0, which knows /etc/hosts too.
func resolveForChild(ctx context.Context, host string) resolved {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	a, err := Resolve(ctx, host)
	if err != nil {
		return resolved{Error: fmt.Sprintf("can't resolve %s: %v", printable.Text(host), err)}
	}
	return resolved{Address: a}
}

// Resolve asks as dom0.
func Resolve(ctx context.Context, host string) (netip.Addr, error) {
	list, err := net.DefaultResolver.LookupNetIP(ctx, "ip4", host)
	if err != nil {
		return netip.Addr{}, plainly(err)
	}
	return list[0].Unmap(), nil
}

// plainly is package net's error without its words about a lookup, and without
// the name, which the caller says.
func plainly(err error) error {
	e, ok := errors.AsType[*net.DNSError](err)
	switch {
	case errors.Is(err, context.DeadlineExceeded) || ok && e.IsTimeout && e.Server == "":
		return errors.New("no answer from dom0's DNS")
	case !ok:
		return err
	case e.IsTimeout:
		return fmt.Errorf("no answer from DNS server %s", e.Server)
	case e.IsNotFound && e.Server == "": // dom0's files say so
		return errors.New("there is no such name")
	case e.IsNotFound:
		return fmt.Errorf("there is no such name, says DNS server %s", e.Server)
	case e.Server == "":
		return errors.New(e.Err)
	}
	// Package net puts the socket's addresses before what went wrong.
	return fmt.Errorf("DNS server %s: %s", e.Server, strings.TrimSpace(e.Err[strings.LastIndex(e.Err, ": ")+1:]))
}
