package boot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/gopxeboot/gopxeboot/dhcpclient"
	"github.com/gopxeboot/gopxeboot/internal/console"
	"github.com/gopxeboot/gopxeboot/pxelinux"
	"golang.org/x/sys/unix"
)

// Offline is Preview without a network: the lease is what the caller says,
// and dir is the root of the TFTP server at the lease's next-server. With
// config, that file is the configuration instead of what a search would find.
func Offline(ctx context.Context, r Request, lease *dhcpclient.Lease, dir, config string, con *console.Console) (*Plan, error) {
	p := &pipeline{task: task{Request: r}, plan: newPlan(), say: func(l line) { l.print(con) }}
	p.plan.MAC, p.plan.UUID = r.MAC.String(), r.UUID
	p.plan.setLease(lease)
	host := p.host(lease)
	tree := tree{root: dir, prefix: fmt.Sprintf("tftp://%s/", serverText(host))}
	if config != "" {
		absolute, err := filepath.Abs(config)
		if err != nil {
			return p.plan, &Error{Usage, "config", err, ""}
		}
		tree.config = absolute
		host.ConfigFile = "::" + absolute // an absolute name on the default server
	}
	p.open = tree.open
	_, err := p.decide(ctx, host)
	return p.plan, err
}

// tree is a directory that stands for a TFTP server.
type tree struct {
	root   string
	prefix string // of the URLs that it serves
	config string // a file that is served by its own absolute name
}

func (t tree) open(_ context.Context, name string) (io.ReadCloser, error) {
	escaped, ours := strings.CutPrefix(name, t.prefix)
	plain, err := url.PathUnescape(escaped)
	if !ours || err != nil {
		return nil, fmt.Errorf("%w: %s is on another server", pxelinux.ErrNotFound, name)
	}
	file := filepath.Join(t.root, path.Clean("/"+plain))
	if t.config != "" && plain == t.config {
		file = t.config
	}
	f, err := os.OpenFile(file, os.O_RDONLY|unix.O_NONBLOCK, 0) // a FIFO would block
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
			return nil, fmt.Errorf("%w: %w", pxelinux.ErrNotFound, err)
		}
		return nil, err
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		f.Close()
		return nil, fmt.Errorf("%w: %s is no file", pxelinux.ErrNotFound, file)
	}
	return f, nil
}

func serverText(h pxelinux.Host) string {
	if h.Server.IsValid() {
		return h.Server.String()
	}
	return "0.0.0.0"
}
