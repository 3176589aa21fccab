package pxelinux

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// Rule B9: what boots when no key is pressed.
func TestDecision(t *testing.T) {
	const labels = "LABEL a\nKERNEL ka\nLABEL b\nKERNEL kb\n"
	for _, test := range []struct {
		rule   string
		config string
		want   Boot
	}{
		{"H6 no DEFAULT is no label", labels,
			Boot{Outcome: Prompt, Waits: true, Err: errors.New("no DEFAULT and no UI in the configuration; its labels are a, b")}},
		{"B9.1 the last DEFAULT", "DEFAULT a\nDEFAULT b\n" + labels, Boot{Outcome: Linux, Label: "b", Kernel: serverURL + "kb", Args: "BOOT_IMAGE=kb "}},
		{"B9.1 UI beats DEFAULT wherever it stands", "UI a\nDEFAULT b\n" + labels, Boot{Outcome: Linux, Label: "a", Kernel: serverURL + "ka", Args: "BOOT_IMAGE=ka "}},
		{"B9.2 H8 ONTIMEOUT is not used without a prompt", "DEFAULT a\nONTIMEOUT b\nTIMEOUT 50\n" + labels,
			Boot{Outcome: Linux, Label: "a", Kernel: serverURL + "ka", Args: "BOOT_IMAGE=ka "}},
		{"B9.2 PROMPT and TIMEOUT: ONTIMEOUT", "PROMPT 1\nDEFAULT a\nONTIMEOUT b c\nTIMEOUT 50\n" + labels,
			Boot{Outcome: Linux, Label: "b", Timeout: 5 * time.Second, Kernel: serverURL + "kb", Args: "BOOT_IMAGE=kb c"}},
		{"B9.2 PROMPT and TIMEOUT: DEFAULT", "PROMPT 1\nDEFAULT a\nTIMEOUT 15\n" + labels,
			Boot{Outcome: Linux, Label: "a", Timeout: 1500 * time.Millisecond, Kernel: serverURL + "ka", Args: "BOOT_IMAGE=ka "}},
		{"B9.2 TOTALTIMEOUT", "PROMPT 1\nDEFAULT a\nTOTALTIMEOUT 30\n" + labels,
			Boot{Outcome: Linux, Label: "a", Timeout: 3 * time.Second, Kernel: serverURL + "ka", Args: "BOOT_IMAGE=ka "}},
		{"B9.2 PROMPT alone waits, for Enter to run DEFAULT", "PROMPT 1\nDEFAULT a\nONTIMEOUT b\n" + labels,
			Boot{Outcome: Linux, Label: "a", Waits: true, Kernel: serverURL + "ka", Args: "BOOT_IMAGE=ka "}},
		{"B9.2 NOESCAPE: no prompt", "PROMPT 1\nNOESCAPE 1\nDEFAULT a\n" + labels,
			Boot{Outcome: Linux, Label: "a", Kernel: serverURL + "ka", Args: "BOOT_IMAGE=ka "}},
		{"B9.2 UI: no prompt", "PROMPT 1\nUI a\n" + labels, Boot{Outcome: Linux, Label: "a", Kernel: serverURL + "ka", Args: "BOOT_IMAGE=ka "}},
		{"B9.3 words behind a label", "DEFAULT a  x  y\n" + labels, Boot{Outcome: Linux, Label: "a", Kernel: serverURL + "ka", Args: "BOOT_IMAGE=ka x  y"}},
		{"B9.3 ALLOWOPTIONS 0 is for files", "ALLOWOPTIONS 0\nDEFAULT k x y\n" + labels, Boot{Outcome: Linux, Kernel: serverURL + "k", Args: "BOOT_IMAGE=k "}},
		{"B9.3 not for labels", "ALLOWOPTIONS 0\nDEFAULT a x\n" + labels, Boot{Outcome: Linux, Label: "a", Kernel: serverURL + "ka", Args: "BOOT_IMAGE=ka x"}},
		{"B9.3 IMPLICIT 0", "IMPLICIT 0\nDEFAULT k\n" + labels,
			Boot{Outcome: Error, Waits: true, Err: errors.New("k is no label, and IMPLICIT 0 allows nothing else")}},
		{"B9.4 IMPLICIT 0 and ONERROR", "IMPLICIT 0\nDEFAULT k x\nONERROR b w\n" + labels,
			Boot{Outcome: Linux, Label: "b", Kernel: serverURL + "kb", Args: "BOOT_IMAGE=kb k x"}},
		{"B9.4 ONERROR with a file", "IMPLICIT 0\nDEFAULT k x\nONERROR f w\nSYSAPPEND 2\n",
			Boot{Outcome: Linux, Kernel: serverURL + "f", Args: "BOOT_IMAGE=f w k x BOOTIF=01-00-16-3e-72-79-e3"}},
		{"B4 LOCALBOOT", "DEFAULT l\nLABEL l\nLOCALBOOT 0x80\n", Boot{Outcome: LocalBoot, Label: "l"}},
		{"B4 .0", "DEFAULT l\nLABEL l\nKERNEL ipxe.0\nAPPEND x\n", Boot{Outcome: ChainBoot, Label: "l", Kernel: serverURL + "ipxe.0"}},
		{"B4 H13 .bin", "DEFAULT l\nLABEL l\nKERNEL linux-2.6.38.bin\n", Boot{Outcome: ChainBoot, Label: "l", Kernel: serverURL + "linux-2.6.38.bin"}},
		{"B4 .bs and .bss", "DEFAULT x.bss\n", Boot{Outcome: ChainBoot, Kernel: serverURL + "x.bss"}},
		{"a label without a kernel's name", "DEFAULT l\nLABEL l\nKERNEL\nAPPEND x\n",
			Boot{Outcome: Error, Label: "l", Waits: true, Err: errors.New("label l: kernel: no file named")}},
		{"a scheme that PXELINUX does not know", "DEFAULT l\nLABEL l\nKERNEL nfs://h/k\n", Boot{Outcome: Error, Label: "l", Waits: true,
			Err: errors.New("label l: kernel: nfs://h/k: PXELINUX knows tftp, http and ftp, not nfs")}},
		{"a menu's QUIT is no command", "DEFAULT l\nLABEL l\nMENU QUIT\n",
			Boot{Outcome: Error, Label: "l", Waits: true, Err: errors.New("label l: is an entry of a menu that boots nothing")}},
	} {
		c, _ := tree{"pxelinux.cfg/default": test.config}.find(t)
		got, err := c.Boot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		diff(t, test.rule+": why", errText(test.want.Err), errText(got.Err))
		test.want.Err, got.Err = nil, nil
		diff(t, test.rule, &test.want, got)
	}
}

// Rule B7: the length of a command.
func TestLongCommand(t *testing.T) {
	fits := "DEFAULT l\nLABEL l\nKERNEL k\nAPPEND " + strings.Repeat("x", 2045) + "\n"
	if b := boots(t, fits); b.Outcome != Linux || len(b.Args) != len("BOOT_IMAGE=k ")+2045 {
		t.Errorf("2047 bytes: got %s, %d bytes", b.Outcome, len(b.Args))
	}
	b := boots(t, strings.Replace(fits, "APPEND x", "APPEND xx", 1))
	diff(t, "2048 bytes", "label l: the command line has 2048 bytes; PXELINUX boots no more than 2047", errText(b.Err))
	// The type word is part of it.
	if b = boots(t, strings.Replace(fits, "KERNEL", "LINUX", 1)); b.Outcome != Error {
		t.Errorf("LINUX: got %s", b.Outcome)
	}
}

// Rule B9.3: what the server has decides what an implicit kernel is.
func TestExtensions(t *testing.T) {
	for _, test := range []struct {
		file     string
		outcome  Outcome
		kernel   string
		requests string
	}{
		{"k", Linux, "k", "!k.c32 !k.img !k.bss !k.bin !k.bs !k.0"},
		{"k.0", ChainBoot, "k.0", "!k.c32 !k.img !k.bss !k.bin !k.bs k.0"},
		{"k.img", Linux, "k.img", "!k.c32 k.img"},
		{"k.c32", COM32, "k.c32", "k.c32"},
	} {
		c, v := tree{"pxelinux.cfg/default": "DEFAULT k x\n", test.file: "something"}.find(t)
		b, err := c.Boot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		diff(t, test.file, []string{string(test.outcome), serverURL + test.kernel, test.requests},
			[]string{string(b.Outcome), b.Kernel, strings.Join(v.requests, " ")})
	}
	// An empty file is none.
	if b := (tree{"pxelinux.cfg/default": "DEFAULT k\n", "k.0": ""}).boots(t); b.Outcome != Linux {
		t.Errorf("got %s for an empty k.0", b.Outcome)
	}
}

// Rule B9.4 and what follows it: a kernel that is not there.
func TestNotFound(t *testing.T) {
	config := "DEFAULT a\nONERROR b\nTIMEOUT 10\nONTIMEOUT c\nLABEL a\nKERNEL ka\nINITRD i\nLABEL b\nKERNEL kb\nLABEL c\nKERNEL kc\n"
	b := boots(t, config)
	var args []string
	for b.Outcome == Linux && len(args) < 10 {
		args = append(args, b.Args)
		again, err := b.NotFound(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if b, err = b.NotFound(t.Context()); err != nil {
			t.Fatal(err)
		}
		diff(t, "NotFound twice", again.Args, b.Args)
	}
	// ONERROR of c fails as that of a did.
	diff(t, "chain", []string{"BOOT_IMAGE=ka initrd=i", "BOOT_IMAGE=kb a", "BOOT_IMAGE=kc ", "BOOT_IMAGE=kb a"}, args)
	diff(t, "end", "label b: "+serverURL+"kb: not found", errText(b.Err))
	if !errors.Is(b.Err, ErrNotFound) {
		t.Error("the end does not wrap ErrNotFound")
	}
	last, err := b.NotFound(t.Context())
	if err != nil || last != b {
		t.Errorf("NotFound of the end: got %v, %v", last, err)
	}
}

func TestBootLabel(t *testing.T) {
	files := tree{
		"pxelinux.cfg/default": "UI menu.c32 menu.cfg\nLABEL a\nKERNEL ka\nLABEL gone\nMENU DISABLE\n",
		"menu.cfg":             "LABEL one two\nKERNEL k1\nLABEL m\nKERNEL km\nAPPEND x\nLABEL cfg\nMENU DEFAULT\nCONFIG sub/s.cfg sub/\n",
		"sub/s.cfg":            "LABEL s\nKERNEL ks\nDEFAULT s\n",
	}
	for _, test := range []struct{ label, name, kernel, args string }{
		{"a", "a", "ka", "BOOT_IMAGE=ka "},
		{"a  single  x", "a", "ka", "BOOT_IMAGE=ka single  x"},
		{"m", "m", "km", "BOOT_IMAGE=km x"},
		{"m y", "m", "km", "BOOT_IMAGE=km x y"},
		{"one two", "one two", "k1", "BOOT_IMAGE=k1 "},
		{"s", "s", "sub/ks", "BOOT_IMAGE=ks "},
		{"dir/file x", "", "dir/file", "BOOT_IMAGE=dir/file x"},
		{"gone", "", "gone", "BOOT_IMAGE=gone "},
	} {
		c, _ := files.find(t)
		for range 2 { // the same twice
			b, err := c.BootLabel(t.Context(), test.label)
			if err != nil {
				t.Fatal(err)
			}
			diff(t, test.label, &Boot{Outcome: Linux, Label: test.name, Kernel: serverURL + test.kernel, Args: test.args}, b)
		}
	}
	c, _ := files.find(t)
	b, err := c.Boot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, l := range b.Config.Labels {
		names = append(names, l.Name)
	}
	diff(t, "labels of all files", []string{"a", "one two", "m", "cfg", "s"}, names)
}

// What Boot and NotFound come to is in the Boot, and changes neither the Config
// nor what another call returns.
func TestConfigDoesNotChange(t *testing.T) {
	files := tree{
		"pxelinux.cfg/default": "UI menu.c32 menu.cfg\nINCLUDE nowhere\nLABEL a\nKERNEL ka\n",
		"menu.cfg":             "TIMEOUT 1\nMENU ONERROR x\nLABEL m\nMENU DEFAULT\nKERNEL km\nLABEL x\nCOM32 pxechn.c32\nAPPEND pxelinux.0 -c other\n",
		"other":                "DEFAULT o\nLABEL o\nKERNEL memdisk\n",
	}
	show := func(c *Config) string {
		return fmt.Sprint(c.URL, len(c.Tried), c.Labels, c.Warnings)
	}
	c, _ := files.find(t)
	before := show(c)
	run := func(label string) (text string) {
		b, err := c.Boot(t.Context())
		if label != "" {
			b, err = c.BootLabel(t.Context(), label)
		}
		for err == nil {
			text += fmt.Sprint(b.Label, b.Err, show(b.Config), "\n")
			last := b
			if b, err = b.NotFound(t.Context()); b == last {
				return text
			}
		}
		t.Fatal(err)
		return ""
	}
	want := map[string]string{}
	for _, label := range []string{"", "a", "m", "x", "no"} {
		want[label] = run(label)
	}
	if !strings.Contains(want[""], "memdisk needs a BIOS") || strings.Contains(want["a"], "memdisk") {
		t.Errorf("Boot tells %q, and BootLabel %q", want[""], want["a"])
	}
	for _, label := range []string{"no", "x", "m", "a", "", "a", "no"} {
		diff(t, "again: "+label, want[label], run(label))
	}
	diff(t, "Config", before, show(c))
}

// CONFIG: rules A4 and B4.
func TestConfig(t *testing.T) {
	for _, test := range []struct{ rule, line, kernel string }{
		{"relative to the prefix", "CONFIG sub/s.cfg", "p/k"},
		{"a relative directory is put behind", "CONFIG sub/s.cfg sub/", "p/sub/k"},
		{"an absolute one replaces", "CONFIG ::p/sub/s.cfg ::q/", "q/k"},
		{"not there", "CONFIG nowhere", ""},
	} {
		h := testHost()
		h.BootFile = "p/pxelinux.0"
		v := &visit{tree: tree{"p/pxelinux.cfg/default": "DEFAULT c\nLABEL c\n" + test.line + "\n", "p/sub/s.cfg": "DEFAULT l\nLABEL l\nKERNEL k\n"}}
		c, err := Find(t.Context(), h, v.open)
		if err != nil {
			t.Fatal(err)
		}
		b, err := c.Boot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		diff(t, test.rule, test.kernel, strings.TrimPrefix(b.Kernel, serverURL))
		if test.kernel == "" {
			diff(t, test.rule, "label c: CONFIG tftp://192.168.1.2/p/nowhere: not found", errText(b.Err))
		}
	}
	// A circle comes to an end.
	b := boots(t, "DEFAULT c\nLABEL c\nCONFIG pxelinux.cfg/default\n")
	if b.Outcome != Error || !strings.Contains(errText(b.Err), "round in circles") {
		t.Errorf("got %+v", b)
	}
}

func TestSysappend(t *testing.T) {
	h := testHost()
	h.DMI = map[string]string{"CPU": "6XL", "SYSSERIAL": " a\t b ", "MBASSET": "  ", "BIOSVENDOR": "caf\xc3\xa9 noir", "SYSFF": "1"}
	diff(t, "all bits", []string{
		"ip=192.168.1.199:192.168.1.2:192.168.1.2:255.255.255.0", "BOOTIF=01-00-16-3e-72-79-e3",
		"SYSUUID=4f1c4d56-1b0a-3d4c-8e5f-a0b1c2d3e4f5", "CPU=6XL", "SYSSERIAL=a_b", "BIOSVENDOR=caf_noir", "SYSFF=1",
	}, sysappendStrings(h, 0xffffffff))
	diff(t, "SysAppend is all", sysappendStrings(h, 0xffffffff), h.SysAppend())
	h.Router, h.Server = Host{}.Router, Host{}.Server
	diff(t, "H16 no router, no server", []string{"ip=192.168.1.199:0.0.0.0:0.0.0.0:255.255.255.0"}, sysappendStrings(h, 1))
	diff(t, "nothing known", []string(nil), sysappendStrings(Host{}, 0xffffffff))
}
