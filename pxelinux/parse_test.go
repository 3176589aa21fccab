package pxelinux

import (
	"strings"
	"testing"
)

// Rules B1 to B7 and B11 by what the core's parser makes of them: the command
// line of the kernel that boots.
func TestCoreParser(t *testing.T) {
	long := strings.Repeat("x", 4095)
	for _, test := range []struct {
		rule   string
		config string
		args   string // "" for no kernel
	}{
		{"B1 leading white space, tabs", "\t DEFAULT\ta\n\v LABEL a\n\t\tKERNEL\tk\n", "BOOT_IMAGE=k "},
		{"B1 CR LF", "DEFAULT a\r\nLABEL a\r\nKERNEL k\r\nAPPEND x\r\n", "BOOT_IMAGE=k x"},
		{"B1 a line ends at its first CR", "DEFAULT a\nLABEL a\nKERNEL k\nAPPEND x\ry\n", "BOOT_IMAGE=k x"},
		{"B1 and at its first NUL", "DEFAULT a\nLABEL a\nKERNEL k\nAPPEND x\x00y\n", "BOOT_IMAGE=k x"},
		{"B1 DEL and control characters end words", "DEFAULT a\nLABEL a\x7fb\x01c\nKERNEL k\x1f\n", "BOOT_IMAGE=k "},
		{"B1 but are not skipped before a value", "DEFAULT\x01a x\nLABEL a\n", ""},
		{"B1 no newline at the end", "DEFAULT a\nLABEL a\nKERNEL k\nAPPEND x", "BOOT_IMAGE=k x"},
		{"B1 spaces inside and behind a value stay", "DEFAULT a\nLABEL a\nKERNEL k\nAPPEND x  y \nINITRD i\n", "BOOT_IMAGE=k x  y  initrd=i"},
		{"B1 no continuation, no quotes, no comments", "DEFAULT a\nLABEL a\nKERNEL k\nAPPEND \"x y\" # z \\\nAPPENDIX q\n", `BOOT_IMAGE=k "x y" # z \`},
		{"B1 the rest of a long line is a line", "DEFAULT a\nLABEL a\n" + long + "KERNEL k\nAPPEND x\n", "BOOT_IMAGE=k x"},
		{"B2 keywords in any case", "dEfAuLt a\nlabel a\nkernel k\n", "BOOT_IMAGE=k "},
		{"B2 no = and no digits behind a keyword", "DEFAULT a\nDEFAULT=b\nLABEL a\nKERNEL k\nKERNEL=l\nINITRD=i\nprompt1\n", "BOOT_IMAGE=k "},
		{"B2 H3 label names have a case", "DEFAULT A\nLABEL a\nKERNEL k\nLABEL A\nKERNEL K\n", "BOOT_IMAGE=K "},
		{"B3 H20 the name is the first word", "DEFAULT a\nLABEL a b\nKERNEL k\n", "BOOT_IMAGE=k "},
		{"B3 the label is the kernel", "DEFAULT a x\nLABEL a b\nAPPEND y\n", "BOOT_IMAGE=a y x"},
		{"B3 global directives do not end a label", "DEFAULT a\nLABEL a\nTIMEOUT 0\nSAY x\nKERNEL k\nDEFAULT a\nAPPEND x\n", "BOOT_IMAGE=k x"},
		{"B3 the first of two labels", "DEFAULT a\nLABEL a\nKERNEL k\nLABEL a\nKERNEL l\n", "BOOT_IMAGE=k "},
		{"B3 APPEND behind a separator is global", "DEFAULT b\nLABEL a\nMENU SEPARATOR\nAPPEND x\nLABEL b\nKERNEL k\n", "BOOT_IMAGE=k x"},
		{"B3 APPEND behind MENU END is global", "DEFAULT b\nMENU BEGIN\nLABEL a\nMENU END\nAPPEND x\nLABEL b\nKERNEL k\n", "BOOT_IMAGE=k x"},
		{"B4 the last type counts", "DEFAULT a\nLABEL a\nLOCALBOOT 0\nKERNEL k\n", "BOOT_IMAGE=k "},
		{"B4 a type outside a label is ignored", "KERNEL k\nDEFAULT a\nLABEL a\nLINUX l\n", "BOOT_IMAGE=l "},
		{"B4 words behind the kernel", "DEFAULT a\nLABEL a\nKERNEL k a=1\nAPPEND b=2\n", "BOOT_IMAGE=k a=1 b=2"},
		{"B4 H13 LINUX forces Linux", "DEFAULT a\nLABEL a\nLINUX k.bin\nAPPEND x\n", "BOOT_IMAGE=k.bin x"},
		{"B4 .img goes to the Linux loader", "DEFAULT a\nLABEL a\nKERNEL k.img\n", "BOOT_IMAGE=k.img "},
		{"B4 suffixes have a case", "DEFAULT a\nLABEL a\nKERNEL k.BIN\n", "BOOT_IMAGE=k.BIN "},
		{"B4 COMBOOT is a kernel called .comboot", "DEFAULT a\nLABEL a\nCOMBOOT k\n", "BOOT_IMAGE=.comboot k"},
		{"B4 the type can stand in the command", "DEFAULT .linux k.0 x\n", "BOOT_IMAGE=k.0 x"},
		{"B5 H4 a label's APPEND replaces the global one", "APPEND g\nDEFAULT a\nLABEL a\nKERNEL k\nAPPEND l\n", "BOOT_IMAGE=k l"},
		{"B5 the last APPEND", "DEFAULT a\nLABEL a\nKERNEL k\nAPPEND 1\nAPPEND 2\n", "BOOT_IMAGE=k 2"},
		{"B5 APPEND - and empty are nothing", "APPEND g\nDEFAULT a\nLABEL a\nKERNEL k\nAPPEND -\n", "BOOT_IMAGE=k "},
		{"B5 empty", "APPEND g\nDEFAULT a\nLABEL a\nKERNEL k\nAPPEND\n", "BOOT_IMAGE=k "},
		{"B5 the global one at the end of the label", "DEFAULT a\nAPPEND g\nLABEL a\nKERNEL k\nLABEL b\n", "BOOT_IMAGE=k g"},
		{"B5 not for implicit kernels", "APPEND g\nDEFAULT k x\n", "BOOT_IMAGE=k x"},
		{"B6 H5 words keep their order and number", "DEFAULT a\nLABEL a\nKERNEL k\nAPPEND console=1 a=b=c flag console=2\n", "BOOT_IMAGE=k console=1 a=b=c flag console=2"},
		{"B6 INITRD behind APPEND", "DEFAULT a\nLABEL a\nKERNEL k\nINITRD i,j\nAPPEND x\n", "BOOT_IMAGE=k x initrd=i,j"},
		{"B6 INITRD outside a label is ignored", "INITRD i\nDEFAULT a\nLABEL a\nKERNEL k\n", "BOOT_IMAGE=k "},
		{"B7 H14 the order of all", "DEFAULT a u v\nLABEL a\nKERNEL k w\nINITRD i\nIPAPPEND 2\nAPPEND x\n",
			"BOOT_IMAGE=k w x initrd=i BOOTIF=01-00-16-3e-72-79-e3 u v"},
		{"B8 H15 BOOTIF twice stays", "DEFAULT a\nLABEL a\nKERNEL k\nIPAPPEND 2\nAPPEND BOOTIF=x\n", "BOOT_IMAGE=k BOOTIF=x BOOTIF=01-00-16-3e-72-79-e3"},
		{"B8 a label's SYSAPPEND replaces the global one", "SYSAPPEND 3\nDEFAULT a\nLABEL a\nKERNEL k\nSYSAPPEND 0x10\n", "BOOT_IMAGE=k SYSVENDOR=QEMU"},
		{"B8 the global one at the label's beginning", "DEFAULT a\nLABEL a\nKERNEL k\nLABEL b\nMENU SEPARATOR\nSYSAPPEND 2\n", "BOOT_IMAGE=k "},
		{"B8 octal", "DEFAULT a\nLABEL a\nKERNEL k\nSYSAPPEND 020\n", "BOOT_IMAGE=k SYSVENDOR=QEMU"},
		{"B11 an included file may go on with a label", "DEFAULT a\nLABEL a\nINCLUDE inc behind\nAPPEND x\n", "BOOT_IMAGE=incl x"},
		{"B11 and its label goes on behind it", "DEFAULT b\nINCLUDE inc2\nAPPEND x\n", "BOOT_IMAGE=b x"},
		{"B11 H18 a missing file is ignored", "DEFAULT a\nLABEL a\nKERNEL k\nINCLUDE nowhere\nAPPEND x\n", "BOOT_IMAGE=k x"},
		{"B11 MENU INCLUDE with a tag ends the label", "DEFAULT b\nLABEL a\nMENU INCLUDE inc2 tag\nAPPEND x\nLABEL b\n", "BOOT_IMAGE=b "},
		{"B11 but not without its file", "DEFAULT a\nLABEL a\nMENU INCLUDE nowhere tag\nAPPEND x\n", "BOOT_IMAGE=a x"},
		{"B10 H17 TEXT HELP swallows directives", "DEFAULT a\nLABEL a\nKERNEL k\nTEXT HELP\nKERNEL l\n  EndText more\nAPPEND x\n", "BOOT_IMAGE=k x"},
		{"B10 TEXT without its end", "DEFAULT a\nLABEL a\nKERNEL k\nTEXT x\nKERNEL l\n", "BOOT_IMAGE=k "},
		{"B10 a hidden label can be called", "DEFAULT a\nLABEL a\nMENU HIDE\nKERNEL k\n", "BOOT_IMAGE=k "},
		{"B10 a disabled one can't: it is a file", "DEFAULT a\nLABEL a\nMENU DISABLE\nKERNEL k\n", "BOOT_IMAGE=a "},
		{"B13 what others know is ignored", "DEFAULT a\nLABEL a\nKERNEL k\nFDT x\nFDTDIR y\n", "BOOT_IMAGE=k "},
	} {
		files := tree{"pxelinux.cfg/default": test.config, "inc": "KERNEL incl\n", "inc2": "LABEL b\n"}
		c, _ := files.find(t)
		b, err := c.Boot(t.Context())
		if err != nil || b.Args != test.args || (b.Outcome == Error) != (test.args == "") {
			t.Errorf("%s: got %+v, %v; want %q", test.rule, b, err, test.args)
		}
	}
}

// H2 and H1: INITRD with commas, relative to the prefix.
func TestInitrds(t *testing.T) {
	for _, test := range []struct{ rule, label, initrds, warning string }{
		{"H2 commas", "INITRD a,/b,::c\n", "a /b c", ""},
		{"APPEND", "APPEND quiet initrd=a,b x\n", "a b", ""},
		{"none", "APPEND quiet\n", "", ""},
		{"B6 the first one", "APPEND initrd=a\nINITRD b\n", "a", "initrd= stands more than once"},
		{"at a word's start only", "APPEND noinitrd=1 initrd=a\n", "a", `PXELINUX would load the initrd of "noinitrd=1"`},
		{"also when there is no other", "APPEND noinitrd=1\n", "", `PXELINUX would load the initrd of "noinitrd=1"`},
		{"the list ends at a space only", "APPEND initrd=a\tb,c d\n", "a c", ""},
		{"URLs", "INITRD http://h/i,tftp://g/j\n", "http://h/i tftp://g/j", ""},
	} {
		c, _ := tree{"pxelinux.cfg/default": "DEFAULT l\nLABEL l\nKERNEL k\n" + test.label}.find(t)
		b, err := c.Boot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, url := range b.Initrds {
			got = append(got, strings.TrimPrefix(url, serverURL))
		}
		diff(t, test.rule, test.initrds, strings.Join(got, " "))
		if warnings := strings.Join(b.Config.Warnings, "; "); !strings.Contains(warnings, test.warning) || test.warning == "" && warnings != "" {
			t.Errorf("%s: warnings are %q, want %q", test.rule, warnings, test.warning)
		}
	}
}

// PXELINUX asks for files without a name, and fails.
func TestEmptyNames(t *testing.T) {
	c, v := tree{"pxelinux.cfg/default": "DEFAULT l\nLABEL l\nKERNEL k\nINITRD a,,b\n", "k": "k", "a": "a"}.find(t)
	b, err := c.Boot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	diff(t, "initrds", []string{serverURL + "a", serverURL, serverURL + "b"}, b.Initrds)
	diff(t, "warnings", []string{"label l: an initrd has an empty name: PXELINUX asks for it, and boots nothing"}, b.Config.Warnings)
	b = v.fetch(t, b)
	diff(t, "requests", "k a !", strings.Join(v.requests, " "))
	diff(t, "outcome", "label l: "+serverURL+"k or an initrd: not found", errText(b.Err))

	c, v = tree{"pxelinux.cfg/default": "DEFAULT l\nLABEL l\nKERNEL\nAPPEND x\n"}.find(t)
	if b, err = c.Boot(t.Context()); err != nil {
		t.Fatal(err)
	}
	diff(t, "no kernel", "label l: kernel: no file named", errText(b.Err))
	diff(t, "requests", "!", strings.Join(v.requests, " "))
}

// The labels as they are written.
func TestLabels(t *testing.T) {
	c, _ := tree{"pxelinux.cfg/default": `APPEND global
LABEL linux ignored
  MENU LABEL ^Install it
  KERNEL vmlinuz
  INITRD a,b
LABEL hidden
  MENU HIDE
  LINUX vmlinuz x
  APPEND initrd=c quiet
LABEL gone
  MENU DISABLE
MENU SEPARATOR
LABEL back
  MENU QUIT
LABEL linux
  KERNEL twice
LABEL local
  LOCALBOOT 0
LABEL mb
  COM32 mboot
  APPEND xen.gz --- vmlinuz
LABEL tool
  KERNEL hdt.c32
LABEL other
  CONFIG other.cfg
LABEL nbp
  PXE ipxe.0
LABEL bin
  KERNEL sector.bin
`}.find(t)
	diff(t, "labels", []Label{
		{Name: "linux", Display: "Install it", Type: Linux, Kernel: "vmlinuz", Initrds: []string{"a", "b"}, Append: "global"},
		{Name: "hidden", Type: Linux, Kernel: "vmlinuz x", Initrds: []string{"c"}, Append: "initrd=c quiet"},
		{Name: "local", Type: LocalBoot, Kernel: "0", Append: "global"},
		{Name: "mb", Type: Multiboot, Kernel: "mboot", Append: "xen.gz --- vmlinuz"},
		{Name: "tool", Type: COM32, Kernel: "hdt.c32", Append: "global"},
		{Name: "other", Type: SubConfig, Kernel: "other.cfg", Append: "global"},
		{Name: "nbp", Type: ChainBoot, Kernel: "ipxe.0", Append: "global"},
		{Name: "bin", Type: ChainBoot, Kernel: "sector.bin", Append: "global"},
	}, c.Labels)
}

func TestNumbers(t *testing.T) {
	for s, want := range map[string]int64{"": 0, "12": 12, " 12x": 12, "-3": -3, "+4": 4, "x": 0, "99999999999999999999": 1<<31 - 1} {
		if got := atoi(s); got != want {
			t.Errorf("atoi(%q) = %d, want %d", s, got, want)
		}
	}
	for s, want := range map[string]uint32{"": 0, "3": 3, "0x1F": 31, "010": 8, "0x": 0, "09": 0, "-1": 0xffffffff, "9999999999999": 0xffffffff} {
		if got := strtoul(s); got != want {
			t.Errorf("strtoul(%q) = %d, want %d", s, got, want)
		}
	}
}
