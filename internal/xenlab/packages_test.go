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
echo "$*" >>"$LOG"
for option; do
	case $option in
	indextargets) echo "http://mirror.example/debian-security/ http://mirror.example/debian/"; exit ;;
	Dir::Cache::archives=*) archives=${option#*=} ;;
	esac
done
for package; do :; done
case $package in
update) ;;
linux-image-amd64) touch "$archives/linux-image-6.1.0-9-amd64_1_amd64.deb" "$archives/linux-base_1_all.deb" ;;
linux-image-cloud-amd64) touch "$archives/linux-image-6.1.0-9-cloud-amd64_1_amd64.deb" "$archives/linux-base_1_all.deb" ;;
*) touch "$archives/xen-utils-4.14_1_amd64.deb" ;;
esac
`

func TestUnpack(t *testing.T) {
	dir := t.TempDir()
	log := filepath.Join(dir, "log")
	t.Setenv("LOG", log)
	fakePrograms(t, map[string]string{
		"apt-get":  fakeApt,
		"dpkg-deb": `mkdir -p "$3" && echo "${2##*/}" >>"$3/which"`,
	})
	u, err := unpack(t.Context(), dir, Release{"4.14", "bullseye"})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, d := range []string{u.root, u.dom0Kernel, u.guestKernel} {
		which, err := os.ReadFile(filepath.Join(d, "which"))
		if err != nil {
			t.Fatal(err)
		}
		got[strings.TrimPrefix(d, dir+"/")] = strings.TrimSpace(string(which))
	}
	want := map[string]string{
		"bullseye/root": "xen-utils-4.14_1_amd64.deb",
		"kernel-dom0":   "linux-image-6.1.0-9-amd64_1_amd64.deb",
		"kernel-guest":  "linux-image-6.1.0-9-cloud-amd64_1_amd64.deb",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("unpacked (-want +got):\n%s", diff)
	}

	// Nothing is to be installed on this machine, and nothing fetched twice: a
	// second release has its own packages and the same kernels.
	commands, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(string(commands), "--download-only install "); got != 3 {
		t.Errorf("apt-get was called with %s", commands)
	}
	for _, tt := range []struct {
		release Release
		fetched int
	}{{Release{"4.14", "bullseye"}, 3}, {Release{"4.20", "trixie"}, 4}} {
		if _, err := unpack(t.Context(), dir, tt.release); err != nil {
			t.Fatal(err)
		}
		again, err := os.ReadFile(log)
		if err != nil || strings.Count(string(again), " install ") != tt.fetched {
			t.Errorf("%s: apt-get was called with %s, %v", tt.release.Suite, again[len(commands):], err)
		}
	}
}

func TestUnpackSaysWhatIsMissing(t *testing.T) {
	for name, tt := range map[string]struct{ apt, want string }{
		"no network": {`[ "$1" = indextargets ] && echo http://mirror.example/debian/ && exit; echo 'E: no network' >&2; exit 100`,
			"Debian trixie's packages: apt-get: exit status 100: E: no network"},
		"not Debian": {"echo http://mirror.example/ubuntu/", "Debian trixie's packages: no mirror of Debian among apt's sources"},
	} {
		t.Run(name, func(t *testing.T) {
			fakePrograms(t, map[string]string{"apt-get": tt.apt})
			dir := t.TempDir()
			_, err := unpack(t.Context(), dir, Releases[0])
			var missing *MissingError
			if !errors.As(err, &missing) || err.Error() != tt.want {
				t.Errorf("error %v, want a MissingError %q", err, tt.want)
			}
			if _, err := os.Stat(filepath.Join(dir, "trixie/root.unpacked")); err == nil {
				t.Error("what failed counts as done")
			}
		})
	}
}

func TestNewSaysWhatIsMissing(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := New(context.Background(), t.TempDir(), Releases[0])
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
