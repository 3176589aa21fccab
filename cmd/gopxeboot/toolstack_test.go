package main

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"github.com/gopxeboot/gopxeboot/internal/xenread"
	"github.com/gopxeboot/gopxeboot/xenout"
	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// The toolstacks are played by this program under their names: what they write
// on a bootloader's command line, the terminal or files they give it, and what
// /proc says of them is as reference texts and the real ones have it.

// callVariable is the environment variable that makes this program a toolstack,
// with the call to make.
const callVariable = "GOPXEBOOT_TEST_CALL"

// call is how a toolstack runs a bootloader.
type call struct {
	Argv   []string
	Env    []string
	TTY    bool   // stdin, stdout and stderr are a terminal; otherwise files, and a stdin that can't be read
	Stdout string // the file, without TTY
	Log    string // what it prints on the terminal, or its stderr

	Person []keys // who sits at the terminal
	Cooked bool   // the terminal is an admin's, and not made raw as libxl does
	Burst  string // typed at once, 65536 times and with Enter at the end
	Deaf   bool   // what is shown is read when the bootloader has ended
}

// playToolstack runs the bootloader, and ends as it did.
func playToolstack() {
	var c call
	err := json.Unmarshal([]byte(os.Getenv(callVariable)), &c)
	if err == nil {
		err = c.make()
	}
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && exit.Exited():
		os.Exit(exit.ExitCode())
	case err != nil:
		fmt.Fprintln(os.Stderr, "toolstack:", err)
		os.Exit(99)
	}
	os.Exit(0)
}

func (c *call) make() error {
	log, err := os.Create(c.Log)
	if err != nil {
		return err
	}
	cmd := exec.Command("/proc/self/exe", c.Argv[1:]...)
	cmd.Args[0] = c.Argv[0]
	cmd.Env = c.Env
	cmd.ExtraFiles = []*os.File{os.NewFile(3, "alive")} // libxl leaks its log's descriptor like this
	if !c.TTY {                                         // as in xenopsd's vfork_helper.c
		stdin, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		stdout, err := os.Create(c.Stdout)
		if err != nil {
			return err
		}
		cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.Dir = stdin, stdout, log, "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		signal.Ignore(unix.SIGPIPE) // so does who is started
		return cmd.Run()
	}
	master, slave, err := openPTY()
	if err != nil {
		return err
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	if !c.Cooked {
		if _, err := term.MakeRaw(int(master.Fd())); err != nil { // after the fork, as libxl does
			return err
		}
	}
	before, err := unix.IoctlGetTermios(int(master.Fd()), unix.TCGETS)
	if err != nil {
		return err
	}
	slave.Close()
	if c.Burst != "" {
		go master.WriteString(strings.Repeat(c.Burst, 1<<16) + enter)
	}
	if c.Deaf {
		defer master.Close()
		return cmd.Wait()
	}
	p := &person{to: master, bootloader: cmd.Process.Pid, keys: c.Person}
	io.Copy(io.MultiWriter(log, p), master) // ends with EIO when the last one has closed the terminal
	if len(p.keys) > 0 {
		return fmt.Errorf("%q was not seen", p.keys[0].After)
	}
	if p.closed {
		return cmd.Wait()
	}
	if after, err := unix.IoctlGetTermios(int(master.Fd()), unix.TCGETS); err != nil || *after != *before {
		return fmt.Errorf("the terminal is left as %+v, and was %+v: %v", after, before, err)
	}
	return cmd.Wait()
}

func openPTY() (master, slave *os.File, err error) {
	if master, err = os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		return nil, nil, err
	}
	fd := int(master.Fd())
	if err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		return nil, nil, err
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		return nil, nil, err
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	return master, slave, err
}

// toolstack starts one: its own command line, and the call. alive is at its
// end when the bootloader is gone.
func toolstack(t *testing.T, argv []string, c call) (cmd *exec.Cmd, alive *os.File) {
	t.Helper()
	text, err := json.Marshal(c)
	labtest.Check(t, err)
	alive, theirs, err := os.Pipe()
	labtest.Check(t, err)
	t.Cleanup(func() { alive.Close() })
	cmd = exec.CommandContext(t.Context(), "/proc/self/exe", argv[1:]...)
	cmd.Args[0] = argv[0]
	cmd.Env = append(os.Environ(), callVariable+"="+string(text))
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.Stderr = os.Stderr
	if slices.Contains(argv, "-c") { // an admin's shell has a terminal
		master, slave, err := openPTY()
		labtest.Check(t, err)
		t.Cleanup(func() { master.Close() })
		defer slave.Close()
		cmd.Stdin, cmd.SysProcAttr = slave, &syscall.SysProcAttr{Setsid: true, Setctty: true}
	}
	labtest.Check(t, cmd.Start())
	theirs.Close()
	return cmd, alive
}

const guestUUID = "3c2a1b00-5d6e-4f70-8192-a3b4c5d6e7f8"

// dom0 is the part of a dom0 that a toolstack's call is made in.
type dom0 struct {
	dir  string // for everything that is not in a place of its own
	disk string
}

func newDom0(t *testing.T) *dom0 {
	d := &dom0{dir: t.TempDir()}
	d.disk = filepath.Join(d.dir, "guest1.img")
	labtest.Check(t, os.WriteFile(d.disk, nil, 0o600))
	// What the toolstacks know, from the programs that tell it.
	for dir, programs := range map[string]map[string]string{
		"/usr/local/sbin": {
			"xenstore-read": `case $1 in /local/domain/7/name) echo guest1;; /local/domain/7/vm) echo /vm/` + guestUUID + `;; *) exit 1;; esac`,
			"virsh":         `case "$*" in *" dumpxml --domain=` + guestUUID + `") cat ` + d.dir + `/guest1.xml;; *) exit 1;; esac`,
			"xe":            d.xe(),
		},
		"/run": {}, // where XAPI's directories are missing
	} {
		labtest.Check(t, unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=755"))
		t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
		for name, script := range programs {
			labtest.Check(t, os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755))
		}
	}
	passwd := filepath.Join(d.dir, "passwd")
	labtest.Check(t, os.WriteFile(passwd, []byte("root:x:0:0::/root:/bin/sh\nqemu_base:x:65536:65536::/:/sbin/nologin\n"), 0o644))
	labtest.Check(t, unix.Mount(passwd, "/etc/passwd", "", unix.MS_BIND, ""))
	t.Cleanup(func() { unix.Unmount("/etc/passwd", unix.MNT_DETACH) })
	return d
}

func (d *dom0) write(t *testing.T, name, text string) string {
	t.Helper()
	file := filepath.Join(d.dir, name)
	labtest.Check(t, os.WriteFile(file, []byte(text), 0o644))
	return file
}

// libxl is what libxl takes from a guest's configuration for its bootloader.
type libxl struct {
	Kernel, Ramdisk, Cmdline string
	Restrict                 bool
	Args                     []string // bootloader_args
}

func (d *dom0) out() string    { return filepath.Join(d.dir, "bootloader.7.out") }
func (d *dom0) outDir() string { return filepath.Join(d.dir, "bootloader.7.d") }

// libxl is make_bootloader_args of libxl_bootloader.c, with the files that
// libxl makes before.
func (d *dom0) libxl(t *testing.T, config libxl) call {
	t.Helper()
	labtest.Check(t, os.WriteFile(d.out(), nil, 0o600))
	labtest.Check(t, os.Mkdir(d.outDir(), 0o600))
	argv := []string{"/usr/bin/gopxeboot"}
	for _, o := range []struct{ option, value string }{{"--kernel=", config.Kernel}, {"--ramdisk=", config.Ramdisk}, {"--args=", config.Cmdline}} {
		if o.value != "" {
			argv = append(argv, o.option+o.value)
		}
	}
	if config.Restrict {
		argv = append(argv, "--runas=60001", "--quiet")
	}
	argv = append(argv, "--output="+d.out(), "--output-format=simple0", "--output-directory="+d.outDir())
	argv = append(argv, config.Args...)
	return call{
		Argv: append(argv, d.disk), Env: append(os.Environ(), "TERM=vt100"),
		TTY: true, Log: filepath.Join(d.dir, "log"),
	}
}

// xapi is what xenopsd's bootloader.ml, command, makes of PV-bootloader-args,
// and what its forkexecd surrounds it with.
func (d *dom0) xapi(first []string, args string) call {
	argv := append([]string{"/usr/libexec/gopxeboot"}, first...)
	return call{
		Argv: append(append(argv, strings.Split(args, " ")...), d.disk), Env: []string{"PATH=/sbin:/usr/sbin:/bin:/usr/bin"},
		Stdout: filepath.Join(d.dir, "stdout"), Log: filepath.Join(d.dir, "log"),
	}
}

// XAPI's two places for bootloaders; pygrub's from 26.17.0 on, from 23.26.0 on,
// and before.
func pygrubSlot() []string         { return []string{"--output-format=simple", "-q", "--runas=65543"} }
func pygrubSlotDomid() []string    { return []string{"--output-format=simple", "-q", "--domid=7"} }
func pygrubSlotNameless() []string { return []string{"--output-format=simple", "-q"} }
func eliloaderSlot() []string      { return []string{"-q", "--vm", guestUUID} }

// form is one way in which a bootloader is called. Its name is in the table of
// docs/toolstacks.md.
type form struct {
	name   string
	parent []string // the toolstack's own command line
	call   func(t *testing.T, d *dom0) call
	format xenout.Format
	fifo   bool   // the answer goes through a FIFO, not into a file
	config string // the label's, when it is not the howto's
	want   expected
}

// expected is what comes of it: files of the tree, or of a pygrub's making, and
// arguments. Without a kernel it fails with that code, and says that.
type expected struct {
	kernel, ramdisk, args string
	code                  int
	says                  string
}

var howtoBoots = expected{kernel: lab.SampleKernel, ramdisk: lab.SampleInitrd, args: howtoArgs}

func withArgs(more string) expected {
	b := howtoBoots
	b.args += " " + more
	return b
}

var forms = []form{
	{
		name: "xl", parent: []string{"xl", "create", "guest1.cfg"}, format: xenout.Simple0, want: howtoBoots,
		call: func(t *testing.T, d *dom0) call {
			return d.libxl(t, libxl{Args: list(t, setting(t, recipe(t, "xl"), "bootloader_args"))})
		},
	},
	{
		name: "xl, nothing written down", parent: []string{"xl", "create", "FILE"}, format: xenout.Simple0, want: howtoBoots,
		call: func(t *testing.T, d *dom0) call {
			d.write(t, "guest1.cfg", recipe(t, "xl-by-itself"))
			return d.libxl(t, libxl{})
		},
	},
	{
		name: "xl, bootloader_args of one string", parent: []string{"xl", "create", "guest1.cfg"}, format: xenout.Simple0, want: howtoBoots,
		call: func(t *testing.T, d *dom0) call { // split by strtok, no quotes
			return d.libxl(t, libxl{Args: strings.Fields("mac=" + lab.SampleMAC + ", bridge=xenbr0 --net guest")})
		},
	},
	{
		name: "xl, the MAC alone", parent: []string{"xl", "create", "FILE"}, format: xenout.Simple0, want: howtoBoots,
		call: func(t *testing.T, d *dom0) call {
			d.write(t, "guest1.cfg", recipe(t, "xl-by-itself"))
			return d.libxl(t, libxl{Args: []string{"mac=" + lab.SampleMAC}})
		},
	},
	{
		name: "xl, kernel= ramdisk= cmdline=", parent: []string{"xl", "create", "guest1.cfg"}, format: xenout.Simple0,
		want: expected{kernel: "other.krn", ramdisk: "other.img", args: howtoArgs + " fromcfg=1 two words"},
		call: func(t *testing.T, d *dom0) call {
			return d.libxl(t, libxl{Kernel: "other.krn", Ramdisk: "/other.img", Cmdline: "fromcfg=1 two words", Args: []string{vif}})
		},
	},
	{
		name: "xl, root= extra=", parent: []string{"xl", "create", "guest1.cfg"}, format: xenout.Simple0, want: withArgs("root=/dev/xvda1 ro console=hvc0 -- mac=1"),
		call: func(t *testing.T, d *dom0) call {
			return d.libxl(t, libxl{Cmdline: "root=/dev/xvda1 ro console=hvc0 -- mac=1", Args: []string{vif}})
		},
	},
	{
		name: "xl, restricted", parent: []string{"xl", "create", "guest1.cfg"}, format: xenout.Simple0, want: withArgs("console=hvc0 more"),
		call: func(t *testing.T, d *dom0) call {
			return d.libxl(t, libxl{Cmdline: "console=hvc0", Restrict: true, Args: []string{"-q", "--runas=0", "--args=more", vif}})
		},
	},
	{
		name: "xl, a user's own --output and -i", parent: []string{"xl", "create", "guest1.cfg"}, format: xenout.Simple0, want: howtoBoots,
		call: func(t *testing.T, d *dom0) call {
			return d.libxl(t, libxl{Args: []string{"--output=/etc/passwd", "--output-format", "sxp", "-i", "-v", "", vif}})
		},
	},
	{
		name: "xl, a command line that is too long", parent: []string{"xl", "create", "guest1.cfg"}, want: expected{code: 5, says: "Xen gives a PV guest no more than 1023"},
		call: func(t *testing.T, d *dom0) call {
			return d.libxl(t, libxl{Cmdline: strings.Repeat("x", 1024), Args: []string{vif}})
		},
	},
	{
		name: "xl, the same for a PVH guest", parent: []string{"xl", "create", "guest1.cfg"}, format: xenout.Simple0, want: withArgs(strings.Repeat("x", 1100)),
		call: func(t *testing.T, d *dom0) call {
			return d.libxl(t, libxl{Cmdline: strings.Repeat("x", 1100), Args: []string{vif, "--guest-type=pvh"}})
		},
	},
	{
		name: "xl, LOCALBOOT", parent: []string{"xl", "create", "guest1.cfg"}, format: xenout.Simple0,
		config: "default disk\nlabel disk\n localboot 0\n", want: expected{kernel: "/disk's kernel", args: "of DISK extra=1"},
		call: func(t *testing.T, d *dom0) call {
			return d.libxl(t, libxl{Cmdline: "extra=1", Args: []string{vif, "--pygrub=" + d.pygrub(t)}})
		},
	},
	{
		name: "xl, --vif", parent: []string{"xl", "create", "FILE"}, format: xenout.Simple0, want: howtoBoots,
		call: func(t *testing.T, d *dom0) call {
			d.write(t, "guest1.cfg", "name='guest1'\nvif=['bridge=none0','"+vif+"']\n")
			return d.libxl(t, libxl{Args: []string{"--vif=1"}})
		},
	},
	{
		name: "xl, a driver domain", parent: []string{"xl", "create", "FILE"}, want: expected{code: 2, says: "the vif says backend=sys-net"},
		call: func(t *testing.T, d *dom0) call {
			d.write(t, "guest1.cfg", "name='guest1'\nvif=['"+vif+",backend=sys-net']\n")
			return d.libxl(t, libxl{})
		},
	},
	{
		name: "xl, --location", parent: []string{"xl", "create", "guest1.cfg"}, format: xenout.Simple0,
		want: expected{kernel: "isolinux/vmlinuz", ramdisk: "isolinux/initrd.img", args: "console=hvc0"},
		call: func(t *testing.T, d *dom0) call {
			return d.libxl(t, libxl{Cmdline: "console=hvc0", Args: []string{vif, "--location", "tftp://192.168.1.166/"}})
		},
	},
	{
		name: "libvirt, one word", parent: []string{"/usr/sbin/libvirtd"}, format: xenout.Simple0, want: withArgs("console=hvc0 quiet"),
		call: func(t *testing.T, d *dom0) call {
			return d.libxl(t, libxl{Args: []string{domainXML(t, recipe(t, "libvirt")).Args}})
		},
	},
	{
		name: "libvirt, nothing written down", parent: []string{"/usr/sbin/virtxend"}, format: xenout.Simple0, want: howtoBoots,
		call: func(t *testing.T, d *dom0) call {
			text := recipe(t, "libvirt-by-itself")
			if args := domainXML(t, text).Args; args != "" {
				t.Fatalf("it has arguments: %s", args)
			}
			d.write(t, "guest1.xml", text)
			return d.libxl(t, libxl{})
		},
	},
	{
		name: "libvirt, PVH", parent: []string{"/usr/sbin/libvirtd"}, format: xenout.Simple0, want: withArgs(strings.Repeat("x", 1100)),
		call: func(t *testing.T, d *dom0) call {
			d.write(t, "guest1.xml", recipe(t, "libvirt-pvh"))
			return d.libxl(t, libxl{Cmdline: strings.Repeat("x", 1100)})
		},
	},
	{
		name: "libvirt, <vlan>", parent: []string{"/usr/sbin/libvirtd"}, want: expected{code: 3, says: "xenbr0, VLAN 20"},
		call: func(t *testing.T, d *dom0) call {
			d.write(t, "guest1.xml", recipe(t, "libvirt-vlan"))
			return d.libxl(t, libxl{Args: []string{"--dhcp-timeout=1s"}})
		},
	},
	{
		name: "libvirt, <cmdline>", parent: []string{"/usr/sbin/libvirtd"}, format: xenout.Simple0, want: withArgs("ro quiet"),
		call: func(t *testing.T, d *dom0) call {
			return d.libxl(t, libxl{Cmdline: "ro quiet", Args: []string{"--interface=xenbr0 mac=" + lab.SampleMAC + " --udhcpc=/usr/bin/udhcpc --label=linux"}})
		},
	},
	{
		name: "XAPI, pygrub", parent: []string{"/usr/sbin/xenopsd-xc"}, format: xenout.Simple, want: howtoBoots,
		call: func(_ *testing.T, d *dom0) call { return d.xapi(pygrubSlot(), "") },
	},
	{
		name: "XAPI, eliloader", parent: []string{"/usr/sbin/xenopsd-xc"}, format: xenout.Simple, want: howtoBoots,
		call: func(_ *testing.T, d *dom0) call { return d.xapi(eliloaderSlot(), "") },
	},
	{
		name: "XAPI, pygrub, 23.26 to 26.16", parent: []string{"/usr/sbin/xenopsd-xc"}, format: xenout.Simple, want: howtoBoots,
		call: func(_ *testing.T, d *dom0) call { return d.xapi(pygrubSlotDomid(), "") },
	},
	{
		name: "XAPI, pygrub, up to 23.25", parent: []string{"/usr/sbin/xenopsd-xc"}, want: expected{code: 2, says: "add eliloader="},
		call: func(_ *testing.T, d *dom0) call { return d.xapi(pygrubSlotNameless(), "") },
	},
	{
		name: "XAPI, pygrub, a PVH VM", parent: []string{"/usr/sbin/xenopsd-xc"}, want: expected{code: 5, says: "gopxeboot --output-format=xe --apply --uuid=" + guestUUID},
		call: func(t *testing.T, d *dom0) call {
			writeFile(t, filepath.Join(d.dir, "params/domain-type"), "pvh\n")
			return d.xapi(pygrubSlot(), "")
		},
	},
	{
		name: "XAPI, pygrub, 23.26 to 26.16, a PVH VM", parent: []string{"/usr/sbin/xenopsd-xc"}, want: expected{code: 5, says: "gopxeboot --output-format=xe --apply --uuid=" + guestUUID},
		call: func(t *testing.T, d *dom0) call {
			writeFile(t, filepath.Join(d.dir, "params/domain-type"), "pvh\n")
			return d.xapi(pygrubSlotDomid(), "")
		},
	},
	{
		name: "XAPI, eliloader, a PVH VM", parent: []string{"/usr/sbin/xenopsd-xc"}, want: expected{code: 5, says: "gopxeboot --output-format=xe --apply --uuid=" + guestUUID},
		call: func(t *testing.T, d *dom0) call {
			writeFile(t, filepath.Join(d.dir, "params/domain-type"), "pvh\n")
			return d.xapi(eliloaderSlot(), "")
		},
	},
	{
		name: "XAPI, an option that VM administrators may not use", parent: []string{"/usr/sbin/xenopsd-xc"},
		want: expected{code: 2, says: `PV-bootloader-args must not say "--pcap"`},
		call: func(_ *testing.T, d *dom0) call {
			return d.xapi(eliloaderSlot(), "-v --pcap="+filepath.Join(d.dir, "capture")+" --output=/dev/null")
		},
	},
	{
		name: "XAPI, PV-bootloader-args", parent: []string{"/usr/sbin/xenopsd-xc"}, format: xenout.Simple, want: withArgs("a=1 b=2 c=3"),
		call: func(t *testing.T, d *dom0) call {
			return d.xapi(eliloaderSlot(), quoted(t, recipe(t, "xapi"), "PV-bootloader-args=")+"  --default_args=b=2 --extra_args=c=3")
		},
	},
	{
		name: "XAPI, the other directory", parent: []string{"/usr/sbin/xenopsd-xc"}, format: xenout.Simple, want: howtoBoots,
		call: func(_ *testing.T, d *dom0) call {
			return d.xapi(eliloaderSlot(), "--output-directory=/var/run/xend/boot")
		},
	},
	{
		name: "XAPI, a directory that it refuses", parent: []string{"/usr/sbin/xenopsd-xc"}, want: expected{code: 2, says: "XAPI takes no kernel from /var/lib/xen"},
		call: func(_ *testing.T, d *dom0) call {
			return d.xapi(eliloaderSlot(), "--output-directory=/var/lib/xen")
		},
	},
	{
		name: "XAPI, LOCALBOOT", parent: []string{"/usr/sbin/xenopsd-xc"}, format: xenout.Simple,
		config: "default disk\nlabel disk\n localboot 0\n", want: expected{kernel: "/disk's kernel", args: "of DISK"},
		call: func(t *testing.T, d *dom0) call {
			d.installPygrub(t, d.pygrub(t))
			return d.xapi(pygrubSlot(), "")
		},
	},
	{
		name: "XAPI, LOCALBOOT, and pygrub fails", parent: []string{"/usr/sbin/xenopsd-xc"},
		config: "default disk\nlabel disk\n localboot 0\n", want: expected{code: 5, says: "localboot: "},
		call: func(t *testing.T, d *dom0) call {
			d.installPygrub(t, d.write(t, "failing", "#!/bin/sh\nprintf 'Traceback\nRuntimeError: Unable to find partition containing kernel\nRuntimeErr' >&2\nprintf 'or: x' >&2; exit 1\n"))
			return d.xapi(pygrubSlot(), "")
		},
	},
	{
		name: "XAPI, a failure", parent: []string{"/usr/sbin/xenopsd-xc"}, want: expected{code: 5, says: `no label is called "nolabel"`},
		call: func(_ *testing.T, d *dom0) call { return d.xapi(eliloaderSlot(), "--label=nolabel") },
	},
	{
		name: "xm", parent: []string{"python", "/usr/sbin/xend", "start"}, format: xenout.SXP, fifo: true, want: howtoBoots,
		call: func(t *testing.T, d *dom0) call {
			config := recipe(t, "xm")
			equal(t, "bootargs", setting(t, config, "bootargs"), "vif[0]")
			return d.xend(t, "", strings.Fields(list(t, setting(t, config, "vif"))[0]))
		},
	},
	{
		name: "xm, extra=", parent: []string{"python", "/usr/sbin/xend", "start"}, format: xenout.SXP, fifo: true, want: withArgs(`it's "1" (two) #3`),
		call: func(t *testing.T, d *dom0) call {
			return d.xend(t, `it's "1" (two) #3`, []string{"bridge=xenbr0,mac=00:16:3E:72:79:E3"})
		},
	},
	{
		name: "xm, a failure", parent: []string{"python", "/usr/sbin/xend", "start"}, fifo: true, want: expected{code: 2, says: "there is no option --nonsense here"},
		call: func(t *testing.T, d *dom0) call { return d.xend(t, "", []string{vif, "--nonsense"}) },
	},
	{
		name: "xm, no bootargs", parent: []string{"python", "/usr/sbin/xend", "start"}, fifo: true, want: expected{code: 2, says: "the MAC address of the guest is not known"},
		call: func(t *testing.T, d *dom0) call { return d.xend(t, "", []string{"-q"}) },
	},
	{
		name: "options of pypxeboot", parent: []string{"python", "/usr/sbin/xend", "start"}, format: xenout.SXP, fifo: true, want: howtoBoots,
		call: func(t *testing.T, d *dom0) call {
			return d.xend(t, "", strings.Fields("--verbose --label=linux --interface=xenbr0 --udhcpc=/usr/bin/udhcpc --pygrub-image=/i --config-dir=pxelinux.cfg --isconfig mac="+lab.SampleMAC))
		},
	},
}

// xend is XendBootloader.py: a FIFO, no directory, no format.
func (d *dom0) xend(t *testing.T, args string, bootargs []string) call {
	t.Helper()
	fifo := filepath.Join(d.dir, "xenbl.5")
	labtest.Check(t, unix.Mkfifo(fifo, 0o600))
	argv := []string{"/usr/bin/gopxeboot"}
	if args != "" {
		argv = append(argv, "--args="+args)
	}
	// The directory is a test's: nobody has /var/lib/xen.
	argv = append(append(argv, "--output="+fifo), bootargs...)
	argv = append(argv, "--output-directory="+filepath.Join(d.dir, "kernels"), d.disk)
	return call{Argv: argv, Env: append(os.Environ(), "TERM=vt100"), TTY: true, Log: filepath.Join(d.dir, "log")}
}

// pygrub is a program that finds one kernel on every disk.
func (d *dom0) pygrub(t *testing.T) string {
	t.Helper()
	file := filepath.Join(d.dir, "pygrub")
	labtest.Check(t, os.WriteFile(file, []byte(`#!/bin/sh
for a; do case $a in --output=*) out=${a#*=};; --output-directory=*) dir=${a#*=};; --args=*) args=" ${a#*=}";; esac; done
printf "disk's kernel" >"${dir}boot_kernel.x"
printf 'kernel %sboot_kernel.x\0args of %s%s\0\0' "$dir" "$a" "$args" >"$out"
`), 0o755))
	return file
}

// installPygrub has a program where Xen's packages have pygrub.
func (d *dom0) installPygrub(t *testing.T, program string) {
	t.Helper()
	labtest.Check(t, unix.Mount("tmpfs", "/usr/libexec", "tmpfs", 0, "mode=755"))
	t.Cleanup(func() { unix.Unmount("/usr/libexec", unix.MNT_DETACH) })
	labtest.Check(t, os.MkdirAll("/usr/libexec/xen/bin", 0o755))
	labtest.Check(t, os.WriteFile("/usr/libexec/xen/bin/pygrub", []byte(readFile(t, program)), 0o755))
}

// Each toolstack's own call, and what its own parser reads.
func TestToolstacks(t *testing.T) {
	for _, form := range forms {
		t.Run(form.name, func(t *testing.T) {
			l := labtest.New(t, lab.Config{})
			tree := sampleTree(t)
			for _, name := range []string{"other.krn", "isolinux/vmlinuz"} {
				writeFile(t, filepath.Join(tree, name), string(kernelOf(name)))
			}
			for _, name := range []string{"other.img", "isolinux/initrd.img"} {
				writeFile(t, filepath.Join(tree, name), "070701 this is "+name)
			}
			if form.config != "" {
				labtest.Check(t, os.WriteFile(filepath.Join(tree, "pxelinux.cfg/01-00-16-3e-72-79-e3"), []byte(form.config), 0o644))
			}
			labtest.Check(t, servers["embedded"](t.Context(), l.Servers, tree))
			d := newDom0(t)
			c := form.call(t, d)
			parent := slices.Clone(form.parent)
			if i := slices.Index(parent, "FILE"); i >= 0 {
				parent[i] = filepath.Join(d.dir, "guest1.cfg")
			}
			cmd, _ := toolstack(t, parent, c)
			answer := ""
			if form.fifo {
				answer = readFile(t, filepath.Join(d.dir, "xenbl.5")) // blocks until somebody opens it
			}
			var exit *exec.ExitError
			if err := cmd.Wait(); err != nil && !errors.As(err, &exit) {
				t.Fatal(err)
			}
			log := readFile(t, c.Log)
			switch {
			case form.fifo:
			case c.TTY:
				answer = readFile(t, d.out())
			default:
				answer = readFile(t, c.Stdout)
			}
			if code := cmd.ProcessState.ExitCode(); code != form.want.code {
				t.Fatalf("exit status %d, want %d: %s", code, form.want.code, log)
			}
			checkLog(t, log, c.TTY)
			if form.want.kernel == "" {
				equal(t, "the answer", answer, "")
				last := lastLine(log)
				contains(t, last, form.want.says)
				// XAPI shows what follows the first one.
				if !c.TTY && (!strings.HasPrefix(last, "RuntimeError: ") || strings.Count(log, "RuntimeError: ") != 1) {
					t.Errorf("XAPI does not show the last line of %q", log)
				}
			} else {
				result, err := xenread.Readers[form.format](answer)
				labtest.Check(t, err)
				checkBoots(t, result, form.want, tree, d)
			}
			for _, dir := range []string{d.outDir(), filepath.Join(d.dir, "kernels"), "/var/run/xen/pygrub", "/var/run/xend/boot"} {
				if left, err := os.ReadDir(dir); err == nil && len(left) > 0 {
					t.Errorf("left in %s: %v", dir, left)
				}
			}
		})
	}
}

// checkBoots does what a toolstack does with the files, which is to delete
// them in the end.
func checkBoots(t *testing.T, got xenout.Result, want expected, tree string, d *dom0) {
	t.Helper()
	equal(t, "args", got.Args, strings.ReplaceAll(want.args, "DISK", d.disk))
	for _, f := range []struct{ got, want string }{{got.Kernel, want.kernel}, {got.Ramdisk, want.ramdisk}} {
		if f.want == "" {
			equal(t, "file", f.got, "")
			continue
		}
		if text, ok := strings.CutPrefix(f.want, "/"); ok {
			equal(t, f.got, readFile(t, f.got), text)
		} else {
			sameFile(t, f.got, filepath.Join(tree, f.want))
		}
		if info, err := os.Stat(f.got); err != nil || info.Mode() != 0o600 {
			t.Errorf("%s: %v %v", f.got, info, err)
		}
		labtest.Check(t, os.Remove(f.got))
	}
}

// checkLog sees that lines have our name, and on a raw terminal begin at its
// left, where they may take the place of a progress line.
func checkLog(t *testing.T, log string, tty bool) {
	t.Helper()
	for line := range strings.Lines(log) {
		text := strings.TrimRight(line, "\r\n")
		if tty {
			text = text[strings.LastIndexByte(text, '\r')+1:]
		}
		if !strings.HasPrefix(text, "gopxeboot: ") && !strings.HasPrefix(text, "RuntimeError: ") {
			t.Errorf("a line without our name: %q", line)
		}
		if strings.HasSuffix(line, "\r\n") != tty {
			t.Errorf("terminal %v, and a line ends in %q", tty, line[max(0, len(line)-2):])
		}
	}
}

// lastLine is what a failure says, without the command that tells more.
func lastLine(text string) string {
	line, _ := failure(strings.Split(strings.TrimSpace(text), "\n"))
	return line
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	labtest.Check(t, err)
	return string(text)
}

// A toolstack that is killed can't say so. Its terminal does, or else that
// somebody else is our parent.
func TestToolstackKilled(t *testing.T) {
	for name, makeCall := range map[string]func(t *testing.T, d *dom0) call{
		"xl, whose terminal closes": func(t *testing.T, d *dom0) call { return d.libxl(t, libxl{Args: []string{vif}}) },
		"XAPI, without a terminal":  func(t *testing.T, d *dom0) call { return d.xapi(eliloaderSlot(), "") },
	} {
		t.Run(name, func(t *testing.T) {
			l := labtest.New(t, lab.Config{})
			underWay, err := slowTFTP(l.Servers, sampleTree(t))
			labtest.Check(t, err)
			before := links(t)
			d := newDom0(t)
			cmd, alive := toolstack(t, []string{"toolstack"}, makeCall(t, d))
			<-underWay
			labtest.Check(t, cmd.Process.Kill())
			cmd.Wait()
			waitForEnd(t, alive)
			for _, dir := range []string{d.outDir(), "/var/run/xen/pygrub"} {
				if left, err := os.ReadDir(dir); err == nil && len(left) > 0 {
					t.Errorf("left in %s: %v", dir, left)
				}
			}
			eventually(t, "interfaces", func() string { return strings.Join(links(t), " ") }, strings.Join(before, " "))
		})
	}
	// xend dies before it has opened its end of the FIFO.
	t.Run("xend, and nobody reads", func(t *testing.T) {
		labtest.New(t, lab.Config{})
		d := newDom0(t)
		c := d.xend(t, "", []string{vif})
		c.TTY, c.Stdout = false, filepath.Join(d.dir, "stdout")
		cmd, alive := toolstack(t, []string{"xend"}, c)
		eventually(t, "what it does", func() string {
			calls, err := filepath.Glob(fmt.Sprintf("/proc/%s/task/*/syscall", childOf(cmd.Process.Pid)))
			labtest.Check(t, err)
			for _, file := range calls {
				if text, err := os.ReadFile(file); err == nil && strings.HasPrefix(string(text), fmt.Sprint(unix.SYS_OPENAT, " ")) {
					return "it opens the FIFO"
				}
			}
			return ""
		}, "it opens the FIFO")
		labtest.Check(t, cmd.Process.Kill())
		cmd.Wait()
		waitForEnd(t, alive)
	})
}

// childOf is the process id of a toolstack's bootloader, "" when there is none.
func childOf(pid int) string {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, file := range files {
		if text, err := os.ReadFile(file); err == nil && len(text) > 0 {
			return strings.Fields(string(text))[0]
		}
	}
	return ""
}

func waitForEnd(t *testing.T, alive *os.File) {
	t.Helper()
	labtest.Check(t, alive.SetReadDeadline(time.Now().Add(10*time.Second)))
	if _, err := alive.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the bootloader lives on: %v", err)
	}
}

// The answer goes to a pipe that nobody reads any more.
func TestNobodyReads(t *testing.T) {
	l := labtest.New(t, lab.Config{})
	labtest.Check(t, servers["embedded"](t.Context(), l.Servers, sampleTree(t)))
	dir := t.TempDir()
	read, write, err := os.Pipe()
	labtest.Check(t, err)
	read.Close()
	cmd := command(t.Context(), "--output-directory="+dir, vif)
	cmd.Stdout, cmd.Stderr = write, write
	var exit *exec.ExitError
	if err := cmd.Run(); !errors.As(err, &exit) || exit.ExitCode() != 7 {
		t.Errorf("got %v", err)
	}
	equal(t, "left in the output directory", entries(t, dir), []string(nil))
}

// libxl kills a restricted bootloader when its time is over. It ends before,
// and says at what.
func TestRestrictedTime(t *testing.T) {
	l := labtest.New(t, lab.Config{})
	_, err := slowTFTP(l.Servers, sampleTree(t))
	labtest.Check(t, err)
	d := newDom0(t)
	c := d.libxl(t, libxl{Restrict: true, Args: []string{vif, "--timeout=1h"}})
	c.Env = append(c.Env, "LIBXL_BOOTLOADER_TIMEOUT=3")
	cmd, _ := toolstack(t, []string{"xl", "create", "guest1.cfg"}, c)
	cmd.Wait()
	equal(t, "exit status", cmd.ProcessState.ExitCode(), 8)
	contains(t, readFile(t, c.Log), "warning: libxl gives a restricted bootloader 3s: all has to be done in 2.7s", "the time for the whole boot is over")
}

// What pygrub's -l and -n are for, and that libxl is not told of success
// without a kernel.
func TestSays(t *testing.T) {
	l := labtest.New(t, lab.Config{})
	tree := sampleTree(t)
	config := filepath.Join(tree, "pxelinux.cfg/01-00-16-3e-72-79-e3")
	labtest.Check(t, os.WriteFile(config, []byte(readFile(t, config)+"label disk\n localboot 0\nlabel tool\n com32 tool.c32\n"), 0o644))
	labtest.Check(t, servers["embedded"](t.Context(), l.Servers, tree))
	dir := t.TempDir()
	for _, test := range []struct {
		args   string
		code   int
		stdout string
	}{
		{"-l", 0, "linux\ndisk\ntool\n"},
		{"--list-entries --label=tool", 0, "linux\ndisk\ntool\n"},
		{"-n --args=more", 0, "kernel: tftp://192.168.1.166/" + lab.SampleKernel + "\ninitrd: tftp://192.168.1.166/" + lab.SampleInitrd + "\nargs: " + howtoArgs + " more\n"},
		{"--not-really --entry=disk", 0, "disk: /dev/vg/guest\n"},
		{"-n --label=tool", 5, ""},
		{"-n --output=" + filepath.Join(dir, "answer"), 2, ""},
	} {
		args := append(strings.Fields(test.args), "-q", "--output-directory="+filepath.Join(dir, "none"), vif, "/dev/vg/guest")
		o := gopxeboot(t, args...)
		if o.Code != test.code {
			t.Errorf("%s: exit status %d, want %d: %s", test.args, o.Code, test.code, o.Stderr)
		}
		if test.code == 0 || test.stdout != "" {
			equal(t, test.args, o.Stdout, test.stdout)
		}
	}
	equal(t, "files", entries(t, dir), []string(nil))
}

// document is docs/toolstacks.md.
func document(t *testing.T) string {
	t.Helper()
	return readFile(t, "../../docs/toolstacks.md")
}

// recipe is a block of the document: one that begins with "```LANGUAGE NAME".
func recipe(t *testing.T, name string) string {
	t.Helper()
	m := regexp.MustCompile("(?ms)^```[a-z]+ " + regexp.QuoteMeta(name) + "\n(.*?)^```$").FindStringSubmatch(document(t))
	if m == nil {
		t.Fatalf("docs/toolstacks.md has no block called %q", name)
	}
	return m[1]
}

// setting is the value of a setting in a configuration of xm's or xl's.
func setting(t *testing.T, config, name string) string {
	t.Helper()
	m := regexp.MustCompile(`(?m)^` + name + `\s*= (.*)$`).FindStringSubmatch(config)
	if m == nil {
		t.Fatalf("it has no %s: %s", name, config)
	}
	return m[1]
}

// list is a list of strings in such a configuration.
func list(t *testing.T, value string) []string {
	t.Helper()
	var items []string
	for _, m := range regexp.MustCompile(`"([^"]*)"|'([^']*)'`).FindAllStringSubmatch(value, -1) {
		items = append(items, m[1]+m[2])
	}
	if items == nil {
		t.Fatalf("%s is no list of strings", value)
	}
	return items
}

// quoted is what stands in quotes after a key in a command.
func quoted(t *testing.T, text, key string) string {
	t.Helper()
	m := regexp.MustCompile(regexp.QuoteMeta(key) + `"([^"]*)"`).FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("there is no %s in %s", key, text)
	}
	return m[1]
}

// description is what counts of libvirt's description of a guest.
type description struct {
	XMLName xml.Name `xml:"domain"`
	Args    string   `xml:"bootloader_args"`
	Type    string   `xml:"os>type"`
	Kernel  string   `xml:"os>kernel"`
	Initrd  string   `xml:"os>initrd"`
	Cmdline string   `xml:"os>cmdline"`
}

func domainXML(t *testing.T, text string) (d description) {
	t.Helper()
	labtest.Check(t, xml.Unmarshal([]byte(text), &d))
	return d
}

// The recipes for direct kernel boot and for scripts run as they are in the
// document, by a shell that knows gopxeboot and a toolstack.
func TestRecipes(t *testing.T) {
	for _, name := range []string{"hvm-xl", "hvm-libvirt", "script-shell", "script-json"} {
		t.Run(name, func(t *testing.T) {
			l := labtest.New(t, lab.Config{})
			tree := sampleTree(t)
			// Longer than a PV guest's command line may be.
			long := strings.Repeat("x=y ", 300) + "it's \"quoted\" & <more>"
			config := filepath.Join(tree, "pxelinux.cfg/01-00-16-3e-72-79-e3")
			labtest.Check(t, os.WriteFile(config, []byte(readFile(t, config)+" append initrd="+lab.SampleInitrd+" "+long+"\n"), 0o644))
			labtest.Check(t, servers["embedded"](t.Context(), l.Servers, tree))
			wantArgs := howtoArgs + " " + long

			root, bin := t.TempDir(), t.TempDir()
			script := recipe(t, name)
			for _, dir := range []string{"/etc/xen", "/etc/libvirt", "/var/lib/xen"} {
				labtest.Check(t, os.MkdirAll(root+dir, 0o755))
				script = strings.ReplaceAll(script, dir, root+dir)
			}
			labtest.Check(t, os.WriteFile(root+"/etc/xen/guest1.cfg", []byte("name = \"guest1\"\ntype = \"hvm\"\n"), 0o644))
			labtest.Check(t, os.WriteFile(root+"/etc/libvirt/guest1.xml", []byte("<domain type='xen'>\n  <name>guest1</name>\n  <os>\n    <type>hvm</type>\n  </os>\n</domain>\n"), 0o644))
			self, err := filepath.Abs(os.Args[0]) // a chroot's /proc/self/exe shows its path from outside
			labtest.Check(t, err)
			labtest.Check(t, os.Symlink(self, filepath.Join(bin, "gopxeboot")))
			// The toolstack keeps what it was given, and copies of the files,
			// which a script may delete afterwards.
			kept := t.TempDir()
			keep := "#!/bin/sh\nfor a; do printf '%s\\0' \"$a\"; done >" + kept + "/argv\ncp \"$2\" " + kept + "/file\ncp " + root + "/var/lib/xen/pxe/* " + kept + "/\n"
			for _, program := range []string{"xl", "virsh"} {
				labtest.Check(t, os.WriteFile(filepath.Join(bin, program), []byte(keep), 0o755))
			}
			if strings.Contains(script, "jq ") {
				labtest.Program(t, "jq")
			}
			cmd := exec.CommandContext(t.Context(), "sh", "-c", script)
			cmd.Dir = root
			cmd.Env = []string{"PATH=" + bin + ":" + os.Getenv("PATH")}
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			argv := strings.Split(readFile(t, kept+"/argv"), "\x00")
			var got xenout.Result
			switch file := readFile(t, kept+"/file"); {
			case argv[0] == "create" && strings.HasSuffix(argv[1], ".xml"):
				d := domainXML(t, file)
				equal(t, "type", d.Type, "hvm")
				got = xenout.Result{Kernel: d.Kernel, Ramdisk: d.Initrd, Args: d.Cmdline}
			case argv[0] == "create":
				lines := strings.SplitAfter(file, "\n")
				equal(t, "the configuration", strings.Join(lines[:2], ""), "name = \"guest1\"\ntype = \"hvm\"\n")
				got, err = xenread.XL(strings.Join(lines[2:], ""))
				labtest.Check(t, err)
			default:
				t.Fatalf("the toolstack was called with %q", argv)
			}
			equal(t, "args", got.Args, wantArgs)
			sameFile(t, filepath.Join(kept, filepath.Base(got.Kernel)), filepath.Join(tree, lab.SampleKernel))
			sameFile(t, filepath.Join(kept, filepath.Base(got.Ramdisk)), filepath.Join(tree, lab.SampleInitrd))
			equal(t, "left", entries(t, root+"/var/lib/xen/pxe"), []string(nil))
		})
	}
}

// The table in the document names each form, and no other.
func TestTable(t *testing.T) {
	var want, got []string
	for _, form := range forms {
		want = append(want, form.name)
	}
	for _, m := range regexp.MustCompile("(?m)^\\|.*\\| `TestToolstacks/(.*)` \\|$").FindAllStringSubmatch(document(t), -1) {
		got = append(got, m[1])
	}
	slices.Sort(want)
	slices.Sort(got)
	equal(t, "forms in the table", got, want)
}
