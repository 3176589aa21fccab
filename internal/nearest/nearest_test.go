package nearest

import "testing"

func TestWord(t *testing.T) {
	list := []string{"mac", "bridge", "backend", "ip"}
	for _, test := range []struct{ in, want string }{
		{"brigde", "bridge"}, {"bridge", "bridge"}, {"brdg", "bridge"}, {"bakcend", "backend"}, {"back", ""},
		{"mca", ""}, // two of three letters
		{"mc", "mac"},
		{"i", ""}, {"", ""}, {"entirely else", ""},
	} {
		if got := Word(test.in, list); got != test.want {
			t.Errorf("Word(%q) is %q, want %q", test.in, got, test.want)
		}
	}
}
