package oracle_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"github.com/gopxeboot/gopxeboot/internal/oracle"
)

// tree is where the cases are: NAME.txtar, and the real PXELINUX's answer to
// it beside it as NAME.json.
const tree = "../../testdata/pxelinux"

var (
	real   = flag.Bool("real", false, "boot the real PXELINUX for every case (as root)")
	update = flag.Bool("update", false, "with -real: write its answers into the golden files")
)

func TestMain(m *testing.M) {
	oracle.Child()
	flag.Parse()
	os.Exit(m.Run())
}

// cases returns the cases by their names.
func cases(t *testing.T, tree string) map[string]*oracle.Case {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(tree, "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases in %s: %v", tree, err)
	}
	all := map[string]*oracle.Case{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		c, err := oracle.ParseCase(data)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all[strings.TrimSuffix(filepath.Base(file), ".txtar")] = c
	}
	return all
}

func golden(t *testing.T, tree, name string) *oracle.Answer {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(tree, name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var a oracle.Answer
	if err := json.Unmarshal(data, &a); err != nil {
		t.Fatalf("%s.json: %v", name, err)
	}
	return &a
}

// TestDebian compares with the real PXELINUX on Debian's own netboot trees,
// which are too large to keep here. Their kernels become stubs.
func TestDebian(t *testing.T) {
	if !*real {
		t.Skip("boots virtual machines; needs -real")
	}
	const name = "debian-installer-12-netboot-amd64"
	dir := t.TempDir()
	for _, args := range [][]string{{"apt-get", "-o", "APT::Sandbox::User=root", "download", name}, {"sh", "-c", "dpkg -x *.deb ."}} {
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			labtest.Missing(t, fmt.Sprintf("package %s: %v: %s", name, err, out))
		}
	}
	for _, flavour := range []string{"text", "gtk"} {
		t.Run(flavour, func(t *testing.T) {
			c, err := oracle.ParseCase(fmt.Appendf(nil, "modules: ./ debian-installer/amd64/boot-screens/\ntimeout: 2m\nsettle: 40s\n"))
			if err != nil {
				t.Fatal(err)
			}
			root := os.DirFS(filepath.Join(dir, "usr/lib/debian-installer/images/12/amd64", flavour))
			if err := fs.WalkDir(root, ".", func(file string, d fs.DirEntry, err error) error {
				switch {
				case err != nil || d.IsDir():
					return err
				case file == "pxelinux.cfg": // a link to a directory
					c.Files["pxelinux.cfg/default"], err = fs.ReadFile(root, "pxelinux.cfg/default")
				case d.Name() == "linux":
					c.Files[file] = nil
				case d.Name() == "initrd.gz":
					c.Files[file] = []byte("ramdisk\n")
				case !slices.Contains([]string{".0", ".c32", ".efi"}, filepath.Ext(file)):
					c.Files[file], err = fs.ReadFile(root, file)
				}
				return err
			}); err != nil {
				t.Fatal(err)
			}
			answer, err := oracle.Run(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("it boots %s", answer.Args)
			compare(t, c, answer)
		})
	}
}

// TestReal boots the real PXELINUX for every case and compares with the golden
// files, or writes them.
func TestReal(t *testing.T) { askAgain(t, tree) }

// TestGRUBReal does the same with GRUB.
func TestGRUBReal(t *testing.T) { askAgain(t, grubTree) }

func askAgain(t *testing.T, tree string) {
	if !*real {
		t.Skip("boots virtual machines; needs -real")
	}
	all := cases(t, tree)
	var hold atomic.Int32
	t.Run("cases", func(t *testing.T) {
		for _, name := range slices.Sorted(maps.Keys(all)) {
			t.Run(name, func(t *testing.T) {
				t.Parallel() // as many machines at a time as -parallel says
				got, err := oracle.Run(t.Context(), all[name])
				if err != nil {
					t.Fatal(err)
				}
				file := filepath.Join(tree, name+".json")
				if *update {
					write(t, file, got)
				}
				if diff := cmp.Diff(golden(t, tree, name), got); diff != "" {
					t.Errorf("the real program's answer changed (-golden +now):\n%s", diff)
					return
				}
				hold.Add(1)
			})
		}
	})
	t.Logf("%d of %d answers of the real program are as in the golden files", hold.Load(), len(all))
}

func write(t *testing.T, file string, a *oracle.Answer) {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(a); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}
