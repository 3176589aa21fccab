package domain

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/gopxeboot/gopxeboot/xenout"
)

const (
	uuid    = "3c2a1b00-5d6e-4f70-8192-a3b4c5d6e7f8"
	network = "b33187c0-b231-0c69-6ee9-3ad2dcefa6f8"
	xlPID   = 4711
)

// fake is a dom0 that runs no Xen. Its programs answer exact command lines.
type fake struct {
	files    map[string]string // by absolute path
	links    map[string]string
	programs map[string]string
	calls    []string
}

// dom0With is a dom0 whose domain 5 is guest1, created by the given command
// line.
func dom0With(argv ...string) *fake {
	f := &fake{
		files: map[string]string{
			fmt.Sprintf("/proc/%d/cmdline", xlPID): strings.Join(argv, "\x00") + "\x00",
		},
		links: map[string]string{fmt.Sprintf("/proc/%d/cwd", xlPID): "/root/lab"},
		programs: map[string]string{
			"xenstore-read /local/domain/5/name": "guest1\n",
			"xenstore-read /local/domain/5/vm":   "/vm/" + uuid + "\n",
		},
	}
	return f
}

func (f *fake) file(name, text string) *fake {
	f.files[name] = text
	return f
}

func (f *fake) link(name, target string) *fake {
	f.links[name] = target
	return f
}

func (f *fake) program(commandLine, out string) *fake {
	f.programs[commandLine] = out
	return f
}

func (f *fake) without(commandLine string) *fake {
	delete(f.programs, commandLine)
	return f
}

func (f *fake) host() *Host {
	root := make(fstest.MapFS)
	for name, text := range f.files {
		root[name[1:]] = &fstest.MapFile{Data: []byte(text), Mode: 0o644}
	}
	for name, target := range f.links {
		root[name[1:]] = &fstest.MapFile{Data: []byte(target), Mode: 0o777 | fs.ModeSymlink}
	}
	return &Host{Root: root, Parent: xlPID, Run: func(_ context.Context, name string, args ...string) ([]byte, error) {
		line := strings.Join(append([]string{name}, args...), " ")
		f.calls = append(f.calls, line)
		if out, ok := f.programs[line]; ok {
			return []byte(out), nil
		}
		return nil, fmt.Errorf("%s %w", name, errNotInstalled)
	}}
}

// fromLibxl is what xl and libvirt tell a bootloader.
var fromLibxl = xenout.Call{Toolstack: xenout.Xen, Domid: 5}

func golden(t testing.TB, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// vif reads what a test expects.
func vif(t *testing.T, s string) xenout.VIF {
	t.Helper()
	v, err := xenout.ParseVIF(s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
