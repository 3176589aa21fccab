// Package leases has only tests: the DHCP client against the DHCP servers
// that labs run, on a bridge as dom0 has it.
package leases

import (
	"context"
	"fmt"
	"net"
	"net/netip"
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
