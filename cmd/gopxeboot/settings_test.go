package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"github.com/gopxeboot/gopxeboot/xenout"
	"golang.org/x/sys/unix"
)

// The options of /etc/gopxeboot.conf, and which of them count for a guest.
func TestConf(t *testing.T) {
	l := labtest.New(t, lab.Config{})
	tree := sampleTree(t)
	config := filepath.Join(tree, "pxelinux.cfg/01-00-16-3e-72-79-e3")
	more := ""
	for _, label := range []string{"all", "name", "uuid", "bridge", "said"} {
		more += "label " + label + "\n kernel " + lab.SampleKernel + "\n append " + label + "=1\n"
	}
	labtest.Check(t, os.WriteFile(config, []byte(readFile(t, config)+more), 0o644))
	labtest.Check(t, servers["embedded"](t.Context(), l.Servers, tree))
	d := newDom0(t)
	file := d.write(t, "gopxeboot.conf", `label = "all"
["guest1"]
label = "name"
`)
	byAll := d.write(t, "all.conf", `label = "all"
[guest1]
label = "name"
[xenbr0]
label = "bridge"
["`+guestUUID+`"]
label = "uuid"
[guest2]
label = "nobody"
`)
	byBridge := d.write(t, "bridge.conf", "label = \"all\"\n[xenbr0]\nlabel = \"bridge\"\nargs = \"x=1\"\n")
	d.write(t, "guest1.cfg", "name='guest1'\nvif=['"+vif+"']\n")
	xl := []string{"xl", "create", filepath.Join(d.dir, "guest1.cfg")}
	args := func(label string) string { return "BOOT_IMAGE=" + lab.SampleKernel + " " + label + "=1" }
	for _, test := range []struct {
		name, args, want string
	}{
		{"its name", "--conf=" + file, args("name")},
		{"its uuid", "--conf=" + byAll, args("uuid")},
		{"its bridge", "--conf=" + byBridge, args("bridge") + " x=1"},
		{"the command line", "--label=said --conf=" + byAll, args("said")},
		{"a command line's --args", "--args=y=1 --conf=" + byBridge, args("bridge") + " y=1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := d.libxl(t, libxl{Args: strings.Fields(test.args)})
			defer os.RemoveAll(d.outDir())
			cmd, _ := toolstack(t, xl, c)
			cmd.Wait()
			contains(t, readFile(t, d.out()), "args "+test.want+"\x00")
			if t.Failed() {
				t.Log(readFile(t, c.Log))
			}
		})
	}
	for _, test := range []struct{ args, want string }{
		{"plan --conf=" + byBridge + " " + vif, `"label": "bridge"`},
		{"plan --conf=" + byAll + " --uuid=" + strings.ToUpper(guestUUID) + " " + vif, `"label": "uuid"`},
		{"check --json --conf=" + byBridge + " " + vif, `"label": "bridge"`},
	} {
		contains(t, gopxeboot(t, strings.Fields(test.args)...).Stdout, test.want)
	}
	// XAPI's VMs are named by their administrators, for plan, too.
	contains(t, gopxeboot(t, "plan", "--conf="+file, "7").Stdout, `"label": "all"`)
	conf := ownEtc(t) + "/gopxeboot.conf"
	labtest.Check(t, os.WriteFile(conf, []byte("[guest1]\nlabel = \"name\"\n[xenbr0]\npygrub = \""+d.pygrub(t)+"\"\n"), 0o644))
	labtest.Check(t, os.WriteFile(config, []byte("default disk\nlabel disk\n localboot 0\n"), 0o644))
	equal(t, "under XAPI", d.bootedBy(t, []string{"/usr/sbin/xenopsd-xc"}, d.xapi(pygrubSlot(), ""), xenout.Simple), "disk")
	// And a label that has a password is named by dom0's root only.
	labtest.Check(t, os.WriteFile(config, []byte("ui menu.c32\nlabel secret\n menu passwd word\n kernel "+lab.SampleKernel+"\nlabel open\n kernel "+lab.SampleKernel+"\n"), 0o644))
	for _, test := range []struct {
		args, file string
		refused    bool
	}{
		{"--label=secret", "", true},
		{"--entry secret", "label = \"open\"", true},
		{"--label=open", "label = \"secret\"", false},
		{"", "label = \"secret\"", false},
	} {
		labtest.Check(t, os.WriteFile(conf, []byte(test.file), 0o644))
		c := d.xapi(eliloaderSlot(), test.args)
		cmd, _ := toolstack(t, []string{"/usr/sbin/xenopsd-xc"}, c)
		cmd.Wait()
		refused := strings.Contains(readFile(t, c.Log), "has a password (MENU PASSWD), and a VM's fields, which others than dom0's root may write, can't name it")
		if code := cmd.ProcessState.ExitCode(); refused != test.refused || code == 0 == refused {
			t.Errorf("%q, %q: exit status %d\n%s", test.args, test.file, code, readFile(t, c.Log))
		}
	}
	// Which guest it is is not known, and its section may say --key.
	labtest.Check(t, os.WriteFile(conf, []byte("[guest1]\nlabel = \"name\"\n"), 0o644))
	labtest.Check(t, os.WriteFile("/usr/local/sbin/xenstore-read", []byte("#!/bin/sh\nexit 1\n"), 0o755))
	for name, c := range map[string]call{"xapi": d.xapi(pygrubSlot(), ""), "libxl": d.libxl(t, libxl{Args: []string{vif}})} {
		said := d.bootedBy(t, []string{"/usr/sbin/" + name}, c, xenout.Simple)
		contains(t, said, conf+": it has sections, and the guest is not known: ")
		labtest.Check(t, os.RemoveAll(d.outDir()))
	}
}

// The sections of a guest's network: what its vif says, however it says it.
func TestBridgeSections(t *testing.T) {
	for _, test := range []struct {
		vif  xenout.VIF
		want []string
	}{
		{xenout.VIF{Bridge: "br0"}, []string{"br0"}},
		{xenout.VIF{Bridge: "br0.20"}, []string{"br0.20"}},
		{xenout.VIF{Bridge: "br0.20:30:40"}, []string{"br0.20"}},
		{xenout.VIF{Bridge: "br0:0:30"}, []string{"br0"}},
		{xenout.VIF{Bridge: "br0", VLAN: "20"}, []string{"br0.20", "br0"}},
		{xenout.VIF{Bridge: "br0", VLAN: "20p/30-40"}, []string{"br0.20", "br0"}},
		{xenout.VIF{Bridge: "br0", VLAN: "nonsense"}, []string{"br0"}},
		{xenout.VIF{Bridge: "br0:30:40"}, []string{"br0"}},
	} {
		equal(t, test.vif.Bridge+" "+test.vif.VLAN, bridgeSections(test.vif), test.want)
	}
}

// ownEtc has this test see an /etc in which it can write: what is in the machine's,
// and that is left alone.
func ownEtc(t *testing.T) string {
	t.Helper()
	const etc = "/etc"
	old := t.TempDir()
	labtest.Check(t, os.MkdirAll(etc, 0o755))
	labtest.Check(t, unix.Mount(etc, old, "", unix.MS_BIND|unix.MS_REC, ""))
	t.Cleanup(func() { unix.Unmount(old, unix.MNT_DETACH) })
	labtest.Check(t, unix.Mount("tmpfs", etc, "tmpfs", 0, "mode=755"))
	t.Cleanup(func() { unix.Unmount(etc, unix.MNT_DETACH) })
	for _, name := range entries(t, old) {
		labtest.Check(t, os.Symlink(filepath.Join(old, name), filepath.Join(etc, name)))
	}
	return etc
}

// A file that is wrong boots nothing, and says where it is wrong.
func TestConfRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "gopxeboot.conf")
	for text, want := range map[string]string{
		"timeout = 20s\n":                    file + ": line 1: ",
		"lable = 'x'\n":                      file + ": lable: there is no such option: did you mean label?",
		"[guest1]\noutput = '/etc/passwd'\n": file + `: output in ["guest1"]: only the command line may have this option`,
		"quiet = true\nversion = true\n":     "version: only the command line",
		"timeout = 'never'\n":                file + `: timeout: "never" is no time`,
		"timeout = -1\n":                     "timeout: ",
	} {
		labtest.Check(t, os.WriteFile(file, []byte(text), 0o644))
		for _, command := range [][]string{nil, {"plan"}} {
			o := gopxeboot(t, append(command, "--conf="+file, vif)...)
			if o.Code != 2 || o.Stdout != "" || strings.Count(o.Stderr, "\n") != 1 || !strings.Contains(o.Stderr, want) {
				t.Errorf("%q: %+v", text, o)
			}
		}
	}
	labtest.Check(t, os.WriteFile(file, []byte(recipe(t, "conf")), 0o644))
	labtest.Check(t, readSettings(file).err)
	labtest.Check(t, os.Chmod(file, 0o666))
	contains(t, gopxeboot(t, "--conf="+file, vif).Stderr, "can be written by others than root")
	contains(t, gopxeboot(t, "--conf="+file+"x", vif).Stderr, "usage: --conf: there is no file "+file+"x\n")
}

// plan and check take a guest by what a person calls it.
func TestGuestByName(t *testing.T) {
	l := labtest.New(t, lab.Config{})
	labtest.Check(t, servers["embedded"](t.Context(), l.Servers, sampleTree(t)))
	newDom0(t)
	labtest.Check(t, os.Remove("/usr/local/sbin/xe")) // a host of xl's
	labtest.Check(t, os.MkdirAll("/etc/xen", 0o755))
	emptyDirectory(t, "/etc/xen")
	labtest.Check(t, os.WriteFile("/etc/xen/guest1.cfg", []byte("name='guest1'\nuuid='"+guestUUID+"'\ntype='pvh'\nvif=['mac=00:16:3e:00:00:01,bridge=none0','"+vif+"']\n"), 0o644))
	for _, test := range []struct {
		args string
		code int
		want []string
	}{
		{"plan --vif=1 guest1", 0, []string{`"mac": "` + lab.SampleMAC + `"`, `"guest_type": "pvh"`, `"uuid": "` + guestUUID + `"`, `"outcome": "linux"`}},
		{"plan --vif=1 7", 0, []string{`"outcome": "linux"`}},
		{"plan --bridge=xenbr0 --vif=1 " + strings.ToUpper(guestUUID), 0, []string{`"outcome": "linux"`}},
		{"plan --tree=/ guest1", 4, []string{`"mac": "00:16:3e:00:00:01"`}},
		{"check --json --vif=1 guest1", 0, []string{`"mac": "` + lab.SampleMAC + `"`, `"guest_type": "pvh"`}},
		{"plan guest1", 2, []string{"none0"}},
		{"plan --vif=2 guest1", 2, []string{"has no vif[2]"}},
		{"plan guest2", 2, []string{`the MAC address of guest "guest2" is not known: `, `no configuration in it has name = "guest2"`}},
		{"plan 8", 2, []string{"no such domain"}},
		{"plan guest1 guest2", 2, []string{"one guest at a time"}},
		{"plan guest1 " + vif, 2, []string{"a MAC is written down"}},
		{"check guest2", 3, []string{`guest "guest2" is not known`}},
		{"plan " + vif + " /dev/vg/guest1", 0, []string{`"outcome": "linux"`}},
	} {
		o := gopxeboot(t, strings.Fields(test.args)...)
		if o.Code != test.code {
			t.Errorf("%s: %+v", test.args, o)
		}
		contains(t, o.Stdout+o.Stderr, test.want...)
	}
}

// What the packages install as /etc/gopxeboot.conf says nothing, and each of its
// examples can be said.
func TestPackagedConf(t *testing.T) {
	text := readFile(t, "../../packaging/gopxeboot.conf")
	for name, text := range map[string]string{"as it is": text, "with all of it": regexp.MustCompile(`(?m)^#(\S)`).ReplaceAllString(text, "$1")} {
		file := filepath.Join(t.TempDir(), "gopxeboot.conf")
		labtest.Check(t, os.WriteFile(file, []byte(text), 0o644))
		s := readSettings(file)
		if n := len(s.file.All()); s.err != nil || (n > 0) != (name == "with all of it") {
			t.Errorf("%s: %d options, %v", name, n, s.err)
		}
	}
}
