// Package looktest has only tests: gopxeboot check in labs that are broken in
// one way, with the embedded servers.
package looktest

import (
	"bytes"
	"debug/elf"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/boot"
	"github.com/gopxeboot/gopxeboot/internal/check"
	"github.com/gopxeboot/gopxeboot/internal/check/probe"
	"github.com/gopxeboot/gopxeboot/internal/console"
	"github.com/gopxeboot/gopxeboot/internal/guest"
	"github.com/gopxeboot/gopxeboot/internal/kernel/fake"
	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"github.com/gopxeboot/gopxeboot/xenout"
)

// TestMain makes the test binary the guest's process too.
func TestMain(m *testing.M) {
	if status, ours := boot.Helper(); ours {
		os.Exit(status)
	}
	lab.Main(m)
}

const guestMAC = lab.SampleMAC

// broken is a lab with one fault.
type broken struct {
	name   string
	lab    lab.Config
	dhcp   func(*lab.DHCP)                  // changes the howto's
	tree   func(t *testing.T, dir string)   // changes the howto's tree
	hosts  func(t *testing.T, l *lab.Lab)   // adds to the lab
	quiet  string                           // servers that are not started: "dhcp", "tftp"
	look   func(*probe.Look, *boot.Request) // changes how it is looked
	code   check.Code                       // that is named
	status check.Status
	says   string // in the verdict
}

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

func write(t *testing.T, dir, name string, content string) {
	t.Helper()
	path := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

const ownConfig = "pxelinux.cfg/01-00-16-3e-72-79-e3"

func config(text string) func(*testing.T, string) {
	return func(t *testing.T, dir string) { write(t, dir, ownConfig, text) }
}

func renamed(to string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		if err := os.Rename(filepath.Join(dir, ownConfig), filepath.Join(dir, to)); err != nil {
			t.Fatal(err)
		}
	}
}

func host(t *testing.T, l *lab.Lab, c lab.HostConfig) *lab.Host {
	t.Helper()
	h, err := l.AddHost(t.Context(), c)
	labtest.Check(t, err)
	return h
}

func kernelFile(image []byte) func(*testing.T, string) {
	return func(t *testing.T, dir string) { write(t, dir, lab.SampleKernel, string(image)) }
}

func image(machine elf.Machine, pv, pvh bool) []byte {
	return fake.BzImage(fake.Vmlinux(machine, bytes.Repeat([]byte("kernel"), 1000), fake.Notes(pv, pvh), elf.SHT_NULL))
}

// deaf listens on the TFTP port and says nothing.
func deaf(t *testing.T, h *lab.Host) {
	t.Helper()
	err := h.Do(func() error {
		conn, err := net.ListenPacket("udp4", ":69")
		if err == nil {
			t.Cleanup(func() { conn.Close() })
		}
		return err
	})
	labtest.Check(t, err)
}

func TestCheck(t *testing.T) {
	const second = "192.168.1.167"
	for _, b := range []broken{
		{name: "nothing is broken", code: check.Fine, status: check.OK, says: "label linux"},
		{name: "nothing is broken, from dom0", code: check.Fine, status: check.OK, lab: lab.Config{Dom0: netip.MustParsePrefix("192.168.1.10/24")},
			look: func(_ *probe.Look, r *boot.Request) { r.Net = guest.Dom0 }},
		{name: "nothing is broken, and the lease taken", code: check.Fine, status: check.OK, look: func(l *probe.Look, _ *boot.Request) { l.Take = true }},

		{name: "no server", quiet: "dhcp", code: check.NoServer, status: check.Fail, says: "DISCOVER"},
		{name: "no address", dhcp: func(d *lab.DHCP) { d.Fixed = nil }, code: check.PoolEmpty, status: check.Fail, says: "192.168.1.166"},
		{name: "MAC not served", dhcp: func(d *lab.DHCP) {
			d.Fixed, d.First, d.Last = map[string]netip.Addr{guestMAC: {}}, addr("192.168.1.50"), addr("192.168.1.60")
		},
			code: check.MACNotServed, status: check.Fail},
		{name: "no next-server, TFTP elsewhere", quiet: "tftp", dhcp: func(d *lab.DHCP) { d.NextServer = netip.Addr{} }, code: check.NoNextServer, status: check.Fail, says: "dhcp-boot"},
		{name: "no next-server, TFTP here", dhcp: func(d *lab.DHCP) { d.NextServer = netip.Addr{} }, code: check.NoNextServer, status: check.Warn},
		{name: "no boot file", dhcp: func(d *lab.DHCP) { d.BootFile = "" }, code: check.NoFilename, status: check.Fail, says: "filename"},
		{name: "garbage", dhcp: func(d *lab.DHCP) { d.BootFile = "pxelinux.0 " }, code: check.FilenameGarbage, status: check.Fail, says: `pxelinux.0 `},
		{name: "address in use", hosts: func(t *testing.T, l *lab.Lab) {
			host(t, l, lab.HostConfig{Name: "squatter", Address: netip.MustParsePrefix("192.168.1.199/24")})
		}, code: check.AddressInUse, status: check.Fail},
		{name: "rogue", hosts: func(t *testing.T, l *lab.Lab) {
			h := host(t, l, lab.HostConfig{Name: "rogue", Address: netip.MustParsePrefix(second + "/24")})
			labtest.Check(t, h.ServeDHCP(lab.DHCP{First: addr("192.168.1.20"), Last: addr("192.168.1.30"), NextServer: addr(second), BootFile: "undionly.kpxe"}))
		}, code: check.RogueServer, says: second},
		{name: "MAC in use", hosts: func(t *testing.T, l *lab.Lab) {
			mac, _ := net.ParseMAC(guestMAC)
			h := host(t, l, lab.HostConfig{Name: "double", MAC: mac, Address: netip.MustParsePrefix("192.168.1.77/24")})
			labtest.Check(t, h.Do(func() error {
				c, err := net.Dial("udp4", "192.168.1.166:9")
				if err == nil {
					_, err = c.Write([]byte("here"))
					c.Close()
				}
				return err
			}))
			time.Sleep(50 * time.Millisecond) // the frame is on its way
		}, lab: lab.Config{Dom0: netip.MustParsePrefix("192.168.1.10/24")}, code: check.MACInUse, status: check.Warn},

		{name: "next-server is nobody", dhcp: func(d *lab.DHCP) { d.NextServer = addr("192.168.1.99") }, code: check.NextServerUnreachable, status: check.Fail, says: "dhcp-boot=pxelinux.0,,192.168.1.166"},
		{name: "next-server is far away", dhcp: func(d *lab.DHCP) { d.NextServer, d.Router = addr("10.9.8.7"), netip.Addr{} }, code: check.NextServerUnreachable, status: check.Fail, says: "router"},
		{name: "next-server is the wrong machine", dhcp: func(d *lab.DHCP) { d.NextServer = addr(second) }, hosts: func(t *testing.T, l *lab.Lab) {
			host(t, l, lab.HostConfig{Name: "printer", Address: netip.MustParsePrefix(second + "/24")})
		}, code: check.NextServerWrong, status: check.Fail, says: "192.168.1.166"},
		{name: "TFTP does not run", quiet: "tftp", code: check.TFTPNotRunning, status: check.Fail},
		{name: "TFTP is silent", quiet: "tftp", hosts: func(t *testing.T, l *lab.Lab) { deaf(t, l.Servers) }, code: check.TFTPSilent, status: check.Fail, says: "firewall"},

		{name: "no config", tree: func(t *testing.T, dir string) { os.RemoveAll(filepath.Join(dir, "pxelinux.cfg")) }, code: check.NoConfig, status: check.Fail, says: "10 names"},
		{name: "upper case", tree: renamed("pxelinux.cfg/01-00-16-3E-72-79-E3"), code: check.ConfigMisnamed, status: check.Fail, says: "upper case"},
		{name: "without 01-", tree: renamed("pxelinux.cfg/00-16-3e-72-79-e3"), code: check.ConfigMisnamed, status: check.Fail, says: "without 01-"},
		{name: "empty", tree: config(""), code: check.ConfigEmpty, status: check.Fail},
		{name: "no default", tree: config("label linux\n kernel " + lab.SampleKernel + "\n"), code: check.NoDefault, status: check.Fail, says: "DEFAULT linux"},
		{name: "no such label", tree: config("default Linux\nlabel linux\n kernel " + lab.SampleKernel + "\n"), code: check.LabelMissing, status: check.Fail},
		{name: "--label", look: func(_ *probe.Look, r *boot.Request) { r.Label = "rescue" }, code: check.LabelMissing, status: check.Fail, says: "label linux"},
		{name: "a module", tree: config("default hdt\nlabel hdt\n com32 hdt.c32\n"), code: check.COM32Only, status: check.Fail},
		{name: "another boot program", tree: config("default x\nlabel x\n kernel other.0\n"), code: check.BootProgram, status: check.Fail},
		{name: "disk", tree: config("default x\nlabel x\n localboot 0\n"), code: check.Fine, status: check.OK, says: "own disk"},

		{name: "no kernel", tree: func(t *testing.T, dir string) { os.Remove(filepath.Join(dir, lab.SampleKernel)) }, code: check.KernelMissing, status: check.Fail, says: lab.SampleKernel},
		{name: "no initrd", tree: func(t *testing.T, dir string) { os.Remove(filepath.Join(dir, lab.SampleInitrd)) }, code: check.InitrdMissing, status: check.Fail, says: lab.SampleInitrd},
		{name: "empty initrd", tree: func(t *testing.T, dir string) { write(t, dir, lab.SampleInitrd, "") }, code: check.FileTruncated, status: check.Fail},
		{name: "kernel cut off", tree: func(t *testing.T, dir string) { os.Truncate(filepath.Join(dir, lab.SampleKernel), 1<<20) }, code: check.FileTruncated, status: check.Fail},
		{name: "kernel is a page", tree: kernelFile([]byte("<html><head><title>404 Not Found</title></head></html>\n")), code: check.KernelNotLinux, status: check.Fail, says: "404"},
		{name: "kernel for nothing of Xen's", tree: kernelFile(image(elf.EM_X86_64, false, false)), code: check.KernelNoXen, status: check.Fail},
		{name: "kernel for PVH", tree: kernelFile(image(elf.EM_X86_64, false, true)), code: check.KernelNoXen, status: check.Warn},
		{name: "long line", tree: config("default l\nlabel l\n kernel " + lab.SampleKernel + "\n append " + strings.Repeat("word ", 300) + "\n"), code: check.ArgsTooLong, status: check.Fail},
		{name: "waits", tree: config("default l\nprompt 1\nlabel l\n kernel " + lab.SampleKernel + "\n"), code: check.WaitsForever, status: check.Warn},
	} {
		t.Run(b.name, func(t *testing.T) { b.run(t) })
	}
}

func (b broken) run(t *testing.T) {
	l := labtest.New(t, b.lab)
	dir := t.TempDir()
	labtest.Check(t, lab.SampleTree(dir))
	if b.tree != nil {
		b.tree(t, dir)
	}
	dhcp := lab.SampleDHCP()
	if b.dhcp != nil {
		b.dhcp(&dhcp)
	}
	if !strings.Contains(b.quiet, "dhcp") {
		labtest.Check(t, l.Servers.ServeDHCP(dhcp))
	}
	if !strings.Contains(b.quiet, "tftp") {
		labtest.Check(t, l.Servers.ServeTFTP(dir))
	}
	if b.hosts != nil {
		b.hosts(t, l)
	}
	facts := see(t, l, b.look)
	r := check.Diagnose(*facts)
	status := b.status
	if status == "" {
		status = r.Status()
	}
	v := r.Verdict
	if v.Code != b.code || r.Status() != status {
		t.Errorf("%s, %s: want %s, %s\n%+v\n%+v", r.Status(), v.Code, status, b.code, v, r.Steps)
	}
	if all := v.Summary + v.Evidence + v.Hint; !strings.Contains(all, b.says) {
		t.Errorf("%q is not said: %s", b.says, all)
	}
}

// see looks at the lab as its dom0.
func see(t *testing.T, l *lab.Lab, change func(*probe.Look, *boot.Request)) *check.Facts {
	t.Helper()
	mac, err := net.ParseMAC(guestMAC)
	if err != nil {
		t.Fatal(err)
	}
	r := boot.Request{MAC: mac, Bridge: l.Bridge(), Net: guest.Auto, Timeout: 50 * time.Second, Format: xenout.SXP, OutputDirectory: t.TempDir(), MaxKernel: 1 << 27, MaxInitrd: 1 << 30}
	look := probe.Look{Wait: 400 * time.Millisecond}
	if change != nil {
		change(&look, &r)
	}
	var said bytes.Buffer
	facts, _, err := boot.Check(t.Context(), r, look, console.New(io.Writer(&said), console.Verbose))
	if err != nil {
		t.Fatalf("%v\n%s", err, &said)
	}
	return facts
}
