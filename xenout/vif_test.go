package xenout_test

import (
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gopxeboot/gopxeboot/xenout"
)

var guestMAC = net.HardwareAddr{0x00, 0x16, 0x3e, 0x72, 0x79, 0xe3}

func TestParseVIF(t *testing.T) {
	both := xenout.VIF{MAC: guestMAC, Bridge: "xenbr0"}
	macOnly := xenout.VIF{MAC: guestMAC}
	for _, test := range []struct {
		in   string
		want xenout.VIF
	}{
		{"", xenout.VIF{}},
		{"mac=00:16:3e:72:79:e3", macOnly},
		{"mac=00:16:3E:72:79:E3", macOnly},
		{"mac=00-16-3e-72-79-e3", macOnly},
		{"mac=00-16-3E-72-79-E3,", macOnly},
		{"mac=00:16:3e:72:79:e3,bridge=xenbr0", both},
		{"mac=00:16:3e:72:79:e3, bridge=xenbr0", both},
		{"bridge=xenbr0,mac=00:16:3e:72:79:e3", both},
		{"bridge=xenbr0,mac=00:16:3e:72:79:e3,", both},
		{" , mac = 00:16:3e:72:79:e3 ,\tbridge = xenbr0 , ", both},
		{"type=netfront, mac=00:16:3e:72:79:e3", macOnly},
		{"type=ioemu,model=e1000,mac=00:16:3e:72:79:e3,bridge=xenbr0,vifname=g0,rate=10Mb/s,accel=sfc,trusted,mtu=9000,devid=3,colo_x=1", both},
		{"script=/etc/xen/scripts/vif-route, gatewaydev=eth1", xenout.VIF{Script: "/etc/xen/scripts/vif-route", Gateway: "eth1"}},
		{"netdev=eth1,backend = sys-net,vlan= 10p/20", xenout.VIF{Gateway: "eth1", Backend: "sys-net", VLAN: "10p/20"}},
		{
			"mac=00:16:3e:72:79:e3,brigde=xenbr0,colour=green,unplugged",
			xenout.VIF{MAC: guestMAC, Unknown: []xenout.UnknownKey{{Key: "brigde", Near: "bridge"}, {Key: "colour"}, {Key: "unplugged"}}},
		},
		{"mac=00:16:3e:72:79:e3,bridge=xenbr0.20", xenout.VIF{MAC: guestMAC, Bridge: "xenbr0.20"}},
		{"bridge=xenbr0", xenout.VIF{Bridge: "xenbr0"}},
		{"mac=00:16:3e:00:00:01,mac=00:16:3e:72:79:e3", macOnly}, // xm and xl: the last counts
	} {
		got, err := xenout.ParseVIF(test.in)
		if err != nil {
			t.Errorf("ParseVIF(%q): %v", test.in, err)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("ParseVIF(%q) (-want +got):\n%s", test.in, diff)
		}
	}
}

func TestParseMACRefuses(t *testing.T) {
	for _, test := range []struct{ in, problem string }{
		{"", "not six octets"},
		{"00:16:3e:72:79", "not six octets"},
		{"00:16:3e:72:79:e", "not six octets"},
		{"00:16:3e:72:79:e3:00", "not six octets"},
		{"00:16:3e:72:79:e3:00:01", "not six octets"}, // EUI-64
		{"00:16-3e:72:79:e3", "not six octets"},
		{"00:16:3e:72:79:gg", "not six octets"},
		{"00:00:00:00:00:00", "all zeros"},
		{"01:00:5e:00:00:01", "multicast"},
		{"ff:ff:ff:ff:ff:ff", "multicast"},
	} {
		check := func(mac net.HardwareAddr, err error) {
			t.Helper()
			var refused *xenout.MACError
			if mac != nil || !errors.As(err, &refused) {
				t.Fatalf("%q: got %v, %v; want a *MACError", test.in, mac, err)
			}
			if refused.MAC != test.in || !strings.Contains(err.Error(), test.problem) {
				t.Errorf("%q: error %q does not say %q", test.in, err, test.problem)
			}
		}
		check(xenout.ParseMAC(test.in))
		vif, err := xenout.ParseVIF("bridge=xenbr0,mac=" + test.in)
		check(vif.MAC, err)
	}
}

func TestPositionals(t *testing.T) {
	both := xenout.VIF{MAC: guestMAC, Bridge: "xenbr0"}
	for _, test := range []struct {
		name     string
		words    []string
		vif      xenout.VIF
		location string
		disk     string
		rest     []string
	}{
		{name: "nothing"},
		{"libxl", []string{"mac=00:16:3e:72:79:e3,bridge=xenbr0", "/dev/loop0"}, both, "", "/dev/loop0", []string{}},
		{"xm's shlex", []string{"mac=00:16:3e:72:79:e3,", "bridge=xenbr0", "/dev/vg/g"}, both, "", "/dev/vg/g", []string{}},
		{"xm, lone comma", []string{"mac=00:16:3e:72:79:e3", ",", "bridge=xenbr0", "/dev/vg/g"}, both, "", "/dev/vg/g", []string{}},
		{"xm, type first", []string{"type=netfront,", "mac=00:16:3e:72:79:e3,", "bridge=xenbr0", "/dev/vg/g"}, both, "", "/dev/vg/g", []string{}},
		{"disk first", []string{"/dev/vg/g", "bridge=xenbr0", "mac=00:16:3e:72:79:e3"}, both, "", "/dev/vg/g", []string{}},
		{"a lone MAC", []string{"00-16-3E-72-79-E3", "/dev/vg/g"}, xenout.VIF{MAC: guestMAC}, "", "/dev/vg/g", []string{}},
		{"no disk", []string{"bridge=xenbr0,mac=00:16:3e:72:79:e3"}, both, "", "", nil},
		{"disk only", []string{"/dev/vg/g"}, xenout.VIF{}, "", "/dev/vg/g", []string{}},
		{"disk with = in its path", []string{"/dev/disk/by-path/ip-10.0.0.1:3260-iscsi-a=b"}, xenout.VIF{}, "", "/dev/disk/by-path/ip-10.0.0.1:3260-iscsi-a=b", []string{}},
		{"relative disk", []string{"mac=00:16:3e:72:79:e3,bridge=xenbr0", "plan"}, both, "", "plan", []string{}},
		{"xenpvboot's location", []string{"nfs:host:/p", "bridge=xenbr0,mac=00:16:3e:72:79:e3", "/dev/vg/g"}, both, "nfs:host:/p", "/dev/vg/g", []string{}},
		{"location with a query", []string{"http://h/p?a=b,mac=c", "/dev/vg/g"}, xenout.VIF{}, "http://h/p?a=b,mac=c", "/dev/vg/g", []string{}},
		{"a second location", []string{"nfs:host:/p", "http://h/", "/dev/vg/g"}, xenout.VIF{}, "nfs:host:/p", "/dev/vg/g", []string{"http://h/"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := xenout.Positionals(test.words)
			if err != nil {
				t.Fatal(err)
			}
			want := xenout.Call{VIF: test.vif, Location: test.location, Disk: test.disk, Unknown: test.rest}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A MAC that cannot be used does not hide the disk.
func TestPositionalsBadMAC(t *testing.T) {
	c, err := xenout.Positionals([]string{"mac=1", "x", "/dev/null"})
	var refused *xenout.MACError
	if !errors.As(err, &refused) || c.Disk != "/dev/null" || !cmp.Equal(c.Unknown, []string{"x"}) {
		t.Errorf("got %+v, error %v", c, err)
	}
}

func FuzzParseVIF(f *testing.F) {
	for _, seed := range []string{
		"mac=00:16:3e:72:79:e3, bridge=xenbr0", "bridge=xenbr0.20,mac=00-16-3E-72-79-E3,", "mac==,=,,mac", "mac=0016.3e72.79e3",
		"mac=02:00:5e:10:00:00:00:01", "\x00=,\xff", "bridge=br0:30:40,vlan=10p/20-30u/100+10x99999999999999999999",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		vif, err := xenout.ParseVIF(s)
		if err != nil {
			var refused *xenout.MACError
			if !errors.As(err, &refused) || vif.MAC != nil || vif.Bridge != "" {
				t.Fatalf("%q: got %v with error %v", s, vif, err)
			}
			return
		}
		if vif.MAC != nil && (len(vif.MAC) != 6 || vif.MAC[0]&1 != 0 || vif.MAC.String() == "00:00:00:00:00:00") {
			t.Fatalf("%q: no guest can have %v", s, vif.MAC)
		}
		if strings.ContainsAny(vif.Bridge, ",") || strings.TrimSpace(vif.Bridge) != vif.Bridge {
			t.Fatalf("%q: bridge %q", s, vif.Bridge)
		}
		// What was understood is understood again when it is written plainly.
		plain := "bridge=" + vif.Bridge
		if vif.MAC != nil {
			plain = "mac=" + vif.MAC.String() + "," + plain
		}
		again, err := xenout.ParseVIF(plain)
		if err != nil || again.MAC.String() != vif.MAC.String() || again.Bridge != vif.Bridge || again.Unknown != nil {
			t.Fatalf("%q became %v, and %q became %v, %v", s, vif, plain, again, err)
		}
		var refused *xenout.NetworkError
		if bridge, vlan, err := vif.Place(); vlan > 4094 || err != nil && (!errors.As(err, &refused) || bridge != "" && vif.VLAN == "" || vlan != 0) {
			t.Fatalf("%q is in VLAN %d of %q, %v", s, vlan, bridge, err)
		}
	})
}

func TestMayHave(t *testing.T) {
	for _, test := range []struct {
		ip, address string
		want        bool
	}{
		{"", "192.168.1.199", true},
		{"192.168.1.199", "192.168.1.199", true},
		{"192.168.1.199", "192.168.1.198", false},
		{"10.0.0.1 192.168.1.199", "192.168.1.199", true},
		{"192.168.1.0/24", "192.168.1.199", true},
		{"192.168.2.0/24 fe80::1", "192.168.1.199", false},
		{"fe80::1", "192.168.1.199", true},
		{"none", "192.168.1.199", true},
	} {
		v, err := xenout.ParseVIF("mac=00:16:3e:72:79:e3,ip=" + test.ip)
		if err != nil || v.IP != test.ip {
			t.Fatalf("%+v, %v", v, err)
		}
		if got := v.MayHave(netip.MustParseAddr(test.address)); got != test.want {
			t.Errorf("ip=%s may have %s: %v", test.ip, test.address, got)
		}
	}
}
