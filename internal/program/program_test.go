package program_test

import (
	"errors"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/gopxeboot/gopxeboot/dhcpclient"
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

// A boot file that is iPXE by its content only is named where nothing else is found.
func TestUnnamedIPXE(t *testing.T) {
	m := program.Machine{MAC: []byte{0, 0x16, 0x3e, 1, 2, 3}, Lease: dhcpclient.Lease{NextServer: netip.MustParseAddr("10.0.0.2"), BootFile: "boot.0"}}
	for content, says := range map[string]string{"\xea\x00\x00PXE->EB: !PXE at ": "boot.0 is iPXE by its content", "\xea\x00\x00": ""} {
		open := pxelinux.OpenFS(fstest.MapFS{"boot.0": {Data: []byte(content)}}, m.Lease.NextServer)
		_, err := program.Decide(t.Context(), m, program.Opener(open))
		if !errors.Is(err, pxelinux.ErrNoConfig) || strings.Contains(err.Error(), "iPXE by its content") != (says != "") || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v", content, err)
		}
	}
}
