package console

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gopxeboot/gopxeboot/xenout"
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

// XAPI shows what follows the first of its prefixes, so that there is only ours,
// whatever a server or a program says.
// Errors that were joined stand on one line, and can be told apart.
func TestJoined(t *testing.T) {
	var out bytes.Buffer
	New(&out, Normal).Error(errors.Join(errors.New("no kernel"), errors.New("no initrd")))
	if got, want := out.String(), "gopxeboot: no kernel; no initrd\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestFailure(t *testing.T) {
	const foreign = "RuntimeError: RuntimeRuntimeError: x"
	const broken = "Runtime Error: RuntimeRuntime Error: x"
	var out bytes.Buffer
	c := New(&out, Verbose)
	c.Stage(foreign)
	c.Detail(foreign)
	c.Warn(foreign)
	c.Error(errors.New(foreign))
	w, done := c.Program("pygrub")
	fmt.Fprint(w, foreign+"\r\nRuntime")
	fmt.Fprint(w, "Error: ")
	done()
	c.Failure(xenout.Xen, errors.New("not for xl"))
	c.Failure(xenout.XAPI, errors.New("boot: "+foreign))
	want := "gopxeboot: " + broken + "\ngopxeboot: " + broken + "\ngopxeboot: warning: " + broken + "\ngopxeboot: " + broken +
		"\ngopxeboot: pygrub: " + broken + "\ngopxeboot: pygrub: Runtime Error: \nRuntimeError: boot: " + broken + "\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A program's lines are printable, and none grows without end.
func TestProgram(t *testing.T) {
	var out bytes.Buffer
	w, done := New(&out, Quiet).Program("p")
	for _, text := range []string{"a\nb", "c\n\n", "\x1b[2J\n", strings.Repeat("x", 2*maxLine+1)} {
		if n, err := fmt.Fprint(w, text); n != len(text) || err != nil {
			t.Errorf("%q: wrote %d, %v", text, n, err)
		}
	}
	done()
	long := strings.Repeat("x", maxLine)
	want := []string{"a", "bc", "", "?[2J", long, long, "x"}
	if diff := cmp.Diff("gopxeboot: p: "+strings.Join(want, "\ngopxeboot: p: ")+"\n", out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What a program says without end does not fill a log.
func TestProgramBounded(t *testing.T) {
	var out strings.Builder
	w, done := New(&out, Quiet).Program("p")
	for range 8 << 10 {
		fmt.Fprintln(w, strings.Repeat("x", 1000))
		io.WriteString(w, "\n")
	}
	done()
	const end = "gopxeboot: p: it says more than 1 MiB, and the rest is not shown\n"
	if n := strings.Count(out.String(), end); n != 1 || !strings.HasSuffix(out.String(), end) || out.Len() > 2<<20 {
		t.Errorf("%d bytes, which say %d times that there is more", out.Len(), n)
	}
}
