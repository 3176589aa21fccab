package boot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/fault"
	"github.com/gopxeboot/gopxeboot/internal/fetch"
	"github.com/gopxeboot/gopxeboot/internal/guest"
	"github.com/gopxeboot/gopxeboot/internal/install"
	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/internal/printable"
	"github.com/gopxeboot/gopxeboot/pxelinux"
	"golang.org/x/sys/unix"
)

// leases says whether the child asks for a lease: not for dom0's own files, and
// not when it is to download as dom0, as xenpvnetboot did.
func (r *Request) leases() bool {
	return r.Repository == nil || r.Net != guest.None && r.Net != guest.Dom0
}

// asksDom0 says whether the child may have names resolved by its parent.
func (r *Request) asksDom0() bool { return !r.leases() && r.Net == guest.Dom0 }

// install finds what boots, and fetches it.
func (p *pipeline) install(ctx context.Context, resultFile func(int) *os.File) error {
	r := p.task.Repository
	p.files.Images = fetch.NewImages(ctx) // else each name would open the image again
	defer p.files.Images.Close()
	begin := time.Now()
	found, err := r.Find(ctx, p.files, p.lookFirst)
	p.found(found)
	for _, try := range p.plan.Config.Tried {
		p.detail("location: %s: %s (%.1f ms)", try.URL, try.Result, try.Millis)
	}
	if err != nil {
		return fault.In(ctx, fault.NoConfig, "location", err, p.task.adviceFor(err))
	}
	p.stage("location: kernel %s, ramdisk %s (%d names asked for, %s)", printable.WithoutPassword(found.Kernel), cmp.Or(printable.WithoutPassword(found.Ramdisk), "none"), len(found.Tried), took(begin))
	if p.plan.Args != "" {
		p.stage("boot: %s", p.plan.Args)
	}
	if !p.task.Download {
		return nil
	}
	boot := &plan.Boot{Kernel: found.Kernel}
	if found.Ramdisk != "" {
		boot.Initrds = []string{found.Ramdisk}
	}
	return p.fetchBoth(ctx, boot, resultFile(0), resultFile(1))
}

func (t *task) adviceFor(err error) string {
	switch {
	case t.Dom0 && errors.Is(err, unix.ENETUNREACH):
		return "dom0 has no route there: say the guest's mac=00:16:3e:xx:xx:xx,bridge=xenbr0, and DHCP gives it one"
	case errors.Is(err, fetch.ErrLogin):
		return "USER:PASSWORD@ goes before the host"
	case errors.Is(err, install.ErrNothing):
		return "--kernel and --ramdisk name the files"
	case errors.Is(err, fetch.ErrTimeout), errors.Is(err, fetch.ErrNoServer):
		return "see that the server is up and can be reached as the guest"
	}
	return ""
}

// found records what boots there.
func (p *pipeline) found(found install.Found) {
	r := p.task.Repository
	p.plan.Location = r.Location.String()
	p.plan.Config.Tried = append(p.plan.Config.Tried, found.Tried...)
	if found.Kernel == "" {
		return
	}
	p.plan.Outcome, p.plan.Kernel = pxelinux.Linux, printable.WithoutPassword(found.Kernel)
	if found.Ramdisk != "" {
		p.plan.Initrds = []string{printable.WithoutPassword(found.Ramdisk)}
	}
	p.plan.SetArgs(strings.TrimSpace(found.Args + " " + r.Args))
}

// withoutLease is install in dom0's network, as xenpvnetboot did, or in none.
func (p *pipeline) withoutLease(ctx context.Context, c *guest.Child) error {
	if p.task.Dom0 {
		p.files.Resolve = p.askDom0(c)
		// Dom0 itself resolves these: what comes of it was named, too.
		for _, host := range p.task.Hosts {
			if _, err := netip.ParseAddr(host); err == nil {
				continue
			}
			if a, err := p.files.Resolve(ctx, host); err == nil {
				p.task.Reach.Named = append(p.task.Reach.Named, a.Unmap())
			}
		}
	}
	if err := p.prepare(netip.Addr{}); err != nil {
		return err
	}
	return p.install(ctx, c.File)
}

// askDom0 has the parent resolve names: the child has neither dom0's files nor
// a lease that names DNS servers.
func (p *pipeline) askDom0(c *guest.Child) func(context.Context, string) (netip.Addr, error) {
	var asking sync.Mutex
	known := make(map[string]netip.Addr)
	return func(_ context.Context, host string) (netip.Addr, error) {
		asking.Lock()
		defer asking.Unlock()
		if a, ok := known[host]; ok {
			return a, nil
		}
		var r resolved
		if err := p.send(answer{Resolve: host}); err != nil {
			return netip.Addr{}, err
		}
		if err := c.Receive(&r); err != nil {
			return netip.Addr{}, err
		}
		if r.Error != "" {
			return netip.Addr{}, errors.New(r.Error)
		}
		known[host] = r.Address
		return r.Address, nil
	}
}

// resolveForChild asks as dom0, which knows /etc/hosts too.
func resolveForChild(ctx context.Context, host string) resolved {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	a, err := resolveAsDom0(ctx, host)
	if err != nil {
		return resolved{Error: fmt.Sprintf("can't resolve %s: %v", printable.Text(host), err)}
	}
	return resolved{Address: a}
}
