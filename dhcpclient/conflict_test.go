package dhcpclient

import (
	"errors"
	"fmt"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gopxeboot/gopxeboot/dhcpclient/internal/lan"
	"github.com/gopxeboot/gopxeboot/internal/wire"
	"github.com/insomniacslk/dhcp/dhcpv4"
)

func TestConflict(t *testing.T) {
	other := net.HardwareAddr{2, 0, 0, 0, 0, 0x42}
	plain := func() *server { return &server{ID: "10.0.0.1", Address: "10.0.0.42", BootFile: "pxelinux.0"} }
	const inUse = "DHCP server gave an address that is in use: 10.0.0.42, given by 10.0.0.1 on wire0, is in use by 02:00:00:00:00:42"
	for _, c := range []struct {
		name     string
		server   *server
		stations map[string]net.HardwareAddr
		fault    func([]byte, bool) [][]byte
		wait     time.Duration

		sent, arps, warned []string
		took               time.Duration
		address            string // "" is an error, the last of the warnings
	}{
		{name: "free", server: plain(),
			sent: []string{"0s DISCOVER", "0s REQUEST 10.0.0.42 of 10.0.0.1"},
			arps: []string{"0s 0.0.0.0 who has 10.0.0.42"},
			took: 20 * time.Millisecond, address: "10.0.0.42"},
		{name: "not looked for", server: plain(), wait: -1, stations: map[string]net.HardwareAddr{"10.0.0.42": other},
			sent:    []string{"0s DISCOVER", "0s REQUEST 10.0.0.42 of 10.0.0.1"},
			address: "10.0.0.42"},
		{name: "a slow server costs no wait", server: func() *server { s := plain(); s.After = 100 * time.Millisecond; return s }(),
			sent: []string{"0s DISCOVER", "100ms REQUEST 10.0.0.42 of 10.0.0.1"},
			arps: []string{"100ms 0.0.0.0 who has 10.0.0.42"},
			took: 200 * time.Millisecond, address: "10.0.0.42"},
		{name: "in use, and the server has another", server: func() *server { s := plain(); s.Declined = "10.0.0.43"; return s }(),
			stations: map[string]net.HardwareAddr{"10.0.0.42": other},
			sent: []string{"0s DISCOVER", "0s REQUEST 10.0.0.42 of 10.0.0.1", "0s DECLINE 10.0.0.42 of 10.0.0.1",
				"0s DISCOVER", "0s REQUEST 10.0.0.43 of 10.0.0.1"},
			arps:   []string{"0s 0.0.0.0 who has 10.0.0.42", "0s 0.0.0.0 who has 10.0.0.43"},
			warned: []string{inUse}, took: 20 * time.Millisecond, address: "10.0.0.43"},
		{name: "in use, and the server insists", server: plain(), stations: map[string]net.HardwareAddr{"10.0.0.42": other},
			sent: []string{"0s DISCOVER", "0s REQUEST 10.0.0.42 of 10.0.0.1", "0s DECLINE 10.0.0.42 of 10.0.0.1",
				"0s DISCOVER", "1s DISCOVER", "2s REQUEST 10.0.0.42 of 10.0.0.1", "2s DECLINE 10.0.0.42 of 10.0.0.1",
				"2s DISCOVER", "3s DISCOVER", "4s REQUEST 10.0.0.42 of 10.0.0.1", "4s DECLINE 10.0.0.42 of 10.0.0.1"},
			arps:   []string{"0s 0.0.0.0 who has 10.0.0.42", "2s 0.0.0.0 who has 10.0.0.42", "4s 0.0.0.0 who has 10.0.0.42"},
			warned: []string{inUse, inUse, inUse}, took: 4 * time.Second},
		{name: "a BOOTP server can't be told", server: func() *server {
			s := plain()
			s.Edit = func(m *dhcpv4.DHCPv4) { m.DeleteOption(dhcpv4.OptionDHCPMessageType) }
			return s
		}(), stations: map[string]net.HardwareAddr{"10.0.0.42": other},
			sent:   []string{"0s DISCOVER", "0s DISCOVER", "1s DISCOVER", "2s DISCOVER", "3s DISCOVER"},
			arps:   []string{"0s 0.0.0.0 who has 10.0.0.42", "2s 0.0.0.0 who has 10.0.0.42", "4s 0.0.0.0 who has 10.0.0.42"},
			warned: []string{inUse, inUse, inUse}, took: 4 * time.Second},
		{name: "the guest itself", server: plain(), stations: map[string]net.HardwareAddr{"10.0.0.42": guestMAC},
			sent: []string{"0s DISCOVER", "0s REQUEST 10.0.0.42 of 10.0.0.1"},
			arps: []string{"0s 0.0.0.0 who has 10.0.0.42"},
			took: 20 * time.Millisecond, address: "10.0.0.42"},
		{name: "a switch that probes, too", server: plain(), stations: map[string]net.HardwareAddr{"10.0.0.42": other},
			fault: func(frame []byte, toServer bool) [][]byte {
				if p, ok := arpOf(frame); ok && !toServer {
					p.Operation, p.Sender, p.Target = wire.ARPRequest, ipAddr("0.0.0.0"), p.Sender
					return [][]byte{p.Frame()}
				}
				return [][]byte{frame}
			},
			sent: []string{"0s DISCOVER", "0s REQUEST 10.0.0.42 of 10.0.0.1"},
			arps: []string{"0s 0.0.0.0 who has 10.0.0.42"},
			took: 20 * time.Millisecond, address: "10.0.0.42"},
		{name: "a lost ACK: the probe goes out again", server: plain(), fault: lose(false, 2),
			sent: []string{"0s DISCOVER", "0s REQUEST 10.0.0.42 of 10.0.0.1", "1s REQUEST 10.0.0.42 of 10.0.0.1"},
			arps: []string{"0s 0.0.0.0 who has 10.0.0.42", "1s 0.0.0.0 who has 10.0.0.42"},
			took: time.Second, address: "10.0.0.42"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := lan.New(c.server)
				w.Stations, w.Fault = c.stations, c.fault
				client := testClient(t, w)
				client.ProbeWait = c.wait
				var warned []string
				client.Warn = func(text string) { warned = append(warned, text) }
				lease, err := client.Lease(t.Context())
				took := time.Since(w.Begin)
				for what, diff := range map[string]string{
					"sent": cmp.Diff(c.sent, w.Journal), "ARP": cmp.Diff(c.arps, w.ARPs), "warned": cmp.Diff(c.warned, warned),
				} {
					if diff != "" {
						t.Errorf("%s (-want +got):\n%s", what, diff)
					}
				}
				if took != c.took {
					t.Errorf("took %s, want %s", took, c.took)
				}
				switch {
				case c.address == "":
					if lease != nil || !errors.Is(err, ErrInUse) || err.Error() != inUse {
						t.Errorf("lease %v, error %v", lease, err)
					}
				case err != nil || fmt.Sprint(lease.Address.Addr()) != c.address:
					t.Errorf("lease %v, error %v", lease, err)
				}
			})
		})
	}
}

// The server may give another address than it offered, but not one that was
// not looked for.
func TestAckOfAnotherAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{ID: "10.0.0.1", Address: "10.0.0.42", BootFile: "pxelinux.0", Edit: func(m *dhcpv4.DHCPv4) {
			if m.MessageType() == dhcpv4.MessageTypeAck {
				m.YourIPAddr = lan.IP("10.0.0.43")
			}
		}}
		client := testClient(t, lan.New(s))
		client.Patience = time.Second
		if lease, err := client.Lease(t.Context()); lease != nil || !errors.Is(err, ErrNoAck) {
			t.Errorf("lease %v, error %v", lease, err)
		}
	})
}
