package labs

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/check"
	"github.com/gopxeboot/gopxeboot/internal/domain"
	"github.com/gopxeboot/gopxeboot/internal/guest"
	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
)

// runs has xenstore say that domain 5 is the guest.
func (s *site) runs() {
	s.Helper()
	s.twin()
	s.request.Host = &domain.Host{Run: func(context.Context, string, ...string) ([]byte, error) {
		const vif = "/local/domain/0/backend/vif/5/0/"
		return fmt.Appendf(nil, "%smac = %q\n%sbridge = %q\n", vif, lab.SampleMAC, vif, s.Bridge), nil
	}}
}

// In these dom0 has no address where the guest is.
var dom0Reports = []report{
	{fault{"the guest runs", check.MACInUse, isBroken, func(s *site) { s.dnsmasq(); s.runs() }},
		[]string{"in use by domain 5", "dom0, which has no address in 192.168.1.0/24", "shut it down", "--net guest"}, []string{"can't be reached"}},
	{fault{"spanning tree holds new ports", check.STPBlocking, isBroken, func(s *site) {
		s.dnsmasq()
		labtest.SpanningTree(s, s.lab(), 2*time.Second)
	}}, []string{"runs spanning tree: a guest's new port forwards only after 4 s", "stp_state 0", "give dom0 an address on it"}, []string{"can't be reached"}},
	{fault{"dom0's network is asked for", check.NextServerUnreachable, isBroken, func(s *site) {
		s.request.Net = guest.Dom0
		s.dnsmasq()
	}}, []string{"from dom0, which would download for the guest", "--net guest"}, []string{"firewall"}},
	{fault{"the bridge is a port", check.BridgeIsPort, isBroken, func(s *site) {
		s.dnsmasq()
		s.request.Bridge = labtest.Ports(s, s.lab())[0].Attrs().Name
	}}, []string{" is no bridge, but a port of xenbr", "say bridge=xenbr"}, []string{"give dom0"}},
	{fault{"no router in the lease", check.NextServerUnreachable, isBroken, func(s *site) {
		s.dhcp.NextServer, s.dhcp.Router = netip.MustParseAddr("10.99.0.1"), netip.Addr{}
		s.dnsmasq("--dhcp-option=option:router")
		s.farTFTP()
	}}, []string{"DHCP names no router", "dhcp-option=option:router,ADDRESS"}, []string{"dom0"}},
}

func TestFromDom0(t *testing.T) { testReports(t, dom0Reports) }

// A boot does not blame dom0 for a router that DHCP does not name.
func TestNoRouterBoot(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.dhcp.NextServer, s.dhcp.Router = netip.MustParseAddr("10.99.0.1"), netip.Addr{}
	s.dnsmasq("--dhcp-option=option:router")
	if _, _, err := s.preview(); err == nil || !strings.Contains(err.Error(), "DHCP names no router (option 3)") || strings.Contains(err.Error(), "dom0") {
		t.Errorf("%v", err)
	}
}
