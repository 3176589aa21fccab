package domain

import (
	"context"
	"errors"
	"net"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gopxeboot/gopxeboot/xenout"
)

func TestVifs(t *testing.T) {
	const ls = "xenstore-ls -f /local/domain/0/backend/vif"
	mac := func(last byte) net.HardwareAddr { return net.HardwareAddr{0, 0x16, 0x3e, 0x72, 0x79, last} }
	f := dom0With().program(ls, golden(t, "xenstore-ls"))
	got, err := f.host().Vifs(t.Context())
	want := []Vif{
		{VIF: xenout.VIF{MAC: mac(0xe3), Bridge: "xenbr0", Script: "/etc/xen/scripts/vif-bridge"}, Domid: 3, Interface: "vif3.0"},
		{VIF: xenout.VIF{MAC: mac(0xe4), Bridge: "xenbr1.20"}, Domid: 3, Interface: "vif3.1"},
		{VIF: xenout.VIF{MAC: mac(0xe5)}, Domid: 5, Interface: "guest1-net", Closed: true},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if got, err := dom0With().host().Vifs(t.Context()); got != nil || err != nil {
		t.Errorf("without Xen: %v, %v", got, err)
	}
	h := dom0With().host()
	h.Run = func(context.Context, string, ...string) ([]byte, error) {
		return nil, errors.New("xenstore-ls: exit status 1: xenstore-ls: xs_directory (/local/domain/0/backend/vif): No such file or directory")
	}
	if got, err := h.Vifs(t.Context()); got != nil || err != nil {
		t.Errorf("without a vif: %v, %v", got, err)
	}
	failed := errors.New("xenstore-ls: no answer in 5s")
	h.Run = func(context.Context, string, ...string) ([]byte, error) { return nil, failed }
	if got, err := h.Vifs(t.Context()); got != nil || !errors.Is(err, failed) {
		t.Errorf("without an answer: %v, %v", got, err)
	}
	// What the guest could have written is in its own directory, and not here;
	// still nothing of this may break us.
	f.program(ls, "\x00\n = \n/local/domain/0/backend/vif/x/0/mac = \"00:16:3e:72:79:e3\"\n/local/domain/0/backend/vif/1/0/mac = \"none\"\n/local/domain/0/backend/vif/1/0/mac\n")
	if got, err := f.host().Vifs(t.Context()); len(got) > 0 || err != nil {
		t.Errorf("of nonsense: %v, %v", got, err)
	}
}
