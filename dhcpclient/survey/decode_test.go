package survey

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/gopxeboot/gopxeboot/dhcpclient"
	"github.com/gopxeboot/gopxeboot/dhcpclient/internal/lan"
	"github.com/gopxeboot/gopxeboot/internal/wire"
	"github.com/insomniacslk/dhcp/dhcpv4"
)

var update = flag.Bool("update", false, "write the golden files")

// Every capture, as people get to read it.
func TestDecode(t *testing.T) {
	names, err := filepath.Glob("../testdata/*.hex")
	if err != nil || len(names) == 0 {
		t.Fatalf("no captures: %v", err)
	}
	var got strings.Builder
	for _, name := range names {
		m, err := Decode(lan.Undump(t, name))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		fmt.Fprintf(&got, "%s\n%s\n", filepath.Base(name), &m)
		for _, o := range m.Options {
			fmt.Fprintf(&got, "  %s\n", o)
		}
	}
	if *update {
		if err := os.WriteFile("testdata/decoded.txt", []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/decoded.txt")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestDecodeFrames(t *testing.T) {
	offer := func() []byte {
		return lan.Broadcast((&lan.Server{ID: "10.0.0.1", Address: "10.0.0.42"}).Reply(dhcpv4.TransactionID{1, 2, 3, 4}, dhcpv4.MessageTypeOffer))
	}
	const line = "OFFER 10.0.0.250:67 > 255.255.255.255:68 xid 01020304"
	for _, c := range []struct {
		name   string
		change func(b []byte) []byte
		want   string // the begin of the line, or the error
		alien  bool
	}{
		{"plain", func(b []byte) []byte { return b }, line + " yiaddr 10.0.0.42", false},
		{"tagged", func(b []byte) []byte { return slices.Concat(b[:12], []byte{0x81, 0, 0xe0, 20}, b[12:]) }, line + " VLAN 20", false},
		{"twice", func(b []byte) []byte {
			return slices.Concat(b[:12], []byte{0x88, 0xa8, 0, 5, 0x81, 0, 0, 20}, b[12:])
		}, line + " VLAN 5 VLAN 20", false},
		{"thrice", func(b []byte) []byte {
			return slices.Concat(b[:12], bytes.Repeat([]byte{0x81, 0, 0, 5}, 3), b[12:])
		}, "not a DHCP message: no whole UDP datagram over IPv4", true},
		{"priority", func(b []byte) []byte { return slices.Concat(b[:12], []byte{0x81, 0, 0xe0, 0}, b[12:]) }, line + " yiaddr", false},
		{"to another station", func(b []byte) []byte { b[0] = 2; return b }, line, false},
		{"to a BOOTP relay's port", func(b []byte) []byte { b[wire.EthernetHeader+wire.IPv4Header+3] = 67; return b }, "OFFER 10.0.0.250:67 > 255.255.255.255:67", false},
		{"another port", func(b []byte) []byte { b[wire.EthernetHeader+wire.IPv4Header+3] = 69; return b }, "not a DHCP message: UDP port 69", true},
		{"short", func(b []byte) []byte { return b[:13] }, "not a DHCP message: 13 bytes are no Ethernet frame", true},
		{"cut", func(b []byte) []byte { return b[:200] }, "not a DHCP message: no whole UDP datagram over IPv4", true},
		{"a short message", func([]byte) []byte { return lan.BroadcastOf(make([]byte, 239)) }, "a DHCP message from 10.0.0.250:67 of 239 bytes, where 240 are the least", false},
		{"IPv6", func(b []byte) []byte { b[12], b[13] = 0x86, 0xdd; return b }, "not a DHCP message: no whole UDP datagram over IPv4", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := Decode(c.change(offer()))
			got := m.String()
			if err != nil {
				got = err.Error()
			}
			if !strings.HasPrefix(got, c.want) || errors.Is(err, ErrNotDHCP) != c.alien {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

// What is wrong in options takes nothing from those before them.
func TestDecodeOptions(t *testing.T) {
	// message is an OFFER with these options behind its type.
	message := func(header func(b []byte), options ...byte) []byte {
		b := make([]byte, wire.DHCPHeader)
		copy(b, []byte{2, 1, 6})
		copy(b[28:], lan.GuestMAC)
		copy(b[236:], "\x63\x82\x53\x63")
		if header != nil {
			header(b)
		}
		return lan.BroadcastOf(slices.Concat(b, []byte{53, 1, 2}, options))
	}
	option := func(code byte, value string) []byte { return append([]byte{code, byte(len(value))}, value...) }
	for _, c := range []struct {
		name    string
		frame   []byte
		options string
	}{
		{"none", message(nil, 0, 0, 255), "53 dhcp-message-type OFFER"},
		{"no cookie", message(func(b []byte) { b[236] = 0 }), ""},
		{"no end", message(nil), "53 dhcp-message-type OFFER"},
		{"cut", message(nil, 67, 10, 'p'), "53 dhcp-message-type OFFER"},
		{"cut after the code", message(nil, 67), "53 dhcp-message-type OFFER"},
		{"a mask of 3 bytes", message(nil, 1, 3, 255, 255, 0, 255), "53 dhcp-message-type OFFER\n1 subnet-mask 0xffff00"},
		{"a router in two parts", message(nil, 3, 2, 10, 0, 3, 2, 0, 1, 255), "53 dhcp-message-type OFFER\n3 routers 0x0a00\n3 routers 0x0001"},
		{"bad overload", message(nil, 52, 1, 4, 255), "53 dhcp-message-type OFFER\n52 dhcp-option-overload 4"},
		{"overload", message(func(b []byte) {
			copy(b[108:], slices.Concat(option(67, "pxelinux.0\x00"), []byte{255}))
			copy(b[44:], slices.Concat(option(66, "boot"), []byte{255}))
		}, 52, 1, 3, 255), `53 dhcp-message-type OFFER
52 dhcp-option-overload 3
67 bootfile-name (in file) "pxelinux.0\x00"
66 tftp-server-name (in sname) "boot"`},
		{"a boot file ending with CR", message(func(b []byte) { copy(b[108:], "pxelinux.0\r\n") }, 255),
			"53 dhcp-message-type OFFER"},
		{"a boot file filled with 0xff", message(func(b []byte) { copy(b[108:], "pxelinux.0\xff\xff") }, 255),
			"53 dhcp-message-type OFFER"},
		{"67 and file differ", message(func(b []byte) { copy(b[108:], "a") }, append(option(67, "b"), 255)...),
			"53 dhcp-message-type OFFER\n67 bootfile-name \"b\""},
		{"and are the same", message(func(b []byte) { copy(b[108:], "a") }, append(option(67, "a"), 255)...),
			"53 dhcp-message-type OFFER\n67 bootfile-name \"a\""},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := Decode(c.frame)
			if err != nil {
				t.Fatal(err)
			}
			var lines []string
			for _, o := range m.Options {
				lines = append(lines, o.String())
			}
			if diff := cmp.Diff(c.options, strings.Join(lines, "\n")); diff != "" {
				t.Errorf("options (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOptionText(t *testing.T) {
	for _, c := range []struct {
		code  uint8
		value string
		want  string
	}{
		{53, "\x05", "53 dhcp-message-type ACK"},
		{53, "\x63", "53 dhcp-message-type type 99"},
		{1, "\xff\xff\xff\x00", "1 subnet-mask 255.255.255.0"},
		{6, "\x0a\x00\x00\x01\x0a\x00\x00\x02", "6 domain-name-servers 10.0.0.1, 10.0.0.2"},
		{33, "\x0a\x00\x00\x01\x0a\x00\x00\x02", "33 static-routes 10.0.0.1, 10.0.0.2"},
		{23, "\x40", "23 default-ip-ttl 64"},
		{57, "\x05\xc0", "57 dhcp-max-message-size 1472"},
		{51, "\x00\x00\x0e\x10", "51 dhcp-lease-time 3600 s"},
		{51, "\xff\xff\xff\xff", "51 dhcp-lease-time infinite"},
		{2, "\xff\xff\xff\xff", "2 time-offset -1"},
		{55, "\x01\x03\x43", "55 dhcp-parameter-request-list 1, 3, 67"},
		{61, "\x01\x00\x16\x3e\x12\x34\x56", "61 dhcp-client-identifier 00:16:3e:12:34:56"},
		{61, "\xff\x01", "61 dhcp-client-identifier 0xff01"},
		{93, "\x00\x07", "93 pxe-system-type 7"},
		{94, "\x01\x02\x01", "94 pxe-interface-id type 1, version 2.1"},
		{97, "\x00\x33\x22\x11\x00\x55\x44\x77\x66\x88\x99\xaa\xbb\xcc\xdd\xee\xff", "97 pxe-client-id " + lan.GuestUUID},
		{97, "\x00", "97 pxe-client-id 0x00"},
		{43, "\x06\x01\x03\x0a\x04\x00PXE\xff", `43 vendor-encapsulated-options 6: 0x03, 10: 0x00505845`},
		{82, "\x01\x04eth7", `82 relay-agent-information 1: "eth7"`},
		{43, "\x06\x09", "43 vendor-encapsulated-options 0x0609"},
		{67, "a\x1b[2J\xff", `67 bootfile-name "a\x1b[2J\xff"`},
		{67, strings.Repeat("a", 200), `67 bootfile-name "` + strings.Repeat("a", 128) + `" (200 bytes)`},
		{224, "\x01", "option 224 0x01"},
		{6, strings.Repeat("\x01", 200), "6 domain-name-servers " + strings.Repeat("1.1.1.1, ", 32) + "... (50 in all)"},
	} {
		if got := (Option{Code: c.code, Value: []byte(c.value)}).String(); got != c.want {
			t.Errorf("%s, want %s", got, c.want)
		}
	}
}

// Whatever comes, what is printed is printable and bounded, and what the client
// reads is what people are shown.
func FuzzDecode(f *testing.F) {
	for _, frame := range lan.Captures(f, "../testdata") {
		f.Add(frame)
		f.Add(slices.Concat(frame[:12], []byte{0x81, 0, 0, 20}, frame[12:]))
	}
	for _, name := range []string{"ipxe-discover.hex", "ipxe-request.hex"} {
		f.Add(lan.Undump(f, "../testdata/"+name))
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		before := bytes.Clone(frame)
		m, err := Decode(frame)
		if !bytes.Equal(before, frame) {
			t.Fatal("the frame was changed")
		}
		if err != nil {
			if strings.ContainsFunc(err.Error(), unicode.IsControl) {
				t.Errorf("error %q", err)
			}
			return
		}
		lines := []string{m.String(), string(m.Type())}
		for _, o := range m.Options {
			lines = append(lines, o.String())
		}
		for _, line := range lines {
			if strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) || len(line) > 4096 {
				t.Errorf("printed %q", line)
			}
		}
		if o, ok := dhcpclient.ReadOffer(frame, net.HardwareAddr(m.DestinationMAC), 0); ok && o.Address.IsValid() && o.Address != m.YIAddr {
			t.Errorf("yiaddr %s, shown %s", o.Address, m.YIAddr)
		}
		// As an answer to a guest, in a capture.
		asked := discover(lan.GuestMAC)
		binary.BigEndian.PutUint32(asked[wire.EthernetHeader+wire.IPv4Header+wire.UDPHeader+4:], m.XID)
		f, _ := wire.ParseFrame(frame)
		d, ok := wire.ParseDatagram(f)
		if !ok {
			t.Fatal("decoded, and no datagram")
		}
		whole := bytes.Clone(d.Payload)
		copy(whole, "\x02\x01\x06")
		copy(whole[28:], lan.GuestMAC)
		copy(whole[236:], "\x63\x82\x53\x63")
		s, err := Replay(lan.GuestMAC, []dhcpclient.Frame{{Data: asked}, {Data: lan.BroadcastOf(whole)}, {Data: frame}})
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range s.Offers() {
			if o.Stray != "" || o.Sent {
				t.Errorf("offer of a stray: %v", o)
			}
		}
		if s.Lease != nil && !s.Lease.Address.IsValid() {
			t.Errorf("lease %+v", s.Lease)
		}
	})
}
