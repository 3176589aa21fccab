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

	"github.com/gopxeboot/gopxeboot/internal/fetch"
	"github.com/gopxeboot/gopxeboot/internal/guest"
	"github.com/gopxeboot/gopxeboot/internal/location"
	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/internal/printable"
	"github.com/gopxeboot/gopxeboot/pxelinux"
	"golang.org/x/sys/unix"
)

// Repository is what boots where no PXELINUX configuration says it: an
// installer, from a location or from full URLs.
type Repository struct {
	Location location.Location // its zero value with full URLs
	Wanted   location.Wanted
	Args     string // after the installer's own, before the toolstack's
}

// NewRepository looks at what a person or XAPI wrote: a location, which may be
// "" when the kernel is a full URL. What it refuses is wrong in every network.
func NewRepository(text string, wanted location.Wanted) (*Repository, error) {
	r := &Repository{Wanted: wanted}
	if err := wanted.Check(); err != nil {
		return nil, err
	}
	if text != "" {
		var err error
		if r.Location, err = location.Parse(text, isDirectory); err != nil {
			return nil, err
		}
	}
	return r, errors.Join(r.named("--kernel", wanted.Kernel), r.named("--ramdisk", wanted.Ramdisk))
}

func (r *Repository) named(option, name string) error {
	if name == "" {
		return nil
	}
	if _, err := r.Location.File(name); err != nil {
		return fmt.Errorf("%s %w", option, err)
	}
	return nil
}

// urls are those that were written down: of the location, and of the files.
func (r *Repository) urls() (list []string) {
	if r.Location.Base != "" {
		list = append(list, r.Location.Base)
	}
	for _, name := range []string{r.Wanted.Kernel, r.Wanted.Ramdisk} {
		if name == "" || !location.IsFullURL(name) {
			continue
		}
		if u, err := r.Location.File(name); err == nil {
			list = append(list, u)
		}
	}
	return list
}

// network says whether any of it is on a server.
func (r *Repository) network() bool {
	for _, u := range r.urls() {
		if !strings.HasPrefix(u, "file://") {
			return true
		}
	}
	return false
}

// leases says whether the child asks for a lease: not for dom0's own files, and
// not when it is to download as dom0, as xenpvnetboot did.
func (r *Request) leases() bool {
	return r.Repository == nil || r.Net != guest.None && r.Net != guest.Dom0
}

// asksDom0 says whether the child may have names resolved by its parent.
func (r *Request) asksDom0() bool { return !r.leases() && r.Net == guest.Dom0 }

// shorten says where a command line that is too long comes from.
func (r *Request) shorten(p *plan.Plan) string {
	if r.Repository != nil {
		return "shorten --args"
	}
	return "shorten APPEND in " + p.Config.URL
}

// install finds what boots, and fetches it.
func (p *pipeline) install(ctx context.Context, resultFile func(int) *os.File) error {
	r := p.task.Repository
	p.files.Images = fetch.NewImages(ctx) // else each name would open the image again
	defer p.files.Images.Close()
	begin := time.Now()
	found, err := r.Location.Search(ctx, r.Wanted, site{p.files})
	r.record(p.plan, found)
	for _, try := range p.plan.Config.Tried {
		p.detail("location: %s: %s (%.1f ms)", try.URL, try.Result, try.Millis)
	}
	if err != nil {
		return fail(ctx, NoConfig, "location", err, p.task.adviceFor(err))
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
	case errors.Is(err, location.ErrNothing):
		return "--kernel and --ramdisk name the files"
	case errors.Is(err, fetch.ErrTimeout), errors.Is(err, fetch.ErrNoServer):
		return "see that the server is up and can be reached as the guest"
	}
	return ""
}

func (r *Repository) record(p *plan.Plan, found location.Found) {
	p.Location = r.Location.String()
	p.Config.Tried = append(p.Config.Tried, found.Tried...)
	if found.Kernel == "" {
		return
	}
	p.Outcome, p.Kernel = pxelinux.Linux, printable.WithoutPassword(found.Kernel)
	if found.Ramdisk != "" {
		p.Initrds = []string{printable.WithoutPassword(found.Ramdisk)}
	}
	p.SetArgs(strings.TrimSpace(found.Args + " " + r.Args))
}

// site looks at a location for package location.
type site struct{ files fetch.Client }

// Has opens the file and reads nothing. An empty one is as good as refused, as
// nothing boots it.
func (s site) Has(ctx context.Context, url string) (bool, error) {
	s.files.TFTP.WindowSize = 1 // else much of the file would be under way
	f, err := s.files.Open(ctx, url)
	if err != nil {
		return false, answered(err)
	}
	defer f.Close()
	if f.Size() == 0 {
		return false, refusal{fmt.Errorf("%s: %w", f.URL(), errEmpty)}
	}
	return true, nil
}

func (s site) Read(ctx context.Context, url string) ([]byte, error) {
	text, err := s.files.ReadAll(ctx, url, location.MaxTreeinfo)
	if errors.Is(err, fetch.ErrTooBig) {
		return nil, refusal{err}
	}
	return text, answered(err)
}

// answered is nil for "not there", and says which other errors are a server's
// answer to one name.
func answered(err error) error {
	switch {
	case errors.Is(err, fetch.ErrNotFound):
		return nil
	case errors.Is(err, fetch.ErrLogin):
		return err // no other name will be given either
	case errors.Is(err, fetch.ErrRefused):
		return refusal{err}
	}
	return err
}

// refusal is location.ErrRefused in the words of a server.
type refusal struct{ error }

func (r refusal) Unwrap() []error { return []error{location.ErrRefused, r.error} }

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
