package boot

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/gopxeboot/gopxeboot/internal/check"
	"github.com/gopxeboot/gopxeboot/internal/fetch"
	diskimage "github.com/gopxeboot/gopxeboot/internal/image"
	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/internal/session"
	"github.com/gopxeboot/gopxeboot/pxelinux"
)

// What to do about a file that is not given depends on whose it is, what names it, and
// what the server said.
func TestExplain(t *testing.T) {
	local := func(context.Context, string) (*os.File, error) { return nil, os.ErrNotExist }
	configured := plan.New()
	configured.Config.URL = "tftp://192.0.2.1/pxelinux.cfg/default"
	configured.Boot.Kernel, configured.Boot.Outcome = "tftp://192.0.2.1/vmlinuz", pxelinux.Linux
	configured.Lease.Address = netip.MustParsePrefix("192.0.2.9/24")
	for _, c := range []struct {
		name  string
		p     *pipeline
		link  string
		err   error
		try   string
		given string
	}{
		{"dom0's, missing", &pipeline{files: fetch.Client{Local: local}}, "file:///srv/vmlinuz", fetch.ErrNotFound, "see the file in dom0: ls -lL /srv/vmlinuz", ""},
		{"dom0's, refused", &pipeline{files: fetch.Client{Local: local}}, "file:///srv/vmlinuz", fetch.ErrRefused, "see the file in dom0: ls -lL /srv/vmlinuz", ""},
		{"dom0's, in an image", &pipeline{files: fetch.Client{Local: local}}, "file:///srv/a.iso!/boot/vmlinuz", fetch.ErrNotFound, "see that dom0 has the image /srv/a.iso, and that has boot/vmlinuz", ""},
		{"dom0's, a damaged image", &pipeline{files: fetch.Client{Local: local}}, "file:///srv/a.iso!/boot/vmlinuz", diskimage.ErrDamaged, "compare the image's size and digest", ""},
		{"dom0's, by a configuration", &pipeline{}, "file:///srv/vmlinuz", fetch.ErrRefused, "files of dom0's are read for a --location only: put the file on the server", ""},
		{"of a configuration", &pipeline{}, "tftp://192.0.2.1/vmlinuz", fetch.ErrNotFound, "correct its name in tftp://192.0.2.1/pxelinux.cfg/default", ""},
		{"of an option", &pipeline{}, "tftp://192.0.2.1/vmlinuz", fetch.ErrNotFound, "put it there, or correct --kernel", "--kernel"},
		{"no TFTP server", &pipeline{}, "tftp://192.0.2.1/vmlinuz", fetch.ErrNoServer, "start the TFTP server on 192.0.2.1 ", ""},
		{"silent", &pipeline{}, "http://192.0.2.1/vmlinuz", fetch.ErrTimeout, "see that the server is up and can be reached from dom0", ""},
		{"of no known kind", &pipeline{}, "gopher://x/y", fetch.ErrUnsupported, "the schemes are tftp, http, https, ftp and nfs", ""},
	} {
		c.p.Plan = configured
		c.p.given = map[plan.Stage]string{"kernel": c.given}
		try, err := c.p.explain(t.Context(), "kernel", fmt.Errorf("kernel: %w", &fetch.Error{URL: c.link, Err: c.err}))
		if !strings.Contains(try, c.try) || err == nil || !strings.Contains(err.Error(), c.link) {
			t.Errorf("%s: %v; %s", c.name, err, try)
		}
	}
	// A name that DNS has no address of.
	for asDom0, want := range map[bool]string{true: "see dom0's DNS (/etc/resolv.conf), or write the address of lab.example into the URL", false: "let DHCP name a DNS server that knows lab.example (option 6)"} {
		p := &pipeline{child: &session.Child{}}
		p.child.AsDom0, p.Plan = asDom0, configured
		p.unknown.Store("lab.example", check.Name{Name: "lab.example"})
		if try, _ := p.explain(t.Context(), "kernel", &fetch.Error{URL: "http://lab.example/vmlinuz", Err: fetch.ErrNoServer}); !strings.Contains(try, want) {
			t.Errorf("as dom0 %v: %s", asDom0, try)
		}
	}
}
