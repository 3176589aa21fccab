package leases

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gopxeboot/gopxeboot/dhcpclient"
	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/mdlayher/packet"
)

// message is the DHCP message in a frame, nil when there is none.
func message(frame []byte) *dhcpv4.DHCPv4 {
	const headers = 14 + 20 + 8
	if len(frame) < headers || binary.BigEndian.Uint16(frame[12:]) != 0x0800 || frame[23] != 17 {
		return nil
	}
	m, err := dhcpv4.FromBytes(frame[headers:])
	if err != nil {
		return nil
	}
	return m
}

// first has f happen to the first message of a kind.
func first(kind dhcpv4.MessageType, f func(frame []byte) [][]byte) labtest.Effect {
	done := false
	return func(frame []byte, _ bool) [][]byte {
		if m := message(frame); m != nil && m.MessageType() == kind && !done {
			done = true
			return f(frame)
		}
		return [][]byte{frame}
	}
}

// A few faults of dhcpclient's own test, with a real server on a real wire.
func TestFaults(t *testing.T) {
	for name, f := range map[string]func([]byte) [][]byte{
		"dropped":       func([]byte) [][]byte { return nil },
		"duplicated":    func(b []byte) [][]byte { return [][]byte{b, b} },
		"cut":           func(b []byte) [][]byte { return [][]byte{b[:len(b)/2]} },
		"a bit flipped": func(b []byte) [][]byte { b[14+20+8+4] ^= 1; return [][]byte{b} }, // of the xid
	} {
		for _, kind := range []dhcpv4.MessageType{dhcpv4.MessageTypeDiscover, dhcpv4.MessageTypeOffer, dhcpv4.MessageTypeRequest, dhcpv4.MessageTypeAck} {
			t.Run(fmt.Sprintf("%s %s", kind, name), func(t *testing.T) {
				l := labtest.New(t, lab.Config{})
				labtest.Cable(t, l, first(kind, f))
				labtest.Dnsmasq(t, l.Servers, "--dhcp-range=192.168.1.0,static,1h", fixed, "--dhcp-boot=pxelinux.0")
				c := client(t, l, ownPort)
				c.Retransmit = []time.Duration{100 * time.Millisecond}
				got, err := lease(t, c)
				if err != nil {
					t.Fatal(err)
				}
				if want := given + "192.168.1.166 pxelinux.0"; says(got) != want {
					t.Errorf("lease %s, want %s", says(got), want)
				}
			})
		}
	}
}

// The server is in VLAN 20 of a trunk. This kernel may have no VLAN devices;
// the cable tags and untags for the server.
func TestVLAN(t *testing.T) {
	l := labtest.New(t, lab.Config{})
	tag := []byte{0x81, 0, 0, 20}
	labtest.Cable(t, l, func(frame []byte, toServer bool) [][]byte {
		if !toServer {
			return [][]byte{bytes.Join([][]byte{frame[:12], tag, frame[12:]}, nil)}
		}
		return [][]byte{frame} // without its tag, which the kernel has taken off
	})
	labtest.Dnsmasq(t, l.Servers, "--dhcp-range=192.168.1.0,static,1h", fixed, "--pxe-service=x86PC,Boot,pxelinux")
	mac := guestMAC(t)
	for _, c := range []struct {
		vlan  uint16
		lease bool
	}{{20, true}, {21, false}, {0, false}} {
		conn, err := dhcpclient.Listen(l.Bridge(), dhcpclient.Config{VLAN: c.vlan, Promiscuous: true})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		client := &dhcpclient.Client{Conn: conn, MAC: mac, Retransmit: []time.Duration{100 * time.Millisecond}}
		if !c.lease {
			client.Patience = 300 * time.Millisecond
		}
		got, err := lease(t, client)
		switch {
		case c.lease && err != nil:
			t.Errorf("VLAN %d: %v", c.vlan, err)
		case c.lease && says(got) != given+"192.168.1.166 pxelinux.0":
			t.Errorf("VLAN %d: lease %s", c.vlan, says(got))
		case !c.lease && err == nil:
			// The server did get the question; the answer is in VLAN 20.
			t.Errorf("VLAN %d: lease %s of another VLAN", c.vlan, says(got))
		}
	}
}

// A thousand bogus offers a second, from another machine on the bridge, with
// the right transaction id.
func TestFlood(t *testing.T) {
	l := labtest.New(t, lab.Config{})
	labtest.Dnsmasq(t, l.Servers, "--dhcp-range=192.168.1.0,static,1h", fixed, "--dhcp-boot=pxelinux.0", "--dhcp-reply-delay=1")
	attacker, err := l.AddHost(t.Context(), lab.HostConfig{Name: "attacker"})
	labtest.Check(t, err)
	var conn *packet.Conn
	if err := attacker.Do(func() error { conn = labtest.Wire(t, "eth0"); return nil }); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	sent := make(chan int, 1)
	go func() {
		n := 0
		defer func() { sent <- n }()
		b := make([]byte, 4096)
		var question *dhcpv4.DHCPv4
		for question == nil {
			size, _, err := conn.ReadFrom(b)
			if err != nil {
				return
			}
			question = message(bytes.Clone(b[:size]))
		}
		for tick := time.NewTicker(time.Millisecond); ctx.Err() == nil; n++ {
			offer, err := dhcpv4.NewReplyFromRequest(question, dhcpv4.WithMessageType(dhcpv4.MessageTypeOffer),
				dhcpv4.WithYourIP(net.IPv4(10, 66, 6, 6)), dhcpv4.WithServerIP(net.IPv4(10, 66, byte(n>>8), byte(n))),
				dhcpv4.WithOption(dhcpv4.OptServerIdentifier(net.IPv4(10, 66, byte(n>>8), byte(n)))))
			if err != nil {
				return
			}
			if _, err := conn.WriteTo(broadcast(attacker.MAC, offer.ToBytes()), &packet.Addr{HardwareAddr: bytes.Repeat([]byte{0xff}, 6)}); err != nil {
				return
			}
			<-tick.C
		}
	}()
	c := client(t, l, ownPort)
	got, err := lease(t, c)
	cancel()
	conn.Close()
	if n := <-sent; n < 500 {
		t.Errorf("only %d bogus offers", n)
	}
	if err != nil {
		t.Fatal(err)
	}
	if want := given + "192.168.1.166 pxelinux.0"; says(got) != want {
		t.Errorf("lease %s, want %s", says(got), want)
	}
}

// broadcast is a frame to DHCP clients, without a UDP checksum.
func broadcast(from net.HardwareAddr, payload []byte) []byte {
	b := bytes.Repeat([]byte{0xff}, 6)
	b = append(append(b, from...), 8, 0)
	ip := []byte{0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0, 10, 66, 6, 7, 255, 255, 255, 255}
	binary.BigEndian.PutUint16(ip[2:], uint16(len(ip)+8+len(payload)))
	var sum uint32
	for i := 0; i < len(ip); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(ip[i:]))
	}
	binary.BigEndian.PutUint16(ip[10:], ^uint16(sum>>16+sum&0xffff))
	udp := []byte{0, 67, 0, 68, 0, 0, 0, 0}
	binary.BigEndian.PutUint16(udp[4:], uint16(8+len(payload)))
	return bytes.Join([][]byte{b, ip, udp, payload}, nil)
}

// Somebody else has the address that the server gives. The servers' own check
// for that is switched off.
func TestConflict(t *testing.T) {
	for name, serve := range map[string]func(*testing.T, *lab.Host){
		"dnsmasq": func(t *testing.T, h *lab.Host) {
			labtest.Dnsmasq(t, h, "--dhcp-range=192.168.1.100,192.168.1.101,1h", "--dhcp-sequential-ip", "--dhcp-boot=pxelinux.0")
		},
		"dhcpd": func(t *testing.T, h *lab.Host) {
			labtest.DHCPD(t, h, "eth0", `ping-check off; subnet 192.168.1.0 netmask 255.255.255.0 { range 192.168.1.100 192.168.1.101; filename "pxelinux.0"; }`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := labtest.New(t, lab.Config{})
			serve(t, l.Servers)
			// Who takes which of the two addresses first is the server's choice.
			first, err := lease(t, client(t, l, dom0Bridge))
			if err != nil {
				t.Fatal(err)
			}
			squatter, err := l.AddHost(t.Context(), lab.HostConfig{Name: "squatter", Address: first.Address})
			labtest.Check(t, err)
			for _, at := range both {
				c := client(t, l, at)
				var warned []string
				c.Warn = func(text string) { warned = append(warned, text) }
				got, err := lease(t, c)
				if err != nil {
					t.Fatal(err)
				}
				if got.Address == first.Address {
					t.Errorf("--net %s: took %s, which is the squatter's", at, got.Address)
				}
				if at != both[0] {
					continue // the server remembers
				}
				want := fmt.Sprintf("DHCP server gave an address that is in use: %s, given by 192.168.1.166 on %s, is in use by %s",
					first.Address.Addr(), c.Conn, squatter.MAC)
				if diff := cmp.Diff([]string{want}, warned); diff != "" {
					t.Errorf("warned (-want +got):\n%s", diff)
				}
			}
		})
	}
}
