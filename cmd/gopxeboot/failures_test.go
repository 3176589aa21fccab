package main

import (
	"errors"
	"flag"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
)

var failures = flag.Int("failures", 40, "how many boots TestFailures has fail")

// Boots that fail, half of them because of a SIGTERM at a random moment, as xl
// sends it when its user has had enough. Whatever the moment, nothing is left
// and nothing is called a success.
func TestFailures(t *testing.T) {
	l := labtest.New(t, lab.Config{})
	tree := sampleTree(t)
	for name, size := range map[string]int{lab.SampleKernel: 200_000, lab.SampleInitrd: 300_000} {
		labtest.Check(t, os.Truncate(filepath.Join(tree, name), int64(size)))
	}
	labtest.Check(t, servers["embedded"](t.Context(), l.Servers, tree))
	before, processes := links(t), len(helpers(t))
	dir := t.TempDir()
	answer := filepath.Join(t.TempDir(), "answer")

	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	ways := [][]string{
		{"--ramdisk=nowhere"},   // when the kernel is there
		{"--max-initrd=299999"}, // when it has begun
		{"--server=192.168.1.166", "--config-dir=nowhere"},
		{"--label=nobody"},
	}
	usual := 100 * time.Millisecond // how long a failure takes
	ended, terminated := 0, 0
	for i := range *failures {
		args := append([]string{"-q", "--output=" + answer, "--output-format=simple0", "--output-directory=" + dir}, ways[i/2%len(ways)]...)
		cmd := command(t.Context(), append(args, vif)...)
		begin := time.Now()
		labtest.Check(t, cmd.Start())
		if i%2 == 1 {
			time.Sleep(time.Duration(random.Int64N(int64(usual))))
			cmd.Process.Signal(syscall.SIGTERM)
		}
		err := cmd.Wait()
		var exit *exec.ExitError
		switch {
		case !errors.As(err, &exit):
			t.Fatalf("failure %d, %v: %v, want an exit status", i, args, err)
		case i%2 == 0:
			usual = (3*usual + time.Since(begin)) / 4
			ended++
		default:
			terminated++
		}
		if text, _ := os.ReadFile(answer); len(text) > 0 {
			t.Fatalf("failure %d, %v: answered %q", i, args, text)
		}
		if i%1000 == 999 {
			t.Logf("%d so far", i+1)
		}
		if left := entries(t, dir); len(left) > 0 {
			t.Fatalf("failure %d, %v: left %v", i, args, left)
		}
	}
	t.Logf("%d boots failed, %d more were terminated; a failure took about %v", ended, terminated, usual.Round(time.Millisecond))
	eventually(t, "interfaces", func() string { return strings.Join(links(t), " ") }, strings.Join(before, " "))
	eventually(t, "processes", func() string { return strings.Repeat("helper ", len(helpers(t))) }, strings.Repeat("helper ", processes))
}
