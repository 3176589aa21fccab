package wire

import (
	"bytes"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestARP(t *testing.T) {
	question := ARP{Operation: ARPRequest, SenderMAC: guestMAC, Sender: netip.MustParseAddr("10.0.0.42"),
		TargetMAC: make([]byte, 6), Target: netip.MustParseAddr("10.0.0.1")}
	answer := ARP{Operation: ARPReply, SenderMAC: serverMAC, Sender: netip.MustParseAddr("10.0.0.1"),
		TargetMAC: guestMAC, Target: netip.MustParseAddr("10.0.0.42")}
	for _, p := range []ARP{question, answer} {
		frame := p.Frame()
		to := Broadcast
		if p.Operation == ARPReply {
			to = guestMAC
		}
		if !bytes.Equal(frame[:6], to) || !bytes.Equal(frame[6:12], p.SenderMAC) {
			t.Errorf("from %x to %x", frame[6:12], frame[:6])
		}
		// Ethernet pads what is shorter than 60 bytes.
		got, ok := arpOf(append(frame, make([]byte, 18)...))
		if diff := cmp.Diff(p, got, same); !ok || diff != "" {
			t.Errorf("(-sent +parsed):\n%s", diff)
		}
	}

	const arp = EthernetHeader
	for name, change := range map[string]func([]byte) []byte{
		"short":            func(b []byte) []byte { return b[:len(b)-1] },
		"empty":            func([]byte) []byte { return nil },
		"IPv4":             func(b []byte) []byte { b[12], b[13] = 8, 0; return b },
		"not Ethernet":     func(b []byte) []byte { b[arp+1] = 6; return b },
		"not IPv4":         func(b []byte) []byte { b[arp+2] = 0x86; return b },
		"long MACs":        func(b []byte) []byte { b[arp+4] = 8; return b },
		"long addresses":   func(b []byte) []byte { b[arp+5] = 16; return b },
		"RARP":             func(b []byte) []byte { b[arp+7] = 3; return b },
		"a MAC of zeros":   func(b []byte) []byte { copy(b[arp+8:], make([]byte, 6)); return b },
		"a group's MAC":    func(b []byte) []byte { b[arp+8] |= 1; return b },
		"operation 0x0101": func(b []byte) []byte { b[arp+6] = 1; return b },
		"another type":     func(b []byte) []byte { b[12]++; return b },
	} {
		if p, ok := arpOf(change(answer.Frame())); ok {
			t.Errorf("%s: took %v", name, p)
		}
	}
}
