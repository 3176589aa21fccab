package boot

import (
	"context"
	"net/netip"
	"net/url"
	"os"
	"sync"

	"github.com/gopxeboot/gopxeboot/dhcpclient"
	"github.com/gopxeboot/gopxeboot/internal/check"
	"github.com/gopxeboot/gopxeboot/internal/check/probe"
	"github.com/gopxeboot/gopxeboot/internal/fault"
	"github.com/gopxeboot/gopxeboot/internal/fetch"
	"github.com/gopxeboot/gopxeboot/internal/ipxe"
	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/internal/program"
	"github.com/gopxeboot/gopxeboot/internal/session"
	"github.com/gopxeboot/gopxeboot/internal/verify"
)

// pipeline is one task on its way through the stages. Each stage fills its part of
// the answer.
type pipeline struct {
	session.Answer
	child *session.Child // nil where there is none
	say   session.Say
	files fetch.Client
	open  program.Opener
	held  fetch.Holds
	gate  gate
	first *dhcpclient.Lease // the ROM's, where it names an iPXE; else nil
	check *verify.Checker
	// unresolved is why the next-server's name could not be looked up; nil where it
	// could, or is none.
	unresolved error
	// cached says that the parent has a cache. What it has of unusable is another
	// file, and can't be removed.
	cached   bool
	unusable []verify.Digest
	// unknown has the names that DNS has no address of, as check.Name.
	unknown sync.Map
	// asked is what servers did when a boot program asked for configurations, as
	// plan.Try by their URLs.
	asked sync.Map
	// lint is the configuration with lint's findings, which a boot has no use for
	// until it fails; nil where p.Plan has them.
	lint    func(context.Context) plan.Config
	linting sync.Mutex
	// given are the options that name a kernel or an initrd in the place of the
	// configuration's.
	given map[plan.Stage]string
	// unverified is the first file of those that decide what boots which is not
	// what it has to be.
	unverified error
}

// child is what the child process does. It returns the process's exit status.
func child() int {
	return session.Serve(func(ctx context.Context, c *session.Child) (session.Answer, error) {
		p := &pipeline{Answer: session.Answer{Plan: plan.New()}, child: c, say: c.Say}
		p.files.Names = new(fetch.Names)
		if c.Local {
			p.files.Local = func(_ context.Context, name string) (*os.File, error) { return c.Open(name) }
		}
		var t tasks
		err := c.Receive(&t)
		if err == nil {
			err = t.run(ctx, p)
		}
		return p.Answer, err
	})
}

// fetchAs makes p.files what downloads as the guest with that lease.
func (p *pipeline) fetchAs(f *firmware, t *Transfer, l *dhcpclient.Lease) error {
	p.files.DNS, p.files.Domain = l.DNS, l.Domain
	nextServer := l.NextServer
	if r := p.child.Reach; r != nil && r.OfVM && f.Server.IsValid() {
		nextServer = netip.Addr{} // the VM's, and not the lease's
	}
	return p.prepare(t, nextServer)
}

// fetchAsProgram is fetchAs for what a boot program asks for.
func (p *pipeline) fetchAsProgram(f *firmware, t *Transfer, m *program.Machine) error {
	p.files.Fallback, p.files.SysAppend = m.Lease.NextServer, m.Host().SysAppend()
	if m.RunsIPXE() {
		p.files.UserAgent, p.files.SysAppend = agentOfIPXE, nil
	}
	return p.fetchAs(f, t, &m.Lease)
}

const agentOfIPXE = "iPXE/" + ipxe.Version + " gopxeboot"

// prepare makes p.files what every download needs.
func (p *pipeline) prepare(t *Transfer, nextServer netip.Addr) error {
	p.files.Servers = new(fetch.Servers)
	p.files.Refuse = p.child.Reach.Refuse(nextServer)
	p.files.Warn = p.say.Warn
	p.files.LookedUp = func(l fetch.Lookup) {
		if !l.Address.IsValid() {
			p.unknown.Store(l.Name, probe.NameOf(l))
		}
	}
	if err := t.apply(&p.files); err != nil {
		return fault.New(fault.Usage, "https", err, "")
	}
	return p.verifyAs(t)
}

// unknownName is what came of looking up the server in a URL; nil where it has an address.
func (p *pipeline) unknownName(link string) []check.Name {
	u, err := url.Parse(link)
	if err != nil {
		return nil
	}
	n, _ := p.unknown.Load(u.Hostname())
	if n, ok := n.(check.Name); ok {
		return []check.Name{n}
	}
	return nil
}

// confine gives up everything that the rest needs no more.
func (p *pipeline) confine(ctx context.Context) error {
	p.files.RootCAs = systemRoots() // the last look at a file
	if err := p.child.Confine(); err != nil {
		return fault.In(ctx, fault.Own, "sandbox", err, "")
	}
	return nil
}
