package dhcpclient

import (
	"bytes"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func ipAddr(s string) netip.Addr { return netip.MustParseAddr(s) }

var compareAddr = cmp.Comparer(func(a, b netip.Addr) bool { return a == b })

func TestARP(t *testing.T) {
	question := arpPacket{operation: arpRequest, senderMAC: guestMAC, sender: ipAddr("10.0.0.42"),
		targetMAC: make([]byte, 6), target: ipAddr("10.0.0.1")}
	answer := arpPacket{operation: arpReply, senderMAC: serverMAC, sender: ipAddr("10.0.0.1"),
		targetMAC: guestMAC, target: ipAddr("10.0.0.42")}
	for _, p := range []arpPacket{question, answer} {
		frame := p.frame()
		to := ethernetBroadcast
		if p.operation == arpReply {
			to = guestMAC
		}
		if !bytes.Equal(frame[:6], to) || !bytes.Equal(frame[6:12], p.senderMAC) {
			t.Errorf("from %x to %x", frame[6:12], frame[:6])
		}
		// Ethernet pads what is shorter than 60 bytes.
		got, ok := parseARP(append(frame, make([]byte, 18)...))
		if diff := cmp.Diff(p, got, cmp.AllowUnexported(arpPacket{}), compareAddr); !ok || diff != "" {
			t.Errorf("(-sent +parsed):\n%s", diff)
		}
	}

	const arp = ethernetHeader
	for name, change := range map[string]func([]byte) []byte{
		"short":            func(b []byte) []byte { return b[:len(b)-1] },
		"empty":            func([]byte) []byte { return nil },
		"IPv4":             func(b []byte) []byte { b[12], b[13] = 8, 0; return b },
		"not Ethernet":     func(b []byte) []byte { b[arp+1] = 6; return b },
		"not IPv4":         func(b []byte) []byte { b[arp+2] = 0x86; return b },
		"long MACs":        func(b []byte) []byte { b[arp+4] = 8; return b },
		"long addresses":   func(b []byte) []byte { b[arp+5] = 16; return b },
		"RARP":             func(b []byte) []byte { b[arp+7] = 3; return b },
		"a MAC of nobody":  func(b []byte) []byte { copy(b[arp+8:], make([]byte, 6)); return b },
		"a MAC of many":    func(b []byte) []byte { b[arp+8] |= 1; return b },
		"operation 0x0101": func(b []byte) []byte { b[arp+6] = 1; return b },
		"VLAN":             func(b []byte) []byte { return bytes.Join([][]byte{b[:12], {0x81, 0, 0, 10}, b[12:]}, nil) },
		"another type":     func(b []byte) []byte { b[12]++; return b },
	} {
		if p, ok := parseARP(change(answer.frame())); ok {
			t.Errorf("%s: took %v", name, p)
		}
	}
}
