package install

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// oneDirectory is a dom0 with one directory and everything else images.
func oneDirectory(path string) bool { return path == "/fedora/x86_64" || path == "/srv/a b#c%41!d" }

func TestParse(t *testing.T) {
	for _, test := range []struct {
		text string
		want Location
		err  string
	}{
		// The forms of the xenpvnetboot page.
		{"http://192.168.0.1/fedora/x86_64", Location{Base: "http://192.168.0.1/fedora/x86_64/"}, ""},
		{"https://host/path", Location{Base: "https://host/path/"}, ""},
		{"ftp://192.168.0.1/fedora/x86_64", Location{Base: "ftp://192.168.0.1/fedora/x86_64/"}, ""},
		{"file:///fedora/x86_64", Location{Base: "file:///fedora/x86_64/", Local: "/fedora/x86_64", Paths: true}, ""},
		{"tftp://192.168.0.1/fedora/x86_64", Location{Base: "tftp://192.168.0.1/fedora/x86_64/"}, ""},
		{"tftp://192.168.0.1:6969/fedora", Location{Base: "tftp://192.168.0.1:6969/fedora/"}, ""},
		{"nfs:192.168.0.1:/fedora/x86_64", Location{Base: "nfs://192.168.0.1/fedora/x86_64/", Paths: true}, ""},
		{"/fedora/x86_64", Location{Base: "file:///fedora/x86_64/", Local: "/fedora/x86_64", Paths: true}, ""},
		{"/fedora/x86_64/", Location{Base: "file:///fedora/x86_64/", Local: "/fedora/x86_64", Paths: true}, ""},
		{"/fedora/Fedora-16-x86_64-DVD.iso", Location{Base: "file:///fedora/Fedora-16-x86_64-DVD.iso!/", Local: "/fedora/Fedora-16-x86_64-DVD.iso", Image: true, Paths: true}, ""},
		{"/path/filesystem.img", Location{Base: "file:///path/filesystem.img!/", Local: "/path/filesystem.img", Image: true, Paths: true}, ""},
		{"/dev/sda1", Location{Base: "file:///dev/sda1!/", Local: "/dev/sda1", Image: true, Paths: true}, ""},
		{"nfs+iso:192.168.0.1:/fedora/DVD.iso", Location{Base: "nfs://192.168.0.1/fedora/DVD.iso!/", Image: true, Paths: true}, ""},
		{"nfs+iso:host:/path/filesystem.img", Location{Base: "nfs://host/path/filesystem.img!/", Image: true, Paths: true}, ""},
		{"http://192.168.0.1/", Location{Base: "http://192.168.0.1/"}, ""},
		// eliloader's forms of NFS.
		{"nfs://host/path", Location{Base: "nfs://host/path/"}, ""},
		{"nfs://host:/path", Location{Base: "nfs://host/path/"}, ""},
		{"nfs://host:2049/path", Location{Base: "nfs://host:2049/path/"}, ""},
		// The case of a scheme does not matter (RFC 3986, section 3.1).
		{"HTTP://Host/Path", Location{Base: "http://Host/Path/"}, ""},
		{"File:///fedora/x86_64", Location{Base: "file:///fedora/x86_64/", Local: "/fedora/x86_64", Paths: true}, ""},
		{"NFS:H:/P", Location{Base: "nfs://H/P/", Paths: true}, ""},
		{"NFS+ISO:H:/P", Location{Base: "nfs://H/P!/", Image: true, Paths: true}, ""},
		{"nfs:[fd00::1]:/path", Location{Base: "nfs://[fd00::1]/path/", Paths: true}, ""},
		// What is inside an image, as it is written in a URL.
		{"file:///srv/x.iso!/sub", Location{Base: "file:///srv/x.iso!/sub/", Local: "/srv/x.iso", Image: true, Paths: true}, ""},
		{"nfs://host/x.iso!/sub", Location{Base: "nfs://host/x.iso!/sub/", Image: true}, ""},
		{"file://localhost/srv/x.iso", Location{Base: "file:///srv/x.iso!/", Local: "/srv/x.iso", Image: true, Paths: true}, ""},
		// A path is not a part of a URL.
		{"/srv/a b#c%41!d", Location{Base: "file:///srv/a%20b%23c%2541%21d/", Local: "/srv/a b#c%41!d", Paths: true}, ""},
		{"nfs:h:/a b%41", Location{Base: "nfs://h/a%20b%2541/", Paths: true}, ""},
		{"file:///srv/a%20b", Location{Base: "file:///srv/a%20b!/", Local: "/srv/a b", Image: true, Paths: true}, ""},
		{"/fedora/../fedora/./x86_64", Location{Base: "file:///fedora/x86_64/", Local: "/fedora/x86_64", Paths: true}, ""},
		{"http://u:p@h/a b", Location{Base: "http://u:p@h/a%20b/"}, ""},

		{"", Location{}, "empty"},
		{"fedora/x86_64", Location{}, "want http://"},
		{"gopher://h/", Location{}, "want http://"},
		{"http:///path", Location{}, "names no server"},
		{"http://h/p?x=1", Location{}, "neither ? nor #"},
		{"http://h/p#x", Location{}, "neither ? nor #"},
		{"nfs://h/p#x", Location{}, "%23"},
		{"nfs:host", Location{}, "nfs:HOST:/PATH"},
		{"nfs:fd00::1:/path", Location{}, "nfs:[IPV6]:/PATH"},
		{"nfs::/path", Location{}, "nfs:HOST:/PATH"},
		{"nfs:[1.2.3.4]:/path", Location{}, "IPv6"},
		{"nfs+iso:host", Location{}, "nfs:HOST:/PATH"},
		{"nfs:///path", Location{}, "names no server"},
		{"file://otherhost/path", Location{}, "files of this machine"},
		{"file://", Location{}, "files of this machine"},
		{"/a\nb", Location{}, "control character"},
		{"file:///a%00b", Location{}, "control character"},
		{"http://h/a\x7f", Location{}, "control character"},
	} {
		got, err := Parse(test.text, oneDirectory)
		check(t, "Parse "+test.text, err, test.err)
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("Parse(%q) (-want +got):\n%s", test.text, diff)
		}
	}
}

func check(t *testing.T, what string, err error, want string) {
	t.Helper()
	switch {
	case err == nil && want != "":
		t.Errorf("%s: no error, want %q", what, want)
	case err != nil && (want == "" || !strings.Contains(err.Error(), want)):
		t.Errorf("%s: got error %q, want %q", what, err, want)
	case err != nil && strings.ContainsAny(err.Error(), "\r\n\x00"):
		t.Errorf("%s: the error is no line: %q", what, err)
	}
}

func TestFile(t *testing.T) {
	web := Location{Base: "http://h/p/"}
	dir := Location{Base: "file:///srv/dir/", Local: "/srv/dir", Paths: true}
	for _, test := range []struct {
		l          Location
		name, want string
		err        string
	}{
		{web, "images/pxeboot/vmlinuz", "http://h/p/images/pxeboot/vmlinuz", ""},
		{web, "./images//x", "http://h/p/images/x", ""},
		{web, "a%20b c", "http://h/p/a%20b%20c", ""},
		{dir, "a%20b", "file:///srv/dir/a%2520b", ""},
		{dir, "a!/b", "file:///srv/dir/a%21/b", ""},
		{web, "images/../x", "http://h/p/x", ""},
		// xenpvnetboot made http://h/p/http://g/k of it.
		{web, "http://g/k", "http://g/k", ""},
		{web, "ftp://g/k?x", "ftp://g/k?x", ""},
		{web, "HTTP://g/k", "http://g/k", ""},
		{web, "NFS:g:/e/k", "nfs://g/e/k", ""},
		{web, "FILE:///boot/k", "file:///boot/k", ""},
		{web, "Images:1/k", "http://h/p/Images:1/k", ""},
		{web, "nfs:g:/e/k", "nfs://g/e/k", ""},
		{web, "file:///boot/k", "file:///boot/k", ""},
		{web, "file:///x.iso!/boot/k", "file:///x.iso!/boot/k", ""},
		{Location{}, "http://g/k", "http://g/k", ""},
		{Location{}, "tftp://g/k", "tftp://g/k", ""},

		// xenpvnetboot read a file of dom0's.
		{web, "/boot/k", "", "file:///boot/k is dom0's"},
		{dir, "/boot/k", "", "file:///boot/k is dom0's"},
		{Location{}, "/boot/k", "", "file:///boot/k is dom0's"},
		{Location{}, "k", "", "no URL"},
		{web, "../k", "", "not below"},
		{dir, "a/../../k", "", "not below"},
		{dir, "..", "", "not below"},
		{web, ".", "", "not below"},
		{web, "", "", "not below"},
		{web, "http://g/", "", "names no file"},
		{web, "http:///k", "", "names no file"},
		{web, "a\nb", "", "control character"},
		{web, "file://g/k", "", "files of this machine"},
	} {
		got, err := test.l.File(test.name)
		check(t, "File "+test.name, err, test.err)
		if got != test.want {
			t.Errorf("%s: File(%q) = %q, want %q", test.l, test.name, got, test.want)
		}
	}
}

func TestLocalFile(t *testing.T) {
	for url, want := range map[string]string{
		"file:///boot/k":             "/boot/k",
		"file:///srv/a%20b!/boot/k":  "/srv/a b",
		"file:///srv/a%21/b":         "/srv/a!/b",
		"file:///srv/../etc/shadow":  "/etc/shadow",
		"file://localhost/boot/k":    "/boot/k",
		"http://h/file:///boot/k":    "",
		"file://h/boot/k":            "",
		"/boot/k":                    "",
		"file:///srv/%00":            "",
		"nfs://h/file:///etc/shadow": "",
	} {
		if got := localFile(url); got != want {
			t.Errorf("localFile(%q) = %q, want %q", url, got, want)
		}
	}
}

func TestIsFullURL(t *testing.T) {
	for name, want := range map[string]bool{
		"http://h/k":         true,
		"FILE:///etc/shadow": true, // XAPI's other-config must not name it
		"nfs:h:/k":           true,
		"Nfs:h:/k":           true,
		"nfs":                false,
		"images/k":           false,
		"images:1/k":         false,
		"/k":                 false,
	} {
		if got := IsFullURL(name); got != want {
			t.Errorf("IsFullURL(%q) = %v", name, got)
		}
	}
}

// Whatever a location is, its parts are where they belong.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"http://h/p", "nfs:h:/p", "nfs+iso:h:/p/x.iso", "file:///x!/y", "/dev/sda1", "nfs:[::1]:/p", "file://localhost%2f..", "http://u:p@h/p", "nfs://h:/p"} {
		f.Add(s, "images/x", true)
	}
	f.Add("/srv", "../../etc/shadow", true)
	f.Add("/srv", "file:///etc/shadow", false)
	f.Fuzz(func(t *testing.T, text, name string, directory bool) {
		l, err := Parse(text, func(string) bool { return directory })
		if err != nil {
			if strings.ContainsAny(err.Error(), "\r\n\x00") {
				t.Errorf("the error is no line: %q", err)
			}
			return
		}
		if !strings.HasSuffix(l.Base, "/") || strings.ContainsAny(l.Base, " \r\n\x00\x7f") {
			t.Errorf("base %q", l.Base)
		}
		if (l.Local != "") != strings.HasPrefix(l.Base, "file:///") || l.Local != "" && l.Local != localFile(l.Base+"x") && l.Image {
			t.Errorf("%q is in %q, and its files in %q", l.Base, l.Local, localFile(l.Base+"x"))
		}
		url, err := l.File(name)
		if err != nil {
			return
		}
		if strings.ContainsAny(url, " \r\n\x00\x7f") {
			t.Errorf("file %q", url)
		}
		if IsFullURL(name) {
			return
		}
		if !strings.HasPrefix(url, l.Base) {
			t.Errorf("%q is not in %q", url, l.Base)
		}
		if file := localFile(url); l.Local != "" && !l.Image && !strings.HasPrefix(file+"/", strings.TrimSuffix(l.Local, "/")+"/") {
			t.Errorf("%q is not in %q", file, l.Local)
		}
	})
}
