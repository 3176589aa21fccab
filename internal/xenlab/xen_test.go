package xenlab_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"github.com/gopxeboot/gopxeboot/internal/xenlab"
)

var (
	xen     = flag.String("xen", "", "boot this version of real Xen in QEMU and run the cases in its dom0: newest, one of 4.20, 4.17 and 4.14, or all of them and the slow cases")
	only    = flag.String("case", "", "with -xen: the cases whose names match one of these patterns, with commas between; slow ones, too")
	program = flag.String("program", "", "with -xen: the program under test, or its .deb (default: build ./cmd/gopxeboot)")
	cache   = flag.String("cache", "../../build/xenlab", "with -xen: the directory for packages and images")
)

// TestXen runs the cases on real Xen, and prints a line for each.
func TestXen(t *testing.T) {
	if *xen == "" {
		t.Skip("boots a virtual machine: needs -xen")
	}
	dir, err := filepath.Abs(*cache)
	if err != nil {
		t.Fatal(err)
	}
	releases := xenlab.Releases
	switch *xen {
	case "all":
	case "newest":
		releases = releases[:1]
	default:
		releases = slices.DeleteFunc(slices.Clone(releases), func(r xenlab.Release) bool { return r.Xen != *xen })
	}
	if len(releases) == 0 {
		t.Fatalf("-xen %s: there is no such version", *xen)
	}
	began, count := time.Now(), 0
	for _, release := range releases {
		t.Run(release.Xen, func(t *testing.T) { count += testXen(t, dir, release) })
	}
	fmt.Printf("%d cases, %.0f s in all\n", count, time.Since(began).Seconds())
}

// testXen runs the cases on one version of Xen, and returns how many.
func testXen(t *testing.T, dir string, release xenlab.Release) int {
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	lab, err := xenlab.New(ctx, dir, release)
	if missing := (*xenlab.MissingError)(nil); errors.As(err, &missing) {
		fmt.Println("SKIP", err)
		labtest.Missing(t, err)
	} else if err != nil {
		t.Fatal(err)
	}
	cases := selected(t, release)
	machine, err := lab.Boot(ctx, underTest(t, dir), cases)
	if err != nil {
		t.Fatal(err)
	}
	defer machine.Close()
	for _, c := range cases {
		ok := t.Run(c.Name, func(t *testing.T) {
			result, err := machine.Next()
			switch {
			case err != nil:
				fmt.Printf("FAIL %s %s: the machine failed\n", release.Xen, c.Name)
				t.Fatal(err)
			case result.Case != c.Name:
				t.Fatalf("dom0 ran case %q", result.Case)
			case result.Failure != "":
				fmt.Printf("FAIL %s %s: %s\n", release.Xen, c.Name, result.Failure)
				t.Fatalf("%s: %s\n%s", c.About, result.Failure, result.Log)
			}
			fmt.Printf("PASS %s %s (%.1f s)\n", release.Xen, c.Name, result.Seconds)
		})
		if !ok && ctx.Err() != nil {
			t.Fatal(ctx.Err())
		}
	}
	return len(cases)
}

// selected are the cases to run on a version of Xen.
func selected(t *testing.T, release xenlab.Release) []xenlab.Case {
	all, err := xenlab.Cases()
	if err != nil {
		t.Fatal(err)
	}
	named := strings.FieldsFunc(*only, func(r rune) bool { return r == ',' })
	cases := slices.DeleteFunc(all, func(c xenlab.Case) bool {
		named := slices.ContainsFunc(named, func(pattern string) bool {
			matches, err := path.Match(pattern, c.Name)
			if err != nil {
				t.Fatalf("-case %s: %v", pattern, err)
			}
			return matches
		})
		return !c.On(release.Xen, *xen == "all" || named) || *only != "" && !named
	})
	if len(cases) == 0 {
		t.Fatalf("no case matches %q", *only)
	}
	return cases
}

// underTest is the file of the program under test. It is static: dom0 has
// another libc.
func underTest(t *testing.T, dir string) string {
	if *program != "" {
		return *program
	}
	file := filepath.Join(dir, "gopxeboot")
	build := exec.Command("go", "build", "-o", file, "./cmd/gopxeboot")
	build.Dir = "../.."
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOARCH=amd64")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, output)
	}
	return file
}
