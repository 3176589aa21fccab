package console

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLevels(t *testing.T) {
	for _, test := range []struct {
		level Level
		want  string
	}{
		{Quiet, "gopxeboot: warning: w\ngopxeboot: e\n"},
		{Normal, "gopxeboot: s\ngopxeboot: warning: w\ngopxeboot: e\n"},
		{Verbose, "gopxeboot: s\ngopxeboot: d\ngopxeboot: warning: w\ngopxeboot: e\n"},
	} {
		var out bytes.Buffer
		c := New(&out, test.level)
		c.Stage("s")
		c.Detail("d")
		c.Warn("w")
		c.Error(errors.New("e"))
		if diff := cmp.Diff(test.want, out.String()); diff != "" {
			t.Errorf("level %d (-want +got):\n%s", test.level, diff)
		}
	}
}

// What a server says must not move the cursor, ring, or add a line.
func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"plain":              "plain",
		"a\x1b[2Jb":          "a?[2Jb",
		"line\nkernel /etc/": "line?kernel /etc/",
		"\xff\xfe":           "??",
		"é ☃":                "é ☃",
		"\u202e":             "?",
		"http://me:secret@h/x and http://h:80/a@b": "http://me:***@h/x and http://h:80/a@b",
	} {
		if got := Printable(in); got != want {
			t.Errorf("Printable(%q) = %q, want %q", in, got, want)
		}
	}
}
