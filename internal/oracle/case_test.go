package oracle

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseCase(t *testing.T) {
	c, err := ParseCase([]byte(`A3: what is shown.
It takes two lines.
mac: 00:16:3E:00:00:01
ip: 10.0.0.9
bootfile: boot/pxelinux.0
option: 210=/tree/
name: files.lab=10.0.0.3
moved: /a http://10.0.0.2/b
escaped: boot/x.cfg
empty: boot/linux-gone
keys: two\r
serial: The lab -- \x1b[B\r
settle: 500ms
differs: args: a=1 b=2 -- because -- really
-- boot/x.cfg --
default "x"\r\n
label x
-- boot/linux-gone --
-- boot/linux --
-- boot/initrd.img --
-- xen.gz --
text
`))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]any{
		"about": c.About, "mac": c.MAC.String(), "server": c.Server().String(), "other": c.Other().String(), "modules": c.Modules,
		"options": c.Options, "names": c.Names, "moved": c.Moved, "keys": c.Keys, "serial": c.Serial, "settle": c.Settle, "differences": c.Differences,
		"files": c.Files,
	}
	want := map[string]any{
		"about": "A3: what is shown.\nIt takes two lines.", "mac": "00:16:3e:00:00:01", "server": "10.0.0.2", "other": "10.0.0.3",
		"modules": []string{"boot/"}, "options": []string{"210,/tree/"}, "names": map[string]string{"files.lab": "10.0.0.3"},
		"moved": map[string]string{"/a": "http://10.0.0.2/b"}, "keys": "two\r", "serial": []Typed{{"The lab", "\x1b[B\r"}}, "settle": 500 * time.Millisecond,
		"differences": []Difference{{"args", "a=1 b=2", "because -- really"}},
		"files": map[string][]byte{
			"boot/x.cfg": []byte("default \"x\"\r\nlabel x"), "boot/linux-gone": {}, "boot/linux": nil, "boot/initrd.img": {},
			"xen.gz": []byte("text\n"),
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestParseCaseErrors(t *testing.T) {
	for _, comment := range []string{
		"mac: x", "ip: x", "ip: ::1", "option: 210", "name: x", "moved: x", "keys: \\q", "serial: x", "serial: x -- \\q", "settle: x", "timeout: 1", "differs: args",
		"differs: args: x", "unknown: x", "x\n-- ../up --", "x\n-- /absolute --", "escaped: f\n-- f --\n\\q",
	} {
		if _, err := ParseCase([]byte(comment + "\n")); err == nil {
			t.Errorf("%q: no error", comment)
		}
	}
}

func TestStubFor(t *testing.T) {
	for name, want := range map[string]string{
		"vmlinuz": "kernel", "boot/centos-8-VMLINUZ": "kernel", "linux26": "kernel", "a/bzImage-6": "kernel", "x.krn": "kernel",
		"x.0": "kernel", "x.bin": "kernel", "x.bss": "kernel", "vmlinuz.img": "kernel", "other/pxelinux.0": "pxelinux.0",
		"lpxelinux.0": "lpxelinux.0", "xen-4.17.gz": "multiboot", "x.mb": "multiboot",
		"linux.c32": "", "linux.cfg": "", "initrd.img": "", "linux.img": "", "default": "",
	} {
		if got := stubFor(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestKeyNames(t *testing.T) {
	// What cases type: labels, files and arguments.
	for _, c := range strings.Join([]string{"abcxyz", "AZ", "0123456789", " -=.,/;_+:", "\r\t\x1b"}, "") {
		if keyNames(c) == nil {
			t.Errorf("no key for %q", c)
		}
	}
	if diff := cmp.Diff([]string{"shift", "semicolon"}, keyNames(':')); diff != "" {
		t.Error(diff)
	}
	if keyNames('ß') != nil {
		t.Error("a key that is not there")
	}
}
