package handover

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gopxeboot/gopxeboot/internal/console"
	"github.com/gopxeboot/gopxeboot/internal/fault"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
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
	const both = `printf k >"$dir/boot_kernel.ab"; printf i >"$dir/boot_ramdisk.cd"
printf 'kernel %sboot_kernel.ab\0ramdisk %sboot_ramdisk.cd\0args root=/dev/xvda1 ro extra\0\0' "$dir" "$dir" >$out
`
	const args = "root=/dev/xvda1 ro extra"
	for name, test := range map[string]struct {
		pygrub  string
		disk    string
		ramdisk bool
		args    string
		says    string
	}{
		"kernel and ramdisk":      {both, "/disk", true, args, ""},
		"its status is no news":   {both + "exit 1", "/disk", true, args, ""},
		"kernel alone":            {`printf k >"$dir/k"; printf 'kernel %sk\0\0' "$dir" >$out`, "/disk", false, "", ""},
		"an empty ramdisk item":   {`printf k >"$dir/k"; printf 'kernel %sk\0ramdisk \0' "$dir" >$out`, "/disk", false, "", ""},
		"failed with status 0":    {"exit 0", "/disk", false, "", "found nothing to boot"},
		"failed":                  {"exit 1", "/disk", false, "", "exit status 1"},
		"failed half way":         {`printf k >"$dir/boot_kernel.ab"; exit 1`, "/disk", false, "", "exit status 1"},
		"a file of dom0's":        {`printf 'kernel /etc/shadow\0' >$out`, "/disk", false, "", "/etc/shadow, which is not in"},
		"a ramdisk of dom0's":     {both + `printf 'ramdisk /etc/shadow\0' >>$out`, "/disk", false, "", "/etc/shadow, which is not in"},
		"a way out of the place":  {`printf 'kernel %s../x\0' "$dir" >$out`, "/disk", false, "", "which is not in"},
		"a link out of it":        {`ln -s /etc/shadow "$dir/k"; printf 'kernel %sk\0' "$dir" >$out`, "/disk", false, "", "no regular file"},
		"a kernel that is not":    {`printf 'kernel %sk\0' "$dir" >$out`, "/disk", false, "", "no such file"},
		"an empty kernel":         {`: >"$dir/k"; printf 'kernel %sk\0' "$dir" >$out`, "/disk", false, "", "0 bytes"},
		"a kernel too large":      {`printf 123456789 >"$dir/k"; printf 'kernel %sk\0' "$dir" >$out`, "/disk", false, "", "9 bytes"},
		"arguments too long":      {`printf k >"$dir/k"; printf 'kernel %sk\0args %01024d\0' "$dir" 7 >$out`, "/disk", false, "", "1024 bytes"},
		"no kernel":               {`printf 'args x\0' >$out`, "/disk", false, "", "named no kernel"},
		"no disk":                 {both, "", false, "", "there is no disk"},
		"an answer without bound": {`yes >$out`, "/disk", false, "", "named no kernel"},
	} {
		t.Run(name, func(t *testing.T) {
			program, arguments := fakePygrub(t, test.pygrub)
			h := begin(t, Spec{
				Disk: test.disk, Offset: "32256", Pygrub: program, Args: "extra", Quiet: true, RunAs: 65539, Format: xenout.Simple0,
			}, quiet())
			kernel, ramdisk, dir := h.kernel, h.ramdisk, filepath.Dir(h.place.pygrub)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			got, err := h.localBoot(ctx)
			if test.says != "" {
				if fault.CodeOf(err) != fault.NotBootable || !strings.Contains(err.Error(), test.says) {
					t.Errorf("got %v", err)
				}
				kernel.discard()
				ramdisk.discard()
				if left := names(t, dir); left != nil {
					t.Errorf("left %v", left)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := xenout.Result{Kernel: kernel.name, Args: test.args}
			files := map[string]string{kernel.name: "k"}
			if test.ramdisk {
				want.Ramdisk = ramdisk.name
				files[ramdisk.name] = "i"
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if there := names(t, dir); len(there) != len(files) {
				t.Errorf("the output directory holds %v", there)
			}
			for name, content := range files {
				if text, err := os.ReadFile(name); err != nil || string(text) != content {
					t.Errorf("%s holds %q (%v), want %q", name, text, err, content)
				}
			}
			text, err := os.ReadFile(arguments)
			if err != nil {
				t.Fatal(err)
			}
			const options = "--output=/proc/self/fd/3\n--output-format=simple0\n"
			wantArguments := options + "--output-directory=" + h.place.pygrub + "/\n--args=extra\n--offset=32256\n--runas=65539\n--quiet\n/disk\n"
			if diff := cmp.Diff(wantArguments, string(text)); diff != "" {
				t.Errorf("pygrub's arguments (-want +got):\n%s", diff)
			}
		})
	}
}

// A pygrub that hangs ends with us, also when something that it started lives
// on and holds its files.
func TestLocalBootCancelled(t *testing.T) {
	for _, body := range []string{"exec sleep 1000", "sleep 5 >/dev/null 2>&1 & exec sleep 1000"} {
		program, _ := fakePygrub(t, `: >"$dir/boot_kernel.ab"; `+body)
		h := begin(t, Spec{Disk: "/disk", Pygrub: program}, quiet())
		dir := filepath.Dir(h.place.pygrub)
		ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, context.DeadlineExceeded)
		defer cancel()
		begin := time.Now()
		if _, err := h.localBoot(ctx); fault.CodeOf(err) != fault.OutOfTime {
			t.Errorf("%s: got %v", body, err)
		}
		if took := time.Since(begin); took > 4*time.Second {
			t.Errorf("%s: it took %v", body, took)
		}
		h.kernel.discard()
		h.ramdisk.discard()
		if left := names(t, dir); left != nil {
			t.Errorf("%s: left %v", body, left)
		}
	}
}

// What pygrub has started ends with it: the process that reads the disk is one
// that it forks.
func TestPygrubsChildren(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	program, _ := fakePygrub(t, "exec 4>"+fifo+"; sleep 1000 & echo >&4; exec sleep 1000")
	h := begin(t, Spec{Disk: "/disk", Pygrub: program}, quiet())
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		_, err := h.localBoot(ctx)
		ended <- err
	}()
	held, err := os.Open(fifo) // blocks until pygrub runs
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	if _, err := held.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-ended; fault.CodeOf(err) != fault.OutOfTime {
		t.Errorf("got %v", err)
	}
	if err := held.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := held.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("a process lives on and holds a file: %v", err)
	}
}

func TestNoPygrub(t *testing.T) {
	h := begin(t, Spec{Disk: "/disk", Pygrub: filepath.Join(t.TempDir(), "pygrub")}, quiet())
	if _, err := h.localBoot(t.Context()); fault.CodeOf(err) != fault.NotBootable || !strings.Contains(err.Error(), "--pygrub") {
		t.Errorf("got %v", err)
	}
}

// Without a uid of the toolstack's, pygrub gets one that owns nothing, where it
// knows how to become that.
func TestConfinement(t *testing.T) {
	for name, test := range map[string]struct {
		knows   string // a line of pygrub's
		spec    Spec
		options string // a pattern, of those after the directory
		says    string
	}{
		"new": {`# getopt: "runas=", "entry="`, Spec{}, `--runas=201\d{7}\n--quiet\n`, ""},
		"new, and it may ask a terminal that is none": {`# "runas="`, Spec{Interactive: true}, `--runas=201\d{7}\n--quiet\n`, ""},
		"the toolstack's": {`# "runas="`, Spec{RunAs: 65539}, `--runas=65539\n--quiet\n`, ""},
		"old":             {"", Spec{}, `--quiet\n`, "reads the guest's disk as root: it has no --runas"},
		"old, but asked":  {"", Spec{RunAs: 65539}, `--runas=65539\n--quiet\n`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			program, arguments := fakePygrub(t, test.knows+"\n"+`printf k >"$dir/k"; printf 'kernel %sk\0\0' "$dir" >$out`)
			test.spec.Disk, test.spec.Pygrub, test.spec.Format = "/disk", program, xenout.Simple0
			var said bytes.Buffer
			h := begin(t, test.spec, console.New(&said, console.Normal))
			if _, err := h.localBoot(t.Context()); err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(arguments)
			if err != nil {
				t.Fatal(err)
			}
			want := regexp.MustCompile(`^--output=\S+\n--output-format=simple0\n--output-directory=\S+\n` + test.options + `/disk\n$`)
			if !want.Match(text) {
				t.Errorf("pygrub's arguments are %q, want %s", text, test.options)
			}
			if root := strings.Count(said.String(), "as root"); !strings.Contains(said.String(), test.says) || root != strings.Count(test.says, "as root") {
				t.Errorf("said %q, want %q", said.String(), test.says)
			}
		})
	}
}

// Who runs us has no say in which program is run as root.
func TestFindPygrub(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "pygrub")
	if err := os.WriteFile(file, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	for _, name := range []string{"", "pygrub"} {
		if found, _ := findPygrub(name); found == file {
			t.Errorf("%q is looked for in PATH", name)
		}
	}
	if found, err := findPygrub(file); found != file {
		t.Errorf("%s is %q (%v)", file, found, err)
	}
}

// Gopxeboot may stand in pygrub's place (behind XAPI's pygrub-wrapper, for
// instance). LOCALBOOT must not start it once more.
func TestFindPygrubInItsPlace(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ours := filepath.Join(t.TempDir(), "pygrub")
	if err := os.Symlink(self, ours); err != nil {
		t.Fatal(err)
	}
	theirs := filepath.Join(t.TempDir(), "pygrub")
	if err := os.WriteFile(theirs, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	if got, err := pygrubIn(theirs, ours); err != nil || got != theirs {
		t.Errorf("found %q, %v, want %q", got, err, theirs)
	}
	if got, err := pygrubIn(ours); err == nil {
		t.Errorf("found %q: ourselves", got)
	}
}

// What is on a guest's disk may be of any size: pygrub copies it until the output
// directory is full, as far as the reserve.
func TestPygrubWithoutBound(t *testing.T) {
	for name, test := range map[string]struct {
		most int64
		says string
		code fault.Code
	}{
		"larger than allowed": {1 << 20, "larger than allowed", fault.NotBootable},
		"into the reserve":    {1 << 30, "no more than the reserve is free", fault.NoOutput},
	} {
		t.Run(name, func(t *testing.T) {
			program, _ := fakePygrub(t, `dd if=/dev/zero of="$dir/k" bs=64k 2>/dev/null; exec sleep 60`)
			h, err := Begin(Spec{
				OutputDirectory: labtest.Tmpfs(t, "8M"), MaxKernel: test.most, MaxInitrd: test.most,
				Disk: "/disk", Pygrub: program, RunAs: 65539, Quiet: true, Format: xenout.Simple0,
			}, quiet())
			if err != nil {
				t.Fatal(err)
			}
			defer h.Discard()
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			_, err = h.localBoot(ctx)
			if fault.CodeOf(err) != test.code || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v", err)
			}
			if _, err := os.Lstat(h.place.pygrub); !os.IsNotExist(err) {
				t.Errorf("its directory is left (%v)", err)
			}
		})
	}
}
