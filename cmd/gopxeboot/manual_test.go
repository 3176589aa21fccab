package main

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"github.com/urfave/cli/v2"
)

var updateManual = flag.Bool("update", false, "write the option tables of packaging/man anew")

// optionTable is what a manual page has of a command's flags, and which command
// that is; the bootloader has no name.
var optionTable = regexp.MustCompile(`(?s)(\.\\" options ?(\w*)\n)(.*?)(\.\\" end of options\n)`)

// The options of the manual pages are those of the program.
func TestManualOptions(t *testing.T) {
	commands := helps()
	for _, name := range manualPages(t) {
		text, err := os.ReadFile(name)
		labtest.Check(t, err)
		m := optionTable.FindSubmatch(text)
		if m == nil {
			if !strings.HasSuffix(name, ".7") {
				t.Errorf("%s has no table of options", name)
			}
			continue
		}
		command := commands[string(m[2])]
		if command == nil {
			t.Errorf("%s: there is no command %s", name, m[2])
			continue
		}
		want := tableOf(command.Flags)
		if *updateManual {
			text = optionTable.ReplaceAllFunc(text, func([]byte) []byte { return []byte(string(m[1]) + want + string(m[4])) })
			labtest.Check(t, os.WriteFile(name, text, 0o644))
		} else if diff := cmp.Diff(want, string(m[3])); diff != "" {
			t.Errorf("%s (-want +got; -update writes it):\n%s", name, diff)
		}
	}
}

func manualPages(t *testing.T) []string {
	t.Helper()
	pages, err := filepath.Glob("../../packaging/man/*.[1-9]")
	labtest.Check(t, err)
	if len(pages) == 0 {
		t.Fatal("no manual pages")
	}
	return pages
}

// tableOf is options as mdoc(7) has them.
func tableOf(flags []cli.Flag) string {
	var b strings.Builder
	for _, s := range sections() {
		shown := s.in(flags)
		if len(shown) == 0 {
			continue
		}
		b.WriteString(".Ss " + s.title + "\n.Bl -tag -width Ds\n")
		for _, f := range shown {
			o := optionOf(f)
			var names []string
			for _, name := range o.names {
				names = append(names, strings.ReplaceAll(strings.Replace(name, "-", "Fl ", 1), "Fl -", "Fl Fl "))
			}
			b.WriteString(".It " + strings.Join(names, " , "))
			if o.value != "" {
				b.WriteString(" Ar " + o.value)
			}
			b.WriteString("\n" + wrapped(o.usage, 0) + "\n")
		}
		b.WriteString(".El\n")
	}
	return b.String()
}

// What mandoc says of other manual pages depends on the machine.
var otherManuals = regexp.MustCompile(`referenced manual not found|outdated mandoc.db`)

func TestManualLint(t *testing.T) {
	if _, err := exec.LookPath("mandoc"); err != nil {
		labtest.Missing(t, "mandoc")
	}
	said, _ := exec.Command("mandoc", append([]string{"-Tlint"}, manualPages(t)...)...).CombinedOutput()
	for line := range strings.Lines(string(said)) {
		if !otherManuals.MatchString(line) {
			t.Error(strings.TrimSpace(line))
		}
	}
}
