package program_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/gopxeboot/gopxeboot/internal/program"
	"github.com/gopxeboot/gopxeboot/internal/program/programtest"
	"github.com/gopxeboot/gopxeboot/pxelinux"
)

var update = flag.Bool("update", false, "write the golden files anew")

// What boots by each configuration, and what lint finds in it. The same files
// are the tests of a look at a lab, of `plan --tree` and of a capture.
func TestDecide(t *testing.T) {
	for _, c := range programtest.Configs(t, "testdata") {
		t.Run(c.Name, func(t *testing.T) {
			d, err := program.Decide(t.Context(), c.Machine, program.Opener(pxelinux.OpenFS(c.Files, c.Machine.Lease.NextServer)))
			got := programtest.Text(t, d.Config, d.Boot)
			if *update {
				file := filepath.Join("testdata", c.Name+".txtar")
				archive, err := txtar.ParseFile(file)
				if err != nil {
					t.Fatal(err)
				}
				archive.Files = append(archive.Files[:len(archive.Files)-min(1, len(c.Want))], txtar.File{Name: "want", Data: []byte(got)})
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if diff := cmp.Diff(c.Want, got); diff != "" {
				t.Errorf("(-want +got), -update writes it anew:\n%s", diff)
			}
			if failed, _ := errors.AsType[*program.Error](err); (failed != nil) != (d.Boot.Error != "" || d.Config.URL == "") {
				t.Errorf("the error is %v, and the decision's %q", err, d.Boot.Error)
			}
		})
	}
}

// A boot decides the same without what lint finds.
func TestNoLint(t *testing.T) {
	for _, c := range programtest.Configs(t, "testdata") {
		open := program.Opener(pxelinux.OpenFS(c.Files, c.Machine.Lease.NextServer))
		want, _ := program.Decide(t.Context(), c.Machine, open)
		c.Machine.NoLint = true
		got, _ := program.Decide(t.Context(), c.Machine, open)
		want.Config.Findings, want.Config.Problems = nil, nil
		if diff := cmp.Diff(programtest.Text(t, want.Config, want.Boot), programtest.Text(t, got.Config, got.Boot)); diff != "" {
			t.Errorf("%s (-with lint +without):\n%s", c.Name, diff)
		}
	}
}
