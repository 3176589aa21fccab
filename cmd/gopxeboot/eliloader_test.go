package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"github.com/gopxeboot/gopxeboot/internal/xenread"
	"github.com/gopxeboot/gopxeboot/xenout"
)

// xe is XAPI's client, a program with a database of one VM: its parameters are
// the files of the directory params, other-config is a directory of its own, and
// what changes something is written down in calls.
func (d *dom0) xe() string {
	return strings.NewReplacer("DIR", d.dir, "UUID", guestUUID, "ADDRESS", "00:16:3e:72:79:e3").Replace(`cd DIR
mkdir -p params other-config
case "$1" in *-set|*-remove|vm-start) echo "$*" >>calls;; esac
case "$*" in
"vif-list vm-uuid=UUID params=MAC,device,network-uuid")
	printf 'MAC ( RO)             : ADDRESS\n    device ( RO): 0\n    network-uuid ( RO): b33187c0-b231-0c69-6ee9-3ad2dcefa6f8\n';;
"network-list uuid=b33187c0-b231-0c69-6ee9-3ad2dcefa6f8 params=bridge,other-config")
	printf 'bridge ( RO)           : xenbr0\n    other-config (MRW): automatic: true\n\n\n';;
"vm-param-get uuid=UUID param-name=other-config")
	printf 'mac_seed: 34fd2431-757f-f92c-f0b6-42a92e2d4fa9'
	for f in other-config/*; do [ ! -e "$f" ] || printf '; %s: %s' "${f##*/}" "$(cat "$f")"; done
	echo;;
"vm-param-get uuid=UUID param-name=other-config param-key="*)
	cat "other-config/${3#*=}" 2>/dev/null || cat "other-config/${4#*=}" || { echo "Error: Key not found in map" >&2; exit 1; };;
"vm-param-get uuid=UUID param-name="*)
	cat "params/${3#*=}";;
"vm-param-set uuid=UUID "*)
	shift 2
	for set; do
		key=${set%%=*}
		case $key in other-config:*) file=other-config/${key#*:};; *) file=params/$key;; esac
		printf '%s\n' "${set#*=}" >"$file"
	done;;
"vm-start uuid=UUID") ;;
"vm-list uuid=UUID params=uuid --minimal") echo UUID;;
"vm-list uuid="*) echo;;
"vm-param-remove uuid=UUID param-name=other-config param-key="*)
	rm "other-config/${4#*=}";;
"vbd-list vm-uuid=UUID params=uuid,userdevice,bootable")
	printf 'uuid ( RO)          : 11111111-1111-1111-1111-111111111111\n    userdevice ( RW): 0\n      bootable ( RW): false\n\n\n'
	printf 'uuid ( RO)          : 22222222-2222-2222-2222-222222222222\n    userdevice ( RW): 3\n      bootable ( RW): true\n\n\n';;
"vbd-param-set "*) ;;
*) exit 1;; esac`)
}

// eliloaderForm is a VM as XAPI's templates and its users install it. Its name
// is in the table of docs/locations.md.
type eliloaderForm struct {
	name     string
	serve    starter
	config   map[string]string // other-config
	args     string            // PV-bootloader-args
	of       string            // the part of the tree that the VM has as its CD; "" for no CD
	noVIF    bool              // the VM has none, and dom0 serves the tree, too
	noPygrub bool
	boots    []expected // one after the other
	calls    []string   // that changed XAPI's database
}

var (
	setPygrub    = "vm-param-set uuid=" + guestUUID + " PV-bootloader=pygrub"
	forgetDistro = "vm-param-remove uuid=" + guestUUID + " param-name=other-config param-key=install-distro"
	forgetRound  = "vm-param-remove uuid=" + guestUUID + " param-name=other-config param-key=install-round"
	round2       = "vm-param-set uuid=" + guestUUID + " other-config:install-round=2"
	firstDisk    = []string{
		"vbd-param-set uuid=11111111-1111-1111-1111-111111111111 bootable=true",
		"vbd-param-set uuid=22222222-2222-2222-2222-222222222222 bootable=false",
	}
	lenny = bootsFiles("debian/dists/lenny/main/installer-i386/current/images/netboot/xen/vmlinuz", "debian/dists/lenny/main/installer-i386/current/images/netboot/xen/initrd.gz")
	disk  = expected{kernel: "/disk's kernel", args: "of DISK"}
)

var eliloaderForms = []eliloaderForm{
	{
		name: "FAIWiki's recipe", serve: nginx,
		config: map[string]string{"install-methods": "cdrom,http,ftp", "install-arch": "i386", "debian-release": "lenny", "install-distro": "debianlike", "install-repository": "http://192.168.1.166/debian"},
		boots:  []expected{lenny}, calls: []string{setPygrub, forgetDistro},
	},
	{
		name: "debianlike, nfs", serve: ganesha,
		config: map[string]string{"debian-release": "lenny", "install-distro": "debianlike", "install-repository": "nfs:192.168.1.166:TREE/debian"},
		boots:  []expected{lenny}, calls: []string{setPygrub, forgetDistro},
	},
	{
		name: "rhlike", serve: nginx,
		config: map[string]string{"install-distro": "rhlike", "install-repository": "http://192.168.1.166/OL5", "install-args": "ks=http://192.168.1.166/ks.cfg"},
		boots:  []expected{with(bootsFiles("OL5/images/xen/vmlinuz", "OL5/images/xen/initrd.img"), "method=http://192.168.1.166/OL5/ ks=http://192.168.1.166/ks.cfg"), disk},
		calls:  []string{round2, setPygrub, forgetDistro, forgetRound},
	},
	{
		name: "no install-distro, install-vnc", serve: nginx,
		config: map[string]string{"install-repository": "http://192.168.1.166/OL6/", "install-vnc": "true", "install-vncpasswd": "secret"},
		boots:  []expected{with(ol6, "method=http://192.168.1.166/OL6/ vnc vncpassword=secret")},
		calls:  []string{round2},
	},
	{
		name: "sleslike", serve: nginx,
		config: map[string]string{"install-distro": "sleslike", "install-repository": "http://192.168.1.166/sles", "install-arch": "x86_64"},
		boots:  []expected{with(bootsFiles("sles/boot/x86_64/vmlinuz-xen", "sles/boot/x86_64/initrd-xen"), "install=http://192.168.1.166/sles/"), disk},
		calls:  []string{round2, setPygrub, forgetDistro, forgetRound},
	},
	{
		name: "pygrub", serve: nginx,
		config: map[string]string{"install-distro": "pygrub", "install-repository": "http://192.168.1.166/arch/boot/x86_64/", "install-kernel": "vmlinuz", "install-ramdisk": "archiso.img"},
		boots:  []expected{bootsFiles("arch/boot/x86_64/vmlinuz", "arch/boot/x86_64/archiso.img")},
		calls:  []string{setPygrub, forgetDistro},
	},
	{
		name: "install-proxy", serve: nginx, // which answers for every server
		config: map[string]string{"debian-release": "lenny", "install-distro": "debianlike", "install-repository": "http://mirror.invalid/debian", "install-proxy": "192.168.1.166:80"},
		boots:  []expected{lenny}, calls: []string{setPygrub, forgetDistro},
	},
	{
		name: "cdrom", of: "cd",
		config: map[string]string{"install-distro": "debianlike", "install-repository": "cdrom", "install-arch": "amd64"},
		boots:  []expected{bootsFiles("cd/install.amd/vmlinuz", "cd/install.amd/initrd.gz")},
		calls:  append([]string{setPygrub, forgetDistro}, firstDisk...),
	},
	{
		name: "cdrom, sleslike", of: "sles",
		config: map[string]string{"install-distro": "sleslike", "install-repository": "cdrom", "install-arch": "x86_64"},
		boots:  []expected{with(bootsFiles("sles/boot/x86_64/vmlinuz-xen", "sles/boot/x86_64/initrd-xen"), "install=hd")},
		calls:  append([]string{round2}, firstDisk...),
	},
	{
		name:   "cdrom, pygrub",
		config: map[string]string{"install-distro": "pygrub", "install-repository": "cdrom"},
		boots:  []expected{disk}, calls: append([]string{setPygrub, forgetDistro}, firstDisk...),
	},
	{
		name: "no install-repository", serve: embeddedTFTP,
		config: map[string]string{"install-distro": "debianlike"},
		boots:  []expected{{code: 3, says: "no boot file"}}, // DHCP's: it boots as any other guest
	},
	{
		name: "a location of the user's", serve: nginx, args: "--location=http://192.168.1.166/OL6",
		config: map[string]string{"install-distro": "debianlike", "install-repository": "http://192.168.1.166/debian"},
		boots:  []expected{ol6},
	},
	{
		name: "a failure", serve: nginx,
		config: map[string]string{"install-distro": "debianlike", "install-repository": "http://192.168.1.166/nothing"},
		boots:  []expected{{code: 4, says: "no kernel found in http://192.168.1.166/nothing/"}},
	},
	{
		name: "a failure, in the second boot", noPygrub: true,
		config: map[string]string{"install-round": "2", "install-repository": "http://192.168.1.166/OL5"},
		boots:  []expected{{code: 5, says: "install pygrub"}},
	},
	{
		name: "dom0's own address", noVIF: true,
		config: map[string]string{"install-distro": "debianlike", "install-repository": "http://192.168.1.1/debian"},
		boots:  []expected{{code: 4, says: "192.168.1.1 is dom0's own address"}},
	},
	{
		name: "dom0's network", noVIF: true, serve: nginx,
		config: map[string]string{"install-distro": "debianlike", "install-repository": "http://192.168.1.166/debian"},
		boots:  []expected{{code: 4, says: "192.168.1.166 is in a network of dom0's"}},
	},
	{
		name: "dom0's own address, in PV-bootloader-args", noVIF: true, args: "--location=http://192.168.1.1/debian",
		boots: []expected{{code: 4, says: "192.168.1.1 is dom0's own address"}},
	},
	{
		name: "a file of dom0's", config: map[string]string{"install-repository": "file:///etc"},
		boots: []expected{{code: 2, says: "it is cdrom, or begins with http, ftp or nfs"}},
	},
	{
		name: "a kernel of dom0's", config: map[string]string{"install-distro": "pygrub", "install-repository": "http://192.168.1.166/", "install-kernel": "file:///etc/shadow"},
		boots: []expected{{code: 2, says: "is no file of the repository"}},
	},
	{
		name: "a device of dom0's", config: map[string]string{"install-repository": "/dev/sda"},
		boots: []expected{{code: 2, says: "it is cdrom, or begins with http, ftp or nfs"}},
	},
	{
		name: "a kernel above the repository", config: map[string]string{"install-distro": "debianlike", "install-repository": "cdrom", "install-kernel": "a/../../etc/shadow"}, of: "cd",
		boots: []expected{{code: 2, says: "it is not below the location"}},
	},
	{
		name: "a ramdisk of dom0's", config: map[string]string{"install-distro": "debianlike", "install-repository": "cdrom", "install-kernel": "k", "install-ramdisk": "//FILE:///etc/shadow"}, of: "cd",
		boots: []expected{{code: 2, says: "is no file of the repository"}},
	},
	{
		name: "install-arch", config: map[string]string{"install-repository": "http://192.168.1.166/OL6", "install-arch": "../etc"},
		boots: []expected{{code: 2, says: "other-config:install-arch"}},
	},
	{
		name: "install-args of two lines", config: map[string]string{"install-repository": "http://192.168.1.166/OL6", "install-args": "a\nRuntimeError: b"},
		boots: []expected{{code: 2, says: "install-args"}},
	},
}

// A VM's other-config decides, and is changed only for what boots.
func TestEliloader(t *testing.T) {
	for _, form := range eliloaderForms {
		t.Run(form.name, func(t *testing.T) {
			l := locationLab(t, form.noVIF)
			tree := repositoryTree(t)
			if form.serve != nil {
				form.serve(t, l, tree)
			}
			d := newDom0(t)
			if form.noVIF {
				labtest.Check(t, l.Dom0.ServeHTTP(tree))
				script := "/usr/local/sbin/xe"
				labtest.Check(t, os.WriteFile(script, []byte(strings.Replace(readFile(t, script), "case", "[ \"$1\" != vif-list ] || exit 0\ncase", 1)), 0o755))
			}
			if form.of != "" {
				d.disk = filepath.Join(d.dir, "cd.iso")
				isoImage(t, filepath.Join(tree, form.of), d.disk)
			}
			if !form.noPygrub {
				d.installPygrub(t, d.pygrub(t))
			}
			replace := strings.NewReplacer("TREE", tree, "DISK", d.disk)
			for key, value := range form.config {
				writeFile(t, filepath.Join(d.dir, "other-config", key), replace.Replace(value)+"\n")
			}
			for _, want := range form.boots {
				c := d.xapi(eliloaderSlot(), form.args)
				cmd, _ := toolstack(t, []string{"/usr/sbin/xenopsd-xc"}, c)
				var exit *exec.ExitError
				if err := cmd.Wait(); err != nil && !errors.As(err, &exit) {
					t.Fatal(err)
				}
				log := readFile(t, c.Log)
				if code := cmd.ProcessState.ExitCode(); code != want.code {
					t.Fatalf("exit status %d, want %d: %s", code, want.code, log)
				}
				if want.code != 0 {
					contains(t, lastLine(log), "RuntimeError: ", want.says)
					equal(t, "the answer", readFile(t, c.Stdout), "")
					continue
				}
				result, err := xenread.Readers[xenout.Simple](readFile(t, c.Stdout))
				labtest.Check(t, err)
				want.args = replace.Replace(want.args)
				checkBoots(t, result, want, tree, d)
			}
			var calls []string
			if text, err := os.ReadFile(filepath.Join(d.dir, "calls")); err == nil {
				calls = strings.Split(strings.TrimSpace(string(text)), "\n")
			}
			equal(t, "calls of xe", calls, form.calls)
			if left, err := os.ReadDir("/var/run/xen/pygrub"); err == nil && len(left) > 0 {
				t.Errorf("left: %v", left)
			}
		})
	}
}

// When XAPI's database can't be changed, the boot fails, and leaves nothing:
// the VM would be installed for ever.
func TestEliloaderReadOnly(t *testing.T) {
	l := locationLab(t, false)
	tree := repositoryTree(t)
	labtest.Check(t, l.Servers.ServeHTTP(tree))
	d := newDom0(t)
	script := "/usr/local/sbin/xe"
	labtest.Check(t, os.WriteFile(script, []byte(strings.Replace(readFile(t, script), "case", `case "$1" in *-set) echo "You lack the right" >&2; exit 1;; esac`+"\ncase", 1)), 0o755))
	for key, value := range map[string]string{"install-repository": "http://192.168.1.166/OL6"} {
		writeFile(t, filepath.Join(d.dir, "other-config", key), value+"\n")
	}
	c := d.xapi(eliloaderSlot(), "")
	cmd, _ := toolstack(t, []string{"/usr/sbin/xenopsd-xc"}, c)
	cmd.Wait()
	equal(t, "exit status", cmd.ProcessState.ExitCode(), 1)
	contains(t, lastLine(readFile(t, c.Log)), "RuntimeError: eliloader: xe", "You lack the right")
	if left, err := os.ReadDir("/var/run/xen/pygrub"); err == nil && len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}
