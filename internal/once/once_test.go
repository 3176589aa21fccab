package once

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var mac = net.HardwareAddr{0, 0x16, 0x3e, 0x72, 0x79, 0xe3}

const uuid = "3c2a1b00-5d6e-4f70-8192-a3b4c5d6e7f8"

func TestMark(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "gopxeboot", "once")
	for _, m := range []Mark{
		ByUUID(dir, strings.ToUpper(uuid)), ByUUID(dir, "../../x"), ByName(dir, "guest1", mac), ByName(dir, "../../guest 1,é", mac), ByName(dir, ".", mac), ByName(dir, "guest", mac),
	} {
		t.Run(m.name, func(t *testing.T) {
			for _, want := range []bool{false, false} { // to ask changes nothing
				if set, err := m.IsSet(); err != nil || set != want {
					t.Fatalf("%v, %v", set, err)
				}
			}
			if err := m.Write(); err != nil {
				t.Fatal(err)
			}
			if filepath.Dir(m.String()) != dir {
				t.Errorf("it is in %s", m)
			}
			if set, err := m.IsSet(); err != nil || !set {
				t.Errorf("%v, %v", set, err)
			}
			if err := m.Write(); !errors.Is(err, fs.ErrExist) {
				t.Errorf("a second boot: %v", err)
			}
		})
	}
	for _, test := range []struct {
		guest string
		want  []string
	}{
		{"guest", []string{"guest,00:16:3e:72:79:e3"}},
		{"nobody", nil},
		{"", nil},
		{"../../guest 1,é", []string{"..%2F..%2Fguest%201%2C%C3%A9,00:16:3e:72:79:e3"}},
		{strings.ToUpper(uuid), []string{uuid}},
		{uuid, nil},
		{"../../x", []string{"..%2F..%2Fx"}},
	} {
		gone, err := Forget(dir, test.guest)
		var names []string
		for _, file := range gone {
			names = append(names, filepath.Base(file))
		}
		if diff := cmp.Diff(test.want, names); err != nil || diff != "" {
			t.Errorf("%q: %v (-want +got):\n%s", test.guest, err, diff)
		}
	}
	left := ByName(dir, "guest1", mac)
	if err := left.Clear(); err != nil {
		t.Error(err)
	}
	if set, err := left.IsSet(); err != nil || set {
		t.Errorf("%v, %v", set, err)
	}
	if gone, err := Forget(filepath.Join(dir, "none"), "guest1"); err != nil || gone != nil {
		t.Errorf("no directory: %v, %v", gone, err)
	}
}

// Where no mark can be, that is said before anything boots, and by Write, too.
func TestNoPlace(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, m := range []Mark{ByUUID(file, uuid), ByUUID("/proc", uuid), ByName(t.TempDir(), strings.Repeat("x", 300), mac)} {
		if set, err := m.IsSet(); err == nil || set {
			t.Errorf("%s: %v, %v", m, set, err)
		}
		if err := m.Write(); err == nil {
			t.Errorf("%s was written", m)
		}
	}
}
