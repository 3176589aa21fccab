package xenout_test

import (
	"path"
	"strings"
	"testing"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/xenread"
	"github.com/gopxeboot/gopxeboot/xenout"
)

func TestToolstackOf(t *testing.T) {
	const shells, xenopsds = "PATH=/bin HOME=/root TERM=vt100", "PATH=/sbin:/usr/sbin:/bin:/usr/bin"
	for _, test := range []struct {
		argv             string
		shells, xenopsds xenout.Toolstack // in the environment of each
	}{
		{"", xenout.Xen, xenout.Xen},
		{"gopxeboot", xenout.Xen, xenout.Xen},
		{"/usr/bin/gopxeboot --output=/var/lib/xen/bootloader.7.out --output-format=simple0 --output-directory=/var/lib/xen/bootloader.7.d mac=x /dev/loop0", xenout.Xen, xenout.Xen},
		{"/usr/bin/gopxeboot --output=/var/run/xend/boot/xenbl.5 -q /dev/vg/g", xenout.Xen, xenout.Xen},
		{"/usr/bin/gopxeboot -q --output-format=simple /dev/vg/g", xenout.Xen, xenout.Xen},
		{"/usr/bin/gopxeboot -- --vm", xenout.Xen, xenout.Xen},
		// eliloader's place
		{"/usr/libexec/gopxeboot -q --vm 5f1c7e0a-1111-2222-3333-444455556666 /dev/sm/x", xenout.XAPI, xenout.XAPI},
		{"/usr/libexec/gopxeboot --vm 5f1c7e0a-1111-2222-3333-444455556666 --output=F -- /dev/sm/x", xenout.XAPI, xenout.XAPI},
		{"/usr/bin/gopxeboot --vm=5f1c7e0a-1111-2222-3333-444455556666", xenout.XAPI, xenout.XAPI},
		{"/usr/bin/gopxeboot --net=dom0 -q --vm 5f1c7e0a-1111-2222-3333-444455556666 /dev/sm/x", xenout.XAPI, xenout.XAPI}, // from a wrapper
		{"/usr/bin/eliloader /dev/sm/x", xenout.XAPI, xenout.XAPI},
		// pygrub's, from 26.17.0, from 23.26.0, before
		{"/usr/libexec/gopxeboot --output-format=simple -q --runas=65539 /dev/sm/x", xenout.XAPI, xenout.XAPI},
		{"/usr/libexec/gopxeboot --output-format=simple --runas=65539 --output=F -- /dev/sm/x", xenout.XAPI, xenout.XAPI},
		{"/usr/libexec/gopxeboot --output-format=simple -q --domid=3 --output=F /dev/sm/x", xenout.XAPI, xenout.XAPI},
		{"/usr/libexec/gopxeboot --output-format=simple -q /dev/sm/x", xenout.Xen, xenout.XAPI},
		{"/usr/libexec/gopxeboot --output-format=simple -q --output=F /dev/sm/x", xenout.Xen, xenout.XAPI},
		{"/usr/libexec/gopxeboot --output-format=simple -- /dev/sm/x", xenout.Xen, xenout.XAPI},
	} {
		for environ, want := range map[string]xenout.Toolstack{
			shells: test.shells, xenopsds: test.xenopsds, "": test.xenopsds,
			xenopsds + " PWD=/ SHLVL=1 _=/usr/libexec/gopxeboot LC_CTYPE=C.UTF-8": test.xenopsds,
		} {
			if got := xenout.ToolstackOf(strings.Fields(test.argv), strings.Fields(environ)); got != want {
				t.Errorf("%s in %q: %s, want %s", test.argv, environ, got, want)
			}
		}
	}
}

func TestToolstackConventions(t *testing.T) {
	for _, test := range []struct {
		toolstack         xenout.Toolstack
		format            xenout.Format
		directory, prefix string
	}{
		{xenout.Xen, xenout.SXP, "/var/lib/xen", ""},
		{xenout.XAPI, xenout.Simple, "/var/run/xen/pygrub", "RuntimeError: "},
	} {
		if got := test.toolstack.DefaultFormat(); got != test.format {
			t.Errorf("%s: format %s, want %s", test.toolstack, got, test.format)
		}
		if got := test.toolstack.DefaultDirectory(); got != test.directory {
			t.Errorf("%s: directory %s, want %s", test.toolstack, got, test.directory)
		}
		if got := test.toolstack.FailurePrefix(); got != test.prefix {
			t.Errorf("%s: prefix %q, want %q", test.toolstack, got, test.prefix)
		}
	}
}

// What goes where XAPI wants it passes XAPI's own check.
func TestXAPIDirectory(t *testing.T) {
	for directory, want := range map[string]bool{
		xenout.XAPI.DefaultDirectory(): true,
		"/var/run/xen/pygrub/":         true,
		"/var/run/xend/boot":           true,
		"/run/xend/boot":               false,
		"/var/run/xend/boot/mine":      false,
		"/var/lib/xen":                 false,
	} {
		if got := xenout.XAPI.TakesFilesFrom(directory); got != want {
			t.Errorf("%s: %v, want %v", directory, got, want)
		}
		_, err := xenread.Simple("kernel " + path.Join(directory, "kernel.1") + "\n")
		if got := err == nil; got != want {
			t.Errorf("%s: XAPI itself says %v", directory, err)
		}
		if !xenout.Xen.TakesFilesFrom(directory) {
			t.Errorf("%s: xl takes files from everywhere", directory)
		}
	}
}

func TestRestrictedTime(t *testing.T) {
	for value, want := range map[string]time.Duration{
		"": 120 * time.Second, "3": 3 * time.Second, " 600": 10 * time.Minute,
		"0": 0, "off": 0, "-1": 0, "99999999999999999999": 0,
	} {
		if got := xenout.RestrictedTime(value); got != want {
			t.Errorf("%q: %v, want %v", value, got, want)
		}
	}
}

func TestDomidOf(t *testing.T) {
	for _, test := range []struct {
		paths string // separated by blanks
		want  int
	}{
		{"", 0},
		{"/var/lib/xen/bootloader.7.out", 7},
		{"/var/run/xen/bootloader.12.d", 12},
		{"/var/lib/xen/bootloader.12.d/", 12},
		{"bootloader.3.out", 3},
		{"- /var/lib/xen/bootloader.7.d", 7},
		{"/var/lib/xen/bootloader.0.out", 0}, // dom0 is no guest
		{"/var/lib/xen/bootloader.32751.out", 32751},
		{"/var/lib/xen/bootloader.32752.out", 0},
		{"/var/lib/xen/bootloader.99999999999999999999.out", 0},
		{"/var/lib/xen/bootloader.-7.out", 0},
		{"/var/lib/xen/bootloader.7.out.old", 0},
		{"/var/lib/xen/mybootloader.7.out", 0},
		{"/var/run/xend/boot/xenbl.5", 0},
	} {
		if got := xenout.DomidOf(strings.Fields(test.paths)...); got != test.want {
			t.Errorf("DomidOf(%s) = %d, want %d", test.paths, got, test.want)
		}
	}
}

func TestIsLocation(t *testing.T) {
	for word, want := range map[string]bool{
		"nfs:10.182.120.78:/share/iso/el5/u4/i386": true,
		"nfs+iso:h:/x.iso":                         true,
		"http://h/p":                               true,
		"file:///srv":                              true,
		"tftp://h/p":                               true,
		"TFTP://h/p":                               true,
		"/share/iso/el5":                           false, // the guest's disk
		"/dev/vg/guest":                            false,
		"mac=00:16:3e:72:79:e3,bridge=xenbr0":      false,
		"file:/var/lib/xen/guest.img":              false, // xm's disk=
		"phy:/dev/vg/guest":                        false,
		"httpd":                                    false,
	} {
		if got := xenout.IsLocation(word); got != want {
			t.Errorf("IsLocation(%q) = %v", word, got)
		}
	}
}
