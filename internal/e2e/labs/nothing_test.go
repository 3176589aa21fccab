package labs

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gopxeboot/gopxeboot/internal/check"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"github.com/gopxeboot/gopxeboot/internal/lab/real"
)

// What the DHCP server's log says of a look, and what is left of it in dom0.
func TestTakesNothing(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		lease bool
		want  []string // in the server's log
	}{
		{"a look", false, []string{"DHCPDISCOVER", "DHCPOFFER"}},
		{"with --request", true, []string{"DHCPDISCOVER", "DHCPOFFER", "DHCPREQUEST", "DHCPACK", "DHCPRELEASE"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.lease = test.lease
			s.dhcp.Fixed = nil
			s.dhcp.First, s.dhcp.Last = netip.MustParseAddr("192.168.1.50"), netip.MustParseAddr("192.168.1.60")
			server, err := real.DHCPD(s.Context(), s.lab().Servers, s.dhcp, "ping-check false;")
			s.started(s.lab().Servers, server, err)
			s.tftpd()
			before := len(labtest.Ports(s, s.lab()))
			if facts, report := s.lookAt(); report.Verdict.Code != check.Fine {
				t.Fatalf("verdict %+v\n%s", report.Verdict, dump(facts, report))
			}
			var said []string
			for line := range strings.Lines(server.Log()) {
				if word, _, _ := strings.Cut(line, " "); strings.HasPrefix(word, "DHCP") && !slices.Contains(said, word) {
					said = append(said, word)
				}
			}
			if d := cmp.Diff(test.want, said); d != "" {
				t.Errorf("the server's log:\n%s", d)
			}
			if after := len(labtest.Ports(s, s.lab())); after != before {
				t.Errorf("%d ports of the bridge, and before %d", after, before)
			}
		})
	}
}
