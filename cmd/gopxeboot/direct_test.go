package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"github.com/gopxeboot/gopxeboot/xenout"
	"golang.org/x/sys/unix"
)

// emptyDirectory has nothing in a directory of dom0's while the test runs.
func emptyDirectory(t *testing.T, dir string) {
	t.Helper()
	labtest.Check(t, os.MkdirAll(dir, 0o755))
	labtest.Check(t, unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=755"))
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
}

// shell runs a script of dom0's root, who has gopxeboot.
func shell(t *testing.T, script string, environ ...string) (stdout string) {
	t.Helper()
	bin := t.TempDir()
	self, err := filepath.Abs(os.Args[0]) // a chroot's /proc/self/exe shows its path from outside
	labtest.Check(t, err)
	labtest.Check(t, os.Symlink(self, filepath.Join(bin, "gopxeboot")))
	var stderr strings.Builder
	cmd := exec.CommandContext(t.Context(), "sh", "-c", script)
	cmd.Env = append(environ, "PATH="+bin+":/usr/local/sbin:"+os.Getenv("PATH"))
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	return string(out)
}

// A VM of XAPI's boots without a bootloader, as often as it is started, and as
// before in the end.
func TestDirect(t *testing.T) {
	l := labtest.New(t, lab.Config{})
	tree := sampleTree(t)
	labtest.Check(t, servers["embedded"](t.Context(), l.Servers, tree))
	d := newDom0(t)
	emptyDirectory(t, "/var/lib/xcp")
	before := map[string]string{"PV-kernel": "", "PV-ramdisk": "", "PV-args": "quiet it's=1", "PV-bootloader": "pygrub", "domain-type": "pvh"}
	for name, value := range before {
		writeFile(t, filepath.Join(d.dir, "params", name), value+"\n")
	}
	get := func(name string) string {
		return strings.TrimSuffix(readFile(t, filepath.Join(d.dir, "params", name)), "\n")
	}
	dir := filepath.Join(xenout.XEDirectory, guestUUID)
	check := func() {
		t.Helper()
		equal(t, "PV-args", get("PV-args"), howtoArgs+" quiet it's=1")
		equal(t, "PV-bootloader", get("PV-bootloader"), "")
		sameFile(t, get("PV-kernel"), filepath.Join(tree, lab.SampleKernel))
		sameFile(t, get("PV-ramdisk"), filepath.Join(tree, lab.SampleInitrd))
		equal(t, "their directory", filepath.Dir(get("PV-kernel")), dir)
	}
	// The command that is printed does it.
	command := shell(t, "gopxeboot -q --output-format=xe --uuid="+guestUUID+" --output-directory="+xenout.XEDirectory)
	equal(t, "PV-kernel before it is run", get("PV-kernel"), "")
	shell(t, command)
	check()
	for name, value := range before {
		writeFile(t, filepath.Join(d.dir, "params", name), value+"\n")
	}
	first := ""
	for range 2 { // by itself, and the second time adds nothing
		shell(t, recipe(t, "xe-start"), "UUID="+guestUUID)
		check()
		equal(t, "files", len(entries(t, dir)), 2)
		if get("PV-kernel") == first {
			t.Errorf("%s is the kernel again", first)
		}
		first = get("PV-kernel")
	}
	_, cron, _ := strings.Cut(recipe(t, "xe-cron"), " root ")
	shell(t, strings.ReplaceAll(cron, "/etc/gopxeboot.vms", d.write(t, "vms", guestUUID+"\n")))
	check()
	shell(t, recipe(t, "xe-start"), "UUID="+guestUUID)
	equal(t, "the last call", lastLine(readFile(t, filepath.Join(d.dir, "calls"))), "vm-start uuid="+guestUUID)
	// A VM that is gone leaves nothing, one that is there all.
	writeFile(t, filepath.Join(xenout.XEDirectory, "11111111-2222-3333-4444-555555555555/kernel.0123456789abcdef"), "old")
	shell(t, recipe(t, "xe-clean"))
	equal(t, "VMs", entries(t, xenout.XEDirectory), []string{guestUUID})
	for range 2 {
		shell(t, "gopxeboot --unapply --uuid="+guestUUID)
		for name, value := range before {
			equal(t, name, get(name), value)
		}
		equal(t, "other-config", entries(t, filepath.Join(d.dir, "other-config")), []string(nil))
		equal(t, "VMs", entries(t, xenout.XEDirectory), []string(nil))
	}
	// What XAPI refuses is a failure that changes nothing.
	script := "/usr/local/sbin/xe"
	labtest.Check(t, os.WriteFile(script, []byte(strings.Replace(readFile(t, script), "mkdir", `case "$*" in *PV-kernel=/*) echo "You lack the right" >&2; exit 1;; esac`+"\nmkdir", 1)), 0o755))
	o := gopxeboot(t, "--output-format=xe", "--apply", "--uuid="+guestUUID)
	contains(t, o.Stderr, "You lack the right")
	equal(t, "exit status", o.Code, 7)
	for name, value := range before {
		equal(t, name, get(name), value)
	}
	equal(t, "VMs", entries(t, xenout.XEDirectory), []string(nil))
	for _, test := range []struct{ args, says string }{
		{"--output-format=xe", "--uuid has to say which VM"},
		{"--output-format=xe --uuid=none", `"none" is no uuid`},
		{"--output-format=xe --uuid=" + guestUUID + " --output-directory=/var/lib/xen", "XAPI boots no kernel from /var/lib/xen"},
		{"--output-format=xe --uuid=" + guestUUID + " --output-directory=/var/lib/xcp/guest/../guests", "XAPI boots no kernel from /var/lib/xcp/guests"},
		{"--output-format=xe --once --uuid=" + guestUUID, "--once can't help it"},
		{"--apply " + vif, "--apply is for --output-format=xe"},
	} {
		o := gopxeboot(t, strings.Fields(test.args)...)
		if o.Code != 2 || !strings.Contains(o.Stderr, test.says) || o.Stdout != "" {
			t.Errorf("%s: %+v", test.args, o)
		}
	}
	equal(t, "VMs", entries(t, xenout.XEDirectory), []string(nil))
}
