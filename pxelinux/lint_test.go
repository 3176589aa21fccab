package pxelinux

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

func TestLint(t *testing.T) {
	long := strings.Repeat("x", 1100)
	for _, test := range []struct {
		about, config string
		want          []string
	}{
		{"nothing wrong", `# a comment
DEFAULT menu.c32
TIMEOUT 50
ONTIMEOUT a
SERIAL 0 115200
F1 help.txt
MENU TITLE x
MENU COLOUR sel *
LABEL a
  MENU LABEL ^A
  MENU DEFAULT
  KERNEL a/vmlinuz
  APPEND initrd=i quiet
  TEXT HELP
  Anything at all
  ENDTEXT
`, nil},
		{"names as on Windows", "DEFAULT a\nLABEL a\nKERNEL boot\\vmlinuz a=\\b\nINITRD boot\\i,j\nLABEL b\nLINUX k\nAPPEND initrd=x\\i quiet path=\\b\n", []string{
			"f:3: boot\\vmlinuz: a \\ is no / but for dnsmasq and servers on Windows, to others it is a part of the file's name",
			"f:4: boot\\i,j: a \\ is no / but for dnsmasq and servers on Windows, to others it is a part of the file's name",
			"f:7: x\\i: a \\ is no / but for dnsmasq and servers on Windows, to others it is a part of the file's name",
		}},
		{"unknown directives", "DEFAULT a\nLABEL a\nKERNAL k\nLINUX k\nINITRD=i\nPROMPT0\nNOTHING\nMENU LABLE x\nMENU\nFDTDIR x\nMENU WIDTH=1\n", []string{
			`f:3: "KERNAL" is no directive: the line is ignored; KERNEL is one`,
			"f:5: INITRD=i: a space belongs between a directive and its value, not =; the line is ignored",
			`f:6: "PROMPT0" is no directive: the line is ignored; PROMPT is one`,
			`f:7: "NOTHING" is no directive: the line is ignored`,
			`f:8: "MENU LABLE" is no directive: the line is ignored; LABEL is one`,
			"f:9: MENU alone means nothing",
			"f:10: FDTDIR is a directive of U-Boot: PXELINUX ignores it",
			"f:11: MENU WIDTH=1: a space belongs between a directive and its value, not =; the line is ignored",
		}},
		{"a byte order mark", "\ufeffDEFAULT a\nLABEL a\nKERNEL k\n", []string{
			"f:1: the file begins with a byte order mark, which PXELINUX takes for a part of the first word: save it without one",
			`f:1: "\ufeffDEFAULT" is no directive: the line is ignored`,
			"f:1: no DEFAULT and no UI: PXELINUX waits at the boot: prompt, and boots no label by itself",
		}},
		{"UTF-16", "\xff\xfe#\x00\n\x00", []string{"f:1: the file is UTF-16, which PXELINUX does not read: save it as ASCII or UTF-8"}},
		{"UTF-16 without a mark", "\x00#\x00\n", []string{"f:1: the file is UTF-16, which PXELINUX does not read: save it as ASCII or UTF-8"}},
		{"names with spaces", "DEFAULT a\nLABEL a\nKERNEL my files/k\nAPPEND quiet initrd= i\nLABEL b\nKERNEL k root=/dev/xvda quiet\n", []string{
			`f:3: a name has no spaces: only "my" is asked for, and "files/k" goes to the command line`,
			"f:4: initrd= names no file: no space belongs behind the =",
		}},
		{"labels", "DEFAULT a\nLABEL a\nKERNEL k\nLABEL a b\nKERNEL l\nLABEL\nKERNEL m\nLABEL n\nLABEL o\nKERNEL o\n", []string{
			`f:4: the label's name is "a" only; menu.c32 takes the whole line, and can't find it as DEFAULT`,
			`f:4: label "a" is never booted: there is one in f:2`,
			"f:6: LABEL without a name",
			`f:8: label "n" names no kernel: a file of the label's name is booted`,
		}},
		{"kernels", "DEFAULT a\nKERNEL k\nLABEL a\nKERNEL k.bin\nLABEL b\nKERNEL k.img\nLABEL c\nKERNEL k.0\nLABEL d\nLINUX k.0\nKERNEL x.c32\nLABEL e\nCOMBOOT x\nLABEL f\nLOCALBOOT x\nLABEL g\nLOCALBOOT -1\nLABEL h\nKERNEL\n", []string{
			"f:2: KERNEL outside a label is ignored",
			"f:4: k.bin is not booted as Linux, by the end of its name: LINUX k.bin would be",
			"f:6: k.img ends in .img: PXELINUX takes it for a kernel, which a disk image or an initrd is not",
			"f:8: k.0 is not booted as Linux, by the end of its name: LINUX k.0 would be",
			"f:11: KERNEL or another type stands in line 10 of this label, too: only the last one counts",
			"f:13: COMBOOT boots nothing in PXELINUX 5 and 6",
			"f:15: LOCALBOOT wants a number: 0, -1 or 0x80",
			"f:19: KERNEL without a file",
		}},
		{"initrds", "DEFAULT a\nINITRD x\nLABEL a\nKERNEL k\nINITRD i j\nLABEL b\nKERNEL k\nAPPEND initrd=i\nINITRD j\nLABEL c\nKERNEL k\nAPPEND x\nAPPEND y\n", []string{
			"f:2: INITRD outside a label is ignored",
			`f:5: INITRD takes names with commas and no spaces: "j" goes to the command line, only "i" is loaded`,
			`f:6: label "b" has initrd= more than once: only the first one is loaded`,
			"f:13: APPEND stands in line 12 of this label, too: only the last one counts",
		}},
		{"no DEFAULT", "LABEL a\nKERNEL k\n", []string{"f:1: no DEFAULT and no UI: PXELINUX waits at the boot: prompt, and boots no label by itself"}},
		{"DEFAULT in another case", "DEFAULT Linux\nLABEL linux\nKERNEL k\n", []string{"f:1: DEFAULT Linux is no label: upper and lower case matter, there is linux"}},
		{"DEFAULT, almost a label", "DEFAULT linx\nLABEL linux\nKERNEL k\n", []string{"f:1: DEFAULT linx is no label, but a file; there is a label linux"}},
		{"DEFAULT disabled", "DEFAULT a\nLABEL a\nMENU DISABLE\nKERNEL k\n", []string{"f:1: DEFAULT a: the label is disabled, and can't be booted"}},
		{"DEFAULT of a menu", "UI menu.c32\nDEFAULT a\nLABEL b\nKERNEL k\n", []string{"f:2: DEFAULT a names no label of the menu"}},
		{"DEFAULT of a menu, before UI", "DEFAULT a\nUI menu.c32\nLABEL b\nKERNEL k\n", []string{"f:1: DEFAULT a names no label of the menu"}},
		{"IMPLICIT 0", "IMPLICIT 0\nDEFAULT a\nLABEL b\nKERNEL k\n", []string{"f:2: DEFAULT a is no label, and IMPLICIT 0 allows nothing else"}},
		{"TIMEOUT", "DEFAULT a\nTIMEOUT 50\nLABEL a\nKERNEL k\n", []string{"f:2: TIMEOUT and ONTIMEOUT have no effect: without PROMPT 1 or a menu DEFAULT boots at once"}},
		{"TIMEOUT of a menu by a label", "DEFAULT m\nTIMEOUT 50\nLABEL m\nCOM32 vesamenu\n", nil},
		{"ONTIMEOUT", "UI menu.c32\nONTIMEOUT a\nLABEL a\nKERNEL k\n", []string{"f:2: ONTIMEOUT without a TIMEOUT has no effect"}},
		{"TIMEOUT is a number", "DEFAULT a\nPROMPT 1\nTIMEOUT x\nLABEL a\nKERNEL k\n", []string{"f:3: TIMEOUT wants a number: tenths of a second"}},
		{"NOESCAPE", "NOESCAPE 1\nDEFAULT a\nLABEL a\nKERNEL k\nLABEL b\nKERNEL k\n", []string{`f:5: label "b" can't be reached: NOESCAPE allows DEFAULT only`}},
		{"long command lines", "DEFAULT a\nLABEL a\nKERNEL k\nAPPEND " + long + "\nLABEL b\nKERNEL k\nAPPEND " + long + long + "\n", []string{
			`f:2: label "a" has a command line of 1113 bytes: Xen gives a PV guest no more than 1023`,
			`f:5: label "b" has a command line of 2202 bytes: PXELINUX boots no more than 2047`,
		}},
		{"long lines", "DEFAULT a\nLABEL a\nKERNEL k\n#" + strings.Repeat("x ", 2100) + "\n", []string{
			"f:4: the line has 4202 bytes: PXELINUX parses what follows the first 4095 as a line of its own",
			`f:4: "X" is no directive: the line is ignored`,
		}},
		{"menus", "UI menu.c32\nMENU BEGIN a\nLABEL a\nMENU GOTO b\nLABEL c\nKERNEL k\n", []string{
			"f:2: MENU BEGIN without MENU END", `f:3: there is no menu with the tag "b"`,
		}},
		{"TEXT", "DEFAULT a\nLABEL a\nKERNEL k\nTEXT HELP\nx\n", []string{"f:4: TEXT without ENDTEXT swallows the rest of the file"}},
		{"includes", "DEFAULT a\nINCLUDE part\nINCLUDE missing\nMENU INCLUDE missing tag\nINCLUDE loop\nINCLUDE\nLABEL a\nKERNEL k\n", []string{
			"f:3: INCLUDE missing: not found; PXELINUX goes on without it",
			"f:4: MENU INCLUDE missing: not found; PXELINUX goes on without it",
			"f:6: INCLUDE without a file",
			"part:3: label \"x\" is never booted: there is one in part:1",
			"loop:1: loop includes itself: PXELINUX would hang",
		}},
	} {
		var got []string
		v := visit{tree: tree{"part": "LABEL x\nKERNEL k\nLABEL x\nKERNEL k\n", "loop": "INCLUDE loop\n"}}
		findings, err := Lint(t.Context(), testHost(), "f", []byte(test.config), v.open)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range findings {
			got = append(got, f.String())
		}
		diff(t, test.about, test.want, got)
	}
}

// What is not given is left out, and hides nothing else.
func TestLintWithoutIncludes(t *testing.T) {
	diff(t, "findings", []Finding(nil), lint(t, "DEFAULT a\nINCLUDE x\nLABEL a\nKERNEL k\n"))
}

// lint is what Lint finds in one file.
func lint(t *testing.T, config string) []Finding {
	t.Helper()
	findings, err := Lint(t.Context(), Host{}, "f", []byte(config), nil)
	if err != nil {
		t.Fatal(err)
	}
	return findings
}

// What programs decide on, and what to write instead.
func TestFindingTypes(t *testing.T) {
	for _, test := range []struct {
		config string
		want   Finding
	}{
		{"DEFAULT a\nKERNAL a k\nLABEL a\nKERNEL k\n", Finding{Line: 2, Code: UnknownDirective, Severity: SeverityWarning, Fix: "KERNEL a k"}},
		{"PROMPT0\n", Finding{Line: 1, Code: UnknownDirective, Severity: SeverityWarning, Fix: "PROMPT 0"}},
		{"MENU LABLE ^Xen\n", Finding{Line: 1, Code: UnknownDirective, Severity: SeverityWarning, Fix: "MENU LABEL ^Xen"}},
		{"Whatever\n", Finding{Line: 1, Code: UnknownDirective, Severity: SeverityWarning}},
		{"# Notes\n\nA guest\nhas no\nfirmware, so\nit can not\nbe started\nby PXE.\n", Finding{Line: 1, Code: NoConfiguration, Severity: SeverityWarning}},
		{"Timeout=50\n", Finding{Line: 1, Code: EqualsSign, Severity: SeverityWarning, Fix: "TIMEOUT 50"}},
		{"DEFAULT=Linux  quiet\n", Finding{Line: 1, Code: EqualsSign, Severity: SeverityWarning, Fix: "DEFAULT Linux quiet"}},
		{"FDT x\n", Finding{Line: 1, Code: ForeignDirective, Severity: SeverityNote}},
		{"DEFAULT a\nLABEL a\nKERNEL k\nINITRD i, j k\n", Finding{Line: 4, Code: InitrdWords, Severity: SeverityWarning, Fix: "INITRD i,j,k"}},
		{"DEFAULT a\nLABEL a\nKERNEL k.bin x\n", Finding{Line: 3, Code: NotLinux, Severity: SeverityWarning, Fix: "LINUX k.bin x"}},
		{"DEFAULT Linux x=1\nLABEL linux\nKERNEL k\n", Finding{Line: 1, Code: DefaultNoLabel, Severity: SeverityError, Fix: "DEFAULT linux x=1"}},
		{"DEFAULT linx\nLABEL linux\nKERNEL k\n", Finding{Line: 1, Code: DefaultNoLabel, Severity: SeverityError, Fix: "DEFAULT linux"}},
		{"LABEL linux\nKERNEL k\n", Finding{Line: 1, Code: NoDefault, Severity: SeverityWarning, Fix: "DEFAULT linux"}},
		{"DEFAULT a\nTIMEOUT 50\nLABEL a\nKERNEL k\n", Finding{Line: 2, Code: TimeoutUnused, Severity: SeverityNote}},
		{"DEFAULT a\nLABEL a\nKERNEL k\nTEXT HELP\n", Finding{Line: 4, Code: TextOpen, Severity: SeverityWarning, Fix: "ENDTEXT"}},
	} {
		got := lint(t, test.config)
		for i := range got {
			got[i].Text = ""
		}
		test.want.File = "f"
		diff(t, test.config, []Finding{test.want}, got)
	}
}

// A server that does not answer is an error, and hides no finding before it.
func TestLintSilence(t *testing.T) {
	open := func(context.Context, string) (io.ReadCloser, error) { return nil, errSilent }
	findings, err := Lint(t.Context(), Host{}, "f", []byte("WHAT\nINCLUDE x\nDEFAULT nothing\n"), open)
	if !errors.Is(err, errSilent) || len(findings) != 1 || findings[0].Code != UnknownDirective {
		t.Errorf("got %v, %v", findings, err)
	}
}

func TestLintIsBounded(t *testing.T) {
	if got := len(lint(t, strings.Repeat("WHAT IS THIS\n", 20000))); got != 1000 {
		t.Errorf("got %d problems, want 1000", got)
	}
	large := func(context.Context, string) (io.ReadCloser, error) { return io.NopCloser(zeros{}), nil }
	findings, err := Lint(t.Context(), Host{}, "f", []byte("INCLUDE x\n"), large)
	if err != nil {
		t.Fatal(err)
	}
	diff(t, "findings", []Finding{{"f", 1, "configuration too large", TooLarge, SeverityError, ""}}, findings)
}

func ExampleLint() {
	config := `DEFAULT Linux
LABEL linux
  KERNEL=vmlinuz
  INITRD a.img b.img
`
	findings, err := Lint(context.Background(), Host{}, "default", []byte(config), nil)
	if err != nil {
		fmt.Println(err)
	}
	for _, f := range findings {
		fmt.Println(f)
		if f.Fix != "" {
			fmt.Println("  write:", f.Fix)
		}
	}
	// Output:
	// default:1: DEFAULT Linux is no label: upper and lower case matter, there is linux
	//   write: DEFAULT linux
	// default:2: label "linux" names no kernel: a file of the label's name is booted
	// default:3: KERNEL=vmlinuz: a space belongs between a directive and its value, not =; the line is ignored
	//   write: KERNEL vmlinuz
	// default:4: INITRD takes names with commas and no spaces: "b.img" goes to the command line, only "a.img" is loaded
	//   write: INITRD a.img,b.img
}

// Who can be given any command line gets no word about its length.
func TestLintMaxArgs(t *testing.T) {
	config := "DEFAULT a\nLABEL a\nKERNEL k\nAPPEND " + strings.Repeat("x", 1024) + "\n"
	for limit, want := range map[int]int{0: 0, 1023: 1, 1 << 20: 0} {
		findings, err := Lint(t.Context(), Host{MaxArgs: limit}, "f", []byte(config), nil)
		if err != nil || len(findings) != want {
			t.Errorf("limit %d: %v (%v), want %d", limit, findings, err, want)
		}
	}
}

// What a boot spends on findings for its plan: a file of 1 MiB with 5,000
// labels, as Cobbler writes them.
func BenchmarkLint(b *testing.B) {
	var config strings.Builder
	config.WriteString("DEFAULT label7\n")
	for i := 0; config.Len() < 1<<20; i++ {
		fmt.Fprintf(&config, "LABEL label%d\n\tMENU LABEL System %[1]d\n\tKERNEL /images/distribution-%[1]d/vmlinuz\n\tAPPEND initrd=/images/distribution-%[1]d/initrd.img ksdevice=bootif lang= text ks=http://10.0.0.1/cblr/svc/op/ks/profile/%[1]d\n\tIPAPPEND 2\n", i)
	}
	text := []byte(config.String())
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := Lint(b.Context(), Host{MaxArgs: 1023}, "f", text, nil); err != nil {
			b.Fatal(err)
		}
	}
}
