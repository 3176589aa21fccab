package verify

import (
	"bytes"
	"crypto/sha256"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
)

var (
	hello = Digest(sha256.Sum256([]byte("hello")))
	other = Digest(sha256.Sum256([]byte("other")))
)

func TestParseList(t *testing.T) {
	h, o := hello.String(), other.String()
	for _, c := range []struct {
		name, text string
		want       List
		err        string
	}{
		{"as sha256sum writes it", h + "  linux\n" + o + " *initrd.gz\n", List{"linux": hello, "initrd.gz": other}, ""},
		{"CRLF, ./ and upper case", strings.ToUpper(h) + "  ./a/linux\r\n" + o + "  a//b/../initrd.gz\r\n", List{"a/linux": hello, "a/initrd.gz": other}, ""},
		{"BSD's", "# made by hand\n\nSHA256 (linux) = " + h + "\nSHA512 (linux) = 00ff\nSHA512/256 (x y) = 00\n", List{"linux": hello}, ""},
		{"odd names", `\` + h + `  a\\b\nc` + "\n" + o + "   with space \n", List{"a\\b\nc": hello, " with space ": other}, ""},
		{"a URL", h + "  http://mirror/linux\n", List{"http://mirror/linux": hello}, ""},
		{"twice the same", h + "  linux\n" + h + "  ./linux", List{"linux": hello}, ""},
		{"two digests", h + "  linux\n" + o + "  ./linux\n", nil, "line 2: linux has two digests"},
		{"out of the tree", h + "  ../linux\n", nil, `line 1: "../linux" leads out of the list's directory`},
		{"out of the tree by a way round", h + "  a/../../linux\n", nil, `line 1: "a/../../linux" leads out`},
		{"an absolute path", h + "  /etc/passwd\n", nil, `line 1: "/etc/passwd" leads out`},
		{"a digest of another kind", h[:40] + "  linux\n", nil, "line 1 is none of sha256sum's"},
		{"a short one with --tag", "SHA256 (linux) = 00ff\n", nil, "line 1 is none of sha256sum's"},
		{"no list", "<html>\x1b[2J\n", nil, `line 1 is none of sha256sum's: "<html> [2J"`},
		{"nothing", "\n# nothing\n", nil, "there is no digest in it"},
		{"too much", strings.Repeat("#", MaxList+1), nil, "bytes of digests are more than"},
	} {
		got, err := ParseList([]byte(c.text))
		if diff := cmp.Diff(c.want, got); diff != "" || (err == nil) != (c.err == "") || err != nil && !strings.HasPrefix(err.Error(), c.err) && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %v (-want +got):\n%s", c.name, err, diff)
		}
	}
}

// TestSHA256Sum reads what the real one writes for names of all kinds.
func TestSHA256Sum(t *testing.T) {
	dir, want := t.TempDir(), make(List)
	for i, name := range []string{"linux", "a/initrd.gz", "with space", `back\slash`, "line\nend", "ü", "-x", "*star"} {
		content := strings.Repeat("x", i)
		labtest.Check(t, os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o755))
		labtest.Check(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644))
		want[name] = sha256.Sum256([]byte(content))
	}
	for _, option := range []string{"--text", "--binary", "--tag"} {
		cmd := exec.Command("sh", "-c", "find . -type f -print0 | xargs -0 sha256sum "+option)
		cmd.Dir = dir
		text, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseList(text)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", option, err, diff)
		}
	}
}

func TestOf(t *testing.T) {
	list := List{"linux": hello, "a/b c": hello, "http://mirror/pool/linux": other}
	const base = "http://server/pxe/"
	for url, want := range map[string]*Digest{
		base + "linux":                       &hello,
		base + "./a/../linux":                &hello,
		base + "a/b%20c":                     &hello,
		"http://server//pxe/linux":           &hello,
		"http://mirror//pool/linux":          &other,
		base + "linux?x":                     nil,
		base + "../pxe/linux":                nil,
		base + "sub/linux":                   nil,
		"http://server/linux":                nil,
		"http://other/pxe/linux":             nil,
		"tftp://server/pxe/linux":            nil,
		"http://mirror/pool/linux":           &other,
		"http://me:secret@mirror/pool/linux": nil,
		"http://me@mirror/pool/linux":        nil,
		"http://mirror/pool/x/../linux":      nil,
	} {
		got, ok := list.of(base, url)
		if ok != (want != nil) || ok && got != *want {
			t.Errorf("%s: %v, %v", url, got, ok)
		}
	}
}

// FuzzList holds that nothing leads out of the tree, and that what is read can
// be written as sha256sum does and read again.
func FuzzList(f *testing.F) {
	f.Add([]byte(hello.String() + "  linux\n" + other.String() + " *./a/initrd.gz\r\n"))
	f.Add([]byte("SHA256 (linux) = " + hello.String() + "\n# x\n"))
	f.Add([]byte(`\` + hello.String() + `  a\\b\nc` + "\n"))
	f.Add([]byte(hello.String() + "  ../linux\n" + hello.String() + "  http://x/y\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		list, err := ParseList(text)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\x1b\x00") {
				t.Errorf("the error is not printable: %q", err)
			}
			return
		}
		var again bytes.Buffer
		escape := strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\r", `\r`)
		for name, digest := range list {
			if !strings.Contains(name, "://") && !filepath.IsLocal(name) {
				t.Errorf("%q leads out of the tree", name)
			}
			again.WriteString(`\` + digest.String() + "  " + escape.Replace(name) + "\n")
		}
		got, err := ParseList(again.Bytes())
		if diff := cmp.Diff(list, got); diff != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
	})
}
