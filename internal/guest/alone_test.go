package guest_test

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gopxeboot/gopxeboot/internal/guest"
	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
)

// Without a guest there is no bridge: an empty network, or dom0's own.
func TestAlone(t *testing.T) {
	labtest.New(t, lab.Config{Dom0: netip.MustParsePrefix("192.168.1.1/24")})
	before := interfaces(t)
	g := start(t, guest.Spec{Net: guest.None, Bridge: "there-is-none"})
	if g.Net != guest.None || g.Bridge != "" {
		t.Errorf("it is with --net %s on %q", g.Net, g.Bridge)
	}
	r := do(t, g, order{Confine: true, Dial: "192.168.1.1:7000"})
	if r.OwnNet || r.Interface != "" || r.Errors["dial"] == "allowed" {
		t.Errorf("the child is on %q and can send: %s", r.Interface, r.Errors["dial"])
	}
	if err := g.Configure(netip.MustParsePrefix("192.168.1.199/24"), netip.Addr{}, 0); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(before, interfaces(t)); diff != "" {
		t.Errorf("interfaces (-before +now):\n%s", diff)
	}

	g = start(t, guest.Spec{Net: guest.Dom0, Bridge: "there-is-none"})
	r = do(t, g, order{Confine: true, Dial: "192.168.1.1:7000"})
	if r.OwnNet || r.Interface != "" || r.Errors["dial"] != "allowed" {
		t.Errorf("the child is on %q and can't send: %s", r.Interface, r.Errors["dial"])
	}
	if _, err := guest.ParseNet("none"); err == nil {
		t.Error("--net none is nothing to say")
	}
}
