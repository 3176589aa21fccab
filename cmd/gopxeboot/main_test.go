package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gopxeboot/gopxeboot/internal/boot"
	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain makes the test binary a gopxeboot too: the tests run it under that
// name, as a toolstack would.
func TestMain(m *testing.M) {
	if status, ours := boot.Helper(); ours {
		os.Exit(status)
	}
	if os.Getenv(callVariable) != "" {
		playToolstack()
	}
	if filepath.Base(os.Args[0]) == "gopxeboot" {
		main()
	}
	flag.Parse()
	// Boots of a broken lab mostly wait.
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	labtest.Main(m)
}

// TestScripts runs testdata/script: the command line, without a network.
func TestScripts(t *testing.T) {
	bin := t.TempDir()
	// Not os.Executable: inside the lab that shows a chroot's path from outside.
	self, err := filepath.Abs(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(bin, "gopxeboot")); err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
			return nil
		},
	})
}

// outcome is how a run of gopxeboot ended.
type outcome struct {
	Stdout, Stderr string
	Code           int
}

// command is gopxeboot with these arguments.
func command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "/proc/self/exe", args...)
	cmd.Args[0] = "gopxeboot"
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

func gopxeboot(t *testing.T, args ...string) outcome {
	t.Helper()
	return wait(t, command(t.Context(), args...))
}

func wait(t *testing.T, cmd *exec.Cmd) outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return outcome{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

func sampleTree(t *testing.T) string {
	t.Helper()
	tree := filepath.Join(t.TempDir(), "tftpboot")
	labtest.Check(t, lab.SampleTree(tree))
	for dir := tree; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		os.Chmod(dir, 0o755) // servers that leave root have to get there
	}
	return tree
}

// entries are the names in a directory.
func entries(t *testing.T, dir string) []string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names
}

func sameFile(t *testing.T, got, want string) {
	t.Helper()
	a, err := os.ReadFile(got)
	labtest.Check(t, err)
	b, err := os.ReadFile(want)
	labtest.Check(t, err)
	if !bytes.Equal(a, b) {
		t.Errorf("%s (%d bytes) is not %s (%d bytes)", got, len(a), want, len(b))
	}
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func contains(t *testing.T, text string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%q is not in %q", w, text)
		}
	}
}
