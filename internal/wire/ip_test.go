package wire

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var (
	guestMAC  = net.HardwareAddr{0x00, 0x16, 0x3e, 0x12, 0x34, 0x56}
	serverMAC = net.HardwareAddr{0x52, 0x54, 0x00, 0x00, 0x00, 0x01}
)

// same are the values that cmp can't look into.
var same = cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{})

func datagramOf(frame []byte) (Datagram, bool) {
	f, _ := ParseFrame(frame)
	return ParseDatagram(f)
}

func arpOf(frame []byte) (ARP, bool) {
	f, _ := ParseFrame(frame)
	return ParseARP(f)
}

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

func TestDatagram(t *testing.T) {
	for length := range 300 {
		d := Datagram{
			Source:      netip.MustParseAddrPort("10.0.0.1:67"),
			Destination: netip.MustParseAddrPort("255.255.255.255:68"),
			Payload:     bytes.Repeat([]byte{byte(length), 0xfe}, length)[:length],
		}
		frame := d.Frame(serverMAC, Broadcast)
		ip := frame[EthernetHeader:]
		udp := ip[IPv4Header:]
		if got := sum(ip[:IPv4Header]); got != 0 && got != 0xffff {
			t.Fatalf("%d bytes: IP checksum is off by %#x", length, got)
		}
		pseudo := append(bytes.Clone(ip[12:20]), 0, ProtocolUDP, udp[4], udp[5])
		if got := sum(pseudo, udp); got != 0 && got != 0xffff {
			t.Fatalf("%d bytes: UDP checksum is off by %#x", length, got)
		}
		got, ok := datagramOf(frame)
		if diff := cmp.Diff(d, got, same); !ok || diff != "" {
			t.Fatalf("%d bytes: (-sent +parsed):\n%s", length, diff)
		}
	}
}

// A UDP checksum that comes out as zero is sent as ones (RFC 768).
func TestDatagramZeroChecksum(t *testing.T) {
	d := Datagram{Source: netip.MustParseAddrPort("0.0.0.0:68"), Destination: netip.MustParseAddrPort("255.255.255.255:67"), Payload: []byte{0, 0}}
	without := d.Frame(guestMAC, Broadcast)
	sumOffset := EthernetHeader + IPv4Header + 6
	// The payload that makes up for the rest is the checksum without it.
	copy(d.Payload, without[sumOffset:])
	if got := d.Frame(guestMAC, Broadcast)[sumOffset:][:2]; !bytes.Equal(got, []byte{0xff, 0xff}) {
		t.Errorf("checksum %x, want ffff", got)
	}
}

func TestParseDatagram(t *testing.T) {
	good := func() []byte {
		return Datagram{
			Source:      netip.MustParseAddrPort("10.0.0.1:67"),
			Destination: netip.MustParseAddrPort("10.0.0.42:68"),
			Payload:     []byte("payload"),
		}.Frame(serverMAC, guestMAC)
	}
	const ip, udp = EthernetHeader, EthernetHeader + IPv4Header
	for _, c := range []struct {
		name    string
		change  func([]byte) []byte
		payload string // "" when the frame is refused
	}{
		{"good", func(b []byte) []byte { return b }, "payload"},
		{"to everybody", func(b []byte) []byte { copy(b, Broadcast); return b }, "payload"},
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
		{"two VLAN tags", func(b []byte) []byte { return Tagged(Tagged(b, TypeVLAN, 10), TypeQinQ, 3) }, "payload"},
		{"UDP shorter than IP", func(b []byte) []byte { b[udp+5] -= 3; return b }, "payl"},

		{"ARP", func(b []byte) []byte { b[13] = 6; return b }, ""},
		{"three VLAN tags", func(b []byte) []byte { return Tagged(Tagged(Tagged(b, TypeVLAN, 1), TypeVLAN, 2), TypeQinQ, 3) }, ""},
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
			d, ok := datagramOf(c.change(good()))
			if ok != (c.payload != "") || string(d.Payload) != c.payload {
				t.Errorf("payload %q, %v; want %q", d.Payload, ok, c.payload)
			}
		})
	}
}

// What a capture cut, and a large packet that the network card is to cut, is
// read as far as it is there.
func TestParseIPv4(t *testing.T) {
	frame := Datagram{
		Source: netip.MustParseAddrPort("10.0.0.1:69"), Destination: netip.MustParseAddrPort("10.0.0.42:2000"), Payload: []byte("payload"),
	}.Frame(serverMAC, guestMAC)
	const ip = EthernetHeader
	changed := func(at int, to ...byte) []byte {
		b := bytes.Clone(frame)
		copy(b[at:], to)
		return b
	}
	type got struct {
		Payload, Offset, Total int
		More                   bool
		From, To               uint16
	}
	for name, c := range map[string]struct {
		frame []byte
		want  got
	}{
		"whole":       {frame, got{15, 0, 35, false, 69, 2000}},
		"cut":         {frame[:ip+IPv4Header+2], got{2, 0, 35, false, 0, 0}},
		"no length":   {changed(ip+2, 0, 0), got{15, 0, 0, false, 69, 2000}},
		"a fragment":  {changed(ip+6, 0x20, 1), got{15, 8, 35, true, 0, 0}},
		"with a tag":  {Tagged(frame, TypeVLAN, 7), got{15, 0, 35, false, 69, 2000}},
		"with no MAC": {changed(0, NoMAC...), got{15, 0, 35, false, 69, 2000}},
	} {
		f, _ := ParseFrame(c.frame)
		p, ok := ParseIPv4(f)
		from, to := p.Ports()
		if diff := cmp.Diff(c.want, got{len(p.Payload), p.Offset, p.Total, p.More, from, to}); !ok || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", name, ok, diff)
		}
	}
}

func TestVLANs(t *testing.T) {
	for name, c := range map[string]struct {
		tags []uint16
		want []uint16
	}{
		"none":                    {nil, nil},
		"one":                     {[]uint16{20}, []uint16{20}},
		"a priority":              {[]uint16{0xe000}, nil},
		"a VLAN with a priority":  {[]uint16{0xe014}, []uint16{20}},
		"two, the outer one last": {[]uint16{5, 20}, []uint16{20, 5}},
	} {
		frame := WhoHas(netip.MustParseAddr("10.0.0.1"), guestMAC, netip.IPv4Unspecified()).Frame()
		for _, tag := range c.tags {
			frame = Tagged(frame, TypeVLAN, tag)
		}
		f, ok := ParseFrame(frame)
		if diff := cmp.Diff(c.want, f.VLANs()); !ok || diff != "" || f.Type != TypeARP {
			t.Errorf("%s: type %#x (-want +got):\n%s", name, f.Type, diff)
		}
	}
}

// FuzzFrame has no other claim than that bytes from anybody do no harm.
func FuzzFrame(f *testing.F) {
	f.Add(WhoHas(netip.MustParseAddr("10.0.0.1"), guestMAC, netip.IPv4Unspecified()).Frame())
	f.Add(Datagram{Source: netip.MustParseAddrPort("0.0.0.0:68"), Destination: netip.MustParseAddrPort("255.255.255.255:67"), Payload: make([]byte, 300)}.Frame(guestMAC, Broadcast))
	f.Fuzz(func(t *testing.T, b []byte) {
		frame, _ := ParseFrame(b)
		ParseARP(frame)
		p, _ := ParseIPv4(frame)
		p.Ports()
		ParseUDP(p.Payload, len(p.Payload))
		d, ok := ParseDatagram(frame)
		if ok && len(d.Payload) > len(b) {
			t.Error("more came out than in")
		}
		m, _ := ParseDHCP(d.Payload)
		WalkOptions(m.Options, func(code uint8, _ []byte) {
			if code == 0 || code == 255 {
				t.Error("took what is no option")
			}
		})
	})
}
