package dhcpclient

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/gopxeboot/gopxeboot/dhcpclient/internal/lan"
	"github.com/insomniacslk/dhcp/dhcpv4"
)

// option changes or adds an option, and takes it away when value is "".
func option(code uint8, value string) func(*dhcpv4.DHCPv4) {
	return func(m *dhcpv4.DHCPv4) {
		if value == "" {
			delete(m.Options, code)
		} else {
			m.Options[code] = []byte(value)
		}
	}
}

func addrs(list ...string) []netip.Addr {
	var a []netip.Addr
	for _, s := range list {
		a = append(a, netip.MustParseAddr(s))
	}
	return a
}

func TestNewLease(t *testing.T) {
	type edits = []func(*dhcpv4.DHCPv4)
	siaddr := func(s string) func(*dhcpv4.DHCPv4) {
		return func(m *dhcpv4.DHCPv4) { m.ServerIPAddr = lan.IP(s) }
	}
	sname := func(s string) func(*dhcpv4.DHCPv4) {
		return func(m *dhcpv4.DHCPv4) { m.ServerHostName = s }
	}
	file := func(s string) func(*dhcpv4.DHCPv4) {
		return func(m *dhcpv4.DHCPv4) { m.BootFileName = s }
	}
	yiaddr := func(s string) func(*dhcpv4.DHCPv4) {
		return func(m *dhcpv4.DHCPv4) { m.YourIPAddr = lan.IP(s) }
	}
	for _, c := range []struct {
		name              string
		offer, ack, proxy edits // proxy nil: there is none
		want              func(*Lease)
	}{
		{name: "nothing but an address", want: func(*Lease) {}},
		{name: "everything", ack: edits{
			siaddr("10.0.0.5"), file("pxelinux.0"), option(3, "\x0a\x00\x00\xfe\x0a\x00\x00\xfd"),
			option(6, "\x0a\x00\x00\x35\x00\x00\x00\x00\x0a\x00\x00\x36\x0a\x00\x00\x37\x0a\x00\x00\x38\x0a\x00\x00\x39"),
			option(15, "lab.example.\x00"), option(26, "\x05\x78"), option(51, "\x00\x00\x0e\x10"),
			option(209, "cfg/x"), option(210, "tftp://10.0.0.5/"), option(211, "\x00\x00\x00\x1e"),
		}, want: func(l *Lease) {
			l.Router, l.Routers = netip.MustParseAddr("10.0.0.254"), addrs("10.0.0.254", "10.0.0.253")
			l.DNS = addrs("10.0.0.53", "10.0.0.54", "10.0.0.55", "10.0.0.56")
			l.Domain, l.MTU, l.Duration = "lab.example.", 1400, time.Hour
			l.NextServer, l.BootFile = netip.MustParseAddr("10.0.0.5"), "pxelinux.0"
			l.ConfigFile, l.PathPrefix, l.RebootTime = "cfg/x", "tftp://10.0.0.5/", 30*time.Second
		}},
		{name: "what the ACK lacks is the offer's", offer: edits{
			siaddr("10.0.0.5"), option(67, "offered.0"), option(3, "\x0a\x00\x00\xfe"), option(51, "\x00\x00\x00\x3c"), option(210, "p/"),
		}, ack: edits{option(51, "\x00\x00\x0e\x10"), option(1, "")}, want: func(l *Lease) {
			l.Router, l.Routers = netip.MustParseAddr("10.0.0.254"), addrs("10.0.0.254")
			l.NextServer, l.BootFile, l.PathPrefix, l.Duration = netip.MustParseAddr("10.0.0.5"), "offered.0", "p/", time.Hour
		}},
		{name: "the ACK's option 67 is before the offer's header",
			offer: edits{file("offered.0")}, ack: edits{option(67, "acked.0")},
			want: func(l *Lease) { l.BootFile = "acked.0" }},

		{name: "file before option 67", ack: edits{file("header.0"), option(67, "option.0")},
			want: func(l *Lease) { l.BootFile = "header.0" }},
		{name: "option 67 with its end", ack: edits{option(67, "pxelinux.0\x00junk")},
			want: func(l *Lease) { l.BootFile = "pxelinux.0" }},
		{name: "option 67 with another end", ack: edits{option(67, "pxelinux.0\xff\xff")},
			want: func(l *Lease) { l.BootFile = "pxelinux.0" }},
		{name: "file of 0xff", ack: edits{file("\xff\xff"), option(67, "option.0")},
			want: func(l *Lease) { l.BootFile = "option.0" }},
		{name: "long option 67", ack: edits{option(67, strings.Repeat("d/", 200))},
			want: func(l *Lease) { l.BootFile = strings.Repeat("d/", 200) }},

		{name: "siaddr before 66 and sname", ack: edits{siaddr("10.0.0.5"), option(66, "10.0.0.6"), sname("10.0.0.7")},
			want: func(l *Lease) { l.NextServer, l.Option66 = netip.MustParseAddr("10.0.0.5"), "10.0.0.6" }},
		{name: "siaddr again in 66", ack: edits{siaddr("10.0.0.5"), option(66, "10.0.0.5\x00")},
			want: func(l *Lease) { l.NextServer = netip.MustParseAddr("10.0.0.5") }},
		{name: "siaddr, and what is no name in 66", ack: edits{siaddr("10.0.0.5"), option(66, "a b\x1b")},
			want: func(l *Lease) { l.NextServer = netip.MustParseAddr("10.0.0.5") }},
		{name: "option 66 before sname", ack: edits{option(66, "10.0.0.6\x00"), sname("10.0.0.7")},
			want: func(l *Lease) { l.NextServer = netip.MustParseAddr("10.0.0.6") }},
		{name: "sname", ack: edits{option(66, "boot"), sname("10.0.0.7")},
			want: func(l *Lease) { l.NextServer = netip.MustParseAddr("10.0.0.7") }},
		{name: "names", ack: edits{option(66, "tftp.lab.example"), sname("other")},
			want: func(l *Lease) { l.ServerName = "tftp.lab.example" }},
		{name: "a name next to siaddr needs no look-up", ack: edits{siaddr("10.0.0.5"), sname("boot")},
			want: func(l *Lease) { l.NextServer = netip.MustParseAddr("10.0.0.5") }},
		{name: "the offer's siaddr before the ACK's name", offer: edits{siaddr("10.0.0.5")}, ack: edits{sname("boot")},
			want: func(l *Lease) { l.NextServer = netip.MustParseAddr("10.0.0.5") }},
		{name: "no name", ack: edits{sname("boot; rm -rf /"), option(15, "\x1b[2J")}, want: func(*Lease) {}},
		{name: "an IPv6 address", ack: edits{option(66, "fe80::1")}, want: func(*Lease) {}},
		{name: "siaddr 0.1.2.3", ack: edits{siaddr("0.1.2.3")}, want: func(*Lease) {}},
		{name: "siaddr 127.0.0.1", ack: edits{siaddr("127.0.0.1")}, want: func(*Lease) {}},
		{name: "siaddr 224.0.0.1", ack: edits{siaddr("224.0.0.1")}, want: func(*Lease) {}},
		{name: "siaddr 255.255.255.255", ack: edits{siaddr("255.255.255.255")}, want: func(*Lease) {}},
		{name: "option 66 127.0.0.1", ack: edits{option(66, "127.0.0.1")}, want: func(*Lease) {}},

		{name: "PXELINUX's options inside 43", ack: edits{option(43, "\xd1\x05cfg/x\x00\xd2\x02p/\xd3\x04\x00\x00\x00\x05\xff")},
			want: func(l *Lease) { l.ConfigFile, l.PathPrefix, l.RebootTime = "cfg/x", "p/", 5*time.Second }},
		{name: "plain ones before them", ack: edits{option(43, "\xd1\x05cfg/x\xff"), option(209, "plain")},
			want: func(l *Lease) { l.ConfigFile = "plain" }},
		{name: "another vendor's 43", ack: edits{option(43, "\xd1\x99cfg")}, want: func(*Lease) {}},

		{name: "a proxy wins", ack: edits{siaddr("10.0.0.5"), file("plain.0"), option(210, "plain/")},
			proxy: edits{siaddr("10.0.0.9"), file("proxy.0"), option(209, "cfg")},
			want: func(l *Lease) {
				l.NextServer, l.BootFile, l.ConfigFile, l.PathPrefix = netip.MustParseAddr("10.0.0.9"), "proxy.0", "cfg", "plain/"
			}},
		{name: "but not on the network", proxy: edits{option(1, "\xff\x00\x00\x00"), option(3, "\x0a\x00\x00\x09"), siaddr("10.0.0.9"), file("proxy.0")},
			want: func(l *Lease) { l.NextServer, l.BootFile = netip.MustParseAddr("10.0.0.9"), "proxy.0" }},

		{name: "no mask, class A", offer: edits{option(1, "")}, ack: edits{option(1, "")},
			want: func(l *Lease) { l.Address = netip.MustParsePrefix("10.0.0.42/8") }},
		{name: "no mask, class B", offer: edits{option(1, "")}, ack: edits{option(1, ""), yiaddr("172.16.0.9")},
			want: func(l *Lease) { l.Address = netip.MustParsePrefix("172.16.0.9/16") }},
		{name: "no mask, class C", offer: edits{option(1, "")}, ack: edits{option(1, ""), yiaddr("192.168.1.199")},
			want: func(l *Lease) { l.Address = netip.MustParsePrefix("192.168.1.199/24") }},
		{name: "a mask with a hole", ack: edits{option(1, "\xff\x00\xff\x00")}, want: func(*Lease) {}},
		{name: "a mask of nothing", ack: edits{option(1, "\x00\x00\x00\x00")}, want: func(*Lease) {}},
		{name: "a mask of one address", ack: edits{option(1, "\xff\xff\xff\xff")},
			want: func(l *Lease) { l.Address = netip.MustParsePrefix("10.0.0.42/32") }},

		{name: "a router and a half", ack: edits{option(3, "\x0a\x00\x00\xfe\x0a\x00")}, want: func(*Lease) {}},
		{name: "a router that is none", ack: edits{option(3, "\x00\x00\x00\x00")}, want: func(l *Lease) { l.Routers = addrs("0.0.0.0") }},
		{name: "an MTU too small for IPv4", ack: edits{option(26, "\x00\x43")}, want: func(*Lease) {}},
		{name: "a lease for ever", ack: edits{option(51, "\xff\xff\xff\xff")}, want: func(l *Lease) { l.Duration = 0xffffffff * time.Second }},
		{name: "short numbers", ack: edits{option(51, "\x01"), option(211, "\x01\x02"), option(26, "\x05")}, want: func(*Lease) {}},
	} {
		t.Run(c.name, func(t *testing.T) {
			build := func(s server, kind dhcpv4.MessageType, changes edits) *reply {
				m := s.Reply(dhcpv4.TransactionID{}, kind)
				for _, change := range changes {
					change(m)
				}
				r := replyOf(lan.Broadcast(m), guestMAC)
				if r == nil {
					t.Fatalf("not a reply: %s", m.Summary())
				}
				return r
			}
			dhcp := server{ID: "10.0.0.1", Address: "10.0.0.42"}
			var proxy []*reply
			if c.proxy != nil {
				proxy = append(proxy, build(server{ID: "10.0.0.3"}, dhcpv4.MessageTypeOffer, c.proxy))
			}
			got := newLease(build(dhcp, dhcpv4.MessageTypeOffer, c.offer), build(dhcp, dhcpv4.MessageTypeAck, c.ack), proxy...)

			want := &Lease{
				Address: netip.MustParsePrefix("10.0.0.42/24"), ServerID: netip.MustParseAddr("10.0.0.1"),
				NextServer: netip.MustParseAddr("10.0.0.1"),
			}
			c.want(want)
			if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
				cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }), cmpopts.IgnoreFields(Lease{}, "Reply", "Boot")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A lease has what the servers sent, as they did.
func TestLeaseReplies(t *testing.T) {
	s := server{ID: "10.0.0.1", Address: "10.0.0.42"}
	m := s.Reply(dhcpv4.TransactionID{}, dhcpv4.MessageTypeAck)
	option(43, "\x06\x01\x08\xff")(m)
	option(67, "boot.ipxe\x00")(m)
	file("field.0")(m)
	siaddr("10.0.0.5")(m)
	other := server{ID: "10.0.0.3"}
	p := other.Reply(dhcpv4.TransactionID{}, dhcpv4.MessageTypeOffer)
	option(60, "PXEClient")(p)
	ack, proxy := replyOf(lan.Broadcast(m), guestMAC), replyOf(lan.Broadcast(p), guestMAC)
	l := newLease(ack, ack, proxy)
	if r := l.Reply; r.Address.String() != "10.0.0.42" || r.NextServer.String() != "10.0.0.5" || r.BootFile != "field.0" ||
		string(r.Options[43]) != "\x06\x01\x08\xff" || string(r.Options[67]) != "boot.ipxe\x00" || string(r.Options[54]) != "\x0a\x00\x00\x01" {
		t.Errorf("%+v", r)
	}
	if len(l.Boot) != 1 || l.Boot[0].Address.IsValid() || l.Boot[0].NextServer.IsValid() || string(l.Boot[0].Options[60]) != "PXEClient" {
		t.Errorf("%+v", l.Boot)
	}
}
