package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
)

// What toolstacks, configurations and people say wrong: one line, an exit status,
// and nothing left or sent.
func TestWrongInput(t *testing.T) {
	l := labtest.New(t, lab.Config{})
	labtest.Check(t, servers["embedded"](t.Context(), l.Servers, sampleTree(t)))
	for _, test := range []struct {
		name     string
		cfg      string // guest1.cfg
		xenstore string // xenstore-read, a script
		args     string
		code     int
		says     string
	}{
		{"the domain is gone", "", "echo \"couldn't read path $1\" >&2; exit 1", "", 2, "couldn't read path /local/domain/7/name"},
		{"a silent xenstore", "", "sleep 1000", "", 2, "xenstore-read: no answer in 5s"},
		{"a xenstore that floods", "", "yes", "", 2, "xenstore-read: it wrote more than 1048576 bytes"},
		{"an unknown type", "", "", "--guest-type=pvx " + vif, 2, `unknown guest type "pvx"`},
		{"a domid that is none", "", "", "--domid=32752 " + vif, 2, "--domid: "},
		{"VLAN 5000", "name='guest1'\nvif=['" + vif + ",vlan=5000']\n", "", "", 2, "VLANs are from 1 to 4094"},
		{"VLANs without a PVID", "name='guest1'\nvif=['" + vif + ",vlan=20/30']\n", "", "", 2, "none of them is that of frames without a tag"},
		{"a VLAN of nonsense", "name='guest1'\nvif=['" + vif + ",vlan=x']\n", "", "", 2, `"x" is none of N, Np, Nu`},
		{"a vif list that does not end", "name='guest1'\nvif=['" + vif + "'\n", "", "", 2, "the file ends in the middle of a setting"},
		{"a vif list of Python", "name='guest1'\nvif=[('" + vif + "')]\n", "", "", 2, "guest1.cfg: line 2: unexpected \"(\""},
		{"a vif that is no list", "name='guest1'\nvif='" + vif + "'\n", "", "", 2, "has no vif="},
		{"--once without a place", "", "", "--once --once-dir=/proc/once " + vif, 7, "can't be remembered"},
		{"--address without a length", "", "", "--address=192.168.1.199 --server=192.168.1.166 " + vif, 2, "its prefix length"},
		{"--conf that is none", "", "", "--conf=/proc/self/stat " + vif, 2, "/proc/self/stat: line 1: "},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := newDom0(t)
			if test.cfg == "" {
				test.cfg = "name='guest2'\n"
			}
			d.write(t, "guest1.cfg", test.cfg)
			if test.xenstore != "" {
				labtest.Check(t, os.WriteFile("/usr/local/sbin/xenstore-read", []byte("#!/bin/sh\n"+test.xenstore+"\n"), 0o755))
			}
			c := d.libxl(t, libxl{Args: strings.Fields(test.args)})
			before := links(t)
			recorded := recordServers(t, l, func() {
				parent := []string{"xl", "create", filepath.Join(d.dir, "guest1.cfg")}
				if test.xenstore != "" { // xl's file would say it, too
					parent = []string{"libvirtd"}
				}
				cmd, alive := toolstack(t, parent, c)
				cmd.Wait()
				waitForEnd(t, alive)
				log := readFile(t, c.Log)
				if code := cmd.ProcessState.ExitCode(); code != test.code || !strings.Contains(log, test.says) || linesOfError(log) != 1 {
					t.Errorf("exit status %d, want %d: %s", code, test.code, log)
				}
			})
			equal(t, "DHCP's frames", dhcpFrames(t, recorded), 0)
			equal(t, "the answer", readFile(t, d.out()), "")
			equal(t, "files", entries(t, d.outDir()), []string(nil))
			equal(t, "interfaces", links(t), before)
		})
	}
}

// linesOfError counts what is said besides who calls, which begins the log of a
// toolstack's boot.
func linesOfError(log string) (n int) {
	for line := range strings.Lines(log) {
		if !strings.Contains(line, ": domain 7, gopxeboot ") {
			n++
		}
	}
	return n
}

// A plan that can't even begin is no plan: without privileges, or without the bridge.
func TestNoPlan(t *testing.T) {
	labtest.New(t, lab.Config{})
	for _, args := range [][]string{{"plan", "mac=00:16:3e:72:79:e3,bridge=nowhere"}, {"plan", "--json", "mac=00:16:3e:72:79:e3,bridge=nowhere"}} {
		if o := gopxeboot(t, args...); o.Stdout != "" || o.Code != 2 || !strings.Contains(o.Stderr, "no such bridge") {
			t.Errorf("%q: %+v", args, o)
		}
	}
	cmd := command(t.Context(), "plan", vif)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534, NoSetGroups: true}}
	if o := wait(t, cmd); o.Stdout != "" || o.Code != 1 || !strings.Contains(o.Stderr, "run as root") {
		t.Errorf("without privileges: %+v", o)
	}
}
