package boot

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gopxeboot/gopxeboot/xenout"
)

// fakePygrub is a program that answers like pygrub: it writes its arguments
// to a file, one a line, makes two files, and ends with that status.
func fakePygrub(t *testing.T, body string) (program, arguments string) {
	t.Helper()
	dir := t.TempDir()
	program, arguments = filepath.Join(dir, "pygrub"), filepath.Join(dir, "arguments")
	script := "#!/bin/sh\nfor a; do echo \"$a\"; case $a in --output=*) out=${a#*=};; --output-directory=*) dir=${a#*=};; esac; done >" + arguments + "\n" + body
	if err := os.WriteFile(program, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return program, arguments
}

func TestLocalBoot(t *testing.T) {
	const both = `echo k >"$dir/boot_kernel.ab"; echo i >"$dir/boot_ramdisk.cd"
printf 'kernel %sboot_kernel.ab\0ramdisk %sboot_ramdisk.cd\0args root=/dev/xvda1 ro extra\0\0' "$dir" "$dir" >$out
`
	dir := t.TempDir()
	full := xenout.Result{Kernel: dir + "/boot_kernel.ab", Ramdisk: dir + "/boot_ramdisk.cd", Args: "root=/dev/xvda1 ro extra"}
	for name, test := range map[string]struct {
		pygrub string
		disk   string
		want   xenout.Result
		says   string
	}{
		"kernel and ramdisk":      {both, "/disk", full, ""},
		"its status is no news":   {both + "exit 1", "/disk", full, ""},
		"kernel alone":            {`printf 'kernel %sboot_kernel.ab\0\0' "$dir" >$out`, "/disk", xenout.Result{Kernel: full.Kernel}, ""},
		"failed with status 0":    {"exit 0", "/disk", xenout.Result{}, "found nothing to boot"},
		"failed":                  {"exit 1", "/disk", xenout.Result{}, "exit status 1"},
		"a file of dom0's":        {`printf 'kernel /etc/shadow\0' >$out`, "/disk", xenout.Result{}, "/etc/shadow, which is not in"},
		"a way out of the place":  {`printf 'kernel %s../x\0' "$dir" >$out`, "/disk", xenout.Result{}, "which is not in"},
		"no kernel":               {`printf 'args x\0' >$out`, "/disk", xenout.Result{}, "named no kernel"},
		"no disk":                 {both, "", xenout.Result{}, "there is no disk"},
		"an answer without bound": {`yes >$out`, "/disk", xenout.Result{}, "named no kernel"},
	} {
		t.Run(name, func(t *testing.T) {
			program, arguments := fakePygrub(t, test.pygrub)
			r := Request{Disk: test.disk, Pygrub: program, OutputDirectory: dir, Args: "extra", Quiet: true}
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			got, err := localBoot(ctx, r, quiet())
			if test.says != "" {
				if CodeOf(err) != NotBootable || !strings.Contains(err.Error(), test.says) {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			text, err := os.ReadFile(arguments)
			if err != nil {
				t.Fatal(err)
			}
			want := "--output=/proc/self/fd/3\n--output-format=simple0\n--output-directory=" + dir + "/\n--args=extra\n--quiet\n/disk\n"
			if diff := cmp.Diff(want, string(text)); diff != "" {
				t.Errorf("pygrub's arguments (-want +got):\n%s", diff)
			}
		})
	}
}

// A pygrub that hangs ends with us.
func TestLocalBootCancelled(t *testing.T) {
	program, _ := fakePygrub(t, "exec sleep 1000")
	ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, context.DeadlineExceeded)
	defer cancel()
	if _, err := localBoot(ctx, Request{Disk: "/disk", Pygrub: program, OutputDirectory: t.TempDir()}, quiet()); CodeOf(err) != OutOfTime {
		t.Errorf("got %v", err)
	}
}

func TestNoPygrub(t *testing.T) {
	r := Request{Disk: "/disk", Pygrub: filepath.Join(t.TempDir(), "pygrub")}
	if _, err := localBoot(t.Context(), r, quiet()); CodeOf(err) != NotBootable || !strings.Contains(err.Error(), "--pygrub") {
		t.Errorf("got %v", err)
	}
}
