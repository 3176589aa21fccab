package guest

import (
	stdcmp "cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// fakeSwitch is a database of ports, with the words of ovs-vsctl.
type fakeSwitch struct {
	bridges  map[string][]string
	fake     map[string]string // the VLANs of fake bridges
	journal  []string
	fail     string // the command that fails
	existing []string
}

func (f *fakeSwitch) openVSwitch() *openVSwitch {
	return &openVSwitch{f.vsctl, func(name string) bool { return slices.Contains(f.existing, name) }}
}

func (f *fakeSwitch) vsctl(_ context.Context, args ...string) (string, error) {
	f.journal = append(f.journal, strings.Join(args, " "))
	command := slices.DeleteFunc(slices.Clone(args), func(s string) bool { return strings.HasPrefix(s, "--") })
	if command[0] == f.fail {
		return "", errors.New("exit status 1: no database")
	}
	ports, ok := f.bridges[command[1]]
	if !ok {
		return "", fmt.Errorf("exit status 2")
	}
	switch command[0] {
	case "br-to-vlan":
		return stdcmp.Or(f.fake[command[1]], "0") + "\n", nil
	case "list-ports":
		return strings.Join(ports, "\n") + "\n", nil
	case "add-port":
		f.bridges[command[1]] = append(ports, command[2])
	case "del-port":
		f.bridges[command[1]] = slices.DeleteFunc(ports, func(p string) bool { return p == command[2] })
	}
	return "", nil
}

func TestOpenVSwitch(t *testing.T) {
	f := &fakeSwitch{
		// gpx7 was left by a process that was killed; gpx9 is another guest's.
		bridges:  map[string][]string{"xapi0": {"eth0", "gpx7", "vif1.0", "gpx9", "gpx", "gpxtest", "gpx5x"}},
		existing: []string{"eth0", "vif1.0", "gpx9", "gpx42"},
	}
	o := f.openVSwitch()
	if err := o.check(t.Context(), "xapi0"); err != nil {
		t.Error(err)
	}
	if err := o.check(t.Context(), "dummy0"); err == nil || err.Error() != "br-exists: exit status 2" {
		t.Errorf("error %v", err)
	}
	for _, vlan := range []uint16{0, 20} {
		if err := o.addPort(t.Context(), "xapi0", "gpx42", vlan); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"eth0", "vif1.0", "gpx9", "gpx", "gpxtest", "gpx5x", "gpx42"}, f.bridges["xapi0"]); diff != "" {
			t.Errorf("ports when plugged in (-want +got):\n%s", diff)
		}
		if err := o.unplug(t.Context(), "xapi0", "gpx42"); err != nil {
			t.Fatal(err)
		}
		if slices.Contains(f.bridges["xapi0"], "gpx42") {
			t.Errorf("ports when unplugged: %q", f.bridges["xapi0"])
		}
	}
	want := []string{
		"br-exists xapi0", "br-exists dummy0",
		"list-ports xapi0", "--if-exists del-port xapi0 gpx7", "--may-exist add-port xapi0 gpx42", "--if-exists del-port xapi0 gpx42",
		"list-ports xapi0", "--may-exist add-port xapi0 gpx42 tag=20", "--if-exists del-port xapi0 gpx42",
	}
	if diff := cmp.Diff(want, f.journal); diff != "" {
		t.Errorf("ovs-vsctl (-want +got):\n%s", diff)
	}
}

// A fake bridge is one VLAN of its parent, and its ports are in that one by
// themselves.
func TestFakeBridge(t *testing.T) {
	f := &fakeSwitch{bridges: map[string][]string{"xapi0": {}, "fake20": {}}, fake: map[string]string{"fake20": "20"}}
	for _, test := range []struct {
		bridge string
		vlan   uint16
		fails  bool
	}{{"fake20", 0, false}, {"fake20", 20, false}, {"fake20", 30, true}, {"xapi0", 30, false}} {
		err := f.openVSwitch().allows(t.Context(), test.bridge, test.vlan)
		if test.fails != errors.Is(err, ErrNoBridge) || !test.fails && err != nil {
			t.Errorf("VLAN %d on %s: %v", test.vlan, test.bridge, err)
		}
	}
	f.fail = "br-to-vlan"
	if err := f.openVSwitch().allows(t.Context(), "xapi0", 30); err == nil || !strings.HasPrefix(err.Error(), "br-to-vlan: ") {
		t.Errorf("without an answer: %v", err)
	}
}

func TestOpenVSwitchErrors(t *testing.T) {
	for _, command := range []string{"list-ports", "del-port", "add-port"} {
		f := &fakeSwitch{bridges: map[string][]string{"xapi0": {"gpx7"}}, fail: command}
		err := f.openVSwitch().addPort(t.Context(), "xapi0", "gpx42", 0)
		if want := command + ": exit status 1: no database"; err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

// Who runs us has no say in which program is run as root.
func TestProgramsOfDom0(t *testing.T) {
	dir := t.TempDir()
	ran := filepath.Join(dir, "ran")
	if err := os.WriteFile(filepath.Join(dir, "ovs-vsctl"), []byte("#!/bin/sh\n: >"+ran+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	_ = newOpenVSwitch().check(t.Context(), "no-such-bridge")
	if _, err := os.Stat(ran); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the one of PATH was run (%v)", err)
	}
}
