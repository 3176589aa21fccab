package main

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"aead.dev/minisign"
	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
)

// signedTree is a tree of which all is in SHA256SUMS, signed by both kinds of
// keys, whose public halves are in keys.
func signedTree(t *testing.T) (tree, keys string) {
	t.Helper()
	tree, keys = sampleTree(t), t.TempDir()
	writeFile(t, filepath.Join(tree, "pxelinux.cfg/01-00-16-3e-72-79-e3"), "include extra.cfg\ndefault linux\nlabel linux\n kernel vmlinuz\n initrd initrd.gz\n")
	writeFile(t, filepath.Join(tree, "extra.cfg"), "prompt 0\n")
	writeFile(t, filepath.Join(tree, "vmlinuz"), string(kernelOf("signed")))
	writeFile(t, filepath.Join(tree, "initrd.gz"), "070701 signed")
	writeFile(t, filepath.Join(tree, "boot.ipxe"), "#!ipxe\nchain next.ipxe\n")
	writeFile(t, filepath.Join(tree, "next.ipxe"), "#!ipxe\nkernel vmlinuz\ninitrd initrd.gz\nboot\n")
	writeFile(t, filepath.Join(tree, "grub/grub.cfg"), "source $prefix/hosts.cfg\n")
	writeFile(t, filepath.Join(tree, "grub/hosts.cfg"), "menuentry 'linux' {\n linux /vmlinuz\n initrd /initrd.gz\n}\n")
	list := sumsOf(t, tree)
	sign(t, tree, keys, list, 0)
	writeFile(t, filepath.Join(keys, "sums"), string(list))
	return tree, keys
}

// sign signs a list with keys of both kinds, made now: that of OpenPGP for so
// long after an hour ago, 0 for any time.
func sign(t *testing.T, tree, keys string, list []byte, holds time.Duration) {
	t.Helper()
	writeFile(t, filepath.Join(tree, "SHA256SUMS"), string(list))
	public, private, err := minisign.GenerateKey(rand.Reader)
	labtest.Check(t, err)
	text, err := public.MarshalText()
	labtest.Check(t, err)
	writeFile(t, filepath.Join(keys, "minisign"), string(text))
	writeFile(t, filepath.Join(tree, "SHA256SUMS.minisig"), string(minisign.Sign(private, list)))

	config := &packet.Config{Algorithm: packet.PubKeyAlgoEdDSA, Time: func() time.Time { return time.Now().Add(-time.Hour) }, SigLifetimeSecs: uint32(holds / time.Second)}
	entity, err := openpgp.NewEntity("Tree", "", "tree@example.org", &packet.Config{Algorithm: config.Algorithm, Time: config.Time})
	labtest.Check(t, err)
	var key, signature bytes.Buffer
	w, err := armor.Encode(&key, openpgp.PublicKeyType, nil)
	labtest.Check(t, err)
	labtest.Check(t, entity.Serialize(w))
	labtest.Check(t, w.Close())
	labtest.Check(t, openpgp.ArmoredDetachSign(&signature, entity, bytes.NewReader(list), config))
	writeFile(t, filepath.Join(keys, "openpgp"), key.String())
	writeFile(t, filepath.Join(tree, "SHA256SUMS.asc"), signature.String())
}

// sumsOf is what find . -type f -exec sha256sum {} + says in a directory, without the
// names that begin so.
func sumsOf(t *testing.T, dir string, without ...string) (list []byte) {
	t.Helper()
	labtest.Check(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		if slices.ContainsFunc(without, func(s string) bool { return strings.HasPrefix(name, s) }) {
			return nil
		}
		content, err := os.ReadFile(path)
		list = fmt.Appendf(list, "%x  ./%s\n", sha256.Sum256(content), name)
		return err
	}))
	return list
}

// TestVerify has a server that tampers, in each position: none of it boots.
func TestVerify(t *testing.T) {
	change := func(name string) func(t *testing.T, tree, keys string) {
		return func(t *testing.T, tree, _ string) {
			path := filepath.Join(tree, name)
			content := []byte(readFile(t, path))
			content[len(content)-2] ^= 1
			labtest.Check(t, os.WriteFile(path, content, 0o644))
		}
	}
	remove := func(name string) func(t *testing.T, tree, keys string) {
		return func(t *testing.T, tree, _ string) { labtest.Check(t, os.Remove(filepath.Join(tree, name))) }
	}
	unsigned := func(config string) func(t *testing.T, tree, keys string) {
		return func(t *testing.T, tree, _ string) {
			writeFile(t, filepath.Join(tree, "pxelinux.cfg/01-00-16-3e-72-79-e3"), config)
		}
	}
	// rewritten has a list that reads so, signed and as dom0's.
	rewritten := func(how func(list string) string) func(t *testing.T, tree, keys string) {
		return func(t *testing.T, tree, keys string) {
			list := how(readFile(t, filepath.Join(keys, "sums")))
			sign(t, tree, keys, []byte(list), 0)
			writeFile(t, filepath.Join(keys, "sums"), list)
		}
	}
	crlf := rewritten(strings.NewReplacer("  ./", " *", "\n", "\r\n").Replace)
	twice := rewritten(func(list string) string { return list + strings.Repeat("0", 64) + "  vmlinuz\n" })
	again := rewritten(func(list string) string { return list + strings.ReplaceAll(list, "./", "") })
	out := rewritten(func(list string) string { return list + strings.Repeat("0", 64) + "  ../shadow\n" })
	without := rewritten(func(list string) string {
		return regexp.MustCompile("(?m)^.*/vmlinuz\n").ReplaceAllString(list, "")
	})
	pin := func(name string, content string) string {
		return fmt.Sprintf("--sha256=%s=%x", name, sha256.Sum256([]byte(content)))
	}
	kernel := string(kernelOf("signed"))
	for _, c := range []struct {
		name   string
		tamper func(t *testing.T, tree, keys string)
		args   []string // KEYS is the directory of keys
		code   int
		says   string
	}{
		{"minisign", nil, []string{"--key=KEYS/minisign"}, 0, "verify: by minisign "},
		{"OpenPGP", nil, []string{"--key=KEYS/openpgp"}, 0, "verify: by OpenPGP "},
		{"a list of dom0's", nil, []string{"--sums=KEYS/sums"}, 0, "verify: by sums"},
		{"two files", nil, []string{pin("vmlinuz", kernel), pin("./initrd.gz", "070701 signed")}, 0, "verify: by sha256"},
		{"by URL", nil, []string{pin("tftp://192.168.1.166/vmlinuz", kernel)}, 0, "verify: by sha256"},

		{"configuration", change("pxelinux.cfg/01-00-16-3e-72-79-e3"), []string{"--key=KEYS/minisign"}, 5, "tftp://192.168.1.166/pxelinux.cfg/01-00-16-3e-72-79-e3 has the SHA-256 "},
		{"include", change("extra.cfg"), []string{"--key=KEYS/minisign"}, 5, "tftp://192.168.1.166/extra.cfg has the SHA-256 "},
		{"kernel", change("vmlinuz"), []string{"--key=KEYS/minisign"}, 5, "kernel: tftp://192.168.1.166/vmlinuz has the SHA-256 "},
		{"initrd", change("initrd.gz"), []string{"--key=KEYS/openpgp"}, 5, "initrd: tftp://192.168.1.166/initrd.gz has the SHA-256 "},
		{"list", change("SHA256SUMS"), []string{"--key=KEYS/minisign"}, 5, "SHA256SUMS.minisig: it does not belong to the list"},
		{"list, OpenPGP", change("SHA256SUMS"), []string{"--key=KEYS/openpgp"}, 5, "SHA256SUMS.asc: it does not belong to the list"},
		{"signature", change("SHA256SUMS.minisig"), []string{"--key=KEYS/minisign"}, 5, "SHA256SUMS.minisig: it "},
		{"no list", remove("SHA256SUMS"), []string{"--key=KEYS/minisign"}, 5, "; docs/verify.md has the command that signs the tree; its list and the signature lie in tftp://192.168.1.166/"},
		{"no signature", remove("SHA256SUMS.minisig"), []string{"--key=KEYS/minisign"}, 5, "SHA256SUMS.minisig: file not found"},
		{"another configuration", unsigned("default linux\nlabel linux\n kernel vmlinuz\n"), []string{"--key=KEYS/minisign"}, 5, "01-00-16-3e-72-79-e3 has the SHA-256 "},
		{"a configuration without a signature", func(t *testing.T, tree, keys string) {
			remove("pxelinux.cfg/01-00-16-3e-72-79-e3")(t, tree, keys)
			sign(t, tree, keys, sumsOf(t, tree, "pxelinux.cfg", "SHA256SUMS"), 0)
			writeFile(t, filepath.Join(tree, "pxelinux.cfg/default"), "default linux\nlabel linux\n kernel vmlinuz\n")
		}, []string{"--key=KEYS/minisign"}, 5, "tftp://192.168.1.166/pxelinux.cfg/default is not in tftp://192.168.1.166/SHA256SUMS, signed by minisign "},
		{"a configuration that is said not to be there", func(t *testing.T, tree, keys string) {
			writeFile(t, filepath.Join(tree, "pxelinux.cfg/default"), "default linux\nlabel linux\n kernel vmlinuz\n")
			sign(t, tree, keys, sumsOf(t, tree, "SHA256SUMS"), 0)
			remove("pxelinux.cfg/01-00-16-3e-72-79-e3")(t, tree, keys)
		}, []string{"--key=KEYS/minisign"}, 5, "tftp://192.168.1.166/pxelinux.cfg/01-00-16-3e-72-79-e3 is not there, and it is in tftp://192.168.1.166/SHA256SUMS, signed by minisign "},
		{"an empty configuration", func(t *testing.T, tree, keys string) {
			writeFile(t, filepath.Join(tree, "pxelinux.cfg/default"), "default linux\nlabel linux\n kernel vmlinuz\n")
			sign(t, tree, keys, sumsOf(t, tree, "SHA256SUMS"), 0)
			writeFile(t, filepath.Join(tree, "pxelinux.cfg/01-00-16-3e-72-79-e3"), "")
		}, []string{"--key=KEYS/minisign"}, 5, "01-00-16-3e-72-79-e3 is not there, and it is in "},
		{"an include that is said not to be there", remove("extra.cfg"), []string{"--key=KEYS/openpgp"}, 5, "tftp://192.168.1.166/extra.cfg is not there, and it is in "},
		{"a kernel that is said not to be there", func(t *testing.T, tree, keys string) {
			unsigned("default linux\nontimeout other\nonerror other\nlabel linux\n kernel vmlinuz\nlabel other\n kernel initrd.gz\n")(t, tree, keys)
			sign(t, tree, keys, sumsOf(t, tree, "SHA256SUMS"), 0)
			remove("vmlinuz")(t, tree, keys)
		}, []string{"--key=KEYS/openpgp"}, 6, "kernel: tftp://192.168.1.166/vmlinuz: file not found"},
		{"iPXE's next script is said not to be there", func(t *testing.T, tree, keys string) {
			writeFile(t, filepath.Join(tree, "boot.ipxe"), "#!ipxe\nchain next.ipxe || chain other.ipxe\n")
			writeFile(t, filepath.Join(tree, "other.ipxe"), "#!ipxe\nkernel vmlinuz\nboot\n")
			sign(t, tree, keys, sumsOf(t, tree, "SHA256SUMS"), 0)
			remove("next.ipxe")(t, tree, keys)
		}, []string{"--bootfile=boot.ipxe", "--key=KEYS/minisign"}, 5, "tftp://192.168.1.166/next.ipxe is not there, and it is in "},
		{"what grub.cfg includes is said not to be there", remove("grub/hosts.cfg"), []string{"--bootfile=grubx64.efi", "--key=KEYS/minisign"}, 5, "grub/hosts.cfg is not there, and it is in "},
		{"another key", func(t *testing.T, tree, _ string) {
			_, private, err := minisign.GenerateKey(rand.Reader)
			labtest.Check(t, err)
			writeFile(t, filepath.Join(tree, "SHA256SUMS.minisig"), string(minisign.Sign(private, []byte(readFile(t, filepath.Join(tree, "SHA256SUMS"))))))
		}, []string{"--key=KEYS/minisign"}, 5, "SHA256SUMS.minisig: it is by minisign "},
		{"another key of OpenPGP", func(t *testing.T, tree, _ string) {
			sign(t, tree, t.TempDir(), []byte(readFile(t, filepath.Join(tree, "SHA256SUMS"))), 0)
		}, []string{"--key=KEYS/openpgp"}, 5, "SHA256SUMS.asc: it is by another key, and --key is OpenPGP "},
		{"a signature that has expired", func(t *testing.T, tree, keys string) {
			sign(t, tree, keys, []byte(readFile(t, filepath.Join(tree, "SHA256SUMS"))), time.Minute)
		}, []string{"--key=KEYS/openpgp"}, 5, "SHA256SUMS.asc: it has expired"},
		{"a list with CRLF and * names", crlf, []string{"--key=KEYS/openpgp"}, 0, "verify: by OpenPGP "},
		{"a list of dom0's with CRLF and * names", crlf, []string{"--sums=KEYS/sums"}, 0, "verify: by sums"},
		{"a list with names twice", again, []string{"--key=KEYS/minisign"}, 0, "verify: by minisign "},
		{"a list with two digests for a file", twice, []string{"--key=KEYS/minisign"}, 5, "vmlinuz has two digests"},
		{"a list of dom0's with two digests for a file", twice, []string{"--sums=KEYS/sums"}, 2, "vmlinuz has two digests"},
		{"a list with a path that leaves the tree", out, []string{"--key=KEYS/minisign"}, 5, `"../shadow" leads out of the list's directory`},
		{"a list of dom0's with a path that leaves the tree", out, []string{"--sums=KEYS/sums"}, 2, `"../shadow" leads out of the list's directory`},
		{"a signed list without the kernel", without, []string{"--key=KEYS/openpgp"}, 5, "tftp://192.168.1.166/vmlinuz is not in tftp://192.168.1.166/SHA256SUMS, signed by OpenPGP "},
		{"a page for a list", func(t *testing.T, tree, _ string) {
			writeFile(t, filepath.Join(tree, "SHA256SUMS"), "<html>\n")
		}, []string{"--key=KEYS/openpgp"}, 5, "SHA256SUMS.asc: it does not belong to the list"},
		{"a list that is too large", func(t *testing.T, tree, _ string) {
			writeFile(t, filepath.Join(tree, "SHA256SUMS"), strings.Repeat("#", 5<<20))
		}, []string{"--key=KEYS/openpgp"}, 6, "SHA256SUMS: larger than allowed: 5242880 bytes of 4194304; see what that file is"},
		{"iPXE", nil, []string{"--bootfile=boot.ipxe", "--key=KEYS/minisign"}, 0, "verify: by minisign "},
		{"iPXE's script", change("boot.ipxe"), []string{"--bootfile=boot.ipxe", "--key=KEYS/minisign"}, 5, "tftp://192.168.1.166/boot.ipxe has the SHA-256 "},
		{"iPXE's next script", change("next.ipxe"), []string{"--bootfile=boot.ipxe", "--key=KEYS/minisign"}, 5, "tftp://192.168.1.166/next.ipxe has the SHA-256 "},
		{"iPXE's kernel", change("vmlinuz"), []string{"--bootfile=boot.ipxe", "--key=KEYS/minisign"}, 5, "tftp://192.168.1.166/vmlinuz has the SHA-256 "},
		{"GRUB", nil, []string{"--bootfile=grubx64.efi", "--key=KEYS/minisign"}, 0, "verify: by minisign "},
		{"grub.cfg", change("grub/grub.cfg"), []string{"--bootfile=grubx64.efi", "--key=KEYS/openpgp"}, 5, "grub/grub.cfg has the SHA-256 "},
		{"what grub.cfg includes", change("grub/hosts.cfg"), []string{"--bootfile=grubx64.efi", "--key=KEYS/minisign"}, 5, "grub/hosts.cfg has the SHA-256 "},
		{"GRUB's initrd", change("initrd.gz"), []string{"--bootfile=grubx64.efi", "--key=KEYS/minisign"}, 5, "initrd.gz has the SHA-256 "},
		{"a kernel of dom0's list", change("vmlinuz"), []string{"--sums=KEYS/sums"}, 5, "by --sums it should be "},
		{"a kernel that is not in it", func(t *testing.T, tree, keys string) {
			remove("pxelinux.cfg/01-00-16-3e-72-79-e3")(t, tree, keys)
			writeFile(t, filepath.Join(tree, "pxelinux.cfg/default"), "default linux\nlabel linux\n kernel other\n")
			writeFile(t, filepath.Join(tree, "other"), kernel)
		}, []string{"--sums=KEYS/sums"}, 5, "tftp://192.168.1.166/other is not in --sums"},
		{"a pinned kernel", change("vmlinuz"), []string{pin("vmlinuz", kernel)}, 5, "by --sha256 it should be "},
		{"a pinned kernel that does not boot", unsigned("default linux\nlabel linux\n kernel initrd.gz\n"), []string{pin("vmlinuz", kernel)}, 5, "--sha256 vmlinuz: no file of this boot has that name"},

		{"no key", nil, []string{"--key=KEYS/sums"}, 2, "--key: that is no public key"},
		{"no list of dom0's", nil, []string{"--sums=KEYS/minisign"}, 2, "--sums: line 1 is none of sha256sum's"},
		{"a list of dom0's that is not there", nil, []string{"--sums=KEYS/nothing"}, 2, "/nothing: no such file or directory"},
		{"no digest", nil, []string{"--sha256=vmlinuz=00"}, 2, "--sha256: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := labtest.New(t, lab.Config{})
			tree, keys := signedTree(t)
			if c.tamper != nil {
				c.tamper(t, tree, keys)
			}
			labtest.Check(t, servers["embedded"](t.Context(), l.Servers, tree))
			dir := t.TempDir()
			args := []string{"--output-format=simple0", "--output-directory=" + dir, vif}
			for _, arg := range c.args {
				args = append(args, strings.ReplaceAll(arg, "KEYS", keys))
			}
			o := gopxeboot(t, args...)
			if o.Code != c.code || (o.Stdout == "") != (c.code != 0) {
				t.Errorf("exit %d, want %d: %s", o.Code, c.code, o.Stderr)
			}
			contains(t, o.Stderr, c.says)
			if c.code == 0 {
				got, ramdisk := results(t, dir)
				sameFile(t, got, filepath.Join(tree, "vmlinuz"))
				sameFile(t, ramdisk, filepath.Join(tree, "initrd.gz"))
				o := gopxeboot(t, append([]string{"plan"}, args[2:]...)...)
				_, how, _ := strings.Cut(c.says, "by ")
				contains(t, o.Stdout, `"verified": "`+how)
			} else if left := entries(t, dir); len(left) > 0 {
				t.Errorf("left: %q", left)
			}
		})
	}
}

// TestVerifyBetween has a server that breaks off, and then goes on with bytes of
// another file of the same length and validator.
func TestVerifyBetween(t *testing.T) {
	for name, honest := range map[string]bool{"the same file": true, "another file": false} {
		t.Run(name, func(t *testing.T) {
			l := labtest.New(t, lab.Config{})
			tree, keys := signedTree(t)
			kernel := []byte(kernelOf(strings.Repeat("x", 100_000)))
			var listener net.Listener
			labtest.Check(t, l.Servers.Do(func() (err error) {
				listener, err = net.Listen("tcp4", "192.168.1.166:80")
				return err
			}))
			var asked atomic.Int64
			web := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("ETag", `"1"`)
				content := bytes.Clone(kernel)
				if asked.Add(1) == 1 {
					w.Header().Set("Content-Length", fmt.Sprint(len(content)))
					w.Header().Set("Accept-Ranges", "bytes")
					w.Write(content[:len(content)/2])
					return // and the connection is closed
				}
				if !honest {
					content[len(content)-1] ^= 1
				}
				http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
			})}
			go web.Serve(listener)
			t.Cleanup(func() { web.Close() })
			writeFile(t, filepath.Join(tree, "pxelinux.cfg/01-00-16-3e-72-79-e3"), "default linux\nlabel linux\n kernel http://192.168.1.166/vmlinuz\n")
			sums := filepath.Join(keys, "urls")
			writeFile(t, sums, fmt.Sprintf("%x  http://192.168.1.166/vmlinuz\n", sha256.Sum256(kernel)))
			labtest.Check(t, servers["embedded"](t.Context(), l.Servers, tree))
			dir := t.TempDir()
			o := gopxeboot(t, "--sums="+sums, "--output-format=simple0", "--output-directory="+dir, vif)
			code := map[bool]int{true: 0, false: 5}[honest]
			if o.Code != code || asked.Load() != 2 || len(entries(t, dir)) > 0 != honest {
				t.Errorf("honest %v: exit %d after %d requests, want %d; left %q: %s", honest, o.Code, asked.Load(), code, entries(t, dir), o.Stderr)
			}
			if !honest {
				contains(t, o.Stderr, "http://192.168.1.166/vmlinuz has the SHA-256 ", "by --sums it should be ")
			}
		})
	}
}

// TestVerifyLocation does so at a location: .treeinfo decides what boots, too.
func TestVerifyLocation(t *testing.T) {
	labtest.New(t, lab.Config{})
	for _, tampered := range []string{"", ".treeinfo", "images/f/vmlinuz", "images/f/initrd.img", "SHA256SUMS", "-.treeinfo", "-images/f/vmlinuz", "-images/f/initrd.img"} {
		tree := filepath.Join(repositoryTree(t), "fedora")
		list := sumsOf(t, tree)
		public, private, err := minisign.GenerateKey(rand.Reader)
		labtest.Check(t, err)
		key, err := public.MarshalText()
		labtest.Check(t, err)
		keyFile := filepath.Join(t.TempDir(), "key")
		writeFile(t, keyFile, string(key))
		writeFile(t, filepath.Join(tree, "SHA256SUMS"), string(list))
		writeFile(t, filepath.Join(tree, "SHA256SUMS.minisig"), string(minisign.Sign(private, list)))
		code := 0
		if gone, ok := strings.CutPrefix(tampered, "-"); ok {
			labtest.Check(t, os.Remove(filepath.Join(tree, gone)))
			code = 5
		} else if tampered != "" {
			writeFile(t, filepath.Join(tree, tampered), readFile(t, filepath.Join(tree, tampered))+"\n")
			code = 5
		}
		dir := t.TempDir()
		o := gopxeboot(t, "--location="+tree, "--key="+keyFile, "--output-format=simple0", "--output-directory="+dir)
		if o.Code != code || len(entries(t, dir)) > 0 != (code == 0) {
			t.Errorf("%q tampered with: exit %d, want %d: %s", tampered, o.Code, code, o.Stderr)
		}
	}
}
