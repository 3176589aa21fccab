package xenlab

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseCase(t *testing.T) {
	tests := []struct {
		name, script string
		want         Case
	}{
		{"comment", "# A guest boots,\n# and ends.\ncreate\n# not this\n", Case{About: "A guest boots, and ends."}},
		{"of new ones", "# A guest boots.\n# xen: 4.20\ncreate\n", Case{About: "A guest boots.", Xen: "4.20"}},
		{"slow", "# A guest\n# slow: 20m\n# boots.\ncreate\n", Case{About: "A guest boots.", Slow: 20 * time.Minute}},
		{"no comment", "create\n", Case{}},
		{"empty", "", Case{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.want.Name, tt.want.Script = tt.name, []byte(tt.script)
			got, err := parseCase(tt.name, []byte(tt.script))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("case (-want +got):\n%s", diff)
			}
		})
	}
	if _, err := parseCase("slow", []byte("# slow: 20\n")); err == nil {
		t.Error("slow without a unit: no error")
	}
}

func TestOn(t *testing.T) {
	for _, tt := range []struct {
		c    Case
		xen  string
		slow bool
		want bool
	}{
		{Case{}, "4.14", false, true},
		{Case{Xen: "4.17"}, "4.14", true, false},
		{Case{Xen: "4.17"}, "4.17", false, true},
		{Case{Xen: "4.17"}, "4.20", false, true},
		{Case{Slow: time.Minute}, "4.20", false, false},
		{Case{Slow: time.Minute}, "4.20", true, true},
	} {
		if got := tt.c.On(tt.xen, tt.slow); got != tt.want {
			t.Errorf("%+v on %s, slow %t: %t, want %t", tt.c, tt.xen, tt.slow, got, tt.want)
		}
	}
}

// TestCases looks at each case as far as that goes without a dom0: it says
// what it shows, and bash can read it.
func TestCases(t *testing.T) {
	cases, err := Cases()
	if err != nil {
		t.Fatal(err)
	}
	if len(cases) == 0 {
		t.Fatal("no cases")
	}
	for _, c := range cases {
		if c.About == "" {
			t.Errorf("%s does not say what it shows", c.Name)
		}
		checkSyntax(t, c.Name, c.Script)
	}
	scripts, err := filepath.Glob("dom0/*")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts of dom0: %v", err)
	}
	for _, file := range scripts {
		script, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		checkSyntax(t, file, script)
	}
}

// TestDocumented compares what the document says with what is run.
func TestDocumented(t *testing.T) {
	document, err := os.ReadFile("../../docs/toolstacks.md")
	if err != nil {
		t.Fatal(err)
	}
	hook, err := os.ReadFile("dom0/vlan.hook")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(document, fmt.Appendf(nil, "```sh vlan-hook\n%s```\n", hook)) {
		t.Error("docs/toolstacks.md has another vlan.hook")
	}
	cases, err := Cases()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		if !bytes.Contains(document, []byte("`"+c.Name+"`")) {
			t.Errorf("docs/toolstacks.md does not name the case %s", c.Name)
		}
	}
}

func checkSyntax(t *testing.T, name string, script []byte) {
	bash := exec.Command("bash", "-n")
	bash.Stdin = bytes.NewReader(script)
	if output, err := bash.CombinedOutput(); err != nil {
		t.Errorf("%s: %v: %s", name, err, output)
	}
}
