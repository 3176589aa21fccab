package dhcpclient

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
	"github.com/insomniacslk/dhcp/dhcpv4"
)

// same are the values that cmp can't look into.
var same = cmp.Options{compareAddrPort, cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}), cmpopts.EquateEmpty()}

// film keeps the frames that cross it.
type film struct {
	FrameConn
	mu     sync.Mutex
	frames []Frame
}

func (r *film) keep(frame []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.frames = append(r.frames, Frame{time.Now(), bytes.Clone(frame)})
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
	for _, a := range s.Anomalies {
		fmt.Fprintf(&b, "%s %d %s %q %q %s\n", a.Kind, a.Option, a.Field, a.Value, a.Other, a.Servers)
	}
	return b.String()
}

func TestSurvey(t *testing.T) {
	plain := func() *server { return &server{id: "10.0.0.1", address: "10.0.0.42", bootFile: "pxelinux.0"} }
	bare := func() *server { return &server{id: "10.0.0.1", address: "10.0.0.42"} }
	second := func() *server {
		return &server{id: "10.0.0.2", address: "10.0.0.77", bootFile: "second.0", after: 300 * time.Millisecond}
	}
	for _, c := range []struct {
		name     string
		servers  []*server
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
		{name: "one server", servers: []*server{plain()}, want: `
0s guest DISCOVER
0s 10.0.0.250:67 OFFER, 10.0.0.1 offers 10.0.0.42 invalid IP pxelinux.0 after 0s
1s guest DISCOVER
1s 10.0.0.250:67 OFFER, 10.0.0.1 offers 10.0.0.42 invalid IP pxelinux.0 after 0s
lease 10.0.0.42/24 10.0.0.1 pxelinux.0, of 1
next-server: option 54 of 10.0.0.1's OFFER
boot file: file of 10.0.0.1's OFFER
`},
		// Lease would have gone before the second one answers.
		{name: "two that differ", servers: []*server{plain(), second()}, want: `
0s guest DISCOVER
0s 10.0.0.250:67 OFFER, 10.0.0.1 offers 10.0.0.42 invalid IP pxelinux.0 after 0s
300ms 10.0.0.250:67 OFFER, 10.0.0.2 offers 10.0.0.77 invalid IP second.0 after 300ms
1s guest DISCOVER
1s 10.0.0.250:67 OFFER, 10.0.0.1 offers 10.0.0.42 invalid IP pxelinux.0 after 0s
1.3s 10.0.0.250:67 OFFER, 10.0.0.2 offers 10.0.0.77 invalid IP second.0 after 300ms
lease 10.0.0.42/24 10.0.0.1 pxelinux.0, of 1
next-server: option 54 of 10.0.0.1's OFFER
boot file: file of 10.0.0.1's OFFER
servers-differ 0 BootFile "pxelinux.0" "second.0" [10.0.0.1 10.0.0.2]
servers-differ 0 NextServer "10.0.0.1" "10.0.0.2" [10.0.0.1 10.0.0.2]
`},
		{name: "a proxy on port 4011", servers: []*server{bare(), {id: "10.0.0.3", pxe: pxe("10.0.0.3", file("proxy.0"))}}, want: `
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
		{name: "a proxy that does not say", servers: []*server{plain(), {id: "10.0.0.3"}}, unlikeLease: true, want: `
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
		{name: "the address is in use", servers: []*server{plain()}, unlikeLease: true,
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
			return replyFrame(m)
		}, want: `
0s guest DISCOVER
100ms 10.0.0.250:67 OFFER, stray: chaddr
1s guest DISCOVER
`},
		{name: "another transaction", extra: func(m *dhcpv4.DHCPv4) []byte { m.TransactionID[0]++; return replyFrame(m) }, want: `
0s guest DISCOVER
100ms 10.0.0.250:67 OFFER, stray: xid
1s guest DISCOVER
`},
		{name: "to another station", extra: func(m *dhcpv4.DHCPv4) []byte {
			b := replyFrame(m)
			copy(b, []byte{2, 0, 0, 0, 0, 9})
			return b
		}, want: `
0s guest DISCOVER
100ms 10.0.0.250:67 OFFER, stray: destination
1s guest DISCOVER
`},
		{name: "in another VLAN", elsewhere: true, extra: func(m *dhcpv4.DHCPv4) []byte {
			b := replyFrame(m)
			return slices.Concat(b[:12], []byte{0x81, 0, 0, 20}, b[12:])
		}, want: `
0s guest DISCOVER
100ms 10.0.0.250:67 OFFER, stray: vlan
1s guest DISCOVER
`},
		{name: "cut", extra: func(m *dhcpv4.DHCPv4) []byte {
			b := m.ToBytes()
			return payloadFrame(append(b[:bytes.LastIndexByte(b, 255)], 67, 200, 'p', 'x'))
		}, want: `
0s guest DISCOVER
100ms 10.0.0.250:67 OFFER, stray: unreadable
1s guest DISCOVER
`},
		{name: "NAK", extra: func(m *dhcpv4.DHCPv4) []byte {
			m.UpdateOption(dhcpv4.OptMessageType(dhcpv4.MessageTypeNak))
			return replyFrame(m)
		}, want: `
0s guest DISCOVER
100ms 10.0.0.250:67 NAK
1s guest DISCOVER
`},
		{name: "trailing bytes", servers: []*server{{id: "10.0.0.1", address: "10.0.0.42", edit: func(m *dhcpv4.DHCPv4) {
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
trailing-bytes 66  " " "" [10.0.0.1]
trailing-bytes 67  "\xff" "" [10.0.0.1]
file-differs 67  "first.0" "pxelinux.0" [10.0.0.1]
`},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, other := newWire(c.servers...), newWire()
				w.stations = c.stations
				r := &film{FrameConn: w}
				client := testClient(t, r)
				client.ProbeWait, client.Elsewhere = 0, other
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
						frame := c.extra(plain().reply(xid, dhcpv4.MessageTypeOffer))
						if c.elsewhere {
							r.keep(frame) // as a capture of the whole wire has it
						}
						to.deliver(frame)
					})
				}
				s, err := client.Survey(t.Context(), 1500*time.Millisecond)
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
		w := newWire(&server{id: "10.0.0.1", address: "10.0.0.42"})
		s, err := testClient(t, w).Survey(ctx, time.Hour)
		if !errors.Is(err, context.DeadlineExceeded) || len(s.Offers()) != 1 {
			t.Errorf("%v, %d offers", err, len(s.Offers()))
		}
		client := testClient(t, w)
		client.MAC = nil
		if _, err := client.Survey(t.Context(), time.Second); err == nil {
			t.Error("asked without a MAC")
		}
	})
}

// A flood of strays takes the place of no answer.
func TestSurveyOfFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(&server{id: "10.0.0.1", address: "10.0.0.42", after: 900 * time.Millisecond})
		for i := range 2000 {
			time.AfterFunc(time.Duration(i)*time.Millisecond/4, func() {
				w.deliver(replyFrame((&server{id: "10.0.0.9", address: "10.0.0.66"}).reply(dhcpv4.TransactionID{9}, dhcpv4.MessageTypeOffer)))
			})
		}
		s, err := testClient(t, w).Survey(t.Context(), time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if len(s.Offers()) != 1 || len(s.Strays()) != maxStrays || s.Missed != 2000-maxStrays {
			t.Errorf("%d offers, %d strays, %d missed", len(s.Offers()), len(s.Strays()), s.Missed)
		}
	})
}

// A capture of a whole boot has the lease that was confirmed, whoever made it.
func TestReplayOfLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &film{FrameConn: newWire(
			&server{id: "10.0.0.1", address: "10.0.0.42", edit: func(m *dhcpv4.DHCPv4) {
				if m.MessageType() == dhcpv4.MessageTypeAck {
					m.UpdateOption(dhcpv4.OptDomainName("confirmed.example"))
				}
			}},
			&server{id: "10.0.0.3", pxe: pxe("10.0.0.3", file("proxy.0"))},
		)}
		lease, err := testClient(t, r).Lease(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		// Somebody else's boot, without PXE, comes before.
		other := net.HardwareAddr{2, 0, 0, 0, 0, 9}
		id, err := newIdentity(other, "", ROM{VendorClass: "udhcp"})
		if err != nil {
			t.Fatal(err)
		}
		discover := id.broadcast(message{kind: dhcpv4.MessageTypeDiscover})
		frames := append([]Frame{{time.Now(), discover}}, r.frames...)
		for _, mac := range []net.HardwareAddr{nil, guestMAC} {
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
		if s, err := Replay(other, frames); err != nil || s.Lease != nil || len(s.Offers()) != 0 || len(s.Strays()) != 4 {
			t.Errorf("the other's: %v, %v", s, err)
		}
		if _, err := Replay(guestMAC, frames[:1]); !errors.Is(err, ErrNoGuest) {
			t.Errorf("without the guest: %v", err)
		}
	})
}

func TestRelease(t *testing.T) {
	for _, c := range []struct {
		name, server string
		want         string // the frame's destination, or the error
	}{
		{"on the wire", "10.0.0.1", "52:54:00:00:00:01 RELEASE 10.0.0.42:68 > 10.0.0.1:67 ciaddr 10.0.0.42 [53 54 61]"},
		{"behind the router", "10.9.9.9", "52:54:00:00:00:01 RELEASE 10.0.0.42:68 > 10.9.9.9:67 ciaddr 10.0.0.42 [53 54 61]"},
		{"gone", "10.0.0.2", "release 10.0.0.42: no answer to ARP for 10.0.0.2 on wire0, which leads to the server 10.0.0.2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := &film{FrameConn: newWire(&server{id: "10.0.0.1"})}
				err := testClient(t, r).Release(t.Context(), &Lease{
					Address: netip.MustParsePrefix("10.0.0.42/24"), Router: ipAddr("10.0.0.1"), ServerID: ipAddr(c.server),
				})
				got := fmt.Sprint(err)
				if err == nil {
					m, err := Decode(r.frames[len(r.frames)-1].Data)
					if err != nil {
						t.Fatal(err)
					}
					var codes []uint8
					for _, o := range m.Options {
						codes = append(codes, o.Code)
					}
					slices.Sort(codes)
					got = fmt.Sprintf("%s %s %s > %s ciaddr %s %d", m.DestinationMAC, m.Type(), m.From, m.To, m.CIAddr, codes)
				}
				if got != c.want {
					t.Errorf("%s, want %s", got, c.want)
				}
			})
		})
	}
}

// The flag is the only difference.
func TestUnicast(t *testing.T) {
	bits := make(map[bool]Message)
	for _, unicast := range []bool{false, true} {
		id, err := newIdentity(guestMAC, "", ROM{Unicast: unicast})
		if err != nil {
			t.Fatal(err)
		}
		if bits[unicast], err = Decode(id.broadcast(message{kind: dhcpv4.MessageTypeDiscover})); err != nil {
			t.Fatal(err)
		}
	}
	if bits[false].Flags != 0x8000 || bits[true].Flags != 0 {
		t.Errorf("flags %#x and, for unicast, %#x", bits[false].Flags, bits[true].Flags)
	}
	if diff := cmp.Diff(bits[false], bits[true], same, cmpopts.IgnoreFields(Message{}, "Flags")); diff != "" {
		t.Errorf("(-broadcast +unicast):\n%s", diff)
	}
}
