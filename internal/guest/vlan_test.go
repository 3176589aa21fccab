package guest

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"github.com/vishvananda/netlink"
)

func TestSplitVLAN(t *testing.T) {
	for name, want := range map[string]string{
		"xenbr0.20":    "xenbr0 20 true",
		"br.office.7":  "br.office 7 true",
		"xenbr0.4094":  "xenbr0 4094 true",
		"xenbr0.4095":  " 0 false",
		"xenbr0.0":     " 0 false",
		"xenbr0":       " 0 false",
		"xenbr0.":      " 0 false",
		".20":          " 0 false",
		"xenbr0.-1":    " 0 false",
		"xenbr0.guest": " 0 false",
	} {
		bridge, vlan, ok := splitVLAN(name)
		if got := fmt.Sprint(bridge, " ", vlan, " ", ok); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

func TestFindBridgeOfVLAN(t *testing.T) {
	labtest.New(t, lab.Config{})
	attributes := netlink.NewLinkAttrs()
	attributes.Name = "xenbr0.30"
	device := &netlink.Bridge{LinkAttrs: attributes}
	if err := netlink.LinkAdd(device); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { netlink.LinkDel(device) })
	for _, c := range []struct {
		name string
		vlan uint16
		want string
	}{
		{"xenbr0", 0, "xenbr0 0"},
		{"xenbr0", 20, "xenbr0 20"},
		{"", 20, "xenbr0 20"},
		{"xenbr0.20", 0, "xenbr0 20"},
		{"xenbr0.20", 20, "xenbr0 20"},
		{"xenbr0.30", 0, "xenbr0.30 0"},
		{"xenbr0.30", 30, "xenbr0.30 30"}, // a tag in a tag, as it was asked for
		{"xenbr0.20", 21, "no such bridge: there is no device xenbr0.20, and VLAN 21 is not in its name"},
		{"xenbr1.20", 0, "no such bridge: xenbr1.20 (there are: xenbr0, xenbr0.30)"},
		{"xenbr0", 4095, "VLAN 4095 is not between 1 and 4094"},
	} {
		b, err := findBridge(c.name, c.vlan)
		got := ""
		if err != nil {
			got = err.Error()
		} else {
			got = fmt.Sprint(b.name, " ", b.vlan)
		}
		if got != c.want {
			t.Errorf("%q, VLAN %d: %s, want %s", c.name, c.vlan, got, c.want)
		}
	}
}

// What VLANs come to on this kernel: with VLAN devices the child has one, and
// without them it is said.
func TestStartInVLAN(t *testing.T) {
	labtest.New(t, lab.Config{})
	mac := net.HardwareAddr{0x00, 0x16, 0x3e, 0x72, 0x79, 0xe3}
	auto, err := Start(t.Context(), Spec{MAC: mac, Bridge: "xenbr0.20", Net: Auto})
	if err != nil {
		t.Fatal(err)
	}
	defer auto.Close()
	another := net.HardwareAddr{0, 0x16, 0x3e, 1, 2, 3} // as one guest there can be one only
	own, err := Start(t.Context(), Spec{MAC: another, Bridge: "xenbr0", VLAN: 20, Net: Own})
	if err == nil {
		defer own.Close()
	}
	if auto.Bridge != "xenbr0" || auto.VLAN != 20 {
		t.Errorf("on %s, VLAN %d", auto.Bridge, auto.VLAN)
	}
	if vlanDevices() {
		if err != nil || own.port.eth0.Attrs().Name != guestInterface || own.port.eth0.Type() != "vlan" {
			t.Errorf("%+v, %v", own, err)
		}
		if auto.Net != Own {
			t.Errorf("auto chose %s: %s", auto.Net, auto.Why)
		}
		return
	}
	const want = "plug into bridge xenbr0: VLAN 20: this kernel has no VLAN devices (8021q): use --net dom0"
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	if auto.Net != Dom0 || auto.Why != "VLAN 20 on xenbr0: this kernel has no VLAN devices (8021q)" {
		t.Errorf("auto chose %s: %s", auto.Net, auto.Why)
	}
	links, err := netlink.LinkList()
	for _, l := range links {
		if strings.HasPrefix(l.Attrs().Name, portPrefix) {
			err = errors.Join(err, fmt.Errorf("%s is left", l.Attrs().Name))
		}
	}
	if err != nil {
		t.Error(err)
	}
}
