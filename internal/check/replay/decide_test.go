package replay

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gopxeboot/gopxeboot/internal/program"
	"github.com/gopxeboot/gopxeboot/internal/program/programtest"
	"github.com/gopxeboot/gopxeboot/pxelinux"
	"github.com/insomniacslk/dhcp/dhcpv4"
)

// A capture of a guest that asks for the names that its boot program asks for
// comes to the same plan and the same findings as the boot itself.
func TestReplayDecides(t *testing.T) {
	for _, c := range programtest.Configs(t, "../../program/testdata") {
		t.Run(c.Name, func(t *testing.T) {
			s := newStory().leased(dhcpv4.WithOption(dhcpv4.OptBootFileName(c.Machine.Lease.BootFile))).arp(filesIP, true)
			tree := pxelinux.OpenFS(c.Files, filesIP)
			_, _ = program.Decide(t.Context(), c.Machine, func(ctx context.Context, url string) (io.ReadCloser, error) {
				name := url[len("tftp://10.0.0.2/"):]
				if text, err := c.Files.ReadFile(strings.TrimLeft(name, "/")); err == nil {
					s.gets(name, string(text), 1408)
				} else {
					s.tftpError(name, 1, "File not found")
				}
				return tree(ctx, url)
			})
			f, p, err := Read(s.all(), Options{Label: c.Machine.Label})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.Want, programtest.Text(t, p.Config, p.Boot)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if (f.Config != nil) != (p.Config.URL != "") || (f.Boot != nil) != (p.Config.URL != "" && p.Config.Error == "") {
				t.Errorf("the facts have %+v and %+v", f.Config, f.Boot)
			}
		})
	}
}
