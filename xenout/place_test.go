package xenout_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/gopxeboot/gopxeboot/xenout"
)

func TestParsePVID(t *testing.T) {
	for _, test := range []struct {
		in   string
		want uint16
	}{
		{"20", 20}, {"1", 1}, {"4094", 4094}, {"20p", 20},
		{"10p/20", 10}, {"20/10p", 10}, {"10p/20p", 20}, {"10p/20u/30-40/50-60u/100+10x5", 10},
		{"30-40/10p", 10}, {"100+10x5/7p", 7}, {"4094+1x1/7p", 7},
	} {
		if got, err := xenout.ParsePVID(test.in); err != nil || got != test.want {
			t.Errorf("ParsePVID(%q) is %d, %v; want %d", test.in, got, err, test.want)
		}
	}
	for _, test := range []struct{ in, problem string }{
		{"5000", "from 1 to 4094"}, {"0", "from 1 to 4094"}, {"4095", "from 1 to 4094"}, {"99999999999999999999", "from 1 to 4094"},
		{"10p/5000", "from 1 to 4094"}, {"10p/30-20", "from 1 to 4094"}, {"10p/4000-4095", "from 1 to 4094"},
		{"10p/4000+50x3", "from 1 to 4094"}, {"10p/5+1x0", "from 1 to 4094"}, {"10p/5+99999999999x99999999999", "from 1 to 4094"},
		{"10/20", "without a tag"}, {"20u", "without a tag"}, {"10-20", "without a tag"}, {"10+5x1", "without a tag"},
		{"", `"" is none of N`}, {"10p/", `"" is none of N`}, {"ten", `"ten" is none of N`}, {"10pu", `"10pu" is none of N`}, {"-1", `"-1" is none of N`},
		{"10-20p", `"10-20p" is none of N`}, {"10p/20+5", `"20+5" is none of N`}, {"10,20", `"10,20" is none of N`},
	} {
		got, err := xenout.ParsePVID(test.in)
		var refused *xenout.NetworkError
		if !errors.As(err, &refused) || got != 0 || !strings.Contains(err.Error(), test.problem) {
			t.Errorf("ParsePVID(%q) is %d, %v; want %q", test.in, got, err, test.problem)
		}
	}
}

func TestPlace(t *testing.T) {
	for _, test := range []struct {
		vif    string
		bridge string // what is said beside the vif
		vlan   uint16
		want   string
		in     uint16
		key    string // of the error
	}{
		{vif: "", want: ""},
		{vif: "bridge=xenbr0", want: "xenbr0"},
		{vif: "bridge=xenbr0,vlan=20", want: "xenbr0", in: 20},
		{vif: "bridge=xenbr0.20", want: "xenbr0.20"}, // which may be a device
		{vif: "vlan=10p/20", want: "", in: 10},
		{vif: "bridge=xenbr0,vlan=10/20", key: "vlan"},
		{vif: "bridge=xenbr0,vlan=10/20", vlan: 20, want: "xenbr0", in: 20},
		{vif: "bridge=xenbr0,vlan=30", vlan: 20, want: "xenbr0", in: 20}, // the option counts more
		{vif: "bridge=xenbr0,vlan=30", bridge: "br1", want: "br1", in: 30},
		{vif: "bridge=br0.20:30:40", want: "br0.20"},
		{vif: "bridge=br0:30:40", key: "bridge"},
		{vif: "bridge=br0:0:30", want: "br0"},
		{vif: "bridge=br0:30:40", vlan: 30, want: "br0", in: 30},
		{vif: "bridge=xenbr0,backend=sys-net", key: "backend"},
		{vif: "bridge=xenbr0,backend=sys-net", bridge: "br1", want: "br1"},
		{vif: "bridge=xenbr0,backend=5", key: "backend"},
		{vif: "bridge=xenbr0,backend=0", want: "xenbr0"},
		{vif: "bridge=xenbr0,backend=Domain-0", want: "xenbr0"},
		{vif: "backend=dom0", want: ""},
		{vif: "script=vif-route,ip=10.0.0.2", key: "script"},
		{vif: "script=/etc/xen/scripts/vif-route-qubes", key: "script"},
		{vif: "script=vif-nat,bridge=xenbr0", key: "script"},
		{vif: "script=vif-route,gatewaydev=eth1", bridge: "br1", want: "br1"},
		{vif: "script=/etc/xen/scripts/vif-bridge,bridge=xenbr0", want: "xenbr0"},
		{vif: "script=vif-openvswitch,bridge=br0.20", want: "br0.20"},
		{vif: "bridge=xenbr0,gatewaydev=eth1", key: "gatewaydev"},
		{vif: "netdev=eth1", key: "gatewaydev"},
	} {
		vif, err := xenout.ParseVIF(test.vif)
		if err != nil {
			t.Fatal(err)
		}
		bridge, vlan, err := vif.On(test.bridge, test.vlan).Place()
		key := ""
		if refused := (*xenout.NetworkError)(nil); errors.As(err, &refused) {
			key = refused.Key
			if refused.Try == "" || !strings.HasPrefix(err.Error(), "the vif says "+key+"=") {
				t.Errorf("%s: error %q, try %q", test.vif, err, refused.Try)
			}
		}
		if bridge != test.want && key == "" || vlan != test.in || key != test.key {
			t.Errorf("%s on %q, VLAN %d: in VLAN %d of %q, %v", test.vif, test.bridge, test.vlan, vlan, bridge, err)
		}
	}
}
