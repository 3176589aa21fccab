package boot

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

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
