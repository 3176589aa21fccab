package oracle

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
)

func TestReport(t *testing.T) {
	tests := []struct {
		name, report string
		want         Answer
	}{
		{"no stub ran", "", Answer{}},
		{"chain", "B\x05a/b.0", Answer{Outcome: Chain, Program: "a/b.0"}},
		{"disk", "B\x08the disk", Answer{Outcome: Disk}},
		{"linux", "L\x03\x00\x00\x00a b\x00\x00\x00\x00\x00\x00\x00\x00", Answer{Outcome: Linux, Args: "a b"}},
		{"linux, no UTF-8", "L\x01\x00\x00\x00\xa0\x00\x00\x00\x00\x00\x00\x00\x00", Answer{Outcome: Linux, Args: `"\xa0"`}},
		{"ramdisk", "L\x00\x00\x00\x00\x02\x00\x00\x00\x02\x00\x00\x00hi", Answer{Outcome: Linux, Ramdisk: Describe(2, []byte("hi"))}},
		{"multiboot", "M\x01\x00\x00\x00x\x01\x00\x00\x00\x02\x00\x00\x00m1\x01\x00\x00\x00\x01\x00\x00\x00!",
			Answer{Outcome: Multiboot, Args: "x", Modules: []Module{{"m1", *Describe(1, []byte("!"))}}}},
	}
	for _, test := range tests {
		m := &machine{dir: t.TempDir()}
		if err := os.WriteFile(filepath.Join(m.dir, "report"), []byte(test.report), 0o600); err != nil {
			t.Fatal(err)
		}
		var got Answer
		if err := m.report(&got); err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
		// A stub that was stopped in the middle is no answer.
		for i := 1; i < len(test.report) && test.report[0] != 'B'; i++ {
			if err := os.WriteFile(filepath.Join(m.dir, "report"), []byte(test.report[:i]), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := m.report(&Answer{}); err == nil {
				t.Errorf("%s: the first %d bytes pass for a report", test.name, i)
			}
		}
	}
}

func TestRequestText(t *testing.T) {
	want := Request{Absent, "pxelinux.cfg/a b"}
	text, err := json.Marshal(want)
	if err != nil || string(text) != `"absent pxelinux.cfg/a b"` {
		t.Errorf("%s, %v", text, err)
	}
	var got Request
	if err := json.Unmarshal(text, &got); err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	if err := json.Unmarshal([]byte(`"absent"`), &got); err == nil {
		t.Error("no error without a file")
	}
}

func TestWords(t *testing.T) {
	got := words([]string{"SeaBIOS", "PXELINUX 6.04 Copyright", "", "  No DEFAULT", "boot:  "})
	if diff := cmp.Diff([]string{"No DEFAULT", "boot:"}, got); diff != "" {
		t.Error(diff)
	}
}

// TestStubs assembles the stubs and looks at where a loader looks.
func TestStubs(t *testing.T) {
	labtest.Program(t, "as")
	s, err := assembleStubs(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	b := s.program("boot/x.0")
	if got := string(b[0x202:0x206]); got != "HdrS" {
		t.Errorf("Linux header %q", got)
	}
	if b[510] != 0x55 || b[511] != 0xaa {
		t.Errorf("boot sector mark % x", b[510:512])
	}
	if got := string(b[0x81 : 0x81+int(b[0x80])]); got != "boot/x.0" {
		t.Errorf("name %q", got)
	}
	if got := [4]byte(s.multiboot); got != [4]byte{0x02, 0xb0, 0xad, 0x1b} {
		t.Errorf("Multiboot magic % x", got)
	}
}
