// Package programtest has the table of configurations that every way to decide
// what boots is tested with.
package programtest

import (
	"encoding/json"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/gopxeboot/gopxeboot/dhcpclient"
	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/internal/program"
)

// Config is one configuration.
type Config struct {
	Name    string
	Machine program.Machine
	Files   fstest.MapFS // of the TFTP server, which is the next-server
	Want    string       // Text of the decision
}

// Configs reads NAME.txtar from a directory: the server's files, the label that
// is asked for in "label", the lease's boot file in "bootfile", and the decision in "want".
func Configs(t testing.TB, dir string) (list []Config) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.txtar"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no configurations in %s: %v", dir, err)
	}
	for _, name := range names {
		archive, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		c := Config{Name: strings.TrimSuffix(filepath.Base(name), ".txtar"), Machine: machine(), Files: fstest.MapFS{}}
		for _, f := range archive.Files {
			switch f.Name {
			case "label":
				c.Machine.Label = strings.TrimSpace(string(f.Data))
			case "bootfile":
				c.Machine.Lease.BootFile = strings.TrimSpace(string(f.Data))
			case "want":
				c.Want = string(f.Data)
			default:
				c.Files[f.Name] = &fstest.MapFile{Data: f.Data}
			}
		}
		list = append(list, c)
	}
	return list
}

func machine() program.Machine {
	router := netip.MustParseAddr("10.0.0.1")
	return program.Machine{
		MAC: net.HardwareAddr{0x00, 0x16, 0x3e, 0x72, 0x79, 0xe3}, UUID: "564d1c4f-0a1b-4c3d-8e5f-a0b1c2d3e4f5",
		Lease: dhcpclient.Lease{
			Address: netip.MustParsePrefix("10.0.0.42/24"), Router: router, Routers: []netip.Addr{router},
			NextServer: netip.MustParseAddr("10.0.0.2"), BootFile: "pxelinux.0",
		},
	}
}

// Text is a decision without what differs from run to run: times, and the words
// of an error.
func Text(t testing.TB, c plan.Config, b plan.Boot) string {
	t.Helper()
	type config struct {
		plan.Config
		Tried []string `json:"tried"`
	}
	record := config{Config: c}
	for _, try := range c.Tried {
		record.Tried = append(record.Tried, try.URL+": "+string(try.Result))
	}
	text, err := json.MarshalIndent(struct {
		Config config `json:"config"`
		plan.Boot
	}{record, b}, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text) + "\n"
}
