package labs

import (
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/check"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"github.com/insomniacslk/dhcp/dhcpv4"
)

// homeRouter gives addresses at once, of a network of its own, and nothing to boot.
func (s *site) homeRouter() {
	s.Helper()
	labtest.Dnsmasq(s, s.host("router", "192.168.9.1/24"), "--dhcp-range=192.168.9.100,192.168.9.200,1h")
}

// pinging is dnsmasq with its ping of an address before it offers it, which takes
// 3 s.
func (s *site) pinging() {
	s.Helper()
	labtest.Until(s, s.lab().Servers, "started", "dnsmasq", "--keep-in-foreground", "--user=root", "--group=root", "--conf-file=/dev/null", "--port=0", "--log-facility=-",
		"--pid-file=", "--dhcp-leasefile="+labtest.TempDir(s.T)+"/leases", "--dhcp-range=192.168.1.50,192.168.1.60,1h", "--dhcp-boot=pxelinux.0", "--enable-tftp", "--tftp-root="+s.tree)
}

// lateProxy is a proxyDHCP server, the servers' machine, whose first offer takes 2.5 s,
// and a DHCP server beside it.
func (s *site) lateProxy() {
	s.Helper()
	var held atomic.Bool
	labtest.Cable(s, s.lab(), func(frame []byte, toServer bool) [][]byte {
		if isUDP(frame) && !toServer && port(frame, 34) == dhcpv4.ServerPort && held.CompareAndSwap(false, true) {
			time.Sleep(2500 * time.Millisecond) // the others wait behind it
		}
		return [][]byte{frame}
	})
	labtest.Dnsmasq(s, s.lab().Servers, "--enable-tftp", "--tftp-root="+s.tree, "--dhcp-range=192.168.1.0,proxy",
		"--dhcp-boot=pxelinux.0,,192.168.1.166", "--pxe-service=x86PC,Boot,pxelinux")
	s.dhcp.BootFile, s.dhcp.NextServer, s.dhcp.Router = "", netip.Addr{}, netip.Addr{}
	s.dnsmasqOn(s.host("router", "192.168.1.1/24"), "")
}

var lateReports = []report{
	{fault{"a router at once, and dnsmasq after its ping", check.AnswerTooLate, isBroken, func(s *site) {
		s.wait = 5 * time.Second
		s.homeRouter()
		s.pinging()
	}}, []string{"The DHCP server 192.168.1.166 says what to boot, but too late", "192.168.1.166 says boot file pxelinux.0 3.", "192.168.9.1 offers an address and nothing to boot",
		"taken after 2.", "--proxy-wait 5s", "no-ping", "switch 192.168.9.1 ("}, []string{"architecture", "192.168.9.1 says", "pxelinux.0,,192.168.9.1"}},
	{fault{"a proxyDHCP server after 2.5 s", check.AnswerTooLate, isBroken, func(s *site) {
		s.wait = 5 * time.Second
		s.lateProxy()
	}}, []string{"The proxyDHCP server 192.168.1.166 says what to boot, but too late", "--proxy-wait 5s"}, []string{"architecture", "no-ping", "switch"}},
}

func TestLate(t *testing.T) { testReports(t, lateReports) }

// The boot gives the same advice.
func TestLateBoot(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.homeRouter()
	s.pinging()
	if _, _, err := s.preview(); err == nil || !strings.Contains(err.Error(), "192.168.9.1 gave") || !strings.Contains(err.Error(), "--proxy-wait 5s") {
		t.Errorf("%v", err)
	}
}

// What the verdict advises makes the lab boot; that there are two servers stays
// worth a warning.
func TestLateWaited(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		waited time.Duration
		make   func(*site)
		want   check.Code
	}{
		{"dnsmasq with a ping, and --proxy-wait", 5 * time.Second, func(s *site) { s.homeRouter(); s.pinging() }, check.RogueServer},
		{"dnsmasq with no-ping", 0, func(s *site) { s.homeRouter(); s.dnsmasq() }, check.RogueServer},
		{"proxyDHCP, and --proxy-wait", 5 * time.Second, (*site).lateProxy, check.Fine},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.wait, s.request.Timing.ProxyWait = 5*time.Second, test.waited
			test.make(s)
			if facts, r := s.lookAt(); r.Verdict.Code != test.want || r.Status() == check.Fail {
				t.Errorf("verdict %+v\n%s", r.Verdict, dump(facts, r))
			}
		})
	}
}
