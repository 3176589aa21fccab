package grub

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLint(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       []string
	}{
		{"good", "set timeout=5\nmenuentry a {\n\tlinux /vmlinuz\n\tinitrd /i\n}\nmenuentry b { exit; }\n", nil},
		{"syntax", "set timeout=1\nmenuentry a {\n\tlinux /vmlinuz url=http://h/a?b&c\n\tinitrd /i\n}\n", []string{
			`3: error: syntax-error: syntax error near "&", which belongs in quotes; what begins at line 2 is lost, and what follows runs by itself`,
			`5: error: syntax-error: syntax error near "}"`, "4: error: initrd-first: no kernel is loaded before it"}},
		{"open", "x=1\nif true; then\ny=2\n", []string{"2: error: syntax-error: what begins here does not end: GRUB runs nothing from here to the end of the file"}},
		{"long", "if true; then\n" + strings.Repeat("x=1\n", maxStatement/4) + "fi\n", []string{
			"262142: error: syntax-error: syntax error in what begins at line 1: it has more than 1048576 bytes; what begins at line 1 is lost, and what follows runs by itself",
			`262146: error: syntax-error: syntax error near "fi"`}},
		{"commands", "foo\nkernel /x\ntimeout 5\nfunction f { foo; }\nf\n$x y\n", []string{
			"4: warning: unknown-command: GRUB has no command foo, and takes it for done",
			"1: warning: unknown-command: GRUB has no command foo, and takes it for done",
			"2: error: foreign-language: kernel is a command of GRUB Legacy: GRUB 2 has linux",
			"3: error: foreign-language: timeout is a command of GRUB Legacy: GRUB 2 has set timeout="}},
		{"files", "set timeout=1\nif [ -f /x -o -s /y ]; then a=1; fi\nmenuentry a {\n linuxefi http://h/k\n initrdefi $root/i\n}\n", []string{
			"2: note: file-test: -f is false on a network, whatever the server has: -s asks it",
			"4: note: efi-command: linuxefi is not in every GRUB: linux is",
			"4: error: url-as-path: http://h/k: GRUB writes (http,SERVER)/PATH",
			"5: note: efi-command: initrdefi is not in every GRUB: initrd is",
			"5: error: root-as-path: $root/i: GRUB writes ($root)/i"}},
		{"kernels", "set timeout=1\nmenuentry a {\n linux /a\n initrd /i\n initrd /j\n linux /b\n if x=1; then linux /c; fi\n}\n", []string{
			"5: warning: second-initrd: it takes the place of the one of line 4: one command loads several files",
			"6: warning: second-kernel: a second kernel takes the place of the one of line 3"}},
		{"a function before", "set timeout=1\nfunction load_video { insmod all_video; }\nmenuentry a {\n load_video\n linux /a\n initrd /i\n}\n", nil},
		{"entries", "timeout=1 x=2\nmenuentry {\n exit\n}\nmenuentry a\nmenuentry b --id x { echo; }\nsubmenu x { exit; }\n", []string{
			"1: warning: one-assignment: only timeout is set: x=2 is ignored",
			"2: error: no-title: it has no title, and is no entry",
			"5: error: no-title: it has no { } with commands on its line, and is no entry",
			`6: note: boots-no-kernel: "b" loads nothing to boot`,
			`7: warning: duplicate-entry: "x" is at line 6, too: the first counts`}},
		{"no boot", "linux /a\n", []string{"1: error: no-entry: a kernel is loaded, but there is neither boot nor a menu entry: GRUB ends at its prompt"}},
		{"a byte order mark", "\ufeffset timeout=5\nx=1\n", []string{
			"1: warning: byte-order-mark: the file begins with a byte order mark, which GRUB takes for a part of the first word: save it without one",
			`1: warning: unknown-command: GRUB has no command "\ufeffset", and takes it for done`}},
		{"no timeout", "menuentry a { exit; }\n", []string{"1: note: no-timeout: no timeout: GRUB waits for a key"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, f := range Lint("grub.cfg", []byte(c.text)) {
				got = append(got, fmt.Sprintf("%d: %s: %s: %s", f.Line, f.Severity, f.Code, f.Text))
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
