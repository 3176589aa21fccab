package domain

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// scripts are programs in a directory of their own; /bin is there for what
// they call.
func scripts(t *testing.T, files map[string]string) programs {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return programs{path: []string{dir, "/usr/bin", "/bin"}, timeout: time.Minute, maxBytes: 4096}
}

func TestRun(t *testing.T) {
	t.Setenv("XENSTORED_PATH", "/elsewhere")
	t.Setenv("LC_ALL", "tlh")
	p := scripts(t, map[string]string{
		"say":    `printf '%s|' "$#" "$@" "$LC_ALL" "$XENSTORED_PATH" "$(pwd)"; cat`,
		"fail":   `echo out; printf '\033[Aerror: no such\tdomain\nmore\n' >&2; exit 3`,
		"silent": `exit 1`,
		"long":   `while :; do echo y; done`,
		"wordy":  `while :; do echo y; done >&2`,
		"moan":   `head -c 1000 /dev/zero | tr '\0' x >&2; exit 1`,
	})
	if err := os.WriteFile(filepath.Join(p.path[0], "data"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		command string
		want    string
		err     string
	}{
		{command: "say a;b $HOME", want: "2|a;b|$HOME|C||/|"},
		{command: "fail", err: "fail: exit status 3: ?[Aerror: no such?domain"},
		{command: "silent", err: "silent: exit status 1"},
		{command: "long", err: "long: it wrote more than 4096 bytes"},
		{command: "wordy", err: "wordy: it wrote more than 4096 bytes"},
		{command: "moan", err: "moan: exit status 1: " + strings.Repeat("x", 200) + "..."},
		{command: "nothing", err: "nothing is not installed"},
		{command: "data", err: "data is not installed"}, // not executable
	}
	for _, test := range tests {
		t.Run(test.command, func(t *testing.T) {
			words := strings.Fields(test.command)
			out, err := p.run(t.Context(), words[0], words[1:]...)
			if string(out) != test.want {
				t.Errorf("got %q, want %q", out, test.want)
			}
			if message := errorText(err); message != test.err {
				t.Errorf("error is %q, want %q", message, test.err)
			}
		})
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestRunEnds(t *testing.T) {
	p := scripts(t, map[string]string{"hang": "exec sleep 600"})
	p.timeout = 50 * time.Millisecond
	if _, err := p.run(t.Context(), "hang"); errorText(err) != "hang: no answer in 50ms" {
		t.Errorf("error is %v", err)
	}
	boom := errors.New("cancelled")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(boom)
	if _, err := p.run(ctx, "hang"); !errors.Is(err, boom) {
		t.Errorf("error is %v, want %v", err, boom)
	}
}

// The real file system has links into /proc that no fake has.
func TestThisHost(t *testing.T) {
	h := ThisHost()
	if h.Parent != os.Getppid() {
		t.Errorf("parent is %d", h.Parent)
	}
	h.Parent = os.Getpid()
	self := h.parent()
	if len(self.argv) == 0 || self.argv[0] != os.Args[0] {
		t.Errorf("this process is %q, want %q", self.argv, os.Args)
	}
	if self.isXL() || self.isLibvirt() {
		t.Errorf("%q is taken for a toolstack", self.argv)
	}
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	if err := os.WriteFile("guest1.cfg", []byte("name='guest1'"), 0o600); err != nil {
		t.Fatal(err)
	}
	name, text, err := h.xlFile(self, "guest1.cfg")
	if err != nil {
		t.Fatal(err)
	}
	if name != filepath.Join(dir, "guest1.cfg") || text != "name='guest1'" {
		t.Errorf("read %q from %s", text, name)
	}
	if _, err := h.read("/dev/null"); errorText(err) != "/dev/null: not a regular file" {
		t.Errorf("error is %v", err)
	}
	if _, err := h.Run(t.Context(), "no-such-program"); errorText(err) != "no-such-program is not installed" {
		t.Errorf("error is %v", err)
	}
}
