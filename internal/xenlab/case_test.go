package xenlab

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseCase(t *testing.T) {
	tests := []struct {
		name, script string
		want         Case
	}{
		{"comment", "# A guest boots,\n# and ends.\ncreate\n# not this\n", Case{About: "A guest boots, and ends."}},
		{"later", "# A guest boots.\n# later: the disk (issue 4)\ncreate\n", Case{About: "A guest boots.", Later: "the disk (issue 4)"}},
		{"no comment", "create\n", Case{}},
		{"empty", "", Case{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.want.Name, tt.want.Script = tt.name, []byte(tt.script)
			if diff := cmp.Diff(tt.want, parseCase(tt.name, []byte(tt.script))); diff != "" {
				t.Errorf("case (-want +got):\n%s", diff)
			}
		})
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

func checkSyntax(t *testing.T, name string, script []byte) {
	bash := exec.Command("bash", "-n")
	bash.Stdin = bytes.NewReader(script)
	if output, err := bash.CombinedOutput(); err != nil {
		t.Errorf("%s: %v: %s", name, err, output)
	}
}
