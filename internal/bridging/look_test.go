package bridging

import (
	"testing"

	"github.com/vishvananda/netlink/nl"
)

// The bridge's own end is in a VLAN as its port is, or by the tag.
func TestOwnEnd(t *testing.T) {
	entry := func(vid, flags uint16) *nl.BridgeVlanInfo { return &nl.BridgeVlanInfo{Vid: vid, Flags: flags} }
	all := []*nl.BridgeVlanInfo{entry(1, nl.BRIDGE_VLAN_INFO_PVID|nl.BRIDGE_VLAN_INFO_UNTAGGED), entry(30, 0), entry(40, nl.BRIDGE_VLAN_INFO_UNTAGGED)}
	for _, test := range []struct {
		vlan, tag uint16
		ok        bool
	}{
		{1, 0, true}, {30, 30, true},
		{40, 0, false}, // what goes out has no tag, and what comes in without one is in VLAN 1
		{50, 0, false}, {0, 0, false},
	} {
		if tag, ok := tagOf(all, test.vlan); tag != test.tag || ok != test.ok {
			t.Errorf("VLAN %d: %d, %v, want %d, %v", test.vlan, tag, ok, test.tag, test.ok)
		}
	}
}
