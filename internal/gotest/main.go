// Gotest runs go test with its own arguments, shows what go test would show,
// and at the end how many tests were skipped and what for.
package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
)

func main() {
	// cmd/gopxeboot takes 9 minutes where much else runs, of the 10 that go test gives.
	cmd := exec.Command("go", append([]string{"test", "-json", "-timeout=30m"}, os.Args[1:]...)...)
	cmd.Stderr = os.Stderr
	events, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	var s summary
	if err == nil {
		readErr := s.read(events, os.Stdout)
		err = cmp.Or(cmd.Wait(), readErr)
	}
	s.print(os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "gotest:", err)
		os.Exit(1)
	}
}

// event is a line of go test -json (go doc test2json).
type event struct {
	Action, Package, Test, Output string
	Key, Value                    string // of T.Attr
}

// summary counts tests, subtests included.
type summary struct {
	run     int
	skipped map[string][]string // by reason: the tests
	output  map[string]string   // by package and test, of those that run
}

func (s *summary) read(r io.Reader, w io.Writer) error {
	s.skipped, s.output = map[string][]string{}, map[string]string{}
	for d := json.NewDecoder(r); ; {
		var e event
		if err := d.Decode(&e); err == io.EOF {
			return nil
		} else if err != nil {
			return fmt.Errorf("read what go test says: %w", err)
		}
		s.add(e, w)
	}
}

func (s *summary) add(e event, w io.Writer) {
	test := e.Package + " " + e.Test
	switch e.Action {
	case "build-output":
		fmt.Fprint(w, e.Output)
	case "attr":
		fmt.Fprintf(w, "%s: %s\n", e.Key, e.Value)
	case "output":
		switch {
		case e.Test != "":
			s.output[test] += e.Output
		case e.Output != "PASS\n":
			fmt.Fprint(w, e.Output)
		}
	case "pass", "fail", "skip":
		switch {
		case e.Test == "" && e.Action == "fail":
			// A test that did not end, as after a panic, has no event of its own.
			for _, left := range slices.Sorted(maps.Keys(s.output)) {
				if strings.HasPrefix(left, test) {
					fmt.Fprint(w, s.output[left])
				}
			}
		case e.Test == "": // a package that passed, or has no tests
		case e.Action == "fail":
			fmt.Fprint(w, s.output[test])
		case e.Action == "skip":
			why := reason(s.output[test])
			s.skipped[why] = append(s.skipped[why], test)
		}
		if e.Test != "" {
			s.run++
			delete(s.output, test)
		}
	}
}

// reason is what a test that was skipped said last: "    file.go:12: reason".
func reason(output string) string {
	why := "no reason given"
	for line := range strings.Lines(output) {
		line = strings.TrimSpace(line)
		if _, text, ok := strings.Cut(line, ".go:"); ok && !strings.HasPrefix(line, "--- ") {
			_, text, _ = strings.Cut(text, ": ")
			why = text
		}
	}
	return why
}

func (s *summary) print(w io.Writer) {
	skipped := 0
	for _, tests := range s.skipped {
		skipped += len(tests)
	}
	fmt.Fprintf(w, "%d tests run, %d skipped\n", s.run-skipped, skipped)
	for _, why := range slices.Sorted(maps.Keys(s.skipped)) {
		tests := s.skipped[why]
		more := ""
		if len(tests) > 1 {
			more = fmt.Sprintf(" and %d more", len(tests)-1)
		}
		fmt.Fprintf(w, "  %s%s: %s\n", tests[0], more, why)
	}
}
