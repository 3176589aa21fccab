package check

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/pxelinux"
)

// A transfer that stops has its cause also where no configuration led to the file.
func TestAdviseFile(t *testing.T) {
	const link = "tftp://192.0.2.1/vmlinuz"
	p := plan.New()
	blocked := plan.Try{URL: link, Result: plan.Silent, Reason: plan.DataBlocked}
	if v := AdviseFile(p, "get", blocked); v != nil {
		t.Errorf("without a lease: %+v", v)
	}
	p.Lease.Address = netip.MustParsePrefix("192.0.2.9/24")
	if v := AdviseFile(p, "get", blocked); v == nil || v.Code != TFTPDataBlocked || !strings.Contains(v.Advice, "allow UDP from 192.0.2.0/24") {
		t.Errorf("data blocked: %+v", v)
	}
	missing := plan.Try{URL: link, Result: plan.NotFound}
	if v := AdviseFile(p, "kernel", missing); v != nil {
		t.Errorf("missing, without a configuration: %+v", v)
	}
	p.Config.URL = "tftp://192.0.2.1/pxelinux.cfg/default"
	p.Boot.Kernel, p.Boot.Label, p.Boot.Outcome = link, "linux", pxelinux.Linux
	if v := AdviseFile(p, "kernel", missing); v == nil || v.Code != KernelMissing || !strings.Contains(v.Advice, p.Config.URL) {
		t.Errorf("missing: %+v", v)
	}
}
