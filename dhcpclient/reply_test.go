package dhcpclient

import (
	"bytes"
	"testing"

	"github.com/gopxeboot/gopxeboot/dhcpclient/internal/lan"
	"github.com/gopxeboot/gopxeboot/internal/wire"
	"github.com/insomniacslk/dhcp/dhcpv4"
)

// A Client reads what is for it, or for every station.
func TestParseReplyTo(t *testing.T) {
	frame := lan.Broadcast((&server{ID: "10.0.0.1", Address: "10.0.0.42"}).Reply(dhcpv4.TransactionID{}, dhcpv4.MessageTypeOffer))
	for to, want := range map[string]bool{
		string(wire.Broadcast): true, string(guestMAC): true, string(serverMAC): false, "\x01\x00\x5e\x00\x00\x01": false,
	} {
		copy(frame, to)
		if got := replyOf(frame, guestMAC) != nil; got != want {
			t.Errorf("to %x: %v", to, got)
		}
	}
}

// A frame that was cut anywhere, at both ends, is refused or complete.
func TestParseReplyOfParts(t *testing.T) {
	server := &server{ID: "10.0.0.1", Address: "10.0.0.42", BootFile: "pxelinux.0"}
	frame := lan.Broadcast(server.Reply(dhcpv4.TransactionID{1, 2, 3, 4}, dhcpv4.MessageTypeOffer))
	for from := range frame {
		for to := from; to <= len(frame); to++ {
			r := replyOf(frame[from:to:to], guestMAC)
			if whole := from == 0 && to == len(frame); (r != nil) != whole {
				t.Fatalf("bytes %d to %d of %d: %v", from, to, len(frame), r)
			}
		}
	}
	// The same, with lengths that agree with what is left. What is missing at
	// the end is padding, up to the End option.
	payload := server.Reply(dhcpv4.TransactionID{1, 2, 3, 4}, dhcpv4.MessageTypeOffer).ToBytes()
	options := bytes.LastIndexByte(payload, 255)
	for to := range len(payload) + 1 {
		r := replyOf(lan.BroadcastOf(payload[:to]), guestMAC)
		if to >= options && (r == nil || !r.server().IsValid()) {
			t.Fatalf("%d bytes of %d: %v", to, len(payload), r)
		}
		if to < wire.DHCPHeader && r != nil {
			t.Fatalf("%d bytes of %d: %v", to, len(payload), r)
		}
	}
}

// Nothing that one bit can change makes the client believe another address was
// meant for it, nor panic.
func TestParseReplyBitFlips(t *testing.T) {
	for _, seed := range lan.Captures(t, "testdata") {
		for i := range len(seed) * 8 {
			frame := bytes.Clone(seed)
			frame[i/8] ^= 1 << (i % 8)
			if r := replyOf(frame, guestMAC); r != nil {
				use(r)
				if !bytes.Equal(r.ClientHWAddr, guestMAC) {
					t.Fatalf("bit %d: took a message to %s", i, r.ClientHWAddr)
				}
			}
		}
	}
}

// use does everything with r that the client does.
func use(r *reply) {
	seen := &offers{}
	if isOffer(r) {
		seen.add(r)
		seen.complete()
	}
	if r.yourAddress().IsValid() {
		newLease(r, r, seen.proxies...)
	}
	if m := r.menu(); m != nil {
		r.isFor(m.items[0])
	}
	reason(r)
}

func FuzzParseReply(f *testing.F) {
	for _, frame := range lan.Captures(f, "testdata") {
		f.Add(frame)
	}
	f.Add(wire.ARP{Operation: wire.ARPReply, SenderMAC: serverMAC, Sender: ipAddr("10.77.0.1"), TargetMAC: guestMAC, Target: ipAddr("10.77.0.42")}.Frame())
	f.Fuzz(func(t *testing.T, frame []byte) {
		if p, ok := arpOf(frame); ok && !bytes.Equal(p.Frame()[wire.EthernetHeader:], frame[wire.EthernetHeader:][:28]) {
			t.Errorf("an ARP packet became %+v", p)
		}
		if r := replyOf(frame, guestMAC); r != nil {
			if !bytes.Equal(r.ClientHWAddr, guestMAC) {
				t.Errorf("took a message to %s", r.ClientHWAddr)
			}
			use(r)
		}
		// Once more with all mended that would only have it refused.
		if len(frame) < inMessage+wire.DHCPHeader {
			return
		}
		message := bytes.Clone(frame[inMessage:])
		copy(message, "\x02\x01\x06")
		copy(message[28:], guestMAC)
		copy(message[cookieOffset:], "\x63\x82\x53\x63")
		if r := replyOf(lan.BroadcastOf(message), guestMAC); r != nil {
			use(r)
		}
	})
}
