// Package leases has only tests: the DHCP client against the DHCP servers
// that labs run, on a bridge as dom0 has it.
package leases

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gopxeboot/gopxeboot/dhcpclient"
	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
)

const guestUUID = "00112233-4455-6677-8899-aabbccddeeff"

func guestMAC(tb testing.TB) net.HardwareAddr {
	mac, err := net.ParseMAC(lab.SampleMAC)
	if err != nil {
		tb.Fatal(err)
	}
	return mac
}

// start runs a program on the host, and returns when it has printed ready.
func start(tb testing.TB, h *lab.Host, ready string, name string, args ...string) *lab.Process {
	tb.Helper()
	cmd, err := lab.Program(name, args...)
	labtest.Check(tb, err)
	dir := tb.TempDir()
	cmd.Env = append(cmd.Environ(), "KEA_PIDFILE_DIR="+dir, "KEA_LOCKFILE_DIR="+dir)
	p, err := h.Start(cmd)
	labtest.Check(tb, err)
	for begin := time.Now(); !strings.Contains(p.Log(), ready); time.Sleep(2 * time.Millisecond) {
		select {
		case <-p.Done():
			tb.Fatalf("%s ended; it printed:\n%s", name, p.Log())
		default:
		}
		if time.Since(begin) > 20*time.Second {
			tb.Fatalf("%s is not ready; it printed:\n%s", name, p.Log())
		}
	}
	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Logf("%s on %s:\n%s", name, h.Name, p.Log())
		}
	})
	return p
}

// dnsmasq runs with these arguments only, beside those that keep it alone.
func dnsmasq(tb testing.TB, h *lab.Host, args ...string) *lab.Process {
	tb.Helper()
	return start(tb, h, "started, version", "dnsmasq", append([]string{
		"--keep-in-foreground", "--user=root", "--group=root", "--conf-file=/dev/null", "--port=0", "--no-ping",
		"--log-facility=-", "--log-dhcp", "--dhcp-authoritative", "--dhcp-leasefile=" + filepath.Join(tb.TempDir(), "leases"), "--pid-file=",
	}, args...)...)
}

// dhcpd runs with this configuration.
func dhcpd(tb testing.TB, h *lab.Host, ifname, config string) *lab.Process {
	tb.Helper()
	dir := tb.TempDir()
	write(tb, dir, "leases", "")
	return start(tb, h, "Server starting service", "dhcpd", "-4", "-f", "-d", "--no-pid",
		"-cf", write(tb, dir, "dhcpd.conf", config), "-lf", filepath.Join(dir, "leases"), ifname)
}

// kea runs with this subnet4 and more of Dhcp4, both JSON.
func kea(tb testing.TB, h *lab.Host, subnet, more string) *lab.Process {
	tb.Helper()
	config := fmt.Sprintf(`{"Dhcp4": {
		"interfaces-config": {"interfaces": ["eth0"], "dhcp-socket-type": "raw"},
		"lease-database": {"type": "memfile", "persist": false},
		"loggers": [{"name": "kea-dhcp4", "severity": "DEBUG", "debuglevel": 40, "output_options": [{"output": "stdout"}]}],
		"subnet4": [%s] %s}}`, subnet, more)
	return start(tb, h, "DHCP4_STARTED", "kea-dhcp4", "-c", write(tb, tb.TempDir(), "kea.json", config))
}

func write(tb testing.TB, dir, name, content string) string {
	tb.Helper()
	name = filepath.Join(dir, name)
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		tb.Fatal(err)
	}
	return name
}

// where the client stands: on a port of its own, or on dom0's bridge.
type where string

const (
	ownPort    where = "guest"
	dom0Bridge where = "dom0"
)

// client opens the wire for the guest.
func client(tb testing.TB, l *lab.Lab, at where) *dhcpclient.Client {
	tb.Helper()
	mac := guestMAC(tb)
	host, ifname := l.Dom0, l.Bridge()
	if at == ownPort {
		var err error
		host, err = l.AddHost(tb.Context(), lab.HostConfig{Name: "guest", MAC: mac})
		labtest.Check(tb, err)
		ifname = "eth0"
	}
	var conn *dhcpclient.Conn
	err := host.Do(func() (err error) {
		conn, err = dhcpclient.Listen(ifname, dhcpclient.Config{Promiscuous: at == dom0Bridge})
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { conn.Close() })
	return &dhcpclient.Client{
		Conn: conn, MAC: mac, UUID: guestUUID,
		Warn: func(text string) { tb.Log("warned: ", text) },
	}
}

// lease is one lease, within a time that no server needs.
func lease(tb testing.TB, c *dhcpclient.Client) (*dhcpclient.Lease, error) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 30*time.Second)
	defer cancel()
	return c.Lease(ctx)
}

// says is what a lease is compared by: server, address, next-server, boot file.
func says(l *dhcpclient.Lease) string {
	return fmt.Sprintf("%s: %s %s %s", l.ServerID, l.Address, l.NextServer, l.BootFile)
}

// both are the places in the order in which one lab can have both: a port of
// the guest's own would take what goes to its MAC.
var both = []where{dom0Bridge, ownPort}

// check gets a lease from both places, and compares.
func check(t *testing.T, l *lab.Lab, rom dhcpclient.ROM, want string) {
	t.Helper()
	for _, at := range both {
		c := client(t, l, at)
		c.ROM = rom
		got, err := lease(t, c)
		if err != nil {
			t.Fatalf("--net %s: %v", at, err)
		}
		if says(got) != want {
			t.Errorf("--net %s: lease %s, want %s", at, says(got), want)
		}
	}
}

func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }
