package check

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gopxeboot/gopxeboot/dhcpclient"
	"github.com/gopxeboot/gopxeboot/dhcpclient/survey"
	"github.com/gopxeboot/gopxeboot/internal/console"
	"github.com/gopxeboot/gopxeboot/internal/printable"
	"github.com/gopxeboot/gopxeboot/internal/wire"
)

// A survey as two servers and a proxy make it.
func TestAddSurvey(t *testing.T) {
	a := netip.MustParseAddr
	begin := time.Date(2026, 11, 21, 9, 30, 0, 0, time.UTC)
	dhcp, proxy, guest := a("192.0.2.1"), a("192.0.2.2"), net.HardwareAddr{0, 0x16, 0x3e, 1, 2, 3}
	message := func(kind byte, from, to string, options ...survey.Option) survey.Message {
		zero := netip.IPv4Unspecified()
		return survey.Message{
			SourceMAC: net.HardwareAddr{2, 0, 0, 0, 0, 1}, From: netip.MustParseAddrPort(from), To: netip.MustParseAddrPort(to),
			DHCPFields: wire.DHCPFields{Op: 2, CHAddr: guest, CIAddr: zero, YIAddr: zero, SIAddr: zero, GIAddr: zero},
			Options:    append([]survey.Option{{Code: 53, Value: []byte{kind}}}, options...),
		}
	}
	discover := message(1, "0.0.0.0:68", "255.255.255.255:67", survey.Option{Code: 60, Value: []byte("PXEClient:Arch:00000")})
	discover.Op = 1
	offer := message(2, "192.0.2.1:67", "255.255.255.255:68",
		survey.Option{Code: 1, Value: []byte{255, 255, 255, 128}}, survey.Option{Code: 3, Value: []byte{192, 0, 2, 1}})
	offer.YIAddr, offer.SIAddr, offer.File = a("192.0.2.9"), a("192.0.2.5"), []byte("pxelinux.0\xff")
	stray := message(2, "10.0.0.1:67", "255.255.255.255:68")
	stray.VLANs = []uint16{30}
	more := message(2, "192.0.2.2:67", "255.255.255.255:68", survey.Option{Code: 60, Value: []byte("PXEClient")})

	f := Facts{Began: begin.Add(-time.Millisecond)}
	origin := func(field dhcpclient.Field) dhcpclient.Origin {
		return dhcpclient.Origin{Server: dhcp, Message: "OFFER", Field: field}
	}
	f.AddSurvey(&survey.Survey{
		Begin: begin,
		Messages: []survey.Seen{
			{Message: discover, Sent: true},
			{Message: offer, After: 2 * time.Millisecond, Delay: 2 * time.Millisecond, Offer: &dhcpclient.Offer{
				Server: dhcp, Address: a("192.0.2.9"), NextServer: a("192.0.2.5"), BootFile: "pxelinux.0"}},
			{Message: stray, After: 3 * time.Millisecond, Delay: 3 * time.Millisecond, Stray: survey.OtherVLAN},
			{Message: message(2, "192.0.2.7:67", "255.255.255.255:68"), Stray: survey.OtherGuest},
			{Message: more, After: 4 * time.Millisecond, Delay: 4 * time.Millisecond, Offer: &dhcpclient.Offer{Server: proxy, Proxy: true}},
		},
		Silent: []netip.Addr{proxy},
		Missed: 2,
		Trial: dhcpclient.Trial{
			Lease:   &dhcpclient.Lease{Address: netip.MustParsePrefix("192.0.2.9/25"), Router: dhcp, ServerID: dhcp, NextServer: a("192.0.2.5"), BootFile: "pxelinux.0"},
			Origins: dhcpclient.Origins{Address: origin("yiaddr"), Routers: dhcpclient.Origin{Server: dhcp, Message: "OFFER", Option: 3}, NextServer: origin("siaddr"), BootFile: origin("file")},
			Holder:  net.HardwareAddr{2, 0, 0, 0, 0, 9},
		},
	})

	wantMerged := []Value{
		{Name: "address", Value: "192.0.2.9/25", Origin: Origin{Field: dhcpclient.FieldYIAddr}, From: dhcp},
		{Name: "router", Value: "192.0.2.1", Origin: Origin{Option: 3}, From: dhcp},
		{Name: "next-server", Value: "192.0.2.5", Origin: Origin{Field: dhcpclient.FieldSIAddr}, From: dhcp},
		{Name: "boot file", Value: "pxelinux.0", Origin: Origin{Field: dhcpclient.FieldFile}, From: dhcp, Raw: `"pxelinux.0\xff"`},
	}
	addresses := cmp.Comparer(func(a, b netip.Addr) bool { return a == b })
	if d := cmp.Diff(wantMerged, f.Merged, addresses); d != "" {
		t.Error(d)
	}
	if f.Lease.InUseBy != "02:00:00:00:00:09" || f.Lease.NextServer != a("192.0.2.5") {
		t.Errorf("lease %+v", f.Lease)
	}
	if len(f.Offers) != 2 || !f.Offers[0].Chosen || f.Offers[1].Chosen || !f.Offers[1].Proxy {
		t.Fatalf("offers %+v", f.Offers)
	}
	o := f.Offers[0]
	if o.Address != netip.MustParsePrefix("192.0.2.9/25") || o.Value("router") != "192.0.2.1" || o.Value("boot file") != "pxelinux.0" || o.Millis != 3 || o.Took != 2 {
		t.Errorf("offer %+v", o)
	}
	if d := cmp.Diff([]netip.Addr{proxy}, f.SilentProxies, addresses); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"2 DHCP messages for which there was no room"}, f.Errors); d != "" {
		t.Error(d)
	}
	var events []string
	for _, e := range f.Events {
		events = append(events, e.From+" "+e.Kind+" "+e.To+": "+e.Summary)
	}
	want := []string{
		"guest DISCOVER broadcast: asks as PXEClient:Arch:00000",
		"192.0.2.1 OFFER guest: gives 192.0.2.9, next-server 192.0.2.5, boot file pxelinux.0",
		"10.0.0.1 OFFER guest: says OFFER",
		"192.0.2.2 OFFER guest: gives no address (proxyDHCP), next-server none, boot file none",
	}
	if d := cmp.Diff(want, events); d != "" {
		t.Error(d)
	}
	if len(f.Variants) != 1 || f.Variants[0].VLAN != 30 || f.Variants[0].Name != AskedVLAN {
		t.Errorf("variants %+v", f.Variants)
	}
}

func TestAddSurveyOfNothing(t *testing.T) {
	var f Facts
	f.AddSurvey(&survey.Survey{})
	if f.discovered() {
		t.Errorf("%+v", f)
	}
}

func TestText(t *testing.T) {
	for got, want := range map[string]string{
		console.Size(512): "512 bytes", console.Size(3 << 20): "3.0 MiB", console.Size(5 << 30): "5.0 GiB", console.Size(2048): "2.0 KiB",
		secondsText(0.25): "0.2 s", secondsText(75.4): "1 min 15 s", list([]string{"a"}): "a", list([]string{"a", "b", "c"}): "a, b and c",
		printable.Text("a\x01\xff\x00\x00"): "a??",
		quoteBytes([]byte("a\"\\\x00\xff")): `"a\"\\\x00\xff"`, base("tftp://h/a/b"): "b",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
