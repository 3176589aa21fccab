package boot

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gopxeboot/gopxeboot/internal/check"
)

func TestPlanOf(t *testing.T) {
	text, err := os.ReadFile("../check/testdata/facts/healthy.json")
	if err != nil {
		t.Fatal(err)
	}
	var f check.Facts
	if err := json.Unmarshal(text, &f); err != nil {
		t.Fatal(err)
	}
	got := PlanOf(&f)
	want := newPlan()
	want.MAC, want.UUID, want.Net = "00:16:3e:72:79:e3", "c9d4b2f0-0d3b-4c1e-9a57-6a1f7f0d5a11", "guest"
	want.Lease = Lease{
		Address: "192.168.1.199/24", Router: "192.168.1.1", DNS: []string{"192.168.1.1"}, ServerID: "192.168.1.1",
		NextServer: "192.168.1.166", BootFile: "pxelinux.0", Offers: 1,
	}
	server := "tftp://192.168.1.166/"
	want.Config = Config{URL: server + "pxelinux.cfg/01-00-16-3e-72-79-e3", Tried: []Try{
		{server + "pxelinux.cfg/c9d4b2f0-0d3b-4c1e-9a57-6a1f7f0d5a11", "not found", 0.6},
		{server + "pxelinux.cfg/f0b2d4c9-3b0d-1e4c-9a57-6a1f7f0d5a11", "not found", 0.4},
		{server + "pxelinux.cfg/01-00-16-3e-72-79-e3", "found", 0.5},
	}}
	want.Outcome, want.Label = "linux", "linux"
	want.Kernel, want.Initrds = server+"debian/linux", []string{server + "debian/initrd.gz"}
	want.Args = "BOOT_IMAGE=debian/linux console=hvc0 auto=true initrd=debian/initrd.gz"
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
