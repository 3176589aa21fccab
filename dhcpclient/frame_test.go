package dhcpclient

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/insomniacslk/dhcp/dhcpv4"
)

var compareAddrPort = cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })

// sum is RFC 1071's checksum of the parts put together, written another way
// than onesSum: 0 when the parts hold their own sum.
func sum(parts ...[]byte) uint16 {
	b := bytes.Join(parts, nil)
	if len(b)%2 == 1 {
		b = append(b, 0)
	}
	var total uint64
	for i := 0; i < len(b); i += 2 {
		total += uint64(binary.BigEndian.Uint16(b[i:]))
	}
	return uint16(0xffff - total%0xffff)
}

func TestFrame(t *testing.T) {
	for length := range 300 {
		d := datagram{
			source:      netip.MustParseAddrPort("10.0.0.1:67"),
			destination: netip.MustParseAddrPort("255.255.255.255:68"),
			payload:     bytes.Repeat([]byte{byte(length), 0xfe}, length)[:length],
		}
		frame := d.frame(serverMAC, ethernetBroadcast)
		ip := frame[ethernetHeader:]
		udp := ip[ipv4Header:]
		if got := sum(ip[:ipv4Header]); got != 0 && got != 0xffff {
			t.Fatalf("%d bytes: IP checksum is off by %#x", length, got)
		}
		pseudo := append(bytes.Clone(ip[12:20]), 0, protocolUDP, udp[4], udp[5])
		if got := sum(pseudo, udp); got != 0 && got != 0xffff {
			t.Fatalf("%d bytes: UDP checksum is off by %#x", length, got)
		}
		got, ok := parseFrame(frame, guestMAC)
		if diff := cmp.Diff(d, got, cmp.AllowUnexported(datagram{}), compareAddrPort); !ok || diff != "" {
			t.Fatalf("%d bytes: (-sent +parsed):\n%s", length, diff)
		}
	}
}

// A UDP checksum that comes out as zero is sent as ones (RFC 768).
func TestFrameZeroChecksum(t *testing.T) {
	d := datagram{source: netip.MustParseAddrPort("0.0.0.0:68"), destination: netip.MustParseAddrPort("255.255.255.255:67"), payload: []byte{0, 0}}
	without := d.frame(guestMAC, ethernetBroadcast)
	sumOffset := ethernetHeader + ipv4Header + 6
	// The payload that makes up for the rest is the checksum without it.
	copy(d.payload, without[sumOffset:])
	if got := d.frame(guestMAC, ethernetBroadcast)[sumOffset:][:2]; !bytes.Equal(got, []byte{0xff, 0xff}) {
		t.Errorf("checksum %x, want ffff", got)
	}
}

func TestParseFrame(t *testing.T) {
	good := func() []byte {
		return datagram{
			source:      netip.MustParseAddrPort("10.0.0.1:67"),
			destination: netip.MustParseAddrPort("10.0.0.42:68"),
			payload:     []byte("payload"),
		}.frame(serverMAC, guestMAC)
	}
	const ip, udp = ethernetHeader, ethernetHeader + ipv4Header
	for _, c := range []struct {
		name    string
		change  func([]byte) []byte
		payload string // "" when the frame is refused
	}{
		{"good", func(b []byte) []byte { return b }, "payload"},
		{"to everybody", func(b []byte) []byte { copy(b, ethernetBroadcast); return b }, "payload"},
		{"Ethernet padding", func(b []byte) []byte { return append(b, make([]byte, 18)...) }, "payload"},
		{"IP padding", func(b []byte) []byte { b[ip+3] += 3; return append(b, 1, 2, 3) }, "payload"},
		{"IP options", func(b []byte) []byte {
			b = bytes.Join([][]byte{b[:udp], {1, 1, 1, 0}, b[udp:]}, nil)
			b[ip]++
			b[ip+3] += 4
			return b
		}, "payload"},
		{"no UDP checksum", func(b []byte) []byte { b[udp+6], b[udp+7] = 0, 0; return b }, "payload"},
		{"offloaded UDP checksum", func(b []byte) []byte { b[udp+6]++; return b }, "payload"},
		{"wrong IP checksum", func(b []byte) []byte { b[ip+10]++; return b }, "payload"},
		{"don't fragment", func(b []byte) []byte { b[ip+6] = 0x40; return b }, "payload"},
		{"UDP shorter than IP", func(b []byte) []byte { b[udp+5] -= 3; return b }, "payl"},

		{"to somebody else", func(b []byte) []byte { b[5]++; return b }, ""},
		{"multicast", func(b []byte) []byte { b[0] = 1; return b }, ""},
		{"ARP", func(b []byte) []byte { b[13] = 6; return b }, ""},
		{"VLAN tag", func(b []byte) []byte { return bytes.Join([][]byte{b[:12], {0x81, 0, 0, 10}, b[12:]}, nil) }, ""},
		{"IPv6", func(b []byte) []byte { b[ip] = 0x65; return b }, ""},
		{"TCP", func(b []byte) []byte { b[ip+9] = 6; return b }, ""},
		{"first fragment", func(b []byte) []byte { b[ip+6] = 0x20; return b }, ""},
		{"last fragment", func(b []byte) []byte { b[ip+7] = 1; return b }, ""},
		{"IP header too short", func(b []byte) []byte { b[ip] = 0x44; return b }, ""},
		{"IP header longer than the packet", func(b []byte) []byte { b[ip] = 0x4f; return b }, ""},
		{"IP length longer than the frame", func(b []byte) []byte { b[ip+2] = 1; return b }, ""},
		{"IP length zero", func(b []byte) []byte { b[ip+3] = 0; return b }, ""},
		{"no room for UDP", func(b []byte) []byte { b[ip+3] = 27; return b }, ""},
		{"UDP length longer than IP", func(b []byte) []byte { b[udp+5]++; return b }, ""},
		{"UDP length zero", func(b []byte) []byte { b[udp+5] = 0; return b }, ""},
		{"empty", func([]byte) []byte { return nil }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, ok := parseFrame(c.change(good()), guestMAC)
			if ok != (c.payload != "") || string(d.payload) != c.payload {
				t.Errorf("payload %q, %v; want %q", d.payload, ok, c.payload)
			}
		})
	}
}

// A frame that was cut anywhere, at both ends, is refused or complete.
func TestParseReplyOfParts(t *testing.T) {
	server := &server{id: "10.0.0.1", address: "10.0.0.42", bootFile: "pxelinux.0"}
	frame := replyFrame(server.reply(dhcpv4.TransactionID{1, 2, 3, 4}, dhcpv4.MessageTypeOffer))
	for from := range frame {
		for to := from; to <= len(frame); to++ {
			r := parseReply(frame[from:to:to], guestMAC)
			if whole := from == 0 && to == len(frame); (r != nil) != whole {
				t.Fatalf("bytes %d to %d of %d: %v", from, to, len(frame), r)
			}
		}
	}
	// The same, with lengths that agree with what is left. What is missing at
	// the end is padding, up to the End option.
	payload := server.reply(dhcpv4.TransactionID{1, 2, 3, 4}, dhcpv4.MessageTypeOffer).ToBytes()
	options := bytes.LastIndexByte(payload, 255)
	for to := range len(payload) + 1 {
		r := parseReply(payloadFrame(payload[:to]), guestMAC)
		if to >= options && (r == nil || !r.server().IsValid()) {
			t.Fatalf("%d bytes of %d: %v", to, len(payload), r)
		}
		if to < optionsOffset && r != nil {
			t.Fatalf("%d bytes of %d: %v", to, len(payload), r)
		}
	}
}

// Nothing that one bit can change makes the client believe another address was
// meant for it, nor panic.
func TestParseReplyBitFlips(t *testing.T) {
	for _, seed := range captures(t) {
		for i := range len(seed) * 8 {
			frame := bytes.Clone(seed)
			frame[i/8] ^= 1 << (i % 8)
			if r := parseReply(frame, guestMAC); r != nil {
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
	said(r)
}

func FuzzParseReply(f *testing.F) {
	for _, frame := range captures(f) {
		f.Add(frame)
	}
	f.Add(arpPacket{operation: arpReply, senderMAC: serverMAC, sender: ipAddr("10.77.0.1"), targetMAC: guestMAC, target: ipAddr("10.77.0.42")}.frame())
	f.Fuzz(func(t *testing.T, frame []byte) {
		if p, ok := parseARP(frame); ok && !bytes.Equal(p.frame()[ethernetHeader:], frame[ethernetHeader:][:arpLength]) {
			t.Errorf("an ARP packet became %+v", p)
		}
		if r := parseReply(frame, guestMAC); r != nil {
			if !bytes.Equal(r.ClientHWAddr, guestMAC) {
				t.Errorf("took a message to %s", r.ClientHWAddr)
			}
			use(r)
		}
		// Once more with all mended that would only have it refused.
		if len(frame) < inMessage+optionsOffset {
			return
		}
		message := bytes.Clone(frame[inMessage:])
		copy(message, "\x02\x01\x06")
		copy(message[28:], guestMAC)
		copy(message[cookieOffset:], "\x63\x82\x53\x63")
		if r := parseReply(payloadFrame(message), guestMAC); r != nil {
			use(r)
		}
	})
}
