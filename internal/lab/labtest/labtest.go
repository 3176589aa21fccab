// Package labtest has what tests that run in a lab share. Such a package's
// TestMain calls Main.
package labtest

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/real"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// refused is why Main could not enter a lab's namespaces.
var refused error

// Main is for TestMain: it runs a package's tests in the lab's namespaces, as
// lab.Enter does. Where the kernel refuses those, the tests run all the same, and
// New tells each of them why.
func Main(m *testing.M) {
	// A fuzz worker is started by a test binary that is inside already, and
	// talks to it over descriptors that would not survive another start.
	worker := slices.ContainsFunc(os.Args, func(arg string) bool { return strings.HasPrefix(arg, "-test.fuzzworker") })
	if !worker {
		if refused = lab.Enter(); refused != nil {
			fmt.Fprintln(os.Stderr, "lab:", refused)
		}
	}
	os.Exit(m.Run())
}

// New builds a lab that is closed when the test ends. Where the kernel allows
// no namespaces, something is Missing.
func New(t testing.TB, config lab.Config) *lab.Lab {
	t.Helper()
	settle(t)
	l, err := lab.New(t.Context(), config)
	Check(t, err)
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// settle waits for the ports of the test before, which are off their bridge and
// being removed, to be gone.
func settle(t testing.TB) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		left := slices.DeleteFunc(Links(t), func(l netlink.Link) bool {
			return !strings.HasPrefix(l.Attrs().Name, "gpx") || l.Attrs().MasterIndex != 0
		})
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("an earlier test left %s", left[0].Attrs().Name)
		}
	}
}

// TempDir is one whose name has no comma, as a test's name may have: dnsmasq
// takes what is behind one for something else.
func TempDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "labtest-")
	Check(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// Check ends the test on an error. One that says that this machine lacks a
// program or namespaces is Missing.
func Check(t testing.TB, err error) {
	t.Helper()
	_, missing := errors.AsType[*real.MissingError](err)
	switch {
	case errors.Is(err, lab.ErrOutside):
		Missing(t, cmp.Or(refused, err))
	case missing:
		Missing(t, err)
	case err != nil:
		t.Fatal(err)
	}
}

// Missing ends a test that needs what this machine lacks: a server, a tool, a
// file. The test is skipped, and fails where CI=true, since all that can be
// installed is installed there.
func Missing(t testing.TB, what any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("missing: %v", what)
	}
	t.Skipf("missing: %v", what)
}

// Program is a command that runs a program of this machine, or one that
// .ci/servers fetched. Without it something is Missing.
func Program(t testing.TB, name string, args ...string) *exec.Cmd {
	t.Helper()
	cmd, err := real.Program(name, args...)
	Check(t, err)
	return cmd
}

// Processes are those of this program whose name, as ps shows it, begins so: by
// their files in /proc. Other runs' are none.
func Processes(t testing.TB, name string) (found []string) {
	t.Helper()
	self, err := os.Stat("/proc/self/exe")
	Check(t, err)
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	Check(t, err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil || !strings.HasPrefix(string(text), name) {
			continue
		}
		exe, err := os.Stat(filepath.Join(filepath.Dir(file), "exe"))
		// A process that has left our uid does not show its program.
		if errors.Is(err, fs.ErrPermission) || err == nil && os.SameFile(exe, self) {
			found = append(found, file)
		}
	}
	return found
}

// Tmpfs is an empty directory with so much room, in the tests' own mount
// namespace.
func Tmpfs(t testing.TB, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skip(err) // no namespaces: see Main
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	return dir
}
