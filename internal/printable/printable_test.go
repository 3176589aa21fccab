package printable

import "testing"

// What a server says must not move the cursor, ring, or add a line.
func TestText(t *testing.T) {
	for in, want := range map[string]string{
		"plain":              "plain",
		"a\x1b[2Jb":          "a?[2Jb",
		"line\nkernel /etc/": "line?kernel /etc/",
		"\xff\xfe":           "??",
		"é ☃":                "é ☃",
		"\u202e":             "?",
		"a\x01\xff\x00\x00":  "a??",
		"http://me:pw@h/x":   "http://me:pw@h/x",
	} {
		if got := Text(in); got != want {
			t.Errorf("Text(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestLine(t *testing.T) {
	for _, test := range []struct {
		in   string
		max  int
		want string
	}{
		{"file not found", 200, "file not found"},
		{" a\r\nb\x00", 200, "a  b"},
		{"a\xff", 200, "a?"},
		{"aé", 3, "aé"},
		{"aé", 2, "a"}, // no half a character
		{"ab ", 2, "ab"},
		{"\xbf\xbf", 1, ""},
		{"a", 0, ""},
	} {
		if got := Line(test.in, test.max); got != test.want {
			t.Errorf("Line(%q, %d) = %q, want %q", test.in, test.max, got, test.want)
		}
	}
}

func TestPassword(t *testing.T) {
	for _, test := range []struct{ in, redacted, without string }{
		{"http://me:secret@h/x", "http://me:***@h/x", "http://me@h/x"},
		{"http://me:secret@h/x and http://h:80/a@b", "http://me:***@h/x and http://h:80/a@b", "http://me@h/x and http://h:80/a@b"},
		{"ftp://me:se@cret@h", "ftp://me:***@h", "ftp://me@h"},
		{"ftp://me@home:secret@h/", "ftp://me@home:***@h/", "ftp://me@home@h/"},
		{"http://:p@h", "http://:***@h", "http://@h"},
		{"http://h:80 a@b", "http://h:80 a@b", "http://h:80 a@b"},
		{"http://me@h:80/", "http://me@h:80/", "http://me@h:80/"},
		{"/srv/a:b@c", "/srv/a:b@c", "/srv/a:b@c"},
		{"nfs://h/\x1b", "nfs://h/?", "nfs://h/\x1b"},
	} {
		if got := Redacted(test.in); got != test.redacted {
			t.Errorf("Redacted(%q) = %q, want %q", test.in, got, test.redacted)
		}
		if got := WithoutPassword(test.in); got != test.without {
			t.Errorf("WithoutPassword(%q) = %q, want %q", test.in, got, test.without)
		}
	}
}
