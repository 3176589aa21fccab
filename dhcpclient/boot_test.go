package dhcpclient

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gopxeboot/gopxeboot/dhcpclient/internal/lan"
	"github.com/insomniacslk/dhcp/dhcpv4"
)

// menu43 is option 43 with the parts of a menu.
func menu43(parts ...string) func(*dhcpv4.DHCPv4) {
	return func(m *dhcpv4.DHCPv4) {
		m.UpdateOption(dhcpv4.OptClassIdentifier("PXEClient"))
		m.UpdateOption(dhcpv4.OptGeneric(dhcpv4.OptionVendorSpecificInformation, []byte(strings.Join(parts, "")+"\xff")))
	}
}

// Parts of menus. The first line's boot servers have type 0x8000.
const (
	twoLines  = "\x09\x0f\x80\x00\x05Linux\x00\x00\x04Disk"
	diskFirst = "\x09\x0f\x00\x00\x04Disk\x80\x00\x05Linux"
	atOnce    = "\x0a\x04\x00PXE"
	for3s     = "\x0a\x07\x03Choose"
	untimed   = "\x0a\x07\xffChoose"
	noCasts   = "\x06\x01\x03"
	listed4   = "\x08\x07\x80\x00\x01\x0a\x00\x00\x04"
)

func file(name string) func(*dhcpv4.DHCPv4) {
	return func(m *dhcpv4.DHCPv4) { m.BootFileName = name }
}

func siaddr(address string) func(*dhcpv4.DHCPv4) {
	return func(m *dhcpv4.DHCPv4) { m.ServerIPAddr = lan.IP(address) }
}

func all(edits ...func(*dhcpv4.DHCPv4)) func(*dhcpv4.DHCPv4) {
	return func(m *dhcpv4.DHCPv4) {
		for _, edit := range edits {
			edit(m)
		}
	}
}

// What PXE servers say after there is an address.
func TestBoot(t *testing.T) {
	bare := func() *server { return &server{ID: "10.0.0.1", Address: "10.0.0.42"} }
	plain := func() *server { return &server{ID: "10.0.0.1", Address: "10.0.0.42", BootFile: "plain.0"} }
	// edited is an address's server with something special.
	edited := func(edits ...func(*dhcpv4.DHCPv4)) *server {
		s := bare()
		s.Edit = all(edits...)
		return s
	}
	// asked is a proxy that wants to be asked.
	asked := func(id string, edits ...func(*dhcpv4.DHCPv4)) *server {
		return &server{ID: id, PXE: lan.PXE(id, all(edits...))}
	}
	// bootServer answers for type 0x8000, the first line of twoLines.
	bootServer := func(id string, edits ...func(*dhcpv4.DHCPv4)) *server {
		return &server{ID: id, Mute: true, PXE: func(request *dhcpv4.DHCPv4) *dhcpv4.DHCPv4 {
			if item := string(request.Options.Get(dhcpv4.OptionVendorSpecificInformation)); item != "\x47\x04\x80\x00\x00\x00\xff" {
				return nil
			}
			return lan.PXE(id, all(edits...))(request)
		}}
	}
	const promised = DefaultProxyWait / promisedShare

	for _, c := range []struct {
		name    string
		servers []*server
		sent    []string // after the exchange for the address
		arps    []string
		warned  []string
		wait    time.Duration // for what is said beside a proxy that promises to
		took    time.Duration
		lease   string // server, next-server, boot file, menu's line, local
	}{
		{name: "a proxy that is asked", servers: []*server{bare(), asked("10.0.0.3", file("pxelinux.0"))},
			sent: []string{"250ms REQUEST from 10.0.0.42 to 10.0.0.3:4011"},
			arps: []string{"250ms 10.0.0.42 who has 10.0.0.3", "250ms 10.0.0.42 is at " + guestMAC.String()},
			wait: promised, took: promised,
			lease: "10.0.0.1 10.0.0.3 pxelinux.0  false"},
		{name: "that names another server", servers: []*server{bare(), asked("10.0.0.3", file("pxelinux.0"), siaddr("10.0.0.9"))},
			sent: []string{"250ms REQUEST from 10.0.0.42 to 10.0.0.3:4011"},
			wait: promised, took: promised,
			lease: "10.0.0.1 10.0.0.9 pxelinux.0  false"},
		{name: "by its name", servers: []*server{bare(), asked("10.0.0.3", file("pxelinux.0"), option(66, "boot.lab"))},
			sent: []string{"250ms REQUEST from 10.0.0.42 to 10.0.0.3:4011"},
			wait: promised, took: promised,
			lease: "10.0.0.1 10.0.0.1 pxelinux.0  false"},
		{name: "that answers with an OFFER", servers: []*server{bare(), asked("10.0.0.3", file("pxelinux.0"), option(53, "\x02"))},
			sent: []string{"250ms REQUEST from 10.0.0.42 to 10.0.0.3:4011"},
			wait: promised, took: promised,
			lease: "10.0.0.1 10.0.0.3 pxelinux.0  false"},
		{name: "with PXELINUX's options inside 43", servers: []*server{bare(),
			asked("10.0.0.3", file("pxelinux.0"), menu43("\xd1\x03cfg\xd2\x02p/"))},
			sent: []string{"250ms REQUEST from 10.0.0.42 to 10.0.0.3:4011"},
			wait: promised, took: promised,
			lease: "10.0.0.1 10.0.0.3 pxelinux.0  false cfg p/"},
		{name: "behind a router", servers: []*server{edited(option(3, "\x0a\x00\x00\xfe")),
			func() *server { s := asked("192.168.7.3", file("pxelinux.0")); return s }()},
			sent: []string{"250ms REQUEST from 10.0.0.42 to 192.168.7.3:4011"},
			arps: []string{"250ms 10.0.0.42 who has 10.0.0.254", "250ms 10.0.0.42 is at " + guestMAC.String()},
			wait: promised, took: promised,
			lease: "10.0.0.1 192.168.7.3 pxelinux.0  false"},
		{name: "that is silent", servers: []*server{{ID: "10.0.0.3"}, plain()},
			sent:   silentFrom(0, "10.0.0.3:4011"),
			warned: []string{"the proxyDHCP server 10.0.0.3 does not answer on port 4011 what to boot"},
			took:   2 * time.Second, lease: "10.0.0.1 10.0.0.1 plain.0  false"},
		{name: "that has left", servers: []*server{{ID: "10.0.0.3", NoARP: true}, plain()},
			warned: []string{"the proxyDHCP server 10.0.0.3 does not answer on port 4011 what to boot"},
			arps: []string{"0s 10.0.0.42 who has 10.0.0.3", "250ms 10.0.0.42 who has 10.0.0.3", "500ms 10.0.0.42 who has 10.0.0.3",
				"750ms 10.0.0.42 who has 10.0.0.3", "1s 10.0.0.42 who has 10.0.0.3", "1.25s 10.0.0.42 who has 10.0.0.3",
				"1.5s 10.0.0.42 who has 10.0.0.3", "1.75s 10.0.0.42 who has 10.0.0.3"},
			took: 2 * time.Second, lease: "10.0.0.1 10.0.0.1 plain.0  false"},
		{name: "the second of two", servers: []*server{{ID: "10.0.0.3"}, asked("10.0.0.4", file("pxelinux.0")), bare()},
			sent:   append(silentFrom(promised, "10.0.0.3:4011"), "2.25s REQUEST from 10.0.0.42 to 10.0.0.4:4011"),
			warned: []string{"the proxyDHCP server 10.0.0.3 does not answer on port 4011 what to boot"},
			wait:   promised, took: promised + 2*time.Second, lease: "10.0.0.1 10.0.0.4 pxelinux.0  false"},
		{name: "one that promises, and one that says it later", servers: []*server{bare(), {ID: "10.0.0.3"},
			{ID: "10.0.0.4", BootFile: "told.0", Edit: siaddr("10.0.0.5"), After: 100 * time.Millisecond}},
			wait: 100 * time.Millisecond, took: 100 * time.Millisecond, lease: "10.0.0.1 10.0.0.5 told.0  false"},
		{name: "one that need not be asked is before one that must", servers: []*server{asked("10.0.0.3", file("asked.0")),
			{ID: "10.0.0.4", BootFile: "told.0", Edit: siaddr("10.0.0.5")}, bare()},
			lease: "10.0.0.1 10.0.0.5 told.0  false"},
		{name: "a proxy wins over a server that knows no PXE", servers: []*server{asked("10.0.0.3", file("pxelinux.0")), plain()},
			sent:  []string{"0s REQUEST from 10.0.0.42 to 10.0.0.3:4011"},
			lease: "10.0.0.1 10.0.0.3 pxelinux.0  false"},
		{name: "but not over one that does", servers: []*server{asked("10.0.0.3", file("pxelinux.0")), edited(file("own.0"), option(60, "PXEClient"))},
			lease: "10.0.0.1 10.0.0.1 own.0  false"},

		{name: "a menu of the address's server", servers: []*server{edited(menu43(noCasts, atOnce, listed4, twoLines)), bootServer("10.0.0.4", file("linux.0"))},
			sent:  []string{"0s REQUEST from 10.0.0.42 to 10.0.0.4:4011"},
			lease: "10.0.0.1 10.0.0.4 linux.0 Linux false"},
		{name: "a menu of a proxy, with a prompt", servers: []*server{{ID: "10.0.0.3", Edit: menu43(noCasts, for3s, listed4, twoLines)}, bare(), bootServer("10.0.0.4", file("linux.0"), siaddr("10.0.0.5"))},
			sent:  []string{"0s REQUEST from 10.0.0.42 to 10.0.0.4:4011"},
			lease: "10.0.0.1 10.0.0.5 linux.0 Linux false"},
		{name: "a menu of a proxy that is asked", servers: []*server{bare(), asked("10.0.0.3", menu43(noCasts, atOnce, listed4, twoLines)), bootServer("10.0.0.4", file("linux.0"))},
			sent: []string{"250ms REQUEST from 10.0.0.42 to 10.0.0.3:4011", "250ms REQUEST from 10.0.0.42 to 10.0.0.4:4011"},
			wait: promised, took: promised,
			lease: "10.0.0.1 10.0.0.4 linux.0 Linux false"},
		{name: "a menu without a time-out", servers: []*server{edited(menu43(noCasts, untimed, listed4, twoLines)), bootServer("10.0.0.4", file("linux.0"))},
			sent:   []string{"0s REQUEST from 10.0.0.42 to 10.0.0.4:4011"},
			warned: []string{`the PXE boot menu of 10.0.0.1 waits without a time-out: its first line is taken, "Linux"`},
			lease:  "10.0.0.1 10.0.0.4 linux.0 Linux false"},
		{name: "a menu without a prompt", servers: []*server{edited(menu43(noCasts, listed4, twoLines)), bootServer("10.0.0.4", file("linux.0"))},
			sent:   []string{"0s REQUEST from 10.0.0.42 to 10.0.0.4:4011"},
			warned: []string{`the PXE boot menu of 10.0.0.1 waits without a time-out: its first line is taken, "Linux"`},
			lease:  "10.0.0.1 10.0.0.4 linux.0 Linux false"},
		{name: "the machine's own disk", servers: []*server{edited(menu43(noCasts, atOnce, listed4, diskFirst))},
			lease: "10.0.0.1 10.0.0.1  Disk true"},
		{name: "just the boot file", servers: []*server{edited(menu43("\x06\x01\x08", atOnce, listed4, twoLines), file("own.0"))},
			lease: "10.0.0.1 10.0.0.1 own.0  false"},
		{name: "no boot file to be just", servers: []*server{edited(menu43("\x06\x01\x0b", atOnce, listed4, twoLines)), bootServer("10.0.0.4", file("linux.0"))},
			sent:  []string{"0s REQUEST from 10.0.0.42 to 10.0.0.4:4011"},
			lease: "10.0.0.1 10.0.0.4 linux.0 Linux false"},
		{name: "a menu without PXEClient is another vendor's", servers: []*server{edited(menu43(atOnce, listed4, twoLines), option(60, ""), file("own.0"))},
			lease: "10.0.0.1 10.0.0.1 own.0  false"},
		{name: "a boot server nobody lists", servers: []*server{edited(menu43(atOnce, twoLines)), bootServer("10.0.0.4", file("linux.0"))},
			sent:  []string{"0s REQUEST from 10.0.0.42 to 255.255.255.255:67"},
			lease: "10.0.0.1 10.0.0.4 linux.0 Linux false"},
		{name: "a boot server that listens to multicast", servers: []*server{edited(menu43("\x06\x01\x01\x07\x04\xe0\x00\x01\x02", atOnce, twoLines)), bootServer("10.0.0.4", file("linux.0"))},
			sent:  []string{"0s REQUEST from 10.0.0.42 to 224.0.1.2:4011"},
			lease: "10.0.0.1 10.0.0.4 linux.0 Linux false"},
		{name: "a server that repeats what it gave", servers: []*server{edited(menu43("\x06\x01\x02", atOnce, twoLines), func(m *dhcpv4.DHCPv4) {}),
			{ID: "10.0.0.2", Mute: true, PXE: lan.PXE("10.0.0.2", all(file("other.0"), option(60, "")))}, // renews a lease
			{ID: "10.0.0.3", Mute: true, PXE: lan.PXE("10.0.0.3", menu43("\x47\x04\x00\x07\x00\x00"))},   // another type's
			bootServer("10.0.0.4", file("linux.0"), menu43("\x47\x04\x80\x00\x00\x00"))},
			sent:  []string{"0s REQUEST from 10.0.0.42 to 255.255.255.255:67"},
			lease: "10.0.0.1 10.0.0.4 linux.0 Linux false"},
		{name: "only listed servers", servers: []*server{edited(menu43("\x06\x01\x04", atOnce, listed4, twoLines), file("own.0")), bootServer("10.0.0.6", file("foreign.0"))},
			sent:   silentFrom(2*time.Second, "255.255.255.255:67"),
			warned: []string{`no boot server answers for "Linux", the first line of the PXE boot menu of 10.0.0.1`},
			took:   4 * time.Second, lease: "10.0.0.1 10.0.0.1 own.0  false"},
		{name: "no way to any boot server", servers: []*server{edited(menu43(noCasts, atOnce, twoLines))},
			warned: []string{`no boot server answers for "Linux", the first line of the PXE boot menu of 10.0.0.1`},
			lease:  "10.0.0.1 10.0.0.1   false"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := lan.New(c.servers...)
				w.Stations = map[string]net.HardwareAddr{"10.0.0.254": {2, 0, 0, 0, 0, 0xfe}}
				client := testClient(t, w)
				var warned []string
				client.Warn = func(text string) { warned = append(warned, text) }
				lease, err := client.Lease(t.Context())
				took := time.Since(w.Begin)
				if err != nil {
					t.Fatal(err)
				}
				sent, exchange := w.Journal, []string{"0s DISCOVER", c.wait.String() + " REQUEST 10.0.0.42 of 10.0.0.1"}
				if len(sent) < 2 || !cmp.Equal(sent[:2], exchange) {
					t.Errorf("exchange %q, want %q", sent, exchange)
				} else if diff := cmp.Diff(c.sent, append([]string(nil), sent[2:]...)); diff != "" {
					t.Errorf("sent (-want +got):\n%s", diff)
				}
				if c.arps != nil {
					if diff := cmp.Diff(c.arps, w.ARPs); diff != "" {
						t.Errorf("ARP (-want +got):\n%s", diff)
					}
				}
				if diff := cmp.Diff(c.warned, warned); diff != "" {
					t.Errorf("warned (-want +got):\n%s", diff)
				}
				if took != c.took {
					t.Errorf("took %s, want %s", took, c.took)
				}
				got := fmt.Sprint(lease.ServerID, " ", lease.NextServer, " ", lease.BootFile, " ", lease.MenuItem, " ", lease.LocalBoot)
				got = strings.TrimRight(got+" "+lease.ConfigFile+" "+lease.PathPrefix, " ")
				if got != c.lease {
					t.Errorf("lease %q, want %q", got, c.lease)
				}
			})
		})
	}
}

// silentFrom is what is sent to somebody who does not answer.
func silentFrom(begin time.Duration, to string) []string {
	var lines []string
	for _, after := range []time.Duration{0, 250, 750, 1250, 1750} {
		lines = append(lines, fmt.Sprintf("%s REQUEST from 10.0.0.42 to %s", begin+after*time.Millisecond, to))
	}
	return lines
}

// What ends while a PXE server is asked is no lease.
func TestBootContext(t *testing.T) {
	for name, noARP := range map[string]bool{"ask 10.0.0.3:4011 what to boot": false, "look for the MAC of 10.0.0.3": true} {
		synctest.Test(t, func(t *testing.T) {
			w := lan.New(&server{ID: "10.0.0.3", NoARP: noARP}, &server{ID: "10.0.0.1", Address: "10.0.0.42"})
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			lease, err := testClient(t, w).Lease(ctx)
			if lease != nil || !errors.Is(err, context.DeadlineExceeded) || err.Error() != name+": context deadline exceeded" {
				t.Errorf("lease %v, error %v", lease, err)
			}
			if took := time.Since(w.Begin); took != 300*time.Millisecond {
				t.Errorf("took %s", took)
			}
		})
	}
}
