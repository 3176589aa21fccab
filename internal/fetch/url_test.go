package fetch

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gopxeboot/gopxeboot/internal/percent"
)

func TestParse(t *testing.T) {
	for url, want := range map[string]location{
		"tftp://h/x":                {scheme: "tftp", host: "h", path: "x"},
		"tftp://h//x":               {scheme: "tftp", host: "h", path: "/x"},
		"tftp://h/../a/./b":         {scheme: "tftp", host: "h", path: "../a/./b"},
		"tftp://h":                  {scheme: "tftp", host: "h"},
		"tftp:///x":                 {scheme: "tftp", path: "x"},
		"tftp://192.0.2.1:6969/x":   {scheme: "tftp", host: "192.0.2.1", port: 6969, path: "x"},
		"http://[2001:db8::1]:80/x": {scheme: "http", host: "2001:db8::1", port: 80, path: "x"},
		"http://[2001:db8::1]/x":    {scheme: "http", host: "2001:db8::1", path: "x"},
		"http://h/x?y=z#f":          {scheme: "http", host: "h", path: "x?y=z"},
		"ftp://u:p%40@h/x@y:z":      {scheme: "ftp", user: "u", password: "p@", host: "h", path: "x@y:z"},
		"ftp://u@v@h/x":             {scheme: "ftp", user: "u@v", host: "h", path: "x"},
		"nfs://h:/x":                {scheme: "nfs", host: "h", path: "x"},
	} {
		got, err := parse(url)
		if err != nil {
			t.Errorf("%s: %v", url, err)
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(location{})); diff != "" {
			t.Errorf("%s (-want +got)\n%s", url, diff)
		}
	}
	for url, want := range map[string]string{
		"":                       "not a URL",
		"x":                      "not a URL",
		"h::x":                   "not a URL",
		"://h/x":                 "not a URL",
		"http://h:x/":            "the port is no number from 1 to 65535",
		"http://h:65536/":        "the port is no number from 1 to 65535",
		"http://[::1/":           "the host's [ has no ]",
		"http://[h]/":            "no IPv6 address between [ and ]",
		"http://[fe80::1%eth0]/": "no IPv6 address between [ and ]",
		"http://[::1]80/":        "nothing but a port may follow the host's ]",
		"http://h\r\nX: y/":      `a host name can't hold '\r'`,
		"http://h%2f/":           `a host name can't hold '%'`,
		"http://b\xc3\xbcx/x":    `a host name can't hold 'Ã'`,
	} {
		if _, err := parse(url); err == nil || err.Error() != want {
			t.Errorf("%q: got %v, want %s", url, err, want)
		}
	}
}

func TestInside(t *testing.T) {
	type parts struct {
		image, name string
		ok          bool
	}
	for url, want := range map[string]parts{
		"nfs://h/p/file.iso!/images/vmlinuz": {"nfs://h/p/file.iso", "images/vmlinuz", true},
		"file:///srv/x.img!/boot/a%20b":      {"file:///srv/x.img", "boot/a b", true},
		"file:///dev/sr0!//x":                {"file:///dev/sr0", "/x", true},
		"file:///dev/sr0!/":                  {"file:///dev/sr0", "", true},
		"file:///a!/b!/c":                    {"file:///a", "b!/c", true},
		"file:///a!/b%21/c":                  {"file:///a", "b!/c", true},
		"file:///a%21/b":                     {"file:///a%21/b", "", false},
		"file:///a!%2fb":                     {"file:///a!%2fb", "", false},
		"file:///a!":                         {"file:///a!", "", false},
		"nfs://h/!/x":                        {"nfs://h/", "x", true},
	} {
		l, err := parse(url)
		if err != nil {
			t.Errorf("%s: %v", url, err)
		}
		var got parts
		image, name, ok := l.inside()
		got.image, got.name, got.ok = image.String(), name, ok
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(parts{})); diff != "" {
			t.Errorf("%s (-want +got)\n%s", url, diff)
		}
	}
}

func TestURLText(t *testing.T) {
	for in, want := range map[string]string{
		"ftp://u:secret@h:2121/a b":   "ftp://u@h:2121/a%20b",
		"http://[::1]:81//x\x1b[2J?y": "http://[::1]:81//x%1B[2J?y",
		"a\nb":                        "a%0Ab",
	} {
		l, _ := parse(in)
		if got := l.String(); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("tftp://h//x%20y;mode=octet#f")
	f.Add("http://u:p@[::1]:80/%zz?q=%")
	f.Add("ftp://@:/")
	f.Add("tftp://[fe80::1%25eth0]/x")
	f.Add("nfs://h:2049/srv/a%20b.iso!/images/vmlinuz")
	f.Add("nfs://h/../a!/../b!/c#!/d")
	f.Add("file:///dev/sr0!/")
	f.Add("file://%21/%21/!/")
	f.Fuzz(func(t *testing.T, url string) {
		l, err := parse(url)
		text := l.String()
		for _, b := range []byte(text) {
			if b <= ' ' || b > '~' {
				t.Fatalf("%q is not printable", text)
			}
		}
		if err != nil || len(text) > maxURL { // escapes are longer than what they stand for
			return
		}
		// The text says where the file is, but for the password and for a
		// user that is empty.
		again, err := parse(text)
		if err != nil {
			t.Fatalf("%q became %q: %v", url, text, err)
		}
		want := l
		want.password = ""
		want.path, want.scheme = percent.Escape(l.path, ""), percent.Escape(l.scheme, "")
		if diff := cmp.Diff(want, again, cmp.AllowUnexported(location{})); diff != "" && again.user == want.user {
			t.Errorf("%q became %q (-want +got)\n%s", url, text, diff)
		}
		image, name, ok := l.inside()
		if before, after, found := strings.Cut(l.path, "!/"); ok != found || image.path != before || name != percent.Unescape(after) {
			t.Errorf("%q is %q in %q", url, name, image)
		}
		if _, _, again := image.inside(); again {
			t.Errorf("%q is in an image itself", image)
		}
		if u, err := l.httpURL(); err != nil {
			t.Errorf("%q is no URL for net/http: %v", url, err)
		} else if u.RequestURI() == "" || u.RequestURI()[0] != '/' {
			t.Errorf("%q asks for %q", url, u.RequestURI())
		}
	})
}
