package lab_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"github.com/gopxeboot/gopxeboot/internal/lab/real"
)

// helperVariable makes TestHelper be the program that other tests start.
const helperVariable = "LAB_TEST_HELPER"

// helper is this test binary started again, which by TestMain enters a lab of
// its own.
func helper(t *testing.T, what string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", append([]string{"-test.run=^TestHelper$"}, args...)...)
	cmd.Env = append(os.Environ(), helperVariable+"="+what)
	// Its own working directory, as it may be another user.
	cmd.Dir = "/"
	return cmd
}

func TestHelper(t *testing.T) {
	switch what := os.Getenv(helperVariable); what {
	case "":
		t.Skip("only a part of other tests")
	case "exit":
		os.Exit(7)
	case "signal":
		signals := make(chan os.Signal, 1)
		signal.Notify(signals, unix.SIGTERM)
		fmt.Println("ready")
		<-signals
		os.Exit(8)
	case "die":
		unix.Kill(os.Getpid(), unix.SIGKILL)
	case "serve":
		l := labtest.New(t, lab.Config{})
		// A server that forks one for each transfer, as in.tftpd does.
		p, err := real.Start(l.Servers, exec.Command("sh", "-c", "sleep 1000 & echo forked; wait"))
		labtest.Check(t, err)
		for !strings.Contains(p.Log(), "forked") {
			time.Sleep(time.Millisecond)
		}
		fmt.Println("ready", strings.Join(descendants(t, strconv.Itoa(os.Getpid())), " "))
		select {}
	default:
		t.Fatalf("no such helper: %s", what)
	}
}

// descendants is a process and all that it started, and they in turn.
func descendants(t *testing.T, pid string) []string {
	t.Helper()
	all := []string{pid}
	files, err := filepath.Glob("/proc/[0-9]*/status")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		status, err := os.ReadFile(file)
		if err == nil && bytes.Contains(status, []byte("\nPPid:\t"+pid+"\n")) {
			all = append(all, descendants(t, filepath.Base(filepath.Dir(file)))...)
		}
	}
	return all
}

// needNamespaces skips where a helper could not enter either.
func needNamespaces(t *testing.T) {
	t.Helper()
	if err := labtest.New(t, lab.Config{}).Close(); err != nil {
		t.Fatal(err)
	}
}

// startHelper starts it and returns the rest of its line "ready ...".
func startHelper(t *testing.T, cmd *exec.Cmd) []string {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if fields := strings.Fields(lines.Text()); len(fields) > 0 && fields[0] == "ready" {
			return fields[1:]
		}
	}
	t.Fatal("the helper ended without being ready")
	return nil
}

func TestEnterPassesTheExitStatusOn(t *testing.T) {
	needNamespaces(t)
	for what, want := range map[string]int{"exit": 7, "die": 128 + 9} {
		err := helper(t, what).Run()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != want {
			t.Errorf("%s: %v, want exit status %d", what, err, want)
		}
	}
}

func TestEnterPassesSignalsOn(t *testing.T) {
	cmd := helper(t, "signal")
	startHelper(t, cmd)
	if err := cmd.Process.Signal(unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	err := cmd.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 8 {
		t.Errorf("ended with %v, want the exit status of its SIGTERM handler", err)
	}
}

// TestEnterKeepsTheFlags has the testing package write a file, as it does for
// coverage.
func TestEnterKeepsTheFlags(t *testing.T) {
	profile := filepath.Join(t.TempDir(), "trace")
	cmd := helper(t, "", "-test.trace="+profile)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	if len(readFile(t, profile)) == 0 {
		t.Error("nothing was written")
	}
}

// TestNothingOutlivesTheProcess kills the process that called Enter, and looks
// for what ran in its lab.
func TestNothingOutlivesTheProcess(t *testing.T) {
	needNamespaces(t)
	cmd := helper(t, "serve")
	pids := startHelper(t, cmd)
	if len(pids) != 3 {
		t.Fatalf("want the lab, a server and its child, got processes %v", pids)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for _, pid := range pids {
		for alive(t, pid) {
			if ctx.Err() != nil {
				t.Fatalf("process %s of %v is still there", pid, pids)
			}
			time.Sleep(time.Millisecond)
		}
	}
}

func alive(t *testing.T, pid string) bool {
	t.Helper()
	if _, err := strconv.Atoi(pid); err != nil {
		t.Fatal(err)
	}
	status, err := os.ReadFile("/proc/" + pid + "/status")
	return err == nil && !bytes.Contains(status, []byte("State:\tZ"))
}

// TestAsUser runs this package's tests again as a user without privileges.
func TestAsUser(t *testing.T) {
	uids := readFile(t, "/proc/self/uid_map")
	if fields := strings.Fields(string(uids)); len(fields) != 3 || fields[2] == "1" {
		t.Skip("this is a user without privileges already")
	}
	const nobody = 65534
	cmd := exec.Command("/proc/self/exe", "-test.v", "-test.run=^Test(New|Embedded|Two|Close|Real|Run|Enter|Nothing)")
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), "CI=") // that user may be unable to reach the servers, in root's home
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out, err := cmd.CombinedOutput()
	if bytes.Contains(out, []byte("create private namespaces")) {
		t.Skipf("users have no namespaces here:\n%s", out)
	}
	if err != nil {
		t.Errorf("%v:\n%s", err, out)
	}
	if !bytes.Contains(out, []byte("--- PASS: TestEmbeddedServers")) {
		t.Errorf("TestEmbeddedServers did not pass:\n%s", out)
	}
}
