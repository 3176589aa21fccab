package domain

import (
	"os"
	"testing"
)

func TestIgnoresVLAN(t *testing.T) {
	hook, err := os.ReadFile("../xenlab/dom0/vlan.hook")
	if err != nil {
		t.Fatal(err)
	}
	const scripts = "/etc/xen/scripts/"
	debian13 := func() *fake {
		return dom0With().file("/sys/class/net/xenbr0/bridge/bridge_id", "").
			file(scripts+"vif-bridge", "add_to_bridge \"$bridge\" \"$dev\"\n").file(scripts+"xen-network-common.sh", "add_to_bridge () {\n")
	}
	for _, test := range []struct {
		name, vif string
		dom0      *fake
		want      bool
	}{
		{"Debian 13", "bridge=xenbr0,vlan=20", debian13(), true},
		{"no VLAN", "bridge=xenbr0", debian13(), false},
		{"the default script by its name", "bridge=xenbr0,vlan=20p/30,script=vif-bridge", debian13(), true},
		{"another script", "bridge=xenbr0,vlan=20,script=vif-site", debian13(), false},
		{"Open vSwitch", "bridge=ovsbr0,vlan=20", debian13(), false},
		{"the hook", "bridge=xenbr0,vlan=20", debian13().file(scripts+"vif-post.d/vlan.hook", string(hook)), false},
		{"a script that looks at it", "bridge=xenbr0,vlan=20", debian13().file(scripts+"xen-network-common.sh", "_vif_vlan_setup() {\n"), false},
		{"no scripts of xl's", "bridge=xenbr0,vlan=20", dom0With().file("/sys/class/net/xenbr0/bridge/bridge_id", ""), false},
	} {
		if got := test.dom0.host().IgnoresVLAN(vif(t, test.vif)); got != test.want {
			t.Errorf("%s: %t, want %t", test.name, got, test.want)
		}
	}
}
