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
	"testing"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"github.com/gopxeboot/gopxeboot/internal/xenlab"
)

var (
	xen     = flag.Bool("xen", false, "boot real Xen in QEMU and run the cases in its dom0")
	only    = flag.String("case", "", "with -xen: the cases whose names match this pattern, also those that are for later")
	program = flag.String("program", "", "with -xen: the program under test (default: build ./cmd/gopxeboot)")
	cache   = flag.String("cache", "../../build/xenlab", "with -xen: the directory for packages and images")
)

// TestXen runs the cases on real Xen, and prints a line for each.
func TestXen(t *testing.T) {
	if !*xen {
		t.Skip("boots a virtual machine: needs -xen")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Minute)
	defer cancel()
	dir, err := filepath.Abs(*cache)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	lab, err := xenlab.New(ctx, dir)
	if missing := (*xenlab.MissingError)(nil); errors.As(err, &missing) {
		fmt.Println("SKIP", err)
		labtest.Missing(t, err)
	} else if err != nil {
		t.Fatal(err)
	}
	cases := selected(t)
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
				fmt.Printf("FAIL %s: the machine failed\n", c.Name)
				t.Fatal(err)
			case result.Case != c.Name:
				t.Fatalf("dom0 ran case %q", result.Case)
			case result.Failure != "":
				fmt.Printf("FAIL %s: %s\n", c.Name, result.Failure)
				t.Fatalf("%s: %s\n%s", c.About, result.Failure, result.Log)
			}
			fmt.Printf("PASS %s (%.1f s)\n", c.Name, result.Seconds)
		})
		if !ok && ctx.Err() != nil {
			t.Fatal(ctx.Err())
		}
	}
	fmt.Printf("%d cases, %.0f s in all\n", len(cases), time.Since(began).Seconds())
}

// selected are the cases to run.
func selected(t *testing.T) []xenlab.Case {
	all, err := xenlab.Cases()
	if err != nil {
		t.Fatal(err)
	}
	var cases []xenlab.Case
	for _, c := range all {
		matches, err := path.Match(*only, c.Name)
		switch {
		case err != nil:
			t.Fatalf("-case %s: %v", *only, err)
		case matches, *only == "" && c.Later == "":
			cases = append(cases, c)
		case *only == "":
			fmt.Printf("SKIP %s: waits for %s\n", c.Name, c.Later)
		}
	}
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
