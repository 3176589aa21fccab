package boot

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gopxeboot/gopxeboot/dhcpclient"
	"github.com/gopxeboot/gopxeboot/internal/fault"
	"github.com/gopxeboot/gopxeboot/internal/program/programtest"
	"github.com/gopxeboot/gopxeboot/internal/session"
)

// `plan --tree` comes to the same plan and the same findings as all others.
func TestDecide(t *testing.T) {
	for _, c := range programtest.Configs(t, "../program/testdata") {
		r := Options{Network: session.Network{MAC: c.Machine.MAC}, UUID: c.Machine.UUID, Wanted: c.Machine.Wanted}
		t.Run(c.Name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.CopyFS(dir, c.Files); err != nil {
				t.Fatal(err)
			}
			p, _ := Offline(t.Context(), r, &c.Machine.Lease, dir, "", quiet())
			if diff := cmp.Diff(c.Want, programtest.Text(t, p.Config, p.Boot)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A configuration that the boot program does not read is an error, and not
// ignored.
func TestOfflineConfig(t *testing.T) {
	dir := t.TempDir()
	config := filepath.Join(dir, "my.cfg")
	for name, text := range map[string]string{"my.cfg": "DEFAULT a\n", "grub.cfg": "linux /a\nboot\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	lease := &dhcpclient.Lease{NextServer: netip.MustParseAddr("192.168.1.166")}
	for file, want := range map[string]fault.Code{"pxelinux.0": 0, "core.0": fault.Usage} {
		lease.BootFile = file
		if _, err := Offline(t.Context(), Options{Network: session.Network{MAC: mac}}, lease, dir, config, quiet()); fault.CodeOf(err) != want {
			t.Errorf("%s: %v", file, err)
		}
	}
}
