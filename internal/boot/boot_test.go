package boot

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gopxeboot/gopxeboot/dhcpclient"
	"github.com/gopxeboot/gopxeboot/internal/console"
	"github.com/gopxeboot/gopxeboot/internal/fault"
	"github.com/gopxeboot/gopxeboot/internal/guest"
	"github.com/gopxeboot/gopxeboot/internal/handover"
	"github.com/gopxeboot/gopxeboot/internal/install"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/internal/program"
	"github.com/gopxeboot/gopxeboot/internal/session"
)

var update = flag.Bool("update", false, "write the golden files anew")

var mac = net.HardwareAddr{0x00, 0x16, 0x3e, 0x72, 0x79, 0xe3}

func quiet() *console.Console { return console.New(&bytes.Buffer{}, console.Quiet) }

// offline is the plan for a tree of files by name.
func offline(t *testing.T, o Options, files map[string]string) (*plan.Plan, error) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		file := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	server := netip.MustParseAddr("192.168.1.166")
	lease := &dhcpclient.Lease{
		Address: netip.MustParsePrefix("192.168.1.199/24"), Router: server, Routers: []netip.Addr{server},
		NextServer: server, ServerID: server, BootFile: "pxelinux.0",
	}
	return Offline(t.Context(), o, lease, dir, "", quiet())
}

// The JSON that others read: keys, order, no null.
func TestPlanJSON(t *testing.T) {
	plan, err := offline(t, Options{Network: session.Network{MAC: mac}, UUID: "564d1c4f-0a1b-4c3d-8e5f-a0b1c2d3e4f5"}, map[string]string{
		"pxelinux.cfg/C0A8": "default install\nlabel install\n menu label ^Install\n kernel vmlinuz\n append initrd=a.img,b.img quiet\n ipappend 3\n" +
			"label xen\n kernel mboot.c32\n append xen.gz dom0_mem=1G --- vmlinuz ro --- initrd.img\n",
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range plan.Config.Tried {
		plan.Config.Tried[i].Millis = 0.1
	}
	got, err := json.MarshalIndent(plan, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	golden := "testdata/plan.json"
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// A plan that came to nothing still says what was tried, without a null.
func TestPlanOfNothing(t *testing.T) {
	plan, err := offline(t, Options{Network: session.Network{MAC: mac}}, map[string]string{"pxelinux.cfg/default": ""})
	if fault.CodeOf(err) != fault.NoConfig {
		t.Errorf("got %v", err)
	}
	text, jsonErr := json.Marshal(plan)
	if jsonErr != nil || strings.Contains(string(text), "null") {
		t.Errorf("%s %v", text, jsonErr)
	}
	tried := plan.Config.Tried
	if len(tried) != 10 || tried[9].Result != "empty" || tried[0].Result != "not found" {
		t.Errorf("tried %v", tried)
	}
}

func TestNotBootable(t *testing.T) {
	for config, says := range map[string]string{
		"label a\n kernel k\n":                      "DEFAULT",
		"default a\nlabel a\n com32 hdt.c32\n":      "hdt",
		"default a\nlabel a\n kernel memtest.bin\n": "memtest.bin",
	} {
		plan, err := offline(t, Options{Network: session.Network{MAC: mac}}, map[string]string{"pxelinux.cfg/default": config})
		if fault.CodeOf(err) != fault.NotBootable || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v", config, err)
		}
		if len(plan.Labels) != 1 {
			t.Errorf("%q: %+v", config, plan)
		}
	}
}

// The child is told what its task takes, and nothing of the guest's disk or of
// dom0's directories.
func TestTask(t *testing.T) {
	repository, err := install.NewRepository("http://h/p", install.Wanted{})
	labtest.Check(t, err)
	o := Options{
		Network: session.Network{MAC: mac, Server: netip.MustParseAddr("192.0.2.1"), Domid: 4712},
		UUID:    "uuid-of-the-guest", Wanted: program.Wanted{Label: "wanted-label"},
		Spec: handover.Spec{Disk: "/secret/disk", Pygrub: "/secret/pygrub", Args: "secret=1", OutputDirectory: "/secret/dir", RunAs: 4711, MaxKernel: 4713},
	}
	installs := o
	installs.Repository = repository
	asDom0 := installs
	asDom0.Net = guest.Dom0
	for name, test := range map[string]struct {
		task tasks
		has  string
	}{
		"boot":                {o.task(true), "uuid-of-the-guest 192.0.2.1 wanted-label 4713"},
		"plan":                {o.task(false), "uuid-of-the-guest 192.0.2.1 wanted-label"},
		"install":             {installs.task(true), "uuid-of-the-guest 192.0.2.1 http://h/p/ 4713"},
		"plan of a location":  {installs.task(false), "uuid-of-the-guest 192.0.2.1 http://h/p/"},
		"location as dom0":    {asDom0.task(true), "http://h/p/ 4713"},
		"and only planned so": {asDom0.task(false), "http://h/p/"},
	} {
		text, err := json.Marshal(test.task)
		labtest.Check(t, err)
		var has []string
		for _, word := range []string{"uuid-of-the-guest", "192.0.2.1", "wanted-label", "http://h/p/", "secret", "4711", "4712", "4713"} {
			if strings.Contains(string(text), word) {
				has = append(has, word)
			}
		}
		if got := strings.Join(has, " "); got != test.has {
			t.Errorf("%s has %q, want %q: %s", name, got, test.has, text)
		}
	}
}

// The servers that the command line names.
func TestHosts(t *testing.T) {
	repository, err := install.NewRepository("http://10.9.9.1/OL6", install.Wanted{})
	labtest.Check(t, err)
	for name, test := range map[string]struct {
		options Options
		want    []string
	}{
		"nothing":    {Options{}, nil},
		"a location": {Options{Repository: repository, Transfer: Transfer{Proxy: "http://10.9.9.2:3128"}}, []string{"10.9.9.1", "10.9.9.2"}},
	} {
		if diff := cmp.Diff(test.want, test.options.session().Hosts); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	urls := []string{"tftp://10.9.9.1/a", "http://[::1]:80/b", "http://boot.example/c", ":", "x"}
	if diff := cmp.Diff([]string{"10.9.9.1", "::1", "boot.example"}, hosts(urls)); diff != "" {
		t.Errorf("get (-want +got):\n%s", diff)
	}
}
