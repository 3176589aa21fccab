package check

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/gopxeboot/gopxeboot/dhcpclient/survey"
	"github.com/gopxeboot/gopxeboot/internal/wire"
)

func TestBootServers(t *testing.T) {
	siaddr, other, third := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.5"), netip.MustParseAddr("10.0.0.6")
	of66, of150, of43 := Origin{Option: 66}, Origin{Option: 150}, Origin{Option: 43, Inside: 8}
	option := func(code uint8, value string) survey.Option { return survey.Option{Code: code, Value: []byte(value)} }
	pxe := option(60, "PXEClient")
	for _, test := range []struct {
		name    string
		sname   string
		options []survey.Option
		want    []BootServer
	}{
		{"none", "", nil, nil},
		{"an address, as dnsmasq ends it", "", []survey.Option{option(66, "10.0.0.5\x00")}, []BootServer{{Origin: of66, Address: other}}},
		{"siaddr again", "10.0.0.1", []survey.Option{option(66, "10.0.0.1"), option(150, "\x0a\x00\x00\x01")}, nil},
		{"a name, and one in sname", "b", []survey.Option{option(66, "a\x1b")}, []BootServer{{Origin: of66, Name: "a?"}, {Origin: Origin{Field: "sname"}, Name: "b"}}},
		{"options in sname", "B\x05", []survey.Option{option(52, "\x02")}, nil},
		{"two addresses, and half of one", "", []survey.Option{option(150, "\x0a\x00\x00\x05\x0a\x00\x00\x06\x0a\x00")}, []BootServer{{Origin: of150, Address: other}, {Origin: of150, Address: third}}},
		{"0.0.0.0", "", []survey.Option{option(150, "\x00\x00\x00\x00")}, nil},
		{"boot servers", "", []survey.Option{pxe, option(43, "\x06\x01\x08\x08\x0b\x00\x00\x02\x0a\x00\x00\x01\x0a\x00\x00\x05\xff")}, []BootServer{{Origin: of43, Address: other}}},
		{"of another vendor", "", []survey.Option{option(43, "\x08\x07\x00\x00\x01\x0a\x00\x00\x05\xff")}, nil},
		{"more than are there", "", []survey.Option{pxe, option(43, "\x08\x07\x00\x00\xff\x0a\x00\x00\x05\xff")}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := &survey.Seen{Message: survey.Message{DHCPFields: wire.DHCPFields{SIAddr: siaddr, SName: []byte(test.sname)}, Options: test.options}}
			if d := cmp.Diff(test.want, bootServers(m), cmpopts.EquateComparable(netip.Addr{})); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
	many := &survey.Seen{Message: survey.Message{Options: []survey.Option{option(150, strings.Repeat("\x0a\x00\x00\x05", 60))}}}
	if n := len(bootServers(many)); n != maxBootServers {
		t.Errorf("%d boot servers", n)
	}
}

// A name is looked up once, and what comes of it stands wherever the name does.
func TestFound(t *testing.T) {
	address := netip.MustParseAddr("192.168.1.5")
	named := func() Facts {
		f := example(t, "healthy")
		f.Offers[0].BootServers = []BootServer{{Origin: Origin{Option: 66}, Name: "tftp.lab"}}
		f.Merged = append(f.Merged, Value{Name: ValueServerName, Value: "tftp.lab", Origin: Origin{Option: 66}})
		return f
	}
	f := named()
	f.Found("tftp.lab", address, nil)
	if v := f.merged(ValueNextServer); f.Lease.NextServer != address || v.Value != "192.168.1.5" || v.Origin.Option != 66 || f.Offers[0].BootServers[0].Address != address {
		t.Errorf("lease %+v, %+v, %+v", f.Lease, v, f.Offers[0].BootServers)
	}
	f = named()
	before := f.Lease.NextServer
	f.Found("tftp.lab", netip.Addr{}, errors.New("no such\x1b name"))
	if b := f.Offers[0].BootServers[0]; f.Lease.NextServer != before || b.Address.IsValid() || b.Message != "no such? name" {
		t.Errorf("lease %+v, %+v", f.Lease, b)
	}
	tftp(PortClosed)(&f)
	f.Others = []Station{{Address: address, Why: "the DHCP server", TFTP: PortSilent}}
	if v := Diagnose(f).Verdict; v.Code != TFTPNotRunning || !strings.Contains(v.Evidence, `option 66 says "tftp.lab": no such`) {
		t.Errorf("%+v", v)
	}
}

// In a capture who is named is not asked, and may be the right one all the same.
func TestNamedAndNotAsked(t *testing.T) {
	address := netip.MustParseAddr("192.168.1.5")
	f := example(t, "healthy")
	tftp(PortClosed)(&f)
	f.Offers[0].BootServers = []BootServer{{Origin: Origin{Option: 66}, Address: address}}
	if v := Diagnose(f).Verdict; v.Code != TFTPNotRunning || !strings.Contains(v.Evidence, "option 66 says 192.168.1.5") || !strings.Contains(v.Advice, "if 192.168.1.5 is the TFTP server") {
		t.Errorf("%+v", v)
	}
	f.Others = []Station{{Address: address, Why: "option 66", TFTP: PortClosed}}
	if v := Diagnose(f).Verdict; v.Code != TFTPNotRunning || strings.Contains(v.Evidence+v.Advice, "192.168.1.5") {
		t.Errorf("of one that was asked: %+v", v)
	}
}
