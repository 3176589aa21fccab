package pxelinux

import (
	"errors"
	"strings"
	"testing"
)

// Rule B12: the modules that decide what boots.
func TestModules(t *testing.T) {
	linux := func(label, kernel, args string, initrds ...string) Boot {
		b := Boot{Outcome: Linux, Label: label, Kernel: serverURL + kernel, Args: args}
		for _, initrd := range initrds {
			b.Initrds = append(b.Initrds, serverURL+initrd)
		}
		return b
	}
	failed := func(text string) Boot {
		return Boot{Outcome: Error, Label: "m", Waits: true, Err: errors.New("label m: " + text)}
	}
	for _, test := range []struct {
		rule, module string
		want         Boot
	}{
		{"linux.c32", "COM32 linux.c32\nAPPEND k  a  b=c\n", linux("m", "k", "BOOT_IMAGE=k a b=c")},
		{"the extension is added", "COM32 linux\nAPPEND k\n", linux("m", "k", "BOOT_IMAGE=k")},
		{"KERNEL with the extension", "KERNEL x/linux.c32\nAPPEND k\n", linux("m", "k", "BOOT_IMAGE=k")},
		{"the last initrd=, and initrd+=", "COM32 linux\nAPPEND k initrd=a initrd=b,c initrd+=d\nINITRD e,f\n",
			linux("m", "k", "BOOT_IMAGE=k initrd=a initrd=b,c initrd+=d initrd=e,f", "e", "f", "d")},
		{"linux.c32 options", "COM32 linux\nAPPEND -dhcpinfo k\n", linux("m", "k", "BOOT_IMAGE=k")},
		{"unknown ones", "COM32 linux\nAPPEND -x k\n", failed("linux.c32 has no option -x")},
		{"no kernel", "COM32 linux\n", failed("linux.c32 without a kernel")},

		{"cmd.c32", "COM32 cmd\nAPPEND k64 u  v\n", linux("k64", "k64", "BOOT_IMAGE=k64 u  v")},
		{"ifcpu64.c32", "COM32 ifcpu64\nAPPEND k64 x -- k32p -- k32\n", linux("k64", "k64", "BOOT_IMAGE=k64 x")},
		{"ifcpu.c32", "COM32 ifcpu\nAPPEND 64 pae -- k64 x -- k32\n", linux("k64", "k64", "BOOT_IMAGE=k64 x")},
		{"a guest has no VMX", "COM32 ifcpu\nAPPEND hvm -- k64 x -- k32\n", linux("k32", "k32", "BOOT_IMAGE=k32 ")},
		{"one command for both", "COM32 ifcpu\nAPPEND hvm -- k32\n", linux("k32", "k32", "BOOT_IMAGE=k32 ")},
		{"dry-run", "COM32 ifcpu\nAPPEND dry-run -- k32\n", failed("ifcpu.c32 dry-run boots nothing")},
		{"no command", "COM32 ifcpu\nAPPEND 64\n", failed("ifcpu.c32 without a command")},
		{"whichsys.c32", "COM32 whichsys\nAPPEND -iso- i -pxe- k64 x -sys- s\n", linux("k64", "k64", "BOOT_IMAGE=k64 x")},
		{"not for PXELINUX", "COM32 whichsys\nAPPEND -iso- i\n", failed("whichsys.c32 without a command for PXELINUX (-pxe-)")},
		{"the DEFAULT command, again and again", "COM32 ifcpu64\n", failed("the configuration goes round in circles: 64 commands, and none that boots")},

		{"config.c32", "COM32 config\nAPPEND other.cfg sub/\n", linux("o", "sub/ko", "BOOT_IMAGE=ko ")},
		{"config.c32 with SYSAPPEND", "COM32 config\nSYSAPPEND 3\nAPPEND other.cfg\n", failed("config.c32 wants a file and perhaps a directory, and got 3 words")},

		{"chain.c32", "COM32 chain\nAPPEND hd0 0\n", Boot{Outcome: LocalBoot, Label: "m"}},
		{"reboot.c32", "COM32 reboot.c32\n", Boot{Outcome: COM32, Label: "m", Kernel: serverURL + "reboot.c32",
			Err: errors.New("label m: the module reboot.c32 switches the machine off or restarts it: there is nothing to boot")}},
		{"others", "COM32 dir/hdt.c32\nAPPEND a b\n", Boot{Outcome: COM32, Label: "m", Kernel: serverURL + "dir/hdt.c32", Args: "a b",
			Err: errors.New("label m: the module dir/hdt.c32 runs in PXELINUX only, not for a PV guest")}},

		{"mboot.c32 with Xen", "COM32 mboot\nAPPEND xen-4.17.gz dom0_mem=1 --- vmlinuz root=x  quiet --- i1 --- i2 y\n", Boot{
			Outcome: Multiboot, Label: "m", Kernel: serverURL + "vmlinuz", Args: "root=x quiet",
			Initrds: []string{serverURL + "i1", serverURL + "i2"},
			Modules: []Module{
				{serverURL + "xen-4.17.gz", "xen-4.17.gz dom0_mem=1"}, {serverURL + "vmlinuz", "vmlinuz root=x quiet"},
				{serverURL + "i1", "i1"}, {serverURL + "i2", "i2 y"},
			},
		}},
		{"SYSAPPEND lands on the last module", "COM32 mboot\nSYSAPPEND 2\nAPPEND d/xen.gz --- k\n", Boot{
			Outcome: Multiboot, Label: "m", Kernel: serverURL + "k", Args: "BOOTIF=01-00-16-3e-72-79-e3",
			Modules: []Module{{serverURL + "d/xen.gz", "d/xen.gz"}, {serverURL + "k", "k BOOTIF=01-00-16-3e-72-79-e3"}},
		}},
		{"another multiboot kernel", "COM32 mboot\nAPPEND -solaris unix a --- archive\n", Boot{
			Outcome: Multiboot, Label: "m", Modules: []Module{{serverURL + "unix", "unix a"}, {serverURL + "archive", "archive"}},
			Err: errors.New("label m: unix is a multiboot kernel, which a PV guest can't boot"),
		}},
		{"an empty module", "COM32 mboot\nAPPEND --- k\n", failed("mboot.c32: a module without a file's name")},
		{"VMware's", "COM32 mboot\nAPPEND -c boot.cfg\n", Boot{Outcome: COM32, Label: "m", Kernel: serverURL + "mboot.c32", Args: "-c boot.cfg",
			Err: errors.New("label m: the module mboot.c32 is VMware's: a PV guest can't run ESXi")}},

		{"pxechn.c32", "COM32 pxechn\nAPPEND sub/pxelinux.0 -c my.cfg\n", linux("s", "sub/ks", "BOOT_IMAGE=ks ")},
		{"-p", "COM32 pxechn\nAPPEND x/pxelinux.0 -psub/ -o 209.s=my.cfg\n", linux("s", "sub/ks", "BOOT_IMAGE=ks ")},
		{"another server", "COM32 pxechn\nAPPEND 192.168.1.2::sub/lpxelinux.0 -c my.cfg\n", linux("s", "sub/ks", "BOOT_IMAGE=ks ")},
		{"by a URL", "COM32 pxechn\nAPPEND tftp://192.168.1.2/sub/pxelinux.0 -c my.cfg\n", linux("s", "sub/ks", "BOOT_IMAGE=ks ")},
		{"another program", "COM32 pxechn\nAPPEND ipxe.0\n", Boot{Outcome: ChainBoot, Label: "m", Kernel: serverURL + "ipxe.0"}},
		{"-r", "COM32 pxechn\nAPPEND -r sub/pxelinux.0\n", Boot{Outcome: ChainBoot, Label: "m", Kernel: serverURL + "sub/pxelinux.0"}},
		{"nothing found", "COM32 pxechn\nAPPEND nowhere/pxelinux.0\n", failed("pxechn.c32 nowhere/pxelinux.0: no PXELINUX configuration: 12 names tried, none found")},
		{"no program", "COM32 pxechn\n", failed("pxechn.c32 without a boot program")},
		{"a circle", "COM32 pxechn\nAPPEND pxelinux.0\n", Boot{Outcome: Error, Waits: true, Err: errors.New("the configuration goes round in circles: 64 commands, and none that boots")}},
	} {
		got := tree{
			"pxelinux.cfg/default": "DEFAULT m\nLABEL k64\nLABEL k32\nLABEL m\n" + test.module,
			"other.cfg":            "DEFAULT o\nLABEL o\nKERNEL ko\n", "sub/my.cfg": "DEFAULT s\nLABEL s\nKERNEL ks\n",
		}.boots(t)
		diff(t, test.rule+": why", errText(test.want.Err), errText(got.Err))
		test.want.Err, got.Err = nil, nil
		diff(t, test.rule, &test.want, got)
	}
}

// A module's kernel that is not there leads to the prompt, not to ONERROR.
func TestModuleNotFound(t *testing.T) {
	b := boots(t, "DEFAULT m\nONERROR x\nTIMEOUT 10\nONTIMEOUT y\nLABEL m\nCOM32 linux.c32\nAPPEND k\nLABEL x\nLABEL y\n")
	b, err := b.NotFound(t.Context())
	if err != nil || b.Label != "y" {
		t.Errorf("got %+v, %v", b, err)
	}
}

func TestModuleWarnings(t *testing.T) {
	for config, want := range map[string]string{
		"COM32 mboot\nAPPEND xen.gz --- k\n":      "label m: is Xen with a dom0 (xen.gz): its kernel k boots as the guest, without the hypervisor",
		"COM32 linux\nAPPEND -dhcpinfo k dtb=x\n": "label m: linux.c32 -dhcpinfo: the guest gets no /dhcpinfo.dat; label m: linux.c32 dtb=x: not given to the guest",
		"COM32 ifcpu\nAPPEND smp -- k\n":          "label m: ifcpu.c32 smp: taken as true, the number of processors is not known",
		"KERNEL memdisk\nINITRD x.img\n":          "label m: memdisk needs a BIOS, which a PV guest does not have",
	} {
		c, _ := tree{"pxelinux.cfg/default": "DEFAULT m\nLABEL m\n" + config}.find(t)
		b, err := c.Boot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		diff(t, config, want, strings.Join(b.Config.Warnings, "; "))
	}
}
