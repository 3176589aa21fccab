package probe

import (
	"context"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gopxeboot/gopxeboot/internal/check"
	"github.com/gopxeboot/gopxeboot/internal/fetch"
	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/internal/program"
	"github.com/gopxeboot/gopxeboot/internal/program/programtest"
)

// A look at a lab comes to the same plan and the same findings as a boot.
func TestDecide(t *testing.T) {
	for _, c := range programtest.Configs(t, "../../program/testdata") {
		t.Run(c.Name, func(t *testing.T) {
			o := observed(c)
			o.config(t.Context())
			if diff := cmp.Diff(c.Want, programtest.Text(t, o.plan.Config, o.plan.Boot)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// observed looks at a server that has those files.
func observed(c programtest.Config) *observer {
	o := &observer{
		task: &Task{Machine: c.Machine, Decide: program.Decide}, machine: c.Machine, lease: &c.Machine.Lease,
		facts: &check.Facts{}, plan: plan.New(), tries: map[string]plan.Try{},
		ask: func(_ context.Context, url string) ([]byte, string, error) {
			text, err := fs.ReadFile(c.Files, strings.TrimLeft(strings.TrimPrefix(url, "tftp://10.0.0.2"), "/"))
			if err != nil {
				err = &fetch.Error{URL: url, Err: fmt.Errorf("%w: %w", fetch.ErrNotFound, err)}
			}
			return text, "", err
		},
	}
	o.look = func(ctx context.Context, url, _ string) ([]byte, string, error) { return o.ask(ctx, url) }
	return o
}

// What the observer records of the names is what the server did, and the plan
// what the boot program made of it.
func TestSearch(t *testing.T) {
	c := programtest.Configs(t, "../../program/testdata")[0]
	refused := "tftp://10.0.0.2/pxelinux.cfg/01-00-16-3e-72-79-e3"
	o := observed(c)
	answers := o.ask
	o.ask = func(ctx context.Context, url string) ([]byte, string, error) {
		if url == refused {
			return nil, "", &fetch.Error{URL: url, Err: fmt.Errorf("%w: access violation", fetch.ErrRefused)}
		}
		return answers(ctx, url)
	}
	o.config(t.Context())
	find := func(list []plan.Try) (try plan.Try) {
		for _, t := range list {
			if t.URL == refused && t.Meant == "" {
				try = t
				try.Millis = 0
			}
		}
		return try
	}
	want := plan.Try{URL: refused, Result: plan.Refused, Message: fetch.ErrRefused.Error() + ": access violation"}
	if diff := cmp.Diff(want, find(o.facts.Search)); diff != "" {
		t.Errorf("the facts (-want +got):\n%s", diff)
	}
	if got := find(o.plan.Config.Tried).Result; got != plan.NotFound {
		t.Errorf("the plan has %q", got)
	}
}
