package boot

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gopxeboot/gopxeboot/internal/check"
	"github.com/gopxeboot/gopxeboot/internal/fetch"
	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/internal/program/programtest"
)

// `plan --tree` and a look at a lab come to the same plan and the same findings.
func TestDecide(t *testing.T) {
	for _, c := range programtest.Configs(t, "../program/testdata") {
		r := Request{MAC: c.Machine.MAC, UUID: c.Machine.UUID, Wanted: c.Machine.Wanted}
		t.Run("tree/"+c.Name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.CopyFS(dir, c.Files); err != nil {
				t.Fatal(err)
			}
			p, _ := Offline(t.Context(), r, &c.Machine.Lease, dir, "", quiet())
			if diff := cmp.Diff(c.Want, programtest.Text(t, p.Config, p.Boot)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
		t.Run("look/"+c.Name, func(t *testing.T) {
			o := &onlooker{
				pipeline: &pipeline{task: task{Request: r}, plan: plan.New(), say: func(line) {}},
				facts:    &check.Facts{}, tries: map[string]plan.Try{},
				lease: &c.Machine.Lease, machine: c.Machine,
				ask: func(_ context.Context, url string) ([]byte, error) {
					text, err := c.Files.ReadFile(url[len("tftp://10.0.0.2/"):])
					if err != nil {
						err = &fetch.Error{URL: url, Err: fmt.Errorf("%w: %w", fetch.ErrNotFound, err)}
					}
					return text, err
				},
			}
			o.config(t.Context())
			if diff := cmp.Diff(c.Want, programtest.Text(t, o.plan.Config, o.plan.Boot)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
