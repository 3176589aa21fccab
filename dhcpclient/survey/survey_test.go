package survey

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/gopxeboot/gopxeboot/dhcpclient"
	"github.com/gopxeboot/gopxeboot/dhcpclient/internal/lan"
	"github.com/gopxeboot/gopxeboot/internal/wire"
	"github.com/insomniacslk/dhcp/dhcpv4"
)

// same are the values that cmp can't look into.
var same = cmp.Options{cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{}, netip.Prefix{}), cmpopts.EquateEmpty(),
	cmpopts.IgnoreMapEntries(func(code uint8, _ []byte) bool { return code == 53 })} // an offer has what an ACK has, but for what it is

func testClient(t *testing.T, conn dhcpclient.FrameConn) *dhcpclient.Client {
	t.Helper()
	return &dhcpclient.Client{Conn: conn, MAC: lan.GuestMAC, UUID: lan.GuestUUID, Rand: &lan.Steady{}, ProbeWait: -1}
}

func bootFile(name string) func(*dhcpv4.DHCPv4) {
	return func(m *dhcpv4.DHCPv4) { m.BootFileName = name }
}

// discover is a machine's DISCOVER.
func discover(mac net.HardwareAddr, options ...dhcpv4.Option) []byte {
	m := &dhcpv4.DHCPv4{OpCode: dhcpv4.OpcodeBootRequest, HWType: 1, ClientHWAddr: mac,
		Options: dhcpv4.OptionsFromList(append(options, dhcpv4.OptMessageType(dhcpv4.MessageTypeDiscover))...)}
	return wire.Datagram{
		Source: netip.MustParseAddrPort("0.0.0.0:68"), Destination: netip.MustParseAddrPort("255.255.255.255:67"), Payload: m.ToBytes(),
	}.Frame(mac, wire.Broadcast)
}

// strays is how many of the messages were not for the guest.
func strays(s *Survey) (n int) {
	for _, m := range s.Messages {
		if m.Stray != "" {
			n++
		}
	}
	return n
}

// film keeps the frames that cross it.
type film struct {
	dhcpclient.FrameConn
	mu     sync.Mutex
	frames []dhcpclient.Frame
}

func (r *film) keep(frame []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.frames = append(r.frames, dhcpclient.Frame{At: time.Now(), Data: bytes.Clone(frame)})
}

func (r *film) Read(b []byte) (int, error) {
	n, err := r.FrameConn.Read(b)
	if err == nil {
		r.keep(b[:n])
	}
	return n, err
}

func (r *film) Write(frame []byte) (int, error) {
	r.keep(frame)
	return r.FrameConn.Write(frame)
}

// tell is a survey as the tests compare it.
func tell(s *Survey) string {
	var b strings.Builder
	for _, m := range s.Messages {
		who := m.From.String()
		if m.Sent {
			who = "guest"
		}
		fmt.Fprintf(&b, "%s %s %s", m.After, who, m.Type())
		if m.Stray != "" {
			fmt.Fprintf(&b, ", stray: %s", m.Stray)
		}
		if o := m.Offer; o != nil {
			fmt.Fprintf(&b, ", %s offers %s %s %s after %s", o.Server, o.Address, o.NextServer, o.BootFile, m.Delay)
		}
		b.WriteString("\n")
	}
	if s.Lease != nil {
		fmt.Fprintf(&b, "lease %s %s %s, of %d\n", s.Lease.Address, s.Lease.NextServer, s.Lease.BootFile, s.Lease.Offers)
		fmt.Fprintf(&b, "next-server: %s\nboot file: %s\n", s.Origins.NextServer, s.Origins.BootFile)
	}
	if s.Holder != nil {
		fmt.Fprintf(&b, "held by %s\n", s.Holder)
	}
	for _, server := range s.Silent {
		fmt.Fprintf(&b, "silent: %s\n", server)
	}
	return b.String()
}

func TestSurvey(t *testing.T) {
	plain := func() *lan.Server { return &lan.Server{ID: "10.0.0.1", Address: "10.0.0.42", BootFile: "pxelinux.0"} }
	bare := func() *lan.Server { return &lan.Server{ID: "10.0.0.1", Address: "10.0.0.42"} }
	second := func() *lan.Server {
		return &lan.Server{ID: "10.0.0.2", Address: "10.0.0.77", BootFile: "second.0", After: 300 * time.Millisecond}
	}
	for _, c := range []struct {
		name     string
		servers  []*lan.Server
		stations map[string]net.HardwareAddr
		extra    func(m *dhcpv4.DHCPv4) []byte // one more frame, 100 ms after the DISCOVER
		elsewhere,
		unlikeLease bool
		want string
	}{
		{name: "nobody", want: `
0s guest DISCOVER
1s guest DISCOVER
`},
		{name: "one server", servers: []*lan.Server{plain()}, want: `
0s guest DISCOVER
0s 10.0.0.250:67 OFFER, 10.0.0.1 offers 10.0.0.42 invalid IP pxelinux.0 after 0s
1s guest DISCOVER
1s 10.0.0.250:67 OFFER, 10.0.0.1 offers 10.0.0.42 invalid IP pxelinux.0 after 0s
lease 10.0.0.42/24 10.0.0.1 pxelinux.0, of 1
next-server: option 54 of 10.0.0.1's OFFER
boot file: file of 10.0.0.1's OFFER
`},
		// Lease would have gone before the second one answers.
		{name: "two that differ", servers: []*lan.Server{plain(), second()}, want: `
0s guest DISCOVER
0s 10.0.0.250:67 OFFER, 10.0.0.1 offers 10.0.0.42 invalid IP pxelinux.0 after 0s
300ms 10.0.0.250:67 OFFER, 10.0.0.2 offers 10.0.0.77 invalid IP second.0 after 300ms
1s guest DISCOVER
1s 10.0.0.250:67 OFFER, 10.0.0.1 offers 10.0.0.42 invalid IP pxelinux.0 after 0s
1.3s 10.0.0.250:67 OFFER, 10.0.0.2 offers 10.0.0.77 invalid IP second.0 after 300ms
lease 10.0.0.42/24 10.0.0.1 pxelinux.0, of 1
next-server: option 54 of 10.0.0.1's OFFER
boot file: file of 10.0.0.1's OFFER
`},
		{name: "a proxy on port 4011", servers: []*lan.Server{bare(), {ID: "10.0.0.3", PXE: lan.PXE("10.0.0.3", bootFile("proxy.0"))}}, want: `
0s guest DISCOVER
0s 10.0.0.250:67 OFFER, 10.0.0.1 offers 10.0.0.42 invalid IP  after 0s
0s 10.0.0.250:67 OFFER, 10.0.0.3 offers invalid IP invalid IP  after 0s
1s guest DISCOVER
1s 10.0.0.250:67 OFFER, 10.0.0.1 offers 10.0.0.42 invalid IP  after 0s
1s 10.0.0.250:67 OFFER, 10.0.0.3 offers invalid IP invalid IP  after 0s
1.52s guest REQUEST
1.52s 10.0.0.3:4011 ACK, 10.0.0.3 offers invalid IP invalid IP proxy.0 after 0s
lease 10.0.0.42/24 10.0.0.3 proxy.0, of 1
next-server: option 54 of 10.0.0.3's ACK
boot file: file of 10.0.0.3's ACK
`},
		{name: "a proxy that does not say", servers: []*lan.Server{plain(), {ID: "10.0.0.3"}}, unlikeLease: true, want: `
0s guest DISCOVER
0s 10.0.0.250:67 OFFER, 10.0.0.1 offers 10.0.0.42 invalid IP pxelinux.0 after 0s
0s 10.0.0.250:67 OFFER, 10.0.0.3 offers invalid IP invalid IP  after 0s
1s guest DISCOVER
1s 10.0.0.250:67 OFFER, 10.0.0.1 offers 10.0.0.42 invalid IP pxelinux.0 after 0s
1s 10.0.0.250:67 OFFER, 10.0.0.3 offers invalid IP invalid IP  after 0s
1.52s guest REQUEST
1.77s guest REQUEST
2.27s guest REQUEST
2.77s guest REQUEST
3.27s guest REQUEST
lease 10.0.0.42/24 10.0.0.1 pxelinux.0, of 1
next-server: option 54 of 10.0.0.1's OFFER
boot file: file of 10.0.0.1's OFFER
silent: 10.0.0.3
`},
		{name: "the address is in use", servers: []*lan.Server{plain()}, unlikeLease: true,
			stations: map[string]net.HardwareAddr{"10.0.0.42": {2, 0, 0, 0, 0, 9}}, want: `
0s guest DISCOVER
0s 10.0.0.250:67 OFFER, 10.0.0.1 offers 10.0.0.42 invalid IP pxelinux.0 after 0s
1s guest DISCOVER
1s 10.0.0.250:67 OFFER, 10.0.0.1 offers 10.0.0.42 invalid IP pxelinux.0 after 0s
lease 10.0.0.42/24 10.0.0.1 pxelinux.0, of 1
next-server: option 54 of 10.0.0.1's OFFER
boot file: file of 10.0.0.1's OFFER
held by 02:00:00:00:00:09
`},
		{name: "for another guest", extra: func(m *dhcpv4.DHCPv4) []byte {
			m.ClientHWAddr = net.HardwareAddr{2, 0, 0, 0, 0, 9}
			return lan.Broadcast(m)
		}, want: `
0s guest DISCOVER
100ms 10.0.0.250:67 OFFER, stray: chaddr
1s guest DISCOVER
`},
		{name: "another transaction", extra: func(m *dhcpv4.DHCPv4) []byte { m.TransactionID[0]++; return lan.Broadcast(m) }, want: `
0s guest DISCOVER
100ms 10.0.0.250:67 OFFER, stray: xid
1s guest DISCOVER
`},
		{name: "to another station", extra: func(m *dhcpv4.DHCPv4) []byte {
			b := lan.Broadcast(m)
			copy(b, []byte{2, 0, 0, 0, 0, 9})
			return b
		}, want: `
0s guest DISCOVER
100ms 10.0.0.250:67 OFFER, stray: destination
1s guest DISCOVER
`},
		{name: "in another VLAN", elsewhere: true, extra: func(m *dhcpv4.DHCPv4) []byte {
			b := lan.Broadcast(m)
			return slices.Concat(b[:12], []byte{0x81, 0, 0, 20}, b[12:])
		}, want: `
0s guest DISCOVER
100ms 10.0.0.250:67 OFFER, stray: vlan
1s guest DISCOVER
`},
		{name: "cut", extra: func(m *dhcpv4.DHCPv4) []byte {
			b := m.ToBytes()
			return lan.BroadcastOf(append(b[:bytes.LastIndexByte(b, 255)], 67, 200, 'p', 'x'))
		}, want: `
0s guest DISCOVER
100ms 10.0.0.250:67 OFFER, stray: unreadable
1s guest DISCOVER
`},
		{name: "NAK", extra: func(m *dhcpv4.DHCPv4) []byte {
			m.UpdateOption(dhcpv4.OptMessageType(dhcpv4.MessageTypeNak))
			return lan.Broadcast(m)
		}, want: `
0s guest DISCOVER
100ms 10.0.0.250:67 NAK
1s guest DISCOVER
`},
		{name: "bytes behind names", servers: []*lan.Server{{ID: "10.0.0.1", Address: "10.0.0.42", Edit: func(m *dhcpv4.DHCPv4) {
			m.BootFileName = "first.0"
			m.UpdateOption(dhcpv4.OptBootFileName("pxelinux.0\xff"))
			m.UpdateOption(dhcpv4.OptTFTPServerName("10.0.0.9 "))
		}}}, want: `
0s guest DISCOVER
0s 10.0.0.250:67 OFFER, 10.0.0.1 offers 10.0.0.42 invalid IP first.0 after 0s
1s guest DISCOVER
1s 10.0.0.250:67 OFFER, 10.0.0.1 offers 10.0.0.42 invalid IP first.0 after 0s
lease 10.0.0.42/24 10.0.0.1 first.0, of 1
next-server: option 54 of 10.0.0.1's OFFER
boot file: file of 10.0.0.1's OFFER
`},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, other := lan.New(c.servers...), lan.New()
				w.Stations = c.stations
				r := &film{FrameConn: w}
				client := testClient(t, r)
				client.ProbeWait = 0
				if c.extra != nil {
					to := w
					if c.elsewhere {
						to = other
					}
					time.AfterFunc(100*time.Millisecond, func() {
						xid := dhcpv4.TransactionID{}
						r.mu.Lock()
						frames := slices.Clone(r.frames)
						r.mu.Unlock()
						for _, f := range frames {
							if m, err := Decode(f.Data); err == nil {
								xid = dhcpv4.TransactionID{byte(m.XID >> 24), byte(m.XID >> 16), byte(m.XID >> 8), byte(m.XID)}
							}
						}
						frame := c.extra(plain().Reply(xid, dhcpv4.MessageTypeOffer))
						if c.elsewhere {
							r.keep(frame) // as a capture of the whole wire has it
						}
						to.Deliver(frame)
					})
				}
				s, err := Run(t.Context(), client, Config{Wait: 1500 * time.Millisecond, OtherVLANs: other})
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(strings.TrimPrefix(c.want, "\n"), tell(s)); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				// A capture of it says the same, but for who holds the address.
				replayed, err := Replay(nil, r.frames)
				if err != nil {
					t.Fatal(err)
				}
				s.Holder = nil
				if diff := cmp.Diff(s, replayed, same); diff != "" {
					t.Errorf("replayed (-survey +replay):\n%s", diff)
				}

				// And Lease comes to the same.
				client.Conn = w
				client.Patience = 1500 * time.Millisecond
				if lease, err := client.Lease(t.Context()); err == nil && !c.unlikeLease {
					if diff := cmp.Diff(lease, s.Lease, same); diff != "" {
						t.Errorf("(-lease +survey):\n%s", diff)
					}
				} else if s.Lease != nil && !c.unlikeLease {
					t.Errorf("Lease says %v", err)
				}
			})
		})
	}
}

// What is seen until the context ends is given, with its error.
func TestSurveyEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		w := lan.New(&lan.Server{ID: "10.0.0.1", Address: "10.0.0.42"})
		s, err := Run(ctx, testClient(t, w), Config{Wait: time.Hour})
		if !errors.Is(err, context.DeadlineExceeded) || len(s.Offers()) != 1 {
			t.Errorf("%v, %d offers", err, len(s.Offers()))
		}
		client := testClient(t, w)
		client.MAC = nil
		if _, err := Run(t.Context(), client, Config{Wait: time.Second}); err == nil {
			t.Error("asked without a MAC")
		}
		var none *dhcpclient.Conn
		if _, err := Run(t.Context(), &dhcpclient.Client{Conn: none, MAC: lan.GuestMAC}, Config{}); err == nil {
			t.Error("asked without a Conn")
		}
	})
}

// A flood of strays takes the place of no answer.
func TestSurveyOfFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := lan.New(&lan.Server{ID: "10.0.0.1", Address: "10.0.0.42", After: 900 * time.Millisecond})
		for i := range 2000 {
			time.AfterFunc(time.Duration(i)*time.Millisecond/4, func() {
				w.Deliver(lan.Broadcast((&lan.Server{ID: "10.0.0.9", Address: "10.0.0.66"}).Reply(dhcpv4.TransactionID{9}, dhcpv4.MessageTypeOffer)))
			})
		}
		s, err := Run(t.Context(), testClient(t, w), Config{Wait: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		if len(s.Offers()) != 1 || strays(s) != maxStrays || s.Missed != 2000-maxStrays {
			t.Errorf("%d offers, %d strays, %d missed", len(s.Offers()), strays(s), s.Missed)
		}
	})
}

// A capture of a whole boot has the lease that was confirmed, whoever made it.
func TestReplayOfLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &film{FrameConn: lan.New(
			&lan.Server{ID: "10.0.0.1", Address: "10.0.0.42", Edit: func(m *dhcpv4.DHCPv4) {
				if m.MessageType() == dhcpv4.MessageTypeAck {
					m.UpdateOption(dhcpv4.OptDomainName("confirmed.example"))
				}
			}},
			&lan.Server{ID: "10.0.0.3", PXE: lan.PXE("10.0.0.3", bootFile("proxy.0"))},
		)}
		lease, err := testClient(t, r).Lease(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		// Somebody else's boot, without PXE, comes before.
		other := net.HardwareAddr{2, 0, 0, 0, 0, 9}
		discover := discover(other, dhcpv4.OptClassIdentifier("udhcp"))
		frames := append([]dhcpclient.Frame{{At: time.Now(), Data: discover}}, r.frames...)
		for _, mac := range []net.HardwareAddr{nil, lan.GuestMAC} {
			s, err := Replay(mac, frames)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(lease, s.Lease, same); diff != "" {
				t.Errorf("(-lease +replay):\n%s", diff)
			}
			if got := s.Origins.Domain.String(); got != "option 15 of 10.0.0.1's ACK" {
				t.Errorf("domain from %s", got)
			}
			tagged := slices.Clone(frames)
			for i := range tagged {
				b := tagged[i].Data
				tagged[i].Data = slices.Concat(b[:12], []byte{0x81, 0, 0, 20}, b[12:])
			}
			s, err = Replay(mac, tagged)
			if err != nil || cmp.Diff(lease, s.Lease, same) != "" {
				t.Errorf("in a VLAN: %v, %v", s, err)
			}
		}
		if s, err := Replay(other, frames); err != nil || s.Lease != nil || len(s.Offers()) != 0 || strays(s) != 4 {
			t.Errorf("the other's: %v, %v", s, err)
		}
		if _, err := Replay(lan.GuestMAC, frames[:1]); !errors.Is(err, ErrNoGuest) {
			t.Errorf("without the guest: %v", err)
		}
	})
}
