package boot

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"

	"github.com/gopxeboot/gopxeboot/dhcpclient"
	"github.com/gopxeboot/gopxeboot/internal/console"
	"github.com/gopxeboot/gopxeboot/internal/fault"
	"github.com/gopxeboot/gopxeboot/internal/ipxe"
	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/internal/program"
	"github.com/gopxeboot/gopxeboot/internal/session"
	"github.com/gopxeboot/gopxeboot/pxelinux"
)

// Offline is Preview without a network: the lease is what the caller says,
// and dir is the root of the TFTP server at the lease's next-server, and of its
// web server. With config, that file is the configuration instead of what a search would find.
func Offline(ctx context.Context, o Options, lease *dhcpclient.Lease, dir, config string, con *console.Console) (*plan.Plan, error) {
	p := &pipeline{Answer: session.Answer{Plan: plan.New()}, say: session.Print(con)}
	o.describe(p.Plan)
	p.Plan.Lease = plan.NewLease(lease)
	f := o.firmware()
	m := f.machine(lease, o.Wanted)
	p.open = openTree(os.DirFS(dir), lease.NextServer)
	if program.IsIPXE(lease.BootFile) {
		p.say.Warn(fmt.Sprintf("%s is an iPXE, which would ask DHCP for a script: --bootfile SCRIPT names it", lease.BootFile))
	}
	if config != "" {
		absolute, err := filepath.Abs(config)
		if err != nil {
			return p.Plan, fault.New(fault.Usage, "config", err, "")
		}
		m.Lease.ConfigFile = "::" + absolute // an absolute name on the default server
		p.open = openInstead(pxelinux.SearchPath(m.Host())[0], absolute, p.open)
	}
	_, err := p.decide(ctx, m)
	if used := p.Plan.Boot.Program; config != "" && used != "" && used != plan.PXELINUX {
		err = fault.New(fault.Usage, "config", fmt.Errorf("%s was not read: the boot file %s is not PXELINUX's", config, lease.BootFile),
			"put it into "+dir+" by the name that the boot program asks for, and leave --config away")
	}
	return p.Plan, err
}

// openTree opens what a server has, by TFTP and by HTTP.
func openTree(tree fs.FS, server netip.Addr) program.Opener {
	open := pxelinux.OpenFS(tree, server)
	return func(ctx context.Context, link string) (io.ReadCloser, error) {
		u, err := url.Parse(link)
		if err != nil {
			return nil, err
		}
		host, _ := netip.ParseAddr(u.Hostname())
		switch web := u.Scheme == "http" || u.Scheme == "https"; {
		case host != server && !host.IsUnspecified(): // which is no next-server
			return nil, fmt.Errorf("%w: %s %w", pxelinux.ErrNotFound, link, ipxe.ErrElsewhere)
		case web:
			link = "tftp://" + server.String() + u.EscapedPath()
		}
		return open(ctx, link)
	}
}

// openInstead opens a file of dom0 where link is asked for.
func openInstead(link, file string, open program.Opener) program.Opener {
	return func(ctx context.Context, asked string) (io.ReadCloser, error) {
		if asked != link {
			return open(ctx, asked)
		}
		// To open a FIFO would block.
		if info, err := os.Stat(file); err != nil || !info.Mode().IsRegular() {
			return nil, fmt.Errorf("%w: %s is no file", pxelinux.ErrNotFound, file)
		}
		return os.Open(file)
	}
}
