package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
)

var boots = flag.Int("boots", 60, "how many boots TestStress does")

// Boots in a row, every third one killed by SIGKILL at a random moment. What
// would be left by each is left for the end to see: namespaces live on in
// their processes and interfaces, and files lie around.
func TestStress(t *testing.T) {
	l := labtest.New(t, lab.Config{})
	tree := sampleTree(t)
	writeFile(t, filepath.Join(tree, lab.SampleKernel), string(kernelOf(strings.Repeat("x", 200_000))))
	labtest.Check(t, os.Truncate(filepath.Join(tree, lab.SampleInitrd), 300_000))
	labtest.Check(t, servers["embedded"](t.Context(), l.Servers, tree))
	before, processes := links(t), len(helpers(t))
	dir := t.TempDir()

	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	usual := 100 * time.Millisecond // how long a boot takes
	killed, finished := 0, 0
	for i := range *boots {
		answer := filepath.Join(dir, "answer")
		labtest.Check(t, os.WriteFile(answer, nil, 0o600))
		cmd := command(t.Context(), "-q", "--output="+answer, "--output-format=simple0", "--output-directory="+dir, vif)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		begin := time.Now()
		labtest.Check(t, cmd.Start())
		if i%3 == 2 {
			time.Sleep(time.Duration(random.Int64N(int64(usual))))
			cmd.Process.Kill()
		}
		err := cmd.Wait()
		text, readErr := os.ReadFile(answer)
		labtest.Check(t, readErr)
		switch {
		case err == nil:
			if i%3 != 2 {
				usual = (3*usual + time.Since(begin)) / 4
			}
			finished++
		case i%3 != 2:
			t.Fatalf("boot %d: %v: %s", i, err, stderr.String())
		default:
			killed++
		}
		labtest.Check(t, os.Remove(answer))
		// Libxl deletes what it was told of. One that was killed may be
		// removed at the same time by its cleanup process, or have done its job in time.
		for item := range strings.SplitSeq(string(text), "\x00") {
			if _, path, ok := strings.Cut(item, " "); ok && !strings.HasPrefix(item, "args ") {
				if err := os.Remove(path); err != nil && (i%3 != 2 || !errors.Is(err, fs.ErrNotExist)) {
					t.Fatal(err)
				}
			}
		}
		eventually(t, fmt.Sprintf("files of boot %d, which told %q", i, text), func() string { return strings.Join(entries(t, dir), " ") }, "")
	}
	t.Logf("%d boots finished, %d killed; a boot took about %v", finished, killed, usual.Round(time.Millisecond))
	eventually(t, "interfaces", func() string { return strings.Join(links(t), " ") }, strings.Join(before, " "))
	eventually(t, "processes", func() string { return strings.Repeat("helper ", len(helpers(t))) }, strings.Repeat("helper ", processes))
}

// helpers are the processes that a gopxeboot starts: guests and cleanup processes.
func helpers(t *testing.T) []string {
	t.Helper()
	return labtest.Processes(t, "gopxeboot-")
}
