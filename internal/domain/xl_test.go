package domain

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCreateArguments(t *testing.T) {
	tests := []struct {
		argv     string // words separated by blanks
		file     string // "" when xl creates nothing from it
		settings []string
	}{
		{argv: "xl create a.cfg", file: "a.cfg"},
		{argv: "xl -vvv -t -N create -c a.cfg", file: "a.cfg"},
		{argv: "xl cr a.cfg", file: "a.cfg"},
		{argv: "xl create -f a.cfg", file: "a.cfg"},
		{argv: "xl create -fa.cfg", file: "a.cfg"},
		{argv: "xl create -cf a.cfg -p", file: "a.cfg"},
		{argv: "xl create -cqfa.cfg", file: "a.cfg"},
		{argv: "xl create --defconfig=a.cfg", file: "a.cfg"},
		{argv: "xl create --defconfig a.cfg --vncviewer", file: "a.cfg"},
		{argv: "xl create --def=a.cfg", file: "a.cfg"},
		{argv: "xl create --dryrun -n -F -e a.cfg", file: "a.cfg"},
		{argv: "xl create first.cfg -f last.cfg", file: "last.cfg"},
		{argv: "xl create name='b' a.cfg memory=1", file: "a.cfg", settings: []string{"name='b'", "memory=1"}},
		{argv: "xl create a.cfg -p name='b'", file: "a.cfg", settings: []string{"name='b'"}},
		{argv: "xl create -p -- -a.cfg name='b'", file: "-a.cfg", settings: []string{"name='b'"}},
		{argv: "xl create /dev/null name='b'", file: "/dev/null", settings: []string{"name='b'"}},
		{argv: "xl create name='b'", file: "/dev/null", settings: []string{"name='b'"}},
		{argv: "xl create -f"},
		{argv: "xl create /dev/null"},
		{argv: "xl create"},
		{argv: "xl -v"},
		{argv: "xl"},
		{argv: ""},
		{argv: "xl c a.cfg"}, // ambiguous
		{argv: "xl createx a.cfg"},
		{argv: "xl restore a.cfg a.save"},
		{argv: "xl migrate-receive"},
		{argv: "xl reboot guest1"},
	}
	for _, test := range tests {
		t.Run(test.argv, func(t *testing.T) {
			file, settings, ok := createArguments(strings.Fields(test.argv))
			if ok != (test.file != "") {
				t.Fatalf("got file %q, settings %q, %v", file, settings, ok)
			}
			if ok && file != test.file {
				t.Errorf("file is %q, want %q", file, test.file)
			}
			if diff := cmp.Diff(test.settings, settings); ok && diff != "" {
				t.Errorf("settings, -want +got:\n%s", diff)
			}
		})
	}
}

func TestConfigurationsAreBounded(t *testing.T) {
	dom0 := dom0With("sh")
	for i := range maxConfigurations + 10 {
		dom0.file(fmt.Sprintf("/etc/xen/%05d.cfg", i), "")
	}
	if n := len(dom0.host().configurations()); n != maxConfigurations {
		t.Errorf("%d files, want %d", n, maxConfigurations)
	}
}

func TestConfigurations(t *testing.T) {
	dom0 := dom0With("sh")
	for _, name := range []string{
		"a.cfg", "b.conf", "web.example.org", "xl.conf", ".a.cfg.swp", "#a.cfg#", "a.cfg~",
		"a.cfg.dpkg-old", "a.cfg.rpmsave", "scripts/vif-bridge", "auto/a.cfg", "auto/xl.conf",
	} {
		dom0.file("/etc/xen/"+name, "")
	}
	want := []string{"/etc/xen/a.cfg", "/etc/xen/b.conf", "/etc/xen/web.example.org", "/etc/xen/auto/a.cfg"}
	if diff := cmp.Diff(want, dom0.host().configurations()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// A key is waited for where somebody attached to the console, and only there.
func TestAttended(t *testing.T) {
	for _, c := range []struct {
		argv, tty string
		want      bool
	}{
		{"xl create -c a.cfg", "34816", true},
		{"xl create -pc a.cfg", "34816", true},
		{"/usr/sbin/xl -v create a.cfg -cq", "34816", true},
		{"xl create -c a.cfg", "0", false}, // the daemon
		{"xl create a.cfg", "34816", false},
		{"xl create -fc a.cfg", "34816", false},
		{"xl create --defconfig=c a.cfg", "34816", false},
		{"xl create a.cfg -- -c", "34816", false},
		{"libvirtd -c", "34816", false},
		{"xl restore -c a.save", "34816", false},
	} {
		host := dom0With(strings.Fields(c.argv)...).file(fmt.Sprintf("/proc/%d/stat", xlPID), fmt.Sprintf("%d (x) l)) S 1 2 3 %s -1", xlPID, c.tty)).host()
		if got := host.Attended(); got != c.want {
			t.Errorf("%s, terminal %s: %v", c.argv, c.tty, got)
		}
	}
}
