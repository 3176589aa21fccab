package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
)

// verifyDoc is a shell in a directory with the programs that docs/verify.md names,
// in which its commands are run as they stand there, for a tree.
type verifyDoc struct {
	dir, bin, tree string
	environ        []string
}

func newVerifyDoc(t *testing.T, tree string, programs ...string) *verifyDoc {
	t.Helper()
	d := &verifyDoc{dir: t.TempDir(), bin: t.TempDir(), tree: tree}
	for _, name := range programs {
		cmd := labtest.Program(t, name)
		script := "#!/bin/sh\n"
		for _, v := range cmd.Env {
			if strings.HasPrefix(v, "LD_LIBRARY_PATH=") {
				script += "export " + v + "\n"
			}
		}
		labtest.Check(t, os.WriteFile(filepath.Join(d.bin, name), []byte(script+"exec "+cmd.Path+` "$@"`+"\n"), 0o755))
	}
	self, err := filepath.Abs(os.Args[0]) // a chroot's /proc/self/exe shows its path from outside
	labtest.Check(t, err)
	labtest.Check(t, os.Symlink(self, filepath.Join(d.bin, "gopxeboot")))
	return d
}

func (d *verifyDoc) command(t *testing.T, script string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), "sh", "-ec", strings.ReplaceAll(script, "/srv/tftp", d.tree))
	cmd.Dir = d.dir
	cmd.Env = append(append(os.Environ(), d.environ...), "PATH="+d.bin+":"+os.Getenv("PATH"))
	return cmd
}

func (d *verifyDoc) run(t *testing.T, script string) string {
	t.Helper()
	said, err := d.command(t, script).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v: %s", script, err, said)
	}
	return string(said)
}

// block runs a block of the document.
func (d *verifyDoc) block(t *testing.T, kind string) string {
	t.Helper()
	return d.run(t, blocks(t, "../../docs/verify.md", "sh "+kind)[0])
}

// debianTree is a tree with links, as Debian's has them.
func debianTree(t *testing.T) string {
	t.Helper()
	tree := sampleTree(t)
	labtest.Check(t, os.RemoveAll(filepath.Join(tree, "pxelinux.cfg")))
	writeFile(t, filepath.Join(tree, "debian/pxelinux.cfg/default"), "include menu.cfg\ndefault linux\nlabel linux\n kernel linux\n initrd initrd.gz\n")
	labtest.Check(t, os.Symlink("debian/pxelinux.cfg", filepath.Join(tree, "pxelinux.cfg")))
	writeFile(t, filepath.Join(tree, "debian/linux"), string(kernelOf("signed")))
	labtest.Check(t, os.Symlink("debian/linux", filepath.Join(tree, "linux")))
	writeFile(t, filepath.Join(tree, "initrd.gz"), "070701 signed")
	writeFile(t, filepath.Join(tree, "menu.cfg"), "prompt 0\n")
	writeFile(t, filepath.Join(tree, "other"), "not of this boot\n")
	return tree
}

// TestSignTree signs trees by docs/verify.md alone, and changes each file in turn:
// what the boot, minisign, gpgv and sha256sum say of it is the same.
func TestSignTree(t *testing.T) {
	const makeKey = "echo | minisign -GW -p lab.pub -s lab.key" // as the document has it, without a password
	for _, c := range []struct {
		name, makeKey string
		programs      []string
		tree          func(t *testing.T) string
		args          []string
		list          string   // its directory
		boots         []string // whatever is read
		kernel        string
	}{
		{"minisign", makeKey, []string{"minisign"}, debianTree, nil, "", []string{"pxelinux.cfg/default", "menu.cfg", "linux", "initrd.gz", "SHA256SUMS", "SHA256SUMS.minisig"}, "linux"},
		{"openpgp", "gpg --quiet --batch --passphrase '' --quick-gen-key lab@example.org ed25519 sign never", []string{"gpg", "gpgv", "gpgconf"}, debianTree, nil, "", []string{"pxelinux.cfg/default", "menu.cfg", "linux", "initrd.gz", "SHA256SUMS", "SHA256SUMS.asc"}, "linux"},
		{"grub", makeKey, []string{"minisign"}, grubTree, []string{"--bootfile=boot/grub/i386-pc/core.0"}, "boot/grub/i386-pc/",
			[]string{"boot/grub/i386-pc/core.0", "boot/grub/grub.cfg", "boot/grub/hosts/" + lab.SampleMAC, lab.SampleKernel, lab.SampleInitrd, "boot/grub/i386-pc/SHA256SUMS", "boot/grub/i386-pc/SHA256SUMS.minisig"}, lab.SampleKernel},
	} {
		t.Run(c.name, func(t *testing.T) {
			tree := c.tree(t)
			d := newVerifyDoc(t, tree, c.programs...)
			if c.name == "openpgp" { // a path that an agent's socket may have
				home, err := os.MkdirTemp("/tmp", "gpg")
				labtest.Check(t, err)
				d.environ = []string{"GNUPGHOME=" + home}
				t.Cleanup(func() {
					d.command(t, "gpgconf --kill all").Run()
					os.RemoveAll(home)
				})
			}
			d.run(t, c.makeKey)
			d.block(t, c.name)
			l := labtest.New(t, lab.Config{})
			labtest.Check(t, servers["embedded"](t.Context(), l.Servers, tree))
			boot := func(what string, code int, says ...string) {
				t.Helper()
				dir := t.TempDir()
				o := gopxeboot(t, append(c.args, "--key="+filepath.Join(d.dir, "lab.pub"), "--output-format=simple0", "--output-directory="+dir, vif)...)
				if o.Code != code || len(entries(t, dir)) > 0 != (code == 0) || (o.Stdout == "") != (code != 0) {
					t.Errorf("%s: exit %d, want %d, left %q: %s", what, o.Code, code, entries(t, dir), o.Stderr)
				}
				contains(t, o.Stderr, says...)
				if code == 0 {
					kernel, _ := results(t, dir)
					sameFile(t, kernel, filepath.Join(tree, c.kernel))
				} else {
					t.Log(lastLine(o.Stderr))
				}
			}
			judge := func() bool {
				list := filepath.Join(tree, c.list, "SHA256SUMS")
				sums := "cd /srv/tftp && sed 's|tftp://192.168.1.166/||' " + list + " | sha256sum --check --quiet"
				script := "minisign -Vm " + list + " -p lab.pub && " + sums
				if c.name == "openpgp" {
					script = "gpg --yes --output ring --dearmor lab.pub && gpgv --keyring ./ring " + list + ".asc " + list + " && " + sums
				}
				return d.command(t, script).Run() == nil
			}
			boot("signed", 0, "verify: by ")
			if !judge() {
				t.Error("the tools refuse the tree")
			}
			if len(c.args) == 0 {
				contains(t, d.block(t, "plan"), `"verified": "`)
			}
			for _, name := range c.boots {
				file := filepath.Join(tree, name)
				content, err := os.ReadFile(file)
				labtest.Check(t, err)
				changed := content[:len(content)/2]
				labtest.Check(t, os.WriteFile(file, changed, 0o644))
				boot(name, 5, name)
				if judge() {
					t.Errorf("%s: the tools find nothing", name)
				}
				labtest.Check(t, os.WriteFile(file, content, 0o644))
			}
			boot("as it was", 0)
			labtest.Check(t, os.WriteFile(filepath.Join(tree, c.kernel), kernelOf("new"), 0o644))
			boot("a new kernel", 5, fmt.Sprintf("%s has the SHA-256 ", c.kernel))
			d.block(t, c.name)
			boot("signed again", 0, "verify: by ")
		})
	}
}
