package survey

import (
	"bytes"
	"net"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gopxeboot/gopxeboot/dhcpclient/internal/lan"
	"github.com/insomniacslk/dhcp/dhcpv4"
)

func TestHolder(t *testing.T) {
	other := net.HardwareAddr{2, 0, 0, 0, 0, 9}
	for address, want := range map[string]net.HardwareAddr{"10.0.0.9": other, "10.0.0.8": nil} {
		synctest.Test(t, func(t *testing.T) {
			w := lan.New()
			w.Stations = map[string]net.HardwareAddr{"10.0.0.9": other}
			// Answers about another address, and of the guest's own, are none.
			w.Deliver([]byte("noise"))
			w.Deliver(lan.BroadcastOf([]byte("noise")))
			got := Holder(t.Context(), w, lan.GuestMAC, netip.MustParseAddr("10.0.0.42"), netip.MustParseAddr(address))
			if !bytes.Equal(got, want) {
				t.Errorf("%s is held by %v, want %v", address, got, want)
			}
			if took := time.Since(w.Begin); want == nil && took != time.Second {
				t.Errorf("gave up after %s", took)
			}
		})
	}
}

func TestInform(t *testing.T) {
	idle, none := netip.MustParseAddr("10.0.0.254"), netip.Addr{}
	held := map[string]net.HardwareAddr{"10.0.0.254": {2, 0, 0, 0, 0, 9}}
	const (
		request = "REQUEST 0.0.0.0:68 > 255.255.255.255:67"
		inform  = "INFORM 10.0.0.254:68 > 255.255.255.255:67"
	)
	for _, c := range []struct {
		name     string
		idle     netip.Addr
		stations map[string]net.HardwareAddr
		answers  string // to which message
		want     string // the server
		took     time.Duration
		asked    []string
	}{
		{"answers INFORM", idle, nil, "INFORM", "10.0.0.1", 10 * time.Millisecond, []string{request, inform}},
		{"answers REQUEST", none, nil, "REQUEST", "10.0.0.1", 10 * time.Millisecond, []string{request}},
		{"nothing", idle, nil, "", "invalid IP", 2 * time.Second, []string{request, inform, request, inform}},
		{"the address is in use", idle, held, "INFORM", "invalid IP", 2 * time.Second, []string{request, request}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := lan.New()
				w.Stations = c.stations
				var asked []string
				w.Fault = func(frame []byte, toServer bool) [][]byte {
					m, err := Decode(frame)
					if err != nil || !toServer {
						return [][]byte{frame}
					}
					asked = append(asked, string(m.Type())+" "+m.From.String()+" > "+m.To.String())
					if !bytes.Equal(m.CHAddr, lan.GuestMAC) || (m.Type() == "INFORM") != (m.CIAddr == idle) {
						t.Errorf("asked %+v", m)
					}
					if string(m.Type()) == c.answers {
						_, asks := lan.ParseRequest(frame)
						answer := (&lan.Server{ID: "10.0.0.1", Address: "10.0.0.42"}).Reply(asks.TransactionID, dhcpv4.MessageTypeNak)
						time.AfterFunc(10*time.Millisecond, func() { w.Deliver(lan.Broadcast(answer)) })
					}
					return nil
				}
				server, took := Inform(t.Context(), w, lan.GuestMAC, c.idle, 2*time.Second)
				if server.String() != c.want || took != c.took {
					t.Errorf("%s after %s, want %s after %s", server, took, c.want, c.took)
				}
				if diff := cmp.Diff(c.asked, slices.Clip(asked)); diff != "" {
					t.Errorf("asked (-want +got):\n%s", diff)
				}
			})
		})
	}
}
