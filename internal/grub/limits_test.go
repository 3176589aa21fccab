package grub

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// What does not end, ends.
func TestLimits(t *testing.T) {
	many := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	for _, c := range []struct{ name, script string }{
		{"while", "while true; do x=1; done"},
		{"while without a command", "while $x; do $x; done"},
		{"until", "until false; do true; done"},
		{"for", "x='" + strings.Repeat("a ", 300) + "'\nfor i in $x; do for j in $x; do for k in $x; do y=1; done; done; done"},
		{"recursion", "function f { f; }\nf"},
		{"two functions", "function f { g; }\nfunction g { f; }\nf"},
		{"source", "source /boot/grub/grub.cfg"},
		{"configfile", "configfile /boot/grub/grub.cfg"},
		{"eval", "e='eval \"$e\"'\neval \"$e\""},
		{"a string that doubles", "x=0123456789\nwhile true; do x=\"$x$x\"; done"},
		{"many long strings", "x='" + strings.Repeat("a", 30000) + "'\ni=\nwhile true; do i=\"x$i\"; set \"v$i=$x\"; done"},
		{"parameters", "function f { f \"$@\" \"$@\"; }\nf a b c d e f g h"},
		{"entries", many(maxEntries+1, "menuentry e%d { true; }\n")},
		{"submenus", "submenu a { configfile /boot/grub/grub.cfg; }\nset timeout=0"},
		{"contexts", many(2000, "export v%d\n") + "while true; do configfile /empty.cfg; done"},
		{"files", "i=\nwhile true; do i=\"x$i\"; if [ -s /f$i ]; then true; fi; done"},
		{"expressions", "while true; do regexp '(a*)*(b*)*c' " + strings.Repeat("a", 60000) + "; done"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := run(t, map[string]string{"boot/grub/grub.cfg": c.script + "\n", "empty.cfg": "\n"})
			if !errors.Is(err, ErrTooLarge) {
				t.Errorf("the error is %v", err)
			}
		})
	}
}

// What is nested too deep is a statement that GRUB would not understand.
func TestDeep(t *testing.T) {
	script := strings.Repeat("if true; then ", maxOpen+1) + "x=1" + strings.Repeat("; fi", maxOpen+1)
	r, err := run(t, map[string]string{"boot/grub/grub.cfg": script + "\nlinux /vmlinuz x=$x\nboot\n"})
	if err != nil || r.Boot.Args != "BOOT_IMAGE=/vmlinuz x=" {
		t.Errorf("boot %+v, error %v", r.Boot, err)
	}
}

func FuzzConfig(f *testing.F) {
	for _, text := range []string{
		"set timeout=0\nmenuentry \"a b\" --id x {\n\tlinux /vmlinuz a=\"$1\" ${net_default_mac}\n\tinitrd /a newc:b:/c\n}\n",
		"if [ \"$x\" = y -o ! -s /boot/grub/grub.cfg ]; then a=1; elif true; then a=2; else a=3; fi\nboot",
		"for i in 1 2 3; do if [ $i = 2 ]; then continue; fi; break; done; while false; do true; done\nuntil true\ndo x\ndone",
		"function f {\n shift; return $#\n}\nf a 'b\nc' \"d\\\ne\" \\\n f; ! f",
		"submenu s { menuentry t { multiboot /xen.gz; module /vmlinuz 'x'; } }\nset default=s>t fallback='1 2'",
		"regexp --set 1:a '(.)' bc; load_env -f /boot/grub/grub.cfg x; smbios --type 1 --get-uuid 8 --set u; eval \"x=$y\"",
		"source (http,[fe80::1]:80)/a%?b; configfile ()/x; normal /y; chainloader (hd0)+1; a&b|c<d>e;;$'x'{}}",
		"e='eval \"$e\"'\neval \"$e\"", "# GRUB Environment Block\na=b\\\nc", "menuentry x --source 'linux /vmlinuz' # x\n\"\n#\n'",
	} {
		f.Add(text, "", "")
	}
	f.Fuzz(func(t *testing.T, text, entry, missing string) {
		g := New(host, core, serve(map[string]string{"boot/grub/grub.cfg": text, "vmlinuz": "x"}))
		r, err := g.Run(t.Context(), Choice{Entry: entry, Missing: []string{missing}})
		if (err == nil) != (r.Boot != nil) {
			t.Fatalf("boot %+v, error %v", r.Boot, err)
		}
		if err == nil && r.Boot.Outcome != LocalBoot && r.Boot.Kernel == "" {
			t.Fatalf("it boots nothing: %+v", r.Boot)
		}
		Lint("grub.cfg", []byte(text))
	})
}
