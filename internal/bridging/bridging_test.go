package bridging_test

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/bridging"
	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
)

func TestMain(m *testing.M) { labtest.Main(m) }

func TestGuest(t *testing.T) {
	card := net.HardwareAddr{0x52, 0x54, 0, 1, 2, 3}
	for _, test := range []struct {
		port bridging.Port
		want bool
	}{
		{bridging.Port{Name: "eth0", MAC: card}, false},
		{bridging.Port{Name: "bond0.20", MAC: card}, false},
		{bridging.Port{Name: "vif3.0", MAC: bridging.VIFMAC}, true},
		{bridging.Port{Name: "vif3.0-emu", MAC: card}, true},
		{bridging.Port{Name: "tap3.0", MAC: card}, true},
		{bridging.Port{Name: "vnet5", MAC: net.HardwareAddr{0xfe, 0x54, 0, 1, 2, 3}}, true},
		{bridging.Port{Name: "guest7", MAC: bridging.VIFMAC}, true},
		{bridging.Port{Name: "gpx4711", MAC: card}, true},
		{bridging.Port{}, false},
	} {
		if got := test.port.Guest(); got != test.want {
			t.Errorf("%s %s: %v", test.port.Name, test.port.MAC, got)
		}
	}
}

func TestState(t *testing.T) {
	for state, want := range map[bridging.State]string{
		bridging.Disabled: "disabled", bridging.Learning: "learning", bridging.Forwarding: "forwarding", bridging.Blocking: "blocking", 9: "unknown",
	} {
		if got := state.String(); got != want {
			t.Errorf("%d: %s, want %s", state, got, want)
		}
	}
}

// A bridge with the servers' port, which is its uplink, and a guest's.
func TestBridge(t *testing.T) {
	l := labtest.New(t, lab.Config{Bridge: "xenbr7", Dom0: netip.MustParsePrefix("192.168.1.10/24")})
	h, err := l.AddHost(t.Context(), lab.HostConfig{Name: "guest", Address: netip.MustParsePrefix("192.168.1.20/24")})
	labtest.Check(t, err)
	ifi, err := net.InterfaceByName(l.Bridge())
	labtest.Check(t, err)

	if got := bridging.Names(); len(got) != 1 || got[0] != "xenbr7" {
		t.Errorf("bridges %v", got)
	}
	if kind, none := bridging.Kind("xenbr7"), bridging.Kind("xenbr8"); kind != "bridge" || none != "" {
		t.Errorf("kinds %q and %q", kind, none)
	}
	if stp, err := bridging.STP(ifi.Index); stp || err != nil {
		t.Errorf("STP %v, %v", stp, err)
	}
	if bridging.Filters(ifi.Index) {
		t.Error("it filters VLANs")
	}
	if vlans := bridging.Tagged(ifi.Index); len(vlans) > 0 {
		t.Errorf("VLAN devices %v", vlans)
	}
	ports, err := bridging.Ports(ifi.Index)
	if err != nil || len(ports) != 2 {
		t.Fatalf("ports %+v, %v", ports, err)
	}
	for i, p := range ports {
		if p.Guest() != (i == 1) || !p.Carrier || p.State != bridging.Forwarding || p.MTU != 1500 {
			t.Errorf("port %d: %+v", i, p)
		}
	}

	if port := bridging.PortOf(ifi.Index, net.HardwareAddr{2, 0, 0, 0, 0, 1}); port != "" {
		t.Errorf("a MAC of nobody's is on %s", port)
	}
	labtest.Check(t, h.Do(func() error {
		c, err := net.Dial("udp4", "192.168.1.10:9")
		if err == nil {
			_, err = c.Write([]byte("here"))
			c.Close()
		}
		return err
	}))
	for begin := time.Now(); bridging.PortOf(ifi.Index, h.MAC) != ports[1].Name; time.Sleep(time.Millisecond) {
		if time.Since(begin) > 5*time.Second {
			t.Fatalf("%s is on %q", h.MAC, bridging.PortOf(ifi.Index, h.MAC))
		}
	}
	if _, err := bridging.PortState(ifi.Index); err == nil {
		t.Error("the bridge is a port")
	}
}

func TestSTP(t *testing.T) {
	l := labtest.New(t, lab.Config{})
	labtest.SpanningTree(t, l, 2*time.Second)
	ifi, err := net.InterfaceByName(l.Bridge())
	labtest.Check(t, err)
	stp, err := bridging.STP(ifi.Index)
	delay, err2 := bridging.ForwardDelay(ifi.Index)
	if !stp || delay != 2 || err != nil || err2 != nil {
		t.Errorf("STP %v with %g s, %v, %v", stp, delay, err, err2)
	}
}
