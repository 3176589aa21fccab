package conf

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const sample = `# for all guests
timeout = "60s"
option  = ["43=0x0a", "60=x, y"]
once-dir = '/srv/once'

[guest1]
timeout = 20
once    = true

["3c2a1b00-5d6e-4f70-8192-a3b4c5d6e7f8"]
net = "dom0"

["br0.20"]
server  = "10.0.0.1"
timeout = 1.5
option  = []
`

func TestFor(t *testing.T) {
	f, err := Parse(sample)
	if err != nil {
		t.Fatal(err)
	}
	one := func(section, name string, values ...string) Option { return Option{section, name, values} }
	timeout, option, dir := one("", "timeout", "60s"), one("", "option", "43=0x0a", "60=x, y"), one("", "once-dir", "/srv/once")
	for _, test := range []struct {
		sections []string
		want     []Option
	}{
		{nil, []Option{timeout, option, dir}},
		{[]string{"guest2", ""}, []Option{timeout, option, dir}},
		{[]string{"guest1"}, []Option{one("guest1", "timeout", "20"), one("guest1", "once", "true"), option, dir}},
		{[]string{"guest1", "br0.20"}, []Option{one("guest1", "timeout", "20"), one("guest1", "once", "true"), one("br0.20", "server", "10.0.0.1"), one("br0.20", "option"), dir}},
		{[]string{"br0.20", "guest1"}, []Option{one("br0.20", "server", "10.0.0.1"), one("br0.20", "timeout", "1.5"), one("br0.20", "option"), one("guest1", "once", "true"), dir}},
	} {
		if diff := cmp.Diff(test.want, f.For(test.sections...)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", test.sections, diff)
		}
	}
	if n := len(f.All()); n != 9 {
		t.Errorf("%d options", n)
	}
}

func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"timeout = 20s\n":             "line 1: ",
		"\ntimeout\n":                 "line 2: ",
		"q = true\nq = false\n":       "line 2: ",
		"[guest1]\nq = 1\n[guest1]\n": "line 3: ",
		"[guest.1]\nq = 1\n":          `["guest.1"]`,
		"[a.b.c]\nq = 1\n":            `["a.b.c"]`,
		"[g]\nq.x = 1\n":              "no sections in sections",
		"q = 2026-01-01\n":            "q: want a text",
		"q = [[1]]\n":                 "q: a list in a list",
		"[[guest1]]\nq = 1\n":         "guest1",
		"r = {y = {z=1}}\n":           "no sections in sections",
		"q = [{x = 1}]\n":             "q: want a text",
	} {
		_, err := Parse(text)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func TestRead(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "gopxeboot.conf")
	if f, err := Read(name); err != nil || f.All() != nil {
		t.Errorf("no file: %v, %v", f, err)
	}
	for _, test := range []struct {
		text, want string
		mode       os.FileMode
		uid        int
	}{
		{text: sample, mode: 0o644},
		{text: sample, mode: 0o664, want: "can be written by others than root"},
		{text: sample, mode: 0o646, want: "can be written by others than root"},
		{text: sample, mode: 0o600, uid: 1, want: "belongs to uid 1"},
		{text: "q = \n", mode: 0o600, want: name + ": line 1: "},
		{text: strings.Repeat("#", maxFile+1), mode: 0o600, want: "longer than"},
	} {
		if err := os.WriteFile(name, []byte(test.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(name, test.mode); err != nil {
			t.Fatal(err)
		}
		if test.uid != 0 {
			if err := os.Chown(name, test.uid, test.uid); err != nil {
				t.Skip(err) // only root may
			}
		}
		_, err := Read(name)
		if (err != nil) != (test.want != "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("mode %v, uid %d: %v, want %q", test.mode, test.uid, err, test.want)
		}
		os.Remove(name)
	}
	if _, err := Read(dir); err == nil || !strings.Contains(err.Error(), "no regular file") {
		t.Errorf("a directory: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(sample)
	f.Fuzz(func(t *testing.T, text string) {
		file, err := Parse(text)
		for _, o := range file.All() {
			if err != nil || o.Name == "" && !strings.Contains(text, `""`) && !strings.Contains(text, "''") {
				t.Fatalf("%+v, %v", o, err)
			}
		}
	})
}

// A uuid is the same in both cases.
func TestUUID(t *testing.T) {
	const uuid = "3c2a1b00-5d6e-4f70-8192-a3b4c5d6e7f8"
	f, err := Parse("[" + strings.ToUpper(uuid) + "]\nkey = '/k'\n[Guest1]\nkey = '/g'\n")
	if err != nil {
		t.Fatal(err)
	}
	for section, want := range map[string]int{uuid: 1, "Guest1": 1, "guest1": 0} {
		if got := f.For(section); len(got) != want {
			t.Errorf("%s: %v", section, got)
		}
	}
}

// What root may not read concerns it all the same: it may say --key.
func TestReadDenied(t *testing.T) {
	if os.Geteuid() != 0 || inUserNamespace() {
		t.Skip("needs root of this host")
	}
	const denied = "/proc/sys/vm/compact_memory" // root has no way past these files' modes
	if _, err := os.ReadFile(denied); !os.IsPermission(err) {
		t.Skipf("needs a file that root can't read: %v", err)
	}
	if f, err := Read(denied); err == nil {
		t.Errorf("got %v", f)
	}
}
