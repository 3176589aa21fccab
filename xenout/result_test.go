package xenout_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/gopxeboot/gopxeboot/internal/xenread"
	"github.com/gopxeboot/gopxeboot/xenout"
)

const cSpace = " \t\n\v\f\r" // isspace in the C locale

var formats = slices.Sorted(maps.Keys(xenread.Readers))

// The reference case: the tree of the XEN PXE boot howto.
var howto = xenout.Result{
	Kernel:  "/var/run/xen/pygrub/kernel-1",
	Ramdisk: "/var/run/xen/pygrub/ramdisk-1",
	Args:    "BOOT_IMAGE=el5u4_x86_xen_install/vmlinuz initrd=el5u4_x86_xen_install/initrd.img",
}

const vm = "3c2a1b00-5d6e-4f70-8192-a3b4c5d6e7f8"

func TestWrite(t *testing.T) {
	nasty := xenout.Result{Kernel: "/d/it's #1", Args: `a"b\c<&>'d'` + "\t"}
	for _, test := range []struct {
		format xenout.Format
		result xenout.Result
		want   string
	}{
		{xenout.SXP, howto, "linux (kernel '/var/run/xen/pygrub/kernel-1')(ramdisk '/var/run/xen/pygrub/ramdisk-1')" +
			"(args 'BOOT_IMAGE=el5u4_x86_xen_install/vmlinuz initrd=el5u4_x86_xen_install/initrd.img')"},
		{xenout.SXP, nasty, `linux (kernel '/d/it\'s #1')(args 'a"b\\c<&>\'d\'\011')`},
		{xenout.Simple, howto, "kernel /var/run/xen/pygrub/kernel-1\nramdisk /var/run/xen/pygrub/ramdisk-1\n" +
			"args BOOT_IMAGE=el5u4_x86_xen_install/vmlinuz initrd=el5u4_x86_xen_install/initrd.img\n"},
		{xenout.Simple, nasty, "kernel /d/it's #1\nargs a\"b\\c<&>'d'\t\n"},
		{xenout.Simple0, howto, "kernel /var/run/xen/pygrub/kernel-1\x00ramdisk /var/run/xen/pygrub/ramdisk-1\x00" +
			"args BOOT_IMAGE=el5u4_x86_xen_install/vmlinuz initrd=el5u4_x86_xen_install/initrd.img\x00"},
		{xenout.Simple0, xenout.Result{Kernel: "/k"}, "kernel /k\x00"},
		{xenout.XL, howto, "kernel = \"/var/run/xen/pygrub/kernel-1\"\nramdisk = \"/var/run/xen/pygrub/ramdisk-1\"\n" +
			"cmdline = \"BOOT_IMAGE=el5u4_x86_xen_install/vmlinuz initrd=el5u4_x86_xen_install/initrd.img\"\n"},
		{xenout.XL, nasty, "kernel = \"/d/it's #1\"\ncmdline = \"a\\\"b\\\\c<&>'d'\t\"\n"},
		{xenout.Libvirt, howto, "<os>\n  <kernel>/var/run/xen/pygrub/kernel-1</kernel>\n  <initrd>/var/run/xen/pygrub/ramdisk-1</initrd>\n" +
			"  <cmdline>BOOT_IMAGE=el5u4_x86_xen_install/vmlinuz initrd=el5u4_x86_xen_install/initrd.img</cmdline>\n</os>\n"},
		{xenout.Libvirt, nasty, "<os>\n  <kernel>/d/it&#39;s #1</kernel>\n  <cmdline>a&#34;b\\c&lt;&amp;&gt;&#39;d&#39;&#x9;</cmdline>\n</os>\n"},
		{xenout.JSON, howto, `{"kernel":"/var/run/xen/pygrub/kernel-1","ramdisk":"/var/run/xen/pygrub/ramdisk-1",` +
			`"args":"BOOT_IMAGE=el5u4_x86_xen_install/vmlinuz initrd=el5u4_x86_xen_install/initrd.img"}` + "\n"},
		{xenout.JSON, nasty, `{"kernel":"/d/it's #1","ramdisk":"","args":"a\"b\\c<&>'d'\t"}` + "\n"},
		{xenout.Shell, howto, "KERNEL='/var/run/xen/pygrub/kernel-1'\nRAMDISK='/var/run/xen/pygrub/ramdisk-1'\n" +
			"ARGS='BOOT_IMAGE=el5u4_x86_xen_install/vmlinuz initrd=el5u4_x86_xen_install/initrd.img'\n"},
		{xenout.Shell, nasty, `KERNEL='/d/it'\''s #1'` + "\nRAMDISK=''\n" + `ARGS='a"b\c<&>'\''d'\''` + "\t'\n"},
		{xenout.XE, xenout.Result{Kernel: "/k", Ramdisk: "/r", Args: "it's", VM: vm}, "xe vm-param-set uuid=" + vm +
			` PV-kernel='/k' PV-ramdisk='/r' PV-args='it'\''s' PV-bootloader=''` + "\n"},
		{xenout.XE, xenout.Result{Kernel: "/k", VM: vm}, "xe vm-param-set uuid=" + vm + ` PV-kernel='/k' PV-ramdisk='' PV-args='' PV-bootloader=''` + "\n"},
	} {
		var b oneWrite
		if err := xenout.Write(&b, test.format, test.result); err != nil {
			t.Errorf("%s: %v", test.format, err)
		}
		if diff := cmp.Diff(test.want, b.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.format, diff)
		}
		if b.calls != 1 {
			t.Errorf("%s: %d writes", test.format, b.calls)
		}
	}
}

// oneWrite counts how often it is written to.
type oneWrite struct {
	bytes.Buffer
	calls int
}

func (w *oneWrite) Write(p []byte) (int, error) {
	w.calls++
	return w.Buffer.Write(p)
}

func TestWriteRefuses(t *testing.T) {
	type r = xenout.Result
	long := strings.Repeat("x", 8187)
	for _, test := range []struct {
		name, field string
		result      xenout.Result
		formats     []xenout.Format
	}{
		{"no kernel", "kernel", r{Ramdisk: "/r", Args: "a"}, formats},
		{"relative kernel", "kernel", r{Kernel: "k"}, formats},
		{"kernel with ..", "kernel", r{Kernel: "/var/run/xen/pygrub/../../../etc/shadow"}, formats},
		{"kernel with //", "kernel", r{Kernel: "//k"}, formats},
		{"kernel directory", "kernel", r{Kernel: "/k/"}, formats},
		{"kernel with a line", "kernel", r{Kernel: "/k\nkernel /etc/shadow"}, formats},
		{"kernel with an item", "kernel", r{Kernel: "/k\x00kernel /etc/shadow"}, formats},
		{"relative ramdisk", "ramdisk", r{Kernel: "/k", Ramdisk: "./r"}, formats},
		{"ramdisk with CR", "ramdisk", r{Kernel: "/k", Ramdisk: "/r\r"}, formats},
		{"args with NUL", "args", r{Kernel: "/k", Args: "a\x00ramdisk /etc/shadow"}, formats},
		{"args with LF", "args", r{Kernel: "/k", Args: "a\nramdisk /etc/shadow"}, formats},
		{"args with CR", "args", r{Kernel: "/k", Args: "a\rb"}, formats},
		{"args too long", "args", r{Kernel: "/k", Args: long}, []xenout.Format{xenout.Simple0}},
		{"kernel too long", "kernel", r{Kernel: "/" + long}, []xenout.Format{xenout.Simple0}},
		{"args with a blank in front", "args", r{Kernel: "/k", Args: " a"}, []xenout.Format{xenout.Simple0}},
		{"args blank", "args", r{Kernel: "/k", Args: "\t"}, []xenout.Format{xenout.Simple0}},
		{"args not UTF-8", "args", r{Kernel: "/k", Args: "\xe9"}, []xenout.Format{xenout.Libvirt, xenout.JSON}},
		{"args with a control character", "args", r{Kernel: "/k", Args: "\x1b[2J"}, []xenout.Format{xenout.Libvirt}},
		{"args with a noncharacter", "args", r{Kernel: "/k", Args: "\uffff"}, []xenout.Format{xenout.Libvirt}},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, format := range formats {
				var b bytes.Buffer
				err := xenout.Write(&b, format, test.result)
				if !slices.Contains(test.formats, format) {
					if err != nil {
						t.Errorf("%s: %v", format, err)
					}
					continue
				}
				var refused *xenout.ValueError
				if !errors.As(err, &refused) {
					t.Fatalf("%s: got %v, want a *ValueError", format, err)
				}
				if refused.Field != test.field || refused.Format != format || strings.ContainsAny(err.Error(), "\x00\r\n") {
					t.Errorf("%s: %q is not one line about %s", format, err, test.field)
				}
				if b.Len() != 0 {
					t.Errorf("%s: wrote %q", format, b.String())
				}
			}
		})
	}
}

// libxl's limit to the byte.
func TestSimple0LongestArgs(t *testing.T) {
	want := xenout.Result{Kernel: "/k", Args: strings.Repeat("x", 8186)}
	readBack(t, xenout.Simple0, want)
}

func TestWriteUnknownFormat(t *testing.T) {
	var b bytes.Buffer
	if err := xenout.Write(&b, "yaml", howto); err == nil || b.Len() != 0 {
		t.Errorf("got %v and %q", err, b.String())
	}
}

func TestWriteError(t *testing.T) {
	broken := errors.New("broken pipe")
	if err := xenout.Write(failing{broken}, xenout.SXP, howto); !errors.Is(err, broken) {
		t.Errorf("got %v, want %v", err, broken)
	}
}

type failing struct{ err error }

func (w failing) Write([]byte) (int, error) { return 0, w.err }

func TestParseFormat(t *testing.T) {
	for _, want := range formats {
		if got, err := xenout.ParseFormat(string(want)); got != want || err != nil {
			t.Errorf("%s: got %s, %v", want, got, err)
		}
	}
	for _, name := range []string{"", "SXP", "simple1"} {
		if got, err := xenout.ParseFormat(name); err == nil {
			t.Errorf("%q: got %s", name, got)
		}
	}
}

// vectors are values that at least one reader could take for something else.
var vectors = []string{
	"", `it's "q"`, `back\slash`, `a(b)c`, `#x`, `[y];{z}`, "two  spaces", "é", "a\tb", "\x01\x04\x1b\x7f", "\xff\x80",
	`\`, `\\`, `'`, `''`, `"`, `\'`, `\"`, `\x41\101\n`, "trailing ", "$(reboot)`reboot`$HOME", "';reboot;'", "%s%n",
	`')(kernel '/etc/shadow`, `)(ip 1)`, "kernel /etc/shadow", "args", "<cmdline>&amp;]]>", "\u2028", "\uFFFD", "{}", "null",
	"=", "-n", "~", "!!", "a\nb", "a\rb", "a\x00b", " leading", "\vleading", strings.Repeat("x", 8186), strings.Repeat("x", 8187),
}

// refuses says what a format must not carry in a value.
func refuses(format xenout.Format, text string) bool {
	switch {
	case strings.ContainsAny(text, "\x00\r\n"):
		return true
	case format == xenout.Simple0:
		return len(text) > 8186 || strings.TrimLeft(text, cSpace) != text
	case format == xenout.JSON:
		return !utf8.ValidString(text)
	case format == xenout.Libvirt:
		return !utf8.ValidString(text) || strings.ContainsFunc(text, func(c rune) bool {
			return c < ' ' && c != '\t' || c == 0xfffe || c == 0xffff
		})
	}
	return false
}

// readBack writes a result and reads it the way the toolstack does.
func readBack(t *testing.T, format xenout.Format, want xenout.Result) {
	t.Helper()
	var b oneWrite
	err := xenout.Write(&b, format, want)
	if refuses(format, want.Args) {
		var refused *xenout.ValueError
		if !errors.As(err, &refused) || b.Len() != 0 {
			t.Fatalf("%s of %q: wrote %q, error %v; want nothing and a *ValueError", format, want, b.String(), err)
		}
		return
	}
	if err != nil {
		t.Fatalf("%s of %q: %v", format, want, err)
	}
	if b.calls != 1 {
		t.Fatalf("%s of %q: %d writes", format, want, b.calls)
	}
	got, err := xenread.Readers[format](b.String())
	if err != nil {
		t.Fatalf("%s of %q: the reader of %q says: %v", format, want, b.String(), err)
	}
	if got != want {
		t.Fatalf("%s of %q: %q is read as %q", format, want, b.String(), got)
	}
}

func TestReadBack(t *testing.T) {
	for _, format := range formats {
		t.Run(string(format), func(t *testing.T) {
			for _, args := range vectors {
				readBack(t, format, xenout.Result{Kernel: howto.Kernel, Args: args})
				readBack(t, format, xenout.Result{Kernel: howto.Kernel, Ramdisk: howto.Ramdisk, Args: args})
			}
			random := rand.New(rand.NewPCG(1, 2))
			for range 5000 {
				readBack(t, format, xenout.Result{Kernel: howto.Kernel, Ramdisk: howto.Ramdisk, Args: randomValue(random)})
			}
		})
	}
}

// randomValue makes strings of all bytes, of those that mean something to
// one of the readers, and of the vectors.
func randomValue(random *rand.Rand) string {
	var b strings.Builder
	const special = "'\"\\()#[];{}<>&$` \t=!~-xn01"
	for range random.IntN(12) {
		switch random.IntN(8) {
		case 0:
			b.WriteByte(byte(random.IntN(256)))
		case 1:
			b.WriteRune(rune(random.IntN(0x3000)))
		case 2:
			b.WriteString(vectors[random.IntN(len(vectors)-7)])
		default:
			b.WriteByte(special[random.IntN(len(special))])
		}
	}
	return b.String()
}

// A shell that evals the answer has the values and has run nothing.
func TestShellIsSafe(t *testing.T) {
	const script = `for answer; do eval "$answer"; printf '%s\0%s\0%s\0' "$KERNEL" "$RAMDISK" "$ARGS"; done`
	for _, shell := range []string{"/bin/sh", "bash"} {
		t.Run(shell, func(t *testing.T) {
			program, err := exec.LookPath(shell)
			if err != nil {
				t.Fatal(err)
			}
			random := rand.New(rand.NewPCG(3, 4))
			values := slices.Clone(vectors)
			for range 500 {
				values = append(values, randomValue(random))
			}
			command := exec.Command(program, "-c", script, "sh")
			command.Env = []string{"LC_ALL=C", "KERNEL=old", "RAMDISK=old", "ARGS=old"}
			var want []string
			for i, args := range values {
				result := xenout.Result{Kernel: fmt.Sprintf("/d/it's #%d", i), Args: args}
				var b bytes.Buffer
				if xenout.Write(&b, xenout.Shell, result) == nil {
					command.Args = append(command.Args, b.String())
					want = append(want, result.Kernel, result.Ramdisk, result.Args)
				}
			}
			if len(want) < 3*400 {
				t.Fatalf("only %d of %d values written", len(want)/3, len(values))
			}
			out, err := command.CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			got := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func fuzzFormat(f *testing.F, format xenout.Format) {
	for _, vector := range vectors {
		f.Add(vector)
	}
	f.Fuzz(func(t *testing.T, args string) {
		readBack(t, format, xenout.Result{Kernel: howto.Kernel, Args: args})
		// The same bytes as a file name: refused, or read back as they are.
		odd := xenout.Result{Kernel: "/var/run/xen/pygrub/" + args, Ramdisk: "/var/run/xend/boot/" + args}
		var b bytes.Buffer
		if xenout.Write(&b, format, odd) != nil {
			if b.Len() != 0 {
				t.Fatalf("%s of %q: wrote %q with an error", format, odd, b.String())
			}
			return
		}
		got, err := xenread.Readers[format](b.String())
		if strings.Contains(args, "/") && format == xenout.Simple {
			err = nil // XAPI has its files right in its directory, and others anywhere
		}
		if err != nil || got != odd {
			t.Fatalf("%s of %q: %q is read as %q, %v", format, odd, b.String(), got, err)
		}
	})
}

func FuzzSXP(f *testing.F)     { fuzzFormat(f, xenout.SXP) }
func FuzzSimple(f *testing.F)  { fuzzFormat(f, xenout.Simple) }
func FuzzSimple0(f *testing.F) { fuzzFormat(f, xenout.Simple0) }
func FuzzXL(f *testing.F)      { fuzzFormat(f, xenout.XL) }
func FuzzLibvirt(f *testing.F) { fuzzFormat(f, xenout.Libvirt) }
func FuzzJSON(f *testing.F)    { fuzzFormat(f, xenout.JSON) }

// A shell gives xe each parameter as one word, whatever it holds.
func TestXE(t *testing.T) {
	words := func(r xenout.Result) string {
		words := "vm-param-set\x00uuid=" + r.VM + "\x00"
		for _, f := range r.XAPIFields() {
			words += f.Name + "=" + f.Value + "\x00"
		}
		return words
	}
	for _, args := range []string{"", "a=1 b=2", `it's "q" \ $(reboot) ` + "`reboot` ; & | < > * ~ # é", "'", "-x", "a=b=c"} {
		r := xenout.Result{Kernel: "/var/lib/xcp/guest/kernel '1'", Ramdisk: "/r", Args: args, VM: vm}
		var answer bytes.Buffer
		if err := xenout.Write(&answer, xenout.XE, r); err != nil {
			t.Fatal(err)
		}
		got, err := exec.CommandContext(t.Context(), "sh", "-c", `xe() { printf '%s\0' "$@"; }; `+answer.String()).CombinedOutput()
		if diff := cmp.Diff(words(r), string(got)); err != nil || diff != "" {
			t.Errorf("%q: %v (-want +got):\n%s", args, err, diff)
		}
	}
	for _, args := range []string{"a\tb", "a\x1b[2Jb", "a\x7f", "\u009b2J", "\x00"} { // a terminal acts on them
		r := xenout.Result{Kernel: "/k", Args: args, VM: vm}
		for _, r := range []xenout.Result{r, {Kernel: "/k" + args, VM: vm}, {Kernel: "/k", Ramdisk: "/r" + args, VM: vm}} {
			err := xenout.Write(io.Discard, xenout.XE, r)
			if refused, ok := errors.AsType[*xenout.ValueError](err); !ok || strings.ContainsFunc(refused.Error(), unicode.IsControl) {
				t.Errorf("%+q: %v", r, err)
			}
		}
	}
	for _, r := range []xenout.Result{{Kernel: "/k"}, {Kernel: "/k", VM: "$(reboot)"}, {Kernel: "/k", VM: vm, Args: "\xe9"}, {Kernel: "k", VM: vm}, {Kernel: "/k", VM: vm, Args: "a\nb"}} {
		var answer bytes.Buffer
		err := xenout.Write(&answer, xenout.XE, r)
		if _, ok := errors.AsType[*xenout.ValueError](err); !ok || answer.Len() > 0 {
			t.Errorf("%+v: %v, and %q", r, err, answer.String())
		}
	}
}

func FuzzShell(f *testing.F) { fuzzFormat(f, xenout.Shell) }
