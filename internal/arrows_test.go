// Package internal_test keeps the arrows between this project's packages.
package internal_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// row is a line of the table of packages in docs/ARCHITECTURE.md.
type row struct {
	packages []string
	imports  []string
	any      bool // it may import all that stands below
}

var quoted = regexp.MustCompile("`([^`]+)`")

// table is docs/ARCHITECTURE.md's, in its order.
func table(t *testing.T) (rows []row) {
	text, err := os.ReadFile("../docs/ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, ok := strings.Cut(string(text), "| package | what it is | imports of ours |\n|---|---|---|\n")
	if !ok {
		t.Fatal("docs/ARCHITECTURE.md has no table of packages")
	}
	names := func(cell string) (list []string) {
		for _, m := range quoted.FindAllStringSubmatch(cell, -1) {
			list = append(list, m[1])
		}
		return list
	}
	for line := range strings.Lines(after) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		if len(cells) < 3 {
			break
		}
		last := strings.TrimSpace(cells[len(cells)-1])
		rows = append(rows, row{names(cells[0]), names(last), last == "those below"})
	}
	return rows
}

// What docs/ARCHITECTURE.md says where something is, is there.
func TestWhereItIs(t *testing.T) {
	text, err := os.ReadFile("../docs/ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(text), "## Where it is\n")
	section, _, ends := strings.Cut(section, "\n## ")
	if !found || !ends || strings.Count(section, "\n|") < 5 {
		t.Fatal("docs/ARCHITECTURE.md has no table of files")
	}
	for _, m := range quoted.FindAllStringSubmatch(section, -1) {
		if !strings.HasSuffix(m[1], ".go") || strings.Contains(m[1], "*") {
			continue
		}
		if _, err := os.Stat("../" + m[1]); err != nil {
			t.Error(err)
		}
	}
}

// imports are those of each package of this module, without its tests', both by
// their path in the module.
func imports(t *testing.T) map[string][]string {
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,GoFiles,Module", "./...")
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string][]string)
	for decoder := json.NewDecoder(strings.NewReader(string(out))); decoder.More(); {
		var p struct {
			ImportPath       string
			Imports, GoFiles []string
			Module           struct{ Path string }
		}
		if err := decoder.Decode(&p); err != nil {
			t.Fatal(err)
		}
		if len(p.GoFiles) == 0 {
			continue // tests only
		}
		within := func(path string) (string, bool) { return strings.CutPrefix(path, p.Module.Path+"/") }
		name, _ := within(p.ImportPath)
		all[name] = []string{}
		for _, i := range p.Imports {
			if ours, ok := within(i); ok {
				all[name] = append(all[name], ours)
			}
		}
	}
	return all
}

// The table has every package, says what it imports, and arrows go down only.
func TestArrows(t *testing.T) {
	rows := table(t)
	place := make(map[string]int)
	for i, r := range rows {
		for _, p := range r.packages {
			place[p] = i
		}
	}
	all := imports(t)
	for name := range place {
		if all[name] == nil {
			t.Errorf("%s is in the table, and no package", name)
		}
	}
	for name, ours := range all {
		i, ok := place[name]
		if !ok {
			t.Errorf("%s is not in the table", name)
			continue
		}
		r := rows[i]
		for _, o := range ours {
			if at, ok := place[o]; ok && at <= i && !slices.Contains(r.packages, o) {
				t.Errorf("%s imports %s, which stands above it", name, o)
			}
		}
		if r.any {
			continue
		}
		ours = slices.DeleteFunc(ours, func(o string) bool { return slices.Contains(r.packages, o) })
		slices.Sort(ours)
		want := slices.Sorted(slices.Values(r.imports))
		if diff := cmp.Diff(want, ours, cmpopts.EquateEmpty()); diff != "" && len(r.packages) == 1 {
			t.Errorf("imports of %s (-table +code):\n%s", name, diff)
		}
	}
}

// Who knows what boots touches neither a network nor a file: it is given a
// function that opens a name.
func TestDecidesWithoutNetwork(t *testing.T) {
	for _, name := range []string{"pxelinux", "internal/plan", "internal/program"} {
		cmd := exec.Command("go", "list", "-f", `{{join .Imports " "}}`, "./"+name)
		cmd.Dir = ".."
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		for _, forbidden := range []string{"os", "net/http", "syscall", "golang.org/x/sys/unix"} {
			if slices.Contains(strings.Fields(string(out)), forbidden) {
				t.Errorf("%s imports %s", name, forbidden)
			}
		}
	}
}
