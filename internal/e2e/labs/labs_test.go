// Package labs has only tests: labs with real servers, each broken in one
// way, and whether the check names that way.
package labs

import (
	"context"
	"debug/elf"
	"flag"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/boot"
	"github.com/gopxeboot/gopxeboot/internal/check"
	"github.com/gopxeboot/gopxeboot/internal/console"
	"github.com/gopxeboot/gopxeboot/internal/guest"
	"github.com/gopxeboot/gopxeboot/internal/handover"
	"github.com/gopxeboot/gopxeboot/internal/kernel/fake"
	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"github.com/gopxeboot/gopxeboot/internal/lab/real"
	"github.com/gopxeboot/gopxeboot/internal/session"
	"github.com/gopxeboot/gopxeboot/xenout"
)

func TestMain(m *testing.M) {
	if status, ours := boot.Helper(); ours {
		os.Exit(status)
	}
	flag.Parse()
	// A broken lab is mostly waited for.
	if err := flag.Set("test.parallel", "12"); err != nil {
		panic(err)
	}
	labtest.Main(m)
}

const (
	kernelFile = "vmlinuz"
	initrdFile = "initrd.img"
	configFile = "pxelinux.cfg/01-00-16-3e-72-79-e3"
	goodConfig = "default linux\nlabel linux\n kernel vmlinuz\n append initrd=initrd.img quiet\n"
)

// packed is an initrd as far as its first bytes tell.
var packed = "\x1f\x8b\x08\x00" + strings.Repeat("initrd ", 20000)

// site is a lab, and the guest that is to boot there.
type site struct {
	*testing.T
	lab.Config // changed before the first use of lab
	dhcp       lab.DHCP
	tree       string
	request    boot.Options
	lease      bool // --request
	count      int  // --count
	wait       time.Duration

	built *lab.Lab
}

// labs numbers the bridges, as labs of one process are in one namespace.
var labs atomic.Int32

// newSite is one where everything is right, but for the servers: there are
// none yet.
func newSite(t *testing.T) *site {
	s := &site{T: t, dhcp: lab.SampleDHCP(), tree: labtest.TempDir(t), wait: short}
	mac, err := net.ParseMAC(lab.SampleMAC)
	if err != nil {
		t.Fatal(err)
	}
	s.Bridge = fmt.Sprintf("xenbr%d", labs.Add(1))
	s.request = boot.Options{
		Network: session.Network{MAC: mac, Bridge: s.Bridge, Net: guest.Auto}, UUID: "564d1c4f-0a1b-4c3d-8e5f-a0b1c2d3e4f5", Timeout: 40 * time.Second,
		Spec: handover.Spec{OutputDirectory: labtest.TempDir(t), Format: xenout.Simple0, MaxKernel: 256 << 20, MaxInitrd: 2 << 30},
	}
	s.file("pxelinux.0", "not needed")
	s.file(configFile, goodConfig)
	s.file(kernelFile, linux(fake.Notes(true, true)))
	s.file(initrdFile, packed)
	return s
}

// linux is a kernel with these notes.
func linux(notes []byte) string {
	return string(fake.BzImage(fake.Vmlinux(elf.EM_X86_64, make([]byte, 200<<10), notes, elf.SHT_NULL)))
}

func (s *site) file(name, content string) {
	s.Helper()
	name = filepath.Join(s.tree, name)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		s.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		s.Fatal(err)
	}
}

// config is the guest's configuration.
func (s *site) config(text string) { s.Helper(); s.file(configFile, text) }

func (s *site) remove(name string) {
	s.Helper()
	if err := os.Remove(filepath.Join(s.tree, name)); err != nil {
		s.Fatal(err)
	}
}

// lab is the site's, built when it is first needed.
func (s *site) lab() *lab.Lab {
	s.Helper()
	if s.built == nil {
		s.built = labtest.New(s.T, s.Config)
	}
	return s.built
}

// host is one more machine, with this address unless it is "".
func (s *site) host(name, address string) *lab.Host {
	s.Helper()
	config := lab.HostConfig{Name: name}
	if address != "" {
		config.Address = netip.MustParsePrefix(address)
	}
	h, err := s.lab().AddHost(s.Context(), config)
	labtest.Check(s, err)
	return h
}

// dnsmasq is DHCP and TFTP server of the site, with more arguments.
func (s *site) dnsmasq(args ...string) {
	s.Helper()
	s.dnsmasqOn(s.lab().Servers, s.tree, args...)
}

// dnsmasqOn is one on another machine. It gives what s.dhcp says now.
func (s *site) dnsmasqOn(h *lab.Host, tree string, args ...string) {
	s.Helper()
	if slices.Contains(args, "--dhcp-reply-delay=1") {
		s.wait = long
	}
	p, err := real.Dnsmasq(s.Context(), h, s.dhcp, tree, args...)
	s.started(h, p, err)
}

func (s *site) dhcpd(statements ...string) {
	s.Helper()
	if s.dhcp.First.IsValid() { // addresses of a pool are pinged first
		s.wait = long
	}
	p, err := real.DHCPD(s.Context(), s.lab().Servers, s.dhcp, statements...)
	s.started(s.lab().Servers, p, err)
}

func (s *site) kea() {
	s.Helper()
	p, err := real.Kea(s.Context(), s.lab().Servers, s.dhcp)
	s.started(s.lab().Servers, p, err)
}

func (s *site) tftpd() {
	s.Helper()
	p, err := real.TFTPD(s.Context(), s.lab().Servers, s.tree)
	s.started(s.lab().Servers, p, err)
}

// tftpdWith is tftpd-hpa on a host, with these words.
func (s *site) tftpdWith(h *lab.Host, words ...string) {
	s.Helper()
	cmd, err := real.Program("in.tftpd", append(append([]string{"-L", "-4", "-u", "root"}, words...), s.tree)...)
	labtest.Check(s, err)
	p, err := real.Start(h, cmd)
	s.started(h, p, err)
}

func (s *site) atftpd() {
	s.Helper()
	p, err := real.ATFTPD(s.Context(), s.lab().Servers, s.tree)
	s.started(s.lab().Servers, p, err)
}

// nginx serves the tree, with more statements for its server.
func (s *site) nginx(statements string) {
	s.Helper()
	p, err := real.Nginx(s.Context(), s.lab().Servers, s.tree, statements)
	s.started(s.lab().Servers, p, err)
}

// started shows a server's log when the test fails.
func (s *site) started(h *lab.Host, p *real.Process, err error) {
	s.Helper()
	labtest.Started(s, h)(p, err)
}

// lookAt is what the command does: the facts, and what they come to.
func (s *site) lookAt() (check.Facts, check.Report) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), time.Minute)
	defer cancel()
	facts, err := look(ctx, s, console.New(io.Discard, console.Quiet))
	if err != nil {
		s.Fatalf("the check could not look: %v", err)
	}
	return facts, check.Diagnose(facts)
}
