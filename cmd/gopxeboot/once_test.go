package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"github.com/gopxeboot/gopxeboot/internal/once"
	"github.com/gopxeboot/gopxeboot/internal/xenread"
	"github.com/gopxeboot/gopxeboot/xenout"
)

// bootedBy is what a toolstack's call boots: "network", "disk", or the last line
// of what it says. The files go as the toolstack deletes them.
func (d *dom0) bootedBy(t *testing.T, parent []string, c call, format xenout.Format) string {
	t.Helper()
	cmd, _ := toolstack(t, parent, c)
	cmd.Wait()
	if cmd.ProcessState.ExitCode() != 0 {
		return lastLine(readFile(t, c.Log))
	}
	answer := c.Stdout
	if c.TTY {
		answer = d.out()
	}
	result, err := xenread.Readers[format](readFile(t, answer))
	labtest.Check(t, err)
	text := readFile(t, result.Kernel)
	os.Remove(result.Kernel)
	os.Remove(result.Ramdisk)
	os.RemoveAll(d.outDir())
	if text == "disk's kernel" {
		return "disk"
	}
	return "network"
}

// A guest boots from the network once, and from its disk after that, whatever
// toolstack asks; a failure is no boot.
func TestOnce(t *testing.T) {
	libvirtd := []string{"/usr/sbin/libvirtd"}
	for _, test := range []struct {
		name   string
		parent []string
		call   func(t *testing.T, d *dom0, args ...string) call
		format xenout.Format
		mark   string
	}{
		{"xl", []string{"xl", "create", "FILE"}, func(t *testing.T, d *dom0, args ...string) call {
			d.write(t, "guest1.cfg", recipe(t, "xl-once"))
			return d.libxl(t, libxl{Args: append(list(t, setting(t, recipe(t, "xl-once"), "bootloader_args")), args...)})
		}, xenout.Simple0, "guest1,00:16:3e:72:79:e3"},
		{"libvirt", libvirtd, func(t *testing.T, d *dom0, args ...string) call {
			text := recipe(t, "libvirt-by-itself")
			d.write(t, "guest1.xml", text)
			labtest.Check(t, os.MkdirAll("/etc/libvirt/libxl", 0o755))
			labtest.Check(t, os.WriteFile("/etc/libvirt/libxl/guest1.xml", []byte(text), 0o600))
			return d.libxl(t, libxl{Args: append([]string{"--once"}, args...)})
		}, xenout.Simple0, guestUUID},
		{"XAPI", []string{"/usr/sbin/xenopsd-xc"}, func(_ *testing.T, d *dom0, args ...string) call {
			return d.xapi(eliloaderSlot(), strings.Join(append([]string{"--once"}, args...), " "))
		}, xenout.Simple, guestUUID},
		{"a script", []string{"sh"}, func(t *testing.T, d *dom0, args ...string) call {
			return d.libxl(t, libxl{Args: append([]string{"--once", "--uuid=" + guestUUID, vif}, args...)})
		}, xenout.Simple0, guestUUID},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := labtest.New(t, lab.Config{})
			tree := sampleTree(t)
			labtest.Check(t, servers["embedded"](t.Context(), l.Servers, tree))
			d := newDom0(t)
			emptyDirectory(t, "/var/lib")
			if test.name == "libvirt" {
				labtest.Check(t, os.MkdirAll("/etc/libvirt", 0o755))
				emptyDirectory(t, "/etc/libvirt")
			}
			d.installPygrub(t, d.pygrub(t))
			parent := append([]string(nil), test.parent...)
			if parent[len(parent)-1] == "FILE" {
				parent[len(parent)-1] = filepath.Join(d.dir, "guest1.cfg")
			}
			boot := func(args ...string) string { return d.bootedBy(t, parent, test.call(t, d, args...), test.format) }
			contains(t, boot("--label=nobody"), "no label is called")
			equal(t, "marks of a failure", entries(t, once.Dir), []string(nil))
			os.RemoveAll(d.outDir())
			// The lab says the disk: no installer was booted.
			config := filepath.Join(tree, "pxelinux.cfg/01-00-16-3e-72-79-e3")
			text := readFile(t, config)
			labtest.Check(t, os.WriteFile(config, []byte("default disk\nlabel disk\n localboot 0\n"), 0o644))
			equal(t, "LOCALBOOT", boot(), "disk")
			equal(t, "marks of LOCALBOOT", entries(t, once.Dir), []string(nil))
			labtest.Check(t, os.WriteFile(config, []byte(text), 0o644))
			equal(t, "the first boot", boot(), "network")
			equal(t, "marks", entries(t, once.Dir), []string{test.mark})
			equal(t, "the second boot", boot(), "disk")
			if test.name == "a script" {
				o := gopxeboot(t, "-n", "--once", "--uuid="+guestUUID, vif, d.disk)
				equal(t, "what would boot", o.Stdout, "disk: "+d.disk+"\n")
			}
			equal(t, "the third boot", boot(), "disk")
			o := gopxeboot(t, "--again", strings.Split(test.mark, ",")[0])
			equal(t, "exit status of --again", o.Code, 0)
			contains(t, o.Stderr, "once: forgot", once.Dir+"/"+test.mark)
			equal(t, "the next boot", boot(), "network")
		})
	}
}

// What can't be remembered does not boot, and asks nobody.
func TestOnceRefuses(t *testing.T) {
	l := labtest.New(t, lab.Config{})
	labtest.Check(t, servers["embedded"](t.Context(), l.Servers, sampleTree(t)))
	d := newDom0(t)
	emptyDirectory(t, "/var/lib")
	file := d.write(t, "file", "")
	xl := []string{"xl", "create", d.write(t, "guest1.cfg", "name='guest1'\nvif=['bridge=xenbr0']\n")}
	recorded := recordServers(t, l, func() {
		for _, test := range []struct {
			parent []string
			args   string
			code   int
			says   string
		}{
			{xl, "--once --once-dir=" + file + " " + vif, 7, "can't be remembered, so it does not boot from the network"},
			{xl, "--once --once-dir=/proc/once " + vif, 7, "can't be remembered"},
			{xl, "--once", 2, "has no mac="}, // a new one at each start
			{[]string{"libvirtd"}, "--once " + vif, 2, "virsh define"},
			{[]string{"sh"}, "--once " + vif, 2, "no toolstack says what stays the same"},
			{xl, "--again " + vif, 2, "--again in a guest's configuration"},
		} {
			c := d.libxl(t, libxl{Args: strings.Fields(test.args)})
			cmd, _ := toolstack(t, test.parent, c)
			cmd.Wait()
			log := readFile(t, c.Log)
			if code := cmd.ProcessState.ExitCode(); code != test.code || !strings.Contains(lastLine(log), test.says) || linesOfError(log) != 1 {
				t.Errorf("%s: exit status %d: %s", test.args, code, log)
			}
			equal(t, "the answer", readFile(t, d.out()), "")
			equal(t, "files", entries(t, d.outDir()), []string(nil))
			os.RemoveAll(d.outDir())
		}
	})
	equal(t, "DHCP's frames", dhcpFrames(t, recorded), 0)
	o := gopxeboot(t, "--again", "guest2")
	equal(t, "exit status", o.Code, 0)
	contains(t, o.Stderr, `"guest2" has not booted with --once`)
	if o := gopxeboot(t, "--again"); o.Code != 2 {
		t.Errorf("%+v", o)
	}
}
