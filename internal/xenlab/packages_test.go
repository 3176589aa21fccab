package xenlab

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// fakePrograms puts shell scripts in place of programs.
func fakePrograms(t *testing.T, scripts map[string]string) {
	dir := t.TempDir()
	for name, script := range scripts {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

// fakeApt leaves empty packages where apt-get is told to.
const fakeApt = `
for option; do
	case $option in Dir::Cache::archives=*) archives=${option#*=} ;; esac
done
echo "$*" >>"$LOG"
touch "$archives/xen-utils-4.17_1_amd64.deb" "$archives/linux-image-6.1.0-9-amd64_1_amd64.deb" \
	"$archives/linux-image-6.1.0-9-cloud-amd64_1_amd64.deb"
`

func TestUnpack(t *testing.T) {
	dir := t.TempDir()
	log := filepath.Join(dir, "log")
	t.Setenv("LOG", log)
	fakePrograms(t, map[string]string{
		"apt-get":  fakeApt,
		"dpkg-deb": `mkdir -p "$3" && echo "${2##*/}" >"$3/which"`,
	})
	u, err := unpack(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, d := range []string{u.root, u.dom0Kernel, u.guestKernel} {
		which, err := os.ReadFile(filepath.Join(d, "which"))
		if err != nil {
			t.Fatal(err)
		}
		got[filepath.Base(d)] = strings.TrimSpace(string(which))
	}
	want := map[string]string{
		"root":         "xen-utils-4.17_1_amd64.deb",
		"kernel-dom0":  "linux-image-6.1.0-9-amd64_1_amd64.deb",
		"kernel-guest": "linux-image-6.1.0-9-cloud-amd64_1_amd64.deb",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("unpacked (-want +got):\n%s", diff)
	}

	// Nothing is to be installed on this machine, and nothing fetched twice.
	commands, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.Split(strings.TrimSpace(string(commands)), "\n"); len(lines) != 1 ||
		!strings.Contains(lines[0], "--download-only install xen-system-amd64 ") {
		t.Errorf("apt-get was called with %q", lines)
	}
	if _, err := unpack(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	if again, err := os.ReadFile(log); err != nil || len(again) != len(commands) {
		t.Errorf("apt-get was called again: %s, %v", again, err)
	}
}

func TestUnpackRenewsOldLists(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("LOG", filepath.Join(dir, "log"))
	fakePrograms(t, map[string]string{
		"apt-get":  `case "$*" in *Dir::State::lists=*) ;; *) echo "E: 404" >&2; exit 100 ;; esac` + fakeApt,
		"dpkg-deb": `mkdir -p "$3"`,
	})
	if _, err := unpack(t.Context(), dir); err != nil {
		t.Error(err)
	}
}

func TestUnpackSaysWhatIsMissing(t *testing.T) {
	fakePrograms(t, map[string]string{"apt-get": "echo 'E: no network' >&2; exit 100"})
	dir := t.TempDir()
	_, err := unpack(t.Context(), dir)
	var missing *MissingError
	if !errors.As(err, &missing) {
		t.Fatalf("error %v, want a MissingError", err)
	}
	if want := "Debian packages: apt-get: exit status 100: E: no network"; err.Error() != want {
		t.Errorf("error %q, want %q", err, want)
	}
	if _, err := os.Stat(filepath.Join(dir, "unpacked")); err == nil {
		t.Error("what failed counts as done")
	}
}

func TestNewSaysWhatIsMissing(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := New(context.Background(), t.TempDir())
	var missing *MissingError
	if !errors.As(err, &missing) || err.Error() != "apt-get: not installed" {
		t.Errorf("error %v, want that apt-get is not installed", err)
	}
}

func TestTail(t *testing.T) {
	for _, tt := range []struct {
		text  string
		lines int
		want  string
	}{
		{"", 3, ""},
		{"a\nb\n", 3, "a\nb"},
		{"a\nb\nc\n", 2, "b\nc"},
	} {
		if got := tail(tt.text, tt.lines); got != tt.want {
			t.Errorf("tail(%q, %d) = %q, want %q", tt.text, tt.lines, got, tt.want)
		}
	}
}
