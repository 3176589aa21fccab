package labs

import (
	"bytes"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gopxeboot/gopxeboot/internal/check"
	"github.com/gopxeboot/gopxeboot/internal/check/render"
	"github.com/gopxeboot/gopxeboot/internal/kernel/fake"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
)

var update = flag.Bool("update", false, "write the screens of docs/check.md anew")

// screens are the runs that docs/check.md shows, in its order.
var screens = []struct {
	title string
	code  check.Code
	make  func(*site)
}{
	{"A lab that works", check.Fine, with(func(*site) {})},
	{"No DHCP server", check.NoServer, func(s *site) { s.tftpd() }},
	{"Two DHCP servers, by luck the right one wins", check.RogueServer, func(s *site) {
		s.dnsmasq()
		rogue := s.dhcp
		rogue.NextServer, rogue.BootFile = netip.MustParseAddr("192.168.1.167"), "undionly.kpxe"
		other := s.host("rogue", "192.168.1.167/24")
		s.dhcp = rogue
		s.dnsmasqOn(other, "", "--dhcp-reply-delay=1")
	}},
	{"A boot file for UEFI machines only", check.OtherArchOnly, func(s *site) {
		s.dhcp.BootFile, s.dhcp.NextServer = "", netip.Addr{}
		s.dnsmasq("--dhcp-match=set:efi,option:client-arch,7", "--dhcp-boot=tag:efi,bootx64.efi")
	}},
	{"An address, and nothing to boot", check.NoFilename, func(s *site) {
		s.dhcp.BootFile, s.dhcp.NextServer = "", netip.Addr{}
		s.dnsmasq()
	}},
	{"A next-server that is another machine", check.NextServerWrong, func(s *site) {
		s.dhcp.NextServer = s.host("wrong", "192.168.1.167/24").Address.Addr()
		s.dnsmasq()
	}},
	{"A firewall that knows port 69 only", check.TFTPDataBlocked, func(s *site) {
		s.firewall()
		s.dhcpd()
		s.tftpd()
	}},
	{"A configuration under another name", check.ConfigMisnamed, with(func(s *site) {
		s.move(configFile, "pxelinux.cfg/01-00-16-3E-72-79-E3")
	})},
	{"A configuration that does not choose", check.NoDefault, configured("label linux\n kernel vmlinuz\n append initrd=initrd.img quiet\n")},
	{"A file that is missing", check.InitrdMissing, with(func(s *site) { s.remove(initrdFile) })},
	{"A web server whose certificate has expired", check.TLSExpired, by(true, expired)},
	{"A kernel that Xen can't start", check.KernelNoXen, with(func(s *site) { s.file(kernelFile, linux(fake.Notes(false, false))) })},
}

// In a run these are named by chance, or by the machine.
var byChance = []struct {
	is  *regexp.Regexp
	was string
}{
	{regexp.MustCompile(`xenbr\d+`), "xenbr0"},
	{regexp.MustCompile(`uplink (lab|port)[\d.]+`), "uplink eth0"},
	{regexp.MustCompile(`dom0's clock says [^;\n]+`), "dom0's clock says 29 November 2026, 07:30 UTC"},
}

// figures are what is another one in each run.
var figures = []struct {
	is  *regexp.Regexp
	was string
}{
	{regexp.MustCompile(`( \()?\b\d+(\.\d+)? (ms|s|min)\b( \d+ s)?\)?`), ""},
	{regexp.MustCompile(`[\d.]+ [KMGT]iB free`), "N free"},
	{regexp.MustCompile(`[0-9a-f]{2}(:[0-9a-f]{2}){5}`), "MAC"},
	{regexp.MustCompile(`\d+ DISCOVERs?`), "N DISCOVERs"},
	{regexp.MustCompile(`port \d{4,5}`), "port N"},
	{regexp.MustCompile(`\((siaddr|file|option \d+)\)`), "(FROM)"},
}

func replaced(text string, by []struct {
	is  *regexp.Regexp
	was string
}) string {
	for _, r := range by {
		text = r.is.ReplaceAllString(text, r.was)
	}
	return text
}

// The screens of docs/check.md are those of runs: -update writes them.
func TestScreens(t *testing.T) {
	const name = "../../../docs/check.md"
	text, err := os.ReadFile(name)
	labtest.Check(t, err)
	before, rest, found := strings.Cut(string(text), "## Screens\n\n")
	shown, after, also := strings.Cut(rest, "## Verdicts\n")
	if !found || !also {
		t.Fatal("docs/check.md has no section Screens before Verdicts")
	}
	ran := make([]string, len(screens))
	t.Run("labs", func(t *testing.T) {
		for i, screen := range screens {
			t.Run(screen.title, func(t *testing.T) {
				t.Parallel()
				s := newSite(t)
				screen.make(s)
				facts, r := s.lookAt()
				if r.Verdict.Code != screen.code {
					t.Fatalf("verdict %+v, want %s\n%s", r.Verdict, screen.code, dump(facts, r))
				}
				var page bytes.Buffer
				labtest.Check(t, render.NewLive(&page).End(r, false))
				text := strings.NewReplacer(s.request.OutputDirectory, "/var/lib/xen", s.tree, "/srv/tftp").Replace(page.String())
				ran[i] = fmt.Sprintf("%s:\n\n```\n%s```\n\n", screen.title, replaced(text, byChance))
			})
		}
	})
	if t.Failed() || slices.Contains(ran, "") {
		return
	}
	all := strings.Join(ran, "")
	if *update {
		labtest.Check(t, os.WriteFile(name, []byte(before+"## Screens\n\n"+all+"## Verdicts\n"+after), 0o644))
		return
	}
	if diff := cmp.Diff(strings.Split(replaced(shown, figures), "\n"), strings.Split(replaced(all, figures), "\n")); diff != "" {
		t.Errorf("docs/check.md shows another run (-docs +run), -update writes it anew:\n%s", diff)
	}
}
