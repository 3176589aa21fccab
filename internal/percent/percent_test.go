package percent

import "testing"

func TestPercent(t *testing.T) {
	for _, test := range []struct{ plain, reserved, escaped string }{
		{"plain/name", "%#", "plain/name"},
		{"a b\x00\xff", "", "a%20b%00%FF"},
		{"100%#", "%#", "100%25%23"},
		{"é", "", "%C3%A9"},
		{"", "%", ""},
	} {
		if got := Escape(test.plain, test.reserved); got != test.escaped {
			t.Errorf("Escape(%q, %q) = %q, want %q", test.plain, test.reserved, got, test.escaped)
		}
		if got := Unescape(test.escaped); got != test.plain {
			t.Errorf("Unescape(%q) = %q, want %q", test.escaped, got, test.plain)
		}
	}
	for in, want := range map[string]string{"%": "%", "%2": "%2", "%zz%20": "%zz ", "%+1": "%+1", "%4a%4A": "JJ"} {
		if got := Unescape(in); got != want {
			t.Errorf("Unescape(%q) = %q, want %q", in, got, want)
		}
	}
}
