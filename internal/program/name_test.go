package program_test

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gopxeboot/gopxeboot/dhcpclient"
	"github.com/gopxeboot/gopxeboot/internal/program"
	"github.com/gopxeboot/gopxeboot/internal/program/programtest"
	"github.com/gopxeboot/gopxeboot/pxelinux"
)

// What a boot file is by its name.
func TestNames(t *testing.T) {
	for file, want := range map[string]string{
		"pxelinux.0": "", "lpxelinux.0": "", "grubx64.efi": "", "bootx64.efi": "", "": "", "boot/x": "", "snapshot.0": "",
		"boot.ipxe": "script", "http://h/a/Boot.IPXE?mac=1": "script", "/x/menu.ipxe": "script",
		"undionly.kpxe": "program", "dir/undionly.kkpxe": "program", "ipxe.pxe": "program", "ipxe.efi": "program", "snponly.efi": "program",
		"ipxe-x86_64.efi": "program", "netboot.xyz.kpxe": "program", "tftp://h/ipxe.lkrn": "program", `C:\ipxe.0`: "program",
	} {
		got := ""
		switch {
		case (&program.Machine{Lease: dhcpclient.Lease{BootFile: file}}).RunsIPXE():
			got = "script"
		case program.IsIPXE(file):
			got = "program"
		}
		if got != want {
			t.Errorf("%q is %q, want %q", file, got, want)
		}
	}
}

// A lab of PXELINUX is asked for what PXELINUX asks for, and nothing more, found
// or not.
func TestPXELINUXRequests(t *testing.T) {
	for _, c := range programtest.Configs(t, "testdata") {
		if c.Machine.Lease.BootFile != "pxelinux.0" { // the others are another program's
			continue
		}
		count := func(decide program.Program) (asked []string) {
			open := pxelinux.OpenFS(c.Files, c.Machine.Lease.NextServer)
			_, _ = decide(t.Context(), c.Machine, func(ctx context.Context, url string) (io.ReadCloser, error) {
				asked = append(asked, url)
				return open(ctx, url)
			})
			return asked
		}
		if diff := cmp.Diff(count(program.PXELINUX), count(program.Decide)); diff != "" {
			t.Errorf("%s (-PXELINUX +Decide):\n%s", c.Name, diff)
		}
	}
}

// A boot file that no name tells from PXELINUX's is looked at where there is no
// configuration.
func TestFirstBytes(t *testing.T) {
	c := programtest.Configs(t, "testdata")[0]
	m := c.Machine
	m.Lease.BootFile = "start"
	files := map[string]string{"tftp://10.0.0.2/start": "#!ipxe\nsanboot\n"}
	d, err := program.Decide(t.Context(), m, func(_ context.Context, url string) (io.ReadCloser, error) {
		if text, ok := files[url]; ok {
			return io.NopCloser(strings.NewReader(text)), nil
		}
		return nil, pxelinux.ErrNotFound
	})
	if err != nil || d.Boot.Program != "ipxe" || d.Boot.Outcome != pxelinux.LocalBoot {
		t.Errorf("%+v, %v", d.Boot, err)
	}
}
