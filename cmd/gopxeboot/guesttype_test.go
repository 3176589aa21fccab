package main

import (
	"bytes"
	"debug/elf"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gopxeboot/gopxeboot/internal/kernel/fake"
	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
)

// A kernel that Xen can't start in this guest is refused before Xen does it, and
// leaves no files. Where the type is not known it is a warning.
func TestKernelForType(t *testing.T) {
	const pvh = "this kernel has no PVH entry point (CONFIG_PVH); make the guest type=\"pv\" or serve another kernel"
	for _, test := range []struct {
		name    string
		pv, pvh bool
		guest   string
		code    int
		says    string
	}{
		{"pv in pvh", true, false, "pvh", 5, pvh},
		{"pvh in pv", false, true, "pv", 5, "no PV entry point"},
		{"pvh in pvshim", false, true, "pvshim", 5, "no PV entry point"},
		{"neither in pvh", false, false, "pvh", 5, "no PVH entry point"},
		{"pv in pvshim", true, false, "pvshim", 0, ""},
		{"pvh in pvh", false, true, "pvh", 0, ""},
		{"neither in hvm", false, false, "hvm", 0, ""},
		{"pvh in what is not known", false, true, "", 0, ""},
		{"neither in what is not known", false, false, "", 0, "warning: kernel: tftp://192.168.1.166/" + lab.SampleKernel + ": this kernel has neither"},
		{"no such type", true, true, "xen", 2, "unknown guest type"},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := labtest.New(t, lab.Config{})
			tree := sampleTree(t)
			image := fake.BzImage(fake.Vmlinux(elf.EM_X86_64, bytes.Repeat([]byte("kernel"), 1000), fake.Notes(test.pv, test.pvh), elf.SHT_NULL))
			writeFile(t, filepath.Join(tree, lab.SampleKernel), string(image))
			labtest.Check(t, servers["embedded"](t.Context(), l.Servers, tree))
			dir := t.TempDir()
			args := []string{"--output-directory=" + dir, vif}
			if test.guest != "" {
				args = append(args, "--guest-type="+test.guest)
			}
			o := gopxeboot(t, args...)
			if o.Code != test.code || !strings.Contains(o.Stderr, test.says) || test.says == "" && strings.Contains(o.Stderr, "entry point") {
				t.Errorf("%+v", o)
			}
			if left := entries(t, dir); test.code != 0 && len(left) > 0 {
				t.Errorf("left: %q", left)
			}
		})
	}
}

// The guests of an arm64 host are arm64 machines to DHCP, too.
func TestArchOfHost(t *testing.T) {
	for host, want := range map[string]uint16{"arm64": 11, "amd64": 0, "386": 0} {
		if got := newArch(host).rom; got != want {
			t.Errorf("on %s it is %d, want %d", host, got, want)
		}
	}
}
