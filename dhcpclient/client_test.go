package dhcpclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gopxeboot/gopxeboot/dhcpclient/internal/lan"
	"github.com/gopxeboot/gopxeboot/internal/wire"
	"github.com/insomniacslk/dhcp/dhcpv4"
)

// lose drops the nth, counted from 1, of the frames that go one way.
func lose(toServer bool, nth ...int) func([]byte, bool) [][]byte {
	n := 0
	return func(frame []byte, direction bool) [][]byte {
		if direction == toServer {
			if n++; slices.Contains(nth, n) {
				return nil
			}
		}
		return [][]byte{frame}
	}
}

// changed delivers each reply only in a changed form.
func changed(change func(reply []byte)) func([]byte, bool) [][]byte {
	return func(frame []byte, toServer bool) [][]byte {
		if !toServer {
			change(frame)
		}
		return [][]byte{frame}
	}
}

// Where a reply has what, in a frame without IP options.
const (
	inMessage = wire.EthernetHeader + wire.IPv4Header + wire.UDPHeader
	inXID     = inMessage + 4
	inCHAddr  = inMessage + 28
)

func TestLease(t *testing.T) {
	plain := func() *server { return &server{ID: "10.0.0.1", Address: "10.0.0.42", BootFile: "pxelinux.0"} }
	bare := func() *server { return &server{ID: "10.0.0.1", Address: "10.0.0.42"} }
	second := func() *server {
		return &server{ID: "10.0.0.2", Address: "10.0.0.77", BootFile: "second.0", After: 500 * time.Millisecond}
	}
	proxy := func(after time.Duration) *server {
		return &server{ID: "10.0.0.3", BootFile: "proxy.0", After: after,
			Edit: func(m *dhcpv4.DHCPv4) { m.ServerIPAddr = lan.IP("10.0.0.4") }}
	}
	silence := []string{"0s DISCOVER", "1s DISCOVER", "3s DISCOVER", "7s DISCOVER", "15s DISCOVER", "31s DISCOVER", "47s DISCOVER"}
	const nobody = "no DHCP server answered 7 DISCOVERs on wire0 in 60.0 s"

	for _, c := range []struct {
		name    string
		servers []*server
		fault   func([]byte, bool) [][]byte
		client  func(*Client)

		sent  []string
		took  time.Duration
		lease string // address, server, next-server, boot file, offers
		err   string
		kind  error
	}{
		{name: "a complete offer is taken at once", servers: []*server{plain()},
			sent:  []string{"0s DISCOVER", "0s REQUEST 10.0.0.42 of 10.0.0.1"},
			lease: "10.0.0.42/24 10.0.0.1 10.0.0.1 pxelinux.0 1"},
		{name: "DISCOVER lost twice", servers: []*server{plain()}, fault: lose(true, 1, 2),
			sent: []string{"0s DISCOVER", "1s DISCOVER", "3s DISCOVER", "3s REQUEST 10.0.0.42 of 10.0.0.1"},
			took: 3 * time.Second, lease: "10.0.0.42/24 10.0.0.1 10.0.0.1 pxelinux.0 1"},
		{name: "OFFER lost", servers: []*server{plain()}, fault: lose(false, 1),
			sent: []string{"0s DISCOVER", "1s DISCOVER", "1s REQUEST 10.0.0.42 of 10.0.0.1"},
			took: time.Second, lease: "10.0.0.42/24 10.0.0.1 10.0.0.1 pxelinux.0 1"},
		{name: "REQUEST lost", servers: []*server{plain()}, fault: lose(true, 2),
			sent: []string{"0s DISCOVER", "0s REQUEST 10.0.0.42 of 10.0.0.1", "1s REQUEST 10.0.0.42 of 10.0.0.1"},
			took: time.Second, lease: "10.0.0.42/24 10.0.0.1 10.0.0.1 pxelinux.0 1"},
		{name: "ACK lost twice", servers: []*server{plain()}, fault: lose(false, 2, 3),
			sent: []string{"0s DISCOVER", "0s REQUEST 10.0.0.42 of 10.0.0.1", "1s REQUEST 10.0.0.42 of 10.0.0.1", "3s REQUEST 10.0.0.42 of 10.0.0.1"},
			took: 3 * time.Second, lease: "10.0.0.42/24 10.0.0.1 10.0.0.1 pxelinux.0 1"},
		{name: "everything comes twice", servers: []*server{plain()},
			fault: func(frame []byte, _ bool) [][]byte { return [][]byte{frame, bytes.Clone(frame)} },
			sent:  []string{"0s DISCOVER", "0s REQUEST 10.0.0.42 of 10.0.0.1"},
			lease: "10.0.0.42/24 10.0.0.1 10.0.0.1 pxelinux.0 1"},
		{name: "a server slower than the first retransmission",
			servers: []*server{{ID: "10.0.0.1", Address: "10.0.0.42", BootFile: "pxelinux.0", After: 1500 * time.Millisecond}},
			// The second offer comes while the ACK is waited for.
			sent: []string{"0s DISCOVER", "1s DISCOVER", "1.5s REQUEST 10.0.0.42 of 10.0.0.1"},
			took: 3 * time.Second, lease: "10.0.0.42/24 10.0.0.1 10.0.0.1 pxelinux.0 1"},
		{name: "timing of the caller's", servers: []*server{plain()}, fault: lose(true, 1, 2, 3),
			client: func(c *Client) { c.Retransmit = []time.Duration{time.Millisecond, 10 * time.Millisecond} },
			sent:   []string{"0s DISCOVER", "1ms DISCOVER", "11ms DISCOVER", "21ms DISCOVER", "21ms REQUEST 10.0.0.42 of 10.0.0.1"},
			took:   21 * time.Millisecond, lease: "10.0.0.42/24 10.0.0.1 10.0.0.1 pxelinux.0 1"},

		{name: "an offer without a boot file waits for a better one", servers: []*server{bare()},
			sent: []string{"0s DISCOVER", "1s DISCOVER", "2s REQUEST 10.0.0.42 of 10.0.0.1"},
			took: 2 * time.Second, lease: "10.0.0.42/24 10.0.0.1 10.0.0.1  1"},
		{name: "not when told so", servers: []*server{bare()},
			client: func(c *Client) { c.ProxyWait = -1 },
			sent:   []string{"0s DISCOVER", "0s REQUEST 10.0.0.42 of 10.0.0.1"},
			lease:  "10.0.0.42/24 10.0.0.1 10.0.0.1  1"},
		{name: "which is another server's", servers: []*server{bare(), second()},
			sent: []string{"0s DISCOVER", "500ms REQUEST 10.0.0.77 of 10.0.0.2"},
			took: time.Second, lease: "10.0.0.77/24 10.0.0.2 10.0.0.2 second.0 2"},
		{name: "or that server's own next one", servers: []*server{func() *server {
			s, n := bare(), 0
			s.Edit = func(m *dhcpv4.DHCPv4) {
				if n++; n > 1 {
					m.BootFileName = "later.0"
				}
			}
			return s
		}()},
			sent: []string{"0s DISCOVER", "1s DISCOVER", "1s REQUEST 10.0.0.42 of 10.0.0.1"},
			took: time.Second, lease: "10.0.0.42/24 10.0.0.1 10.0.0.1 later.0 1"},
		{name: "among equals the first wins", servers: []*server{
			bare(), {ID: "10.0.0.2", Address: "10.0.0.77", After: 100 * time.Millisecond}},
			sent: []string{"0s DISCOVER", "1s DISCOVER", "2s REQUEST 10.0.0.42 of 10.0.0.1"},
			took: 2 * time.Second, lease: "10.0.0.42/24 10.0.0.1 10.0.0.1  2"},
		{name: "a server that knows PXE clients before one that does not", servers: []*server{
			bare(), {ID: "10.0.0.2", Address: "10.0.0.77", Edit: func(m *dhcpv4.DHCPv4) {
				m.UpdateOption(dhcpv4.OptClassIdentifier("PXEClient:"))
			}}},
			sent: []string{"0s DISCOVER", "1s DISCOVER", "2s REQUEST 10.0.0.77 of 10.0.0.2"},
			took: 2 * time.Second, lease: "10.0.0.77/24 10.0.0.2 10.0.0.2  2"},

		{name: "proxy first", servers: []*server{proxy(0), plain()},
			sent:  []string{"0s DISCOVER", "0s REQUEST 10.0.0.42 of 10.0.0.1"},
			lease: "10.0.0.42/24 10.0.0.1 10.0.0.4 proxy.0 1"},
		{name: "proxy after an offer without a boot file", servers: []*server{bare(), proxy(1200 * time.Millisecond)},
			sent: []string{"0s DISCOVER", "1s DISCOVER", "1.2s REQUEST 10.0.0.42 of 10.0.0.1"},
			took: 1200 * time.Millisecond, lease: "10.0.0.42/24 10.0.0.1 10.0.0.4 proxy.0 1"},
		{name: "proxy after an offer with one is not waited for", servers: []*server{plain(), proxy(time.Second)},
			sent:  []string{"0s DISCOVER", "0s REQUEST 10.0.0.42 of 10.0.0.1"},
			lease: "10.0.0.42/24 10.0.0.1 10.0.0.1 pxelinux.0 1"},
		{name: "proxy alone", servers: []*server{proxy(0)}, sent: silence, took: time.Minute,
			err: nobody + " but the proxyDHCP server 10.0.0.3, which gives no addresses", kind: ErrNoOffer},

		{name: "BOOTP", servers: []*server{{ID: "10.0.0.1", Address: "10.0.0.42", BootFile: "pxelinux.0",
			Edit: func(m *dhcpv4.DHCPv4) {
				m.DeleteOption(dhcpv4.OptionDHCPMessageType)
				m.DeleteOption(dhcpv4.OptionServerIdentifier)
			}}},
			sent: []string{"0s DISCOVER"}, lease: "10.0.0.42/24 10.0.0.250 10.0.0.250 pxelinux.0 1"},

		{name: "NAK once", servers: []*server{func() *server { s := plain(); s.NAKs = 1; return s }()},
			sent: []string{"0s DISCOVER", "0s REQUEST 10.0.0.42 of 10.0.0.1",
				"0s DISCOVER", "1s DISCOVER", "2s REQUEST 10.0.0.42 of 10.0.0.1"},
			took: 2 * time.Second, lease: "10.0.0.42/24 10.0.0.1 10.0.0.1 pxelinux.0 1"},
		{name: "NAK four times, as other guests were faster", servers: []*server{func() *server { s := plain(); s.NAKs = 4; return s }()},
			sent: []string{"0s DISCOVER", "0s REQUEST 10.0.0.42 of 10.0.0.1",
				"0s DISCOVER", "1s DISCOVER", "2s REQUEST 10.0.0.42 of 10.0.0.1",
				"2s DISCOVER", "3s DISCOVER", "4s REQUEST 10.0.0.42 of 10.0.0.1",
				"4s DISCOVER", "5s DISCOVER", "6s REQUEST 10.0.0.42 of 10.0.0.1",
				"6s DISCOVER", "7s DISCOVER", "8s REQUEST 10.0.0.42 of 10.0.0.1"},
			took: 8 * time.Second, lease: "10.0.0.42/24 10.0.0.1 10.0.0.1 pxelinux.0 1"},
		{name: "NAK from the better of two", servers: []*server{
			func() *server { s := plain(); s.NAKs = 99; return s }(),
			{ID: "10.0.0.2", Address: "10.0.0.77", BootFile: "second.0"}},
			sent:  []string{"0s DISCOVER", "0s REQUEST 10.0.0.42 of 10.0.0.1", "0s DISCOVER", "0s REQUEST 10.0.0.77 of 10.0.0.2"},
			lease: "10.0.0.77/24 10.0.0.2 10.0.0.2 second.0 2"},
		{name: "NAK always", servers: []*server{func() *server { s := plain(); s.NAKs = 99; return s }()},
			sent: []string{"0s DISCOVER", "0s REQUEST 10.0.0.42 of 10.0.0.1",
				"0s DISCOVER", "1s DISCOVER", "2s REQUEST 10.0.0.42 of 10.0.0.1",
				"2s DISCOVER", "3s DISCOVER", "4s REQUEST 10.0.0.42 of 10.0.0.1",
				"4s DISCOVER", "5s DISCOVER", "6s REQUEST 10.0.0.42 of 10.0.0.1",
				"6s DISCOVER", "7s DISCOVER", "8s REQUEST 10.0.0.42 of 10.0.0.1",
				"8s DISCOVER", "9s DISCOVER", "10s REQUEST 10.0.0.42 of 10.0.0.1"},
			took: 10 * time.Second, kind: ErrNak,
			err: `DHCP server refused the address it offered: 10.0.0.42 from 10.0.0.1 on wire0, saying "not\x1b[2Jyours"`},
		{name: "NAK of another server", servers: []*server{plain()},
			fault: func(frame []byte, toServer bool) [][]byte {
				nak := (&server{ID: "10.0.0.9"}).Reply(dhcpv4.TransactionID(frame[inXID:inXID+4]), dhcpv4.MessageTypeNak)
				if toServer {
					return [][]byte{frame}
				}
				return [][]byte{lan.Broadcast(nak), frame}
			},
			sent:  []string{"0s DISCOVER", "0s REQUEST 10.0.0.42 of 10.0.0.1"},
			lease: "10.0.0.42/24 10.0.0.1 10.0.0.1 pxelinux.0 1"},
		{name: "no ACK, then silence", servers: []*server{plain()}, fault: lose(false, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
			client: func(c *Client) { c.Patience = 20 * time.Second },
			sent: []string{"0s DISCOVER", "0s REQUEST 10.0.0.42 of 10.0.0.1", "1s REQUEST 10.0.0.42 of 10.0.0.1",
				"3s REQUEST 10.0.0.42 of 10.0.0.1", "7s REQUEST 10.0.0.42 of 10.0.0.1",
				"15s DISCOVER", "16s DISCOVER", "18s DISCOVER"},
			took: 20 * time.Second, kind: ErrNoAck,
			err: "no DHCP server confirmed its offer: 4 REQUESTs for 10.0.0.42 sent to 10.0.0.1 on wire0"},
		{name: "no ACK from the first of two", servers: []*server{
			func() *server { s := plain(); s.Deaf = true; return s }(),
			{ID: "10.0.0.2", Address: "10.0.0.77", BootFile: "second.0"}},
			sent: []string{"0s DISCOVER", "0s REQUEST 10.0.0.42 of 10.0.0.1", "1s REQUEST 10.0.0.42 of 10.0.0.1",
				"3s REQUEST 10.0.0.42 of 10.0.0.1", "7s REQUEST 10.0.0.42 of 10.0.0.1",
				"15s DISCOVER", "15s REQUEST 10.0.0.77 of 10.0.0.2"},
			took: 15 * time.Second, lease: "10.0.0.77/24 10.0.0.2 10.0.0.2 second.0 2"},

		{name: "nobody there", sent: silence, took: time.Minute, err: nobody, kind: ErrNoOffer},
		{name: "less patience", client: func(c *Client) { c.Patience = 900 * time.Millisecond },
			sent: []string{"0s DISCOVER"}, took: 900 * time.Millisecond, kind: ErrNoOffer,
			err: "no DHCP server answered 1 DISCOVER on wire0 in 0.9 s"},
		{name: "another xid", servers: []*server{plain()}, sent: silence, took: time.Minute, err: nobody, kind: ErrNoOffer,
			fault: changed(func(b []byte) { b[inXID]++ })},
		{name: "another client's", servers: []*server{plain()}, sent: silence, took: time.Minute, err: nobody, kind: ErrNoOffer,
			fault: changed(func(b []byte) { b[inCHAddr+5]++ })},
		{name: "a request", servers: []*server{plain()}, sent: silence, took: time.Minute, err: nobody, kind: ErrNoOffer,
			fault: changed(func(b []byte) { b[inMessage] = 1 })},
		{name: "to another port", servers: []*server{plain()}, sent: silence, took: time.Minute, err: nobody, kind: ErrNoOffer,
			fault: changed(func(b []byte) { b[wire.EthernetHeader+wire.IPv4Header+3]++ })},
		{name: "an ACK before any REQUEST", servers: []*server{func() *server {
			s := plain()
			s.Edit = func(m *dhcpv4.DHCPv4) { m.UpdateOption(dhcpv4.OptMessageType(dhcpv4.MessageTypeAck)) }
			return s
		}()}, sent: silence, took: time.Minute, err: nobody, kind: ErrNoOffer},
		{name: "an offer of nothing", servers: []*server{{ID: "10.0.0.1", Address: "0.0.0.0",
			Edit: func(m *dhcpv4.DHCPv4) { m.DeleteOption(dhcpv4.OptionClassIdentifier) }}},
			sent: silence, took: time.Minute, err: nobody, kind: ErrNoOffer},
		{name: "an offer of no unicast address", servers: []*server{{ID: "10.0.0.1", Address: "239.1.2.3"}},
			sent: silence, took: time.Minute, err: nobody, kind: ErrNoOffer},
		{name: "an ACK of nothing", servers: []*server{func() *server {
			s := plain()
			s.Edit = func(m *dhcpv4.DHCPv4) {
				if m.MessageType() == dhcpv4.MessageTypeAck {
					m.YourIPAddr = nil
				}
			}
			return s
		}()}, client: func(c *Client) { c.Patience = time.Second },
			sent: []string{"0s DISCOVER", "0s REQUEST 10.0.0.42 of 10.0.0.1", "1s REQUEST 10.0.0.42 of 10.0.0.1",
				"3s REQUEST 10.0.0.42 of 10.0.0.1", "7s REQUEST 10.0.0.42 of 10.0.0.1"},
			took: 15 * time.Second, kind: ErrNoAck,
			err: "no DHCP server confirmed its offer: 4 REQUESTs for 10.0.0.42 sent to 10.0.0.1 on wire0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := lan.New(c.servers...)
				w.Fault = c.fault
				client := testClient(t, w)
				if c.client != nil {
					c.client(client)
				}
				lease, err := client.Lease(t.Context())
				took := time.Since(w.Begin)
				if diff := cmp.Diff(c.sent, w.Journal); diff != "" {
					t.Errorf("sent (-want +got):\n%s", diff)
				}
				if took != c.took {
					t.Errorf("took %s, want %s", took, c.took)
				}
				if c.kind != nil {
					if lease != nil || !errors.Is(err, c.kind) || err.Error() != c.err {
						t.Errorf("lease %v, error %v; want %v", lease, err, c.err)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				got := fmt.Sprint(lease.Address, " ", lease.ServerID, " ", lease.NextServer, " ", lease.BootFile, " ", lease.Offers)
				if got != c.lease {
					t.Errorf("lease %q, want %q", got, c.lease)
				}
			})
		})
	}
}

// A new round has a new xid, and the seconds go on.
func TestRounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{ID: "10.0.0.1", Address: "10.0.0.42", BootFile: "pxelinux.0", NAKs: 1, After: 700 * time.Millisecond}
		w := lan.New(s)
		var secs []uint16
		w.Fault = func(frame []byte, toServer bool) [][]byte {
			if toServer {
				_, request := lan.ParseRequest(frame)
				secs = append(secs, request.NumSeconds)
			}
			return [][]byte{frame}
		}
		if _, err := testClient(t, w).Lease(t.Context()); err != nil {
			t.Fatal(err)
		}
		// DISCOVER at 0 s, REQUEST at 0.7 s; DISCOVER at 1.4 and 2.4 s, and the
		// server's offer, avoided, is taken 2 s after it came, at 4.1 s.
		want := []string{"0s DISCOVER", "700ms REQUEST 10.0.0.42 of 10.0.0.1", "1.4s DISCOVER", "2.4s DISCOVER", "4.1s REQUEST 10.0.0.42 of 10.0.0.1"}
		if diff := cmp.Diff(want, w.Journal); diff != "" {
			t.Errorf("sent (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]uint16{0, 0, 1, 2, 2}, secs); diff != "" {
			t.Errorf("secs: RFC 2131 §4.4.1 wants those of the DISCOVER in the REQUEST (-want +got):\n%s", diff)
		}
		if len(s.Seen) != 3 || s.Seen[0] == s.Seen[1] || s.Seen[1] != s.Seen[2] {
			t.Errorf("xids of the DISCOVERs: %v", s.Seen)
		}
	})
}

func TestContext(t *testing.T) {
	for _, c := range []struct {
		name    string
		servers []*server
		after   time.Duration
		want    string
		kind    error
	}{
		{"nobody", nil, 2500 * time.Millisecond, "no DHCP server answered 2 DISCOVERs on wire0 in 2.5 s", ErrNoOffer},
		{"at once", nil, 0, "no DHCP server answered 0 DISCOVERs on wire0 in 0.0 s", ErrNoOffer},
		{"while a better offer is waited for", []*server{{ID: "10.0.0.1", Address: "10.0.0.42"}}, time.Second,
			"no DHCP server confirmed its offer: 0 REQUESTs for 10.0.0.42 sent to 10.0.0.1 on wire0", ErrNoAck},
		{"without an ACK", []*server{{ID: "10.0.0.1", Address: "10.0.0.42", BootFile: "x", Deaf: true}}, 2 * time.Second,
			"no DHCP server confirmed its offer: 2 REQUESTs for 10.0.0.42 sent to 10.0.0.1 on wire0", ErrNoAck},
	} {
		t.Run(c.name, func(t *testing.T) {
			says := map[error]string{context.DeadlineExceeded: "", context.Canceled: ", and was cancelled"}
			try := func(ended error, start func() (context.Context, context.CancelFunc)) {
				synctest.Test(t, func(t *testing.T) {
					w := lan.New(c.servers...)
					ctx, cancel := start()
					defer cancel()
					_, err := testClient(t, w).Lease(ctx)
					if !errors.Is(err, c.kind) || !errors.Is(err, ended) || err.Error() != c.want+says[ended] {
						t.Errorf("error %v", err)
					}
					if took := time.Since(w.Begin); took != c.after {
						t.Errorf("took %s, want %s", took, c.after)
					}
				})
			}
			try(context.DeadlineExceeded, func() (context.Context, context.CancelFunc) {
				return context.WithTimeout(context.Background(), c.after)
			})
			try(context.Canceled, func() (context.Context, context.CancelFunc) {
				ctx, cancel := context.WithCancel(context.Background())
				if c.after == 0 {
					cancel()
				} else {
					time.AfterFunc(c.after, cancel)
				}
				return ctx, cancel
			})
		})
	}
}

// A thousand bogus offers a second neither hide the good one nor are kept.
func TestFlood(t *testing.T) {
	good := &server{ID: "10.0.0.1", Address: "10.0.0.42", BootFile: "pxelinux.0", After: 1500 * time.Millisecond}
	for _, c := range []struct {
		name  string
		bogus server
		xid   byte // what is added to it
		most  time.Duration
	}{
		{name: "DHCP servers", bogus: server{Address: "10.66.6.6"}, most: 3100 * time.Millisecond},
		// Two of them are asked what to boot.
		{name: "proxies", bogus: server{}, most: 7100 * time.Millisecond},
		{name: "foreign answers", bogus: server{Address: "10.66.6.6", BootFile: "x"}, xid: 1, most: 3100 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := lan.New(good)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				w.Fault = func(frame []byte, toServer bool) [][]byte {
					if toServer && len(w.Journal) == 1 {
						xid := dhcpv4.TransactionID(frame[inXID : inXID+4])
						xid[0] += c.xid
						go func() {
							for n := 0; ctx.Err() == nil; n++ {
								s := c.bogus
								s.ID = fmt.Sprintf("10.66.%d.%d", n/256%256, n%256)
								w.Deliver(lan.Broadcast(s.Reply(xid, dhcpv4.MessageTypeOffer)))
								select {
								case <-time.After(time.Millisecond):
								case <-ctx.Done():
								}
							}
						}()
					}
					return [][]byte{frame}
				}
				told := 0
				client := testClient(t, w)
				client.Offered = func(Offer) { told++ }
				lease, err := client.Lease(ctx)
				if err != nil || lease.Address.Addr().String() != "10.0.0.42" {
					t.Errorf("lease %+v, %v", lease, err)
				}
				// The bogus ones of a kind, and the good one.
				if told > maxOffers+1 || lease.Offers > maxOffers {
					t.Errorf("told of %d offers, counted %d", told, lease.Offers)
				}
				if took := time.Since(w.Begin); took > c.most {
					t.Errorf("took %s", took)
				}
				cancel()
				synctest.Wait()
			})
		})
	}
}

func TestOffered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := lan.New(
			&server{ID: "10.0.0.1", Address: "10.0.0.42"},
			&server{ID: "10.0.0.3", BootFile: "proxy.0", After: 1200 * time.Millisecond,
				Edit: func(m *dhcpv4.DHCPv4) { m.ServerIPAddr = lan.IP("10.0.0.4") }},
		)
		var got []Offer
		client := testClient(t, w)
		client.Offered = func(o Offer) { got = append(got, o) }
		if _, err := client.Lease(t.Context()); err != nil {
			t.Fatal(err)
		}
		want := []Offer{
			{Server: netip.MustParseAddr("10.0.0.1"), Address: netip.MustParseAddr("10.0.0.42")},
			{Server: netip.MustParseAddr("10.0.0.3"), NextServer: netip.MustParseAddr("10.0.0.4"),
				BootFile: "proxy.0", Proxy: true, After: 1200 * time.Millisecond},
		}
		if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
			t.Errorf("offers (-want +got):\n%s", diff)
		}
	})
}

// Retransmissions of guests that start together drift apart, by a fifth at most.
func TestJitter(t *testing.T) {
	seen := make(map[time.Duration]bool)
	for range 1000 {
		d := randomSource{}.jitter(10 * time.Second)
		if d < 8*time.Second || d > 12*time.Second {
			t.Fatalf("10 s became %s", d)
		}
		seen[d] = true
	}
	if len(seen) < 900 {
		t.Errorf("only %d different waits of 1000", len(seen))
	}
}

// brokenConn fails.
type brokenConn struct {
	*lan.LAN
	read, write error
}

func (b brokenConn) Read(p []byte) (int, error) {
	if b.read != nil {
		return 0, b.read
	}
	return b.LAN.Read(p)
}

func (b brokenConn) Write(p []byte) (int, error) {
	if b.write != nil {
		return 0, b.write
	}
	return b.LAN.Write(p)
}

func TestLeaseErrors(t *testing.T) {
	for _, c := range []struct {
		name        string
		mac         net.HardwareAddr
		uuid        string
		read, write error
		want        string
	}{
		{name: "no MAC", want: `"" is not the MAC of an Ethernet card`},
		{name: "zero MAC", mac: make(net.HardwareAddr, 6), want: `"00:00:00:00:00:00" is not the MAC of an Ethernet card`},
		{name: "multicast MAC", mac: net.HardwareAddr{1, 0, 0x5e, 0, 0, 1}, want: `"01:00:5e:00:00:01" is not the MAC of an Ethernet card`},
		{name: "InfiniBand MAC", mac: make(net.HardwareAddr, 20), want: `"` + strings.Repeat("00:", 19) + `00" is not the MAC of an Ethernet card`},
		{name: "UUID", mac: guestMAC, uuid: "guest", want: `"guest" is not a UUID`},
		{name: "short UUID", mac: guestMAC, uuid: "00112233", want: `"00112233" is not a UUID`},
		{name: "read", mac: guestMAC, read: io.ErrUnexpectedEOF, want: "receive on wire0: unexpected EOF"},
		{name: "write", mac: guestMAC, write: io.ErrClosedPipe, want: "send DISCOVER on wire0: io: read/write on closed pipe"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client := &Client{Conn: brokenConn{lan.New(), c.read, c.write}, MAC: c.mac, UUID: c.uuid}
				lease, err := client.Lease(t.Context())
				if lease != nil || err == nil || err.Error() != c.want {
					t.Errorf("lease %v, error %v; want %v", lease, err, c.want)
				}
				for _, kind := range []error{ErrNoOffer, ErrNoAck, ErrNak} {
					if errors.Is(err, kind) {
						t.Errorf("is %v", kind)
					}
				}
			})
		})
	}
}

// What Listen gives with its error is no Conn.
func TestNoConn(t *testing.T) {
	var none *Conn
	for name, conn := range map[string]FrameConn{"nil": nil, "a nil *Conn": none} {
		client := &Client{Conn: conn, MAC: guestMAC}
		const want = "the client has no Conn to ask on"
		if _, err := client.Lease(t.Context()); err == nil || err.Error() != want {
			t.Errorf("%s: Lease: %v", name, err)
		}
		if _, err := client.Try(t.Context(), time.Second); err == nil || err.Error() != want {
			t.Errorf("%s: Try: %v", name, err)
		}
		if err := client.Release(t.Context(), &Lease{}); err == nil || err.Error() != want {
			t.Errorf("%s: Release: %v", name, err)
		}
	}
}

// starved is a process that gets no CPU until long after the time that it waits for.
type starved struct {
	*lan.LAN
	until time.Time
}

func (s *starved) SetReadDeadline(t time.Time) error {
	s.until = t
	return s.LAN.SetReadDeadline(t)
}

func (s *starved) Read(b []byte) (int, error) {
	if wait := time.Until(s.until); wait > 100*time.Millisecond {
		time.Sleep(wait + time.Second)
		return 0, os.ErrDeadlineExceeded
	}
	return s.LAN.Read(b)
}

// Who gets no CPU for a while does not ask again for what is there.
func TestStarved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := lan.New(&server{ID: "10.0.0.1", Address: "10.0.0.42", BootFile: "pxelinux.0", After: time.Millisecond})
		if _, err := testClient(t, &starved{LAN: w}).Lease(t.Context()); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff([]string{"0s DISCOVER", "2s REQUEST 10.0.0.42 of 10.0.0.1"}, w.Journal); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}
