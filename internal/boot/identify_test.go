package boot

import (
	"bytes"
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/gopxeboot/gopxeboot/internal/console"
	"github.com/gopxeboot/gopxeboot/internal/domain"
	"github.com/gopxeboot/gopxeboot/internal/fault"
	"github.com/gopxeboot/gopxeboot/internal/guest"
	"github.com/gopxeboot/gopxeboot/internal/handover"
	"github.com/gopxeboot/gopxeboot/internal/install"
	"github.com/gopxeboot/gopxeboot/internal/session"
	"github.com/gopxeboot/gopxeboot/xenout"
)

// What is written down is believed; what is not is looked for, where a
// toolstack calls.
func TestIdentify(t *testing.T) {
	const uuid = "3c2a1b00-5d6e-4f70-8192-a3b4c5d6e7f8"
	second := net.HardwareAddr{0x00, 0x16, 0x3e, 0x72, 0x79, 0xe4}
	third := net.HardwareAddr{0x00, 0x16, 0x3e, 0x72, 0x79, 0xe5}
	other := net.HardwareAddr{0x00, 0x16, 0x3e, 0x00, 0x00, 0x01}
	host := func() (*domain.Host, *int) {
		asked := new(int)
		return &domain.Host{
			Root: fstest.MapFS{
				"proc/1/cmdline": {Data: []byte("xl\x00create\x00/root/guest1.cfg\x00")},
				"root/guest1.cfg": {Data: []byte("name='guest1'\nuuid='" + uuid + "'\n" +
					"vif=['mac=" + mac.String() + ",bridge=br1', 'bridge=br2,vlan=20,mac=" + second.String() + "', 'backend=sys-net,mac=" + third.String() + "']\n")},
			},
			Run: func(context.Context, string, ...string) ([]byte, error) {
				*asked++
				return nil, errors.New("nothing is installed")
			},
			Parent: 1,
		}, asked
	}
	driver := &xenout.NetworkError{Key: "backend", Value: "sys-net"}
	called := xenout.Call{Domid: 7}
	nobody := xenout.Call{Toolstack: xenout.XAPI, VM: "none"}
	local, err := install.NewRepository("/there/is/none", install.Wanted{})
	if err != nil {
		t.Fatal(err)
	}
	web, err := install.NewRepository("http://h/p", install.Wanted{})
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		in, want Options
		by       xenout.Call
		asks     bool
		code     fault.Code
	}{
		"nothing":                   {Options{}, Options{Network: session.Network{MAC: mac, Bridge: "br1"}, UUID: uuid}, called, true, fault.Done},
		"a bridge":                  {Options{Network: session.Network{Bridge: "br9"}}, Options{Network: session.Network{MAC: mac, Bridge: "br9"}, UUID: uuid}, called, true, fault.Done},
		"the MAC":                   {Options{Network: session.Network{MAC: mac}}, Options{Network: session.Network{MAC: mac, Bridge: "br1"}, UUID: uuid}, called, true, fault.Done},
		"the second MAC":            {Options{Network: session.Network{MAC: second}}, Options{Network: session.Network{MAC: second, Bridge: "br2", VLAN: 20}, UUID: uuid}, called, true, fault.Done},
		"--vif 1":                   {Options{}, Options{Network: session.Network{MAC: second, Bridge: "br2", VLAN: 20}, UUID: uuid}, xenout.Call{Domid: 7, Interface: 1}, true, fault.Done},
		"--vif 3 of 0 to 2":         {Options{}, Options{}, xenout.Call{Domid: 7, Interface: 3}, true, fault.Usage},
		"and a VLAN":                {Options{Network: session.Network{MAC: second, VLAN: 30}}, Options{Network: session.Network{MAC: second, Bridge: "br2", VLAN: 30}, UUID: uuid}, called, true, fault.Done},
		"a driver domain's":         {Options{Network: session.Network{MAC: third}}, Options{Network: session.Network{MAC: third, Unreachable: driver}, UUID: uuid}, called, true, fault.Done},
		"--bridge for that":         {Options{Network: session.Network{MAC: third, Bridge: "br9"}}, Options{Network: session.Network{MAC: third, Bridge: "br9"}, UUID: uuid}, called, true, fault.Done},
		"--vif 2 and a bridge":      {Options{Network: session.Network{Bridge: "br9"}}, Options{Network: session.Network{MAC: third, Bridge: "br9"}, UUID: uuid}, xenout.Call{Domid: 7, Interface: 2}, true, fault.Done},
		"elsewhere by its own word": {Options{Network: session.Network{Unreachable: driver}}, Options{Network: session.Network{MAC: mac, Unreachable: driver}, UUID: uuid}, called, true, fault.Done},
		"a MAC of nobody's":         {Options{Network: session.Network{MAC: other}}, Options{Network: session.Network{MAC: other}, UUID: uuid}, called, true, fault.Done},
		"both":                      {Options{Network: session.Network{MAC: other, Bridge: "br9"}}, Options{Network: session.Network{MAC: other, Bridge: "br9"}, UUID: uuid}, called, true, fault.Done},
		"all":                       {Options{Network: session.Network{MAC: mac, Bridge: "br9"}, UUID: "u", Spec: handover.Spec{Type: xenout.PV}}, Options{Network: session.Network{MAC: mac, Bridge: "br9"}, UUID: "u", Spec: handover.Spec{Type: xenout.PV}}, called, false, fault.Done},
		"by hand":                   {Options{Network: session.Network{MAC: mac}}, Options{Network: session.Network{MAC: mac}}, xenout.Call{}, false, fault.Done},
		"dom0's own files":          {Options{Repository: local}, Options{Repository: local}, called, false, fault.Done},
		"as dom0":                   {Options{Network: session.Network{Net: guest.Dom0}, Repository: web}, Options{Network: session.Network{Net: guest.Dom0}, Repository: web}, called, false, fault.Done},
		"a location":                {Options{Repository: web}, Options{Network: session.Network{MAC: mac, Bridge: "br1"}, Repository: web, UUID: uuid}, called, true, fault.Done},
		"a location, nobody":        {Options{Network: session.Network{Net: guest.Auto}, Repository: web}, Options{Network: session.Network{Net: guest.Dom0}, Repository: web}, nobody, false, fault.Done},
		"a guest of nobody's":       {Options{Network: session.Network{Net: guest.Own}, Repository: web}, Options{}, nobody, false, fault.Usage},
		"pygrub at once":            {Options{LocalBoot: true}, Options{LocalBoot: true}, called, false, fault.Done},
		"XAPI without a uuid":       {Options{}, Options{}, xenout.Call{Toolstack: xenout.XAPI, VM: "none"}, false, fault.Usage},
	} {
		t.Run(name, func(t *testing.T) {
			dom0, asked := host()
			o := test.in
			var said bytes.Buffer
			o.Host = dom0
			err := o.identify(t.Context(), test.by, console.New(&said, console.Verbose))
			if fault.CodeOf(err) != test.code {
				t.Fatalf("got %v", err)
			}
			if err != nil {
				return
			}
			if diff := cmp.Diff(test.want, o, cmp.Comparer(func(a, b Options) bool {
				return a.MAC.String() == b.MAC.String() && a.Bridge == b.Bridge && a.UUID == b.UUID && a.Net == b.Net && a.Type == b.Type && a.VLAN == b.VLAN &&
					(a.Unreachable == nil) == (b.Unreachable == nil)
			})); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if *asked > 0 != test.asks {
				t.Errorf("programs run: %d", *asked)
			}
			if strings.Contains(said.String(), "warning") {
				t.Errorf("said %q", said.String())
			}
		})
	}
}

// TestPutWarns of a VLAN that Xen's vif-bridge does not put the guest into.
func TestPutWarns(t *testing.T) {
	debian13 := &domain.Host{Root: fstest.MapFS{
		"sys/class/net/xenbr0/bridge/bridge_id": {},
		"etc/xen/scripts/vif-bridge":            {Data: []byte("add_to_bridge\n")},
	}}
	vif := xenout.VIF{Bridge: "xenbr0", VLAN: "20"}
	for _, test := range []struct {
		bridge string
		vlan   uint16
		warns  bool
	}{{"", 0, true}, {"", 20, false}, {"xenbr1", 0, false}} {
		var said bytes.Buffer
		o := new(Options)
		o.Host = debian13
		o.Put(vif, test.bridge, test.vlan, console.New(&said, console.Normal))
		if o.VLAN != 20 || strings.Contains(said.String(), "warning: vlan=20: ") != test.warns {
			t.Errorf("--bridge=%s --vlan=%d: VLAN %d, said %q", test.bridge, test.vlan, o.VLAN, said.String())
		}
	}
}
