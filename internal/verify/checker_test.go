package verify

import (
	"context"
	"crypto/sha256"
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
)

const base = "http://server/pxe/"

// tree is a server's files by URL.
type tree map[string]string

func (f tree) read(_ context.Context, url string, most int64) ([]byte, error) {
	text, ok := f[url]
	if !ok {
		return nil, &fs.PathError{Op: "get", Path: url, Err: fs.ErrNotExist}
	}
	return []byte(text), nil
}

func notThere(err error) bool { return errors.Is(err, fs.ErrNotExist) }

func load(t *testing.T, p Policy, files tree) (*Checker, error) {
	t.Helper()
	c, err := p.Checker()
	if err != nil {
		t.Fatal(err)
	}
	return c, c.Load(t.Context(), base, files.read, notThere)
}

func TestChecker(t *testing.T) {
	key := newMinisign(t)
	list := hello.String() + "  ./linux\n"
	signed := tree{base + Name: list, base + Name + ".minisig": string(key.sign([]byte(list)))}
	sums := []byte(other.String() + "  linux\n" + other.String() + "  unsigned\n")
	const any, want, absent = "", "wanted", "absent"
	for _, c := range []struct {
		name          string
		policy        Policy
		url           string
		boots, config string // what is demanded of the file in each part
		digest        Digest
	}{
		{"nothing demanded", Policy{}, base + "linux", any, any, Digest{}},
		{"pinned", Policy{Pins: []string{"linux=" + hello.String()}}, base + "linux", want, want, hello},
		{"another one is pinned", Policy{Pins: []string{"linux=" + hello.String()}}, base + "initrd.gz", any, any, Digest{}},
		{"pinned by URL", Policy{Pins: []string{"http://m/a=b=" + hello.String()}}, "http://m/a=b", want, want, hello},
		{"in the list", Policy{Sums: sums}, base + "linux", want, want, other},
		{"not in the list", Policy{Sums: sums}, base + "initrd.gz", absent, any, Digest{}},
		{"pinned beside a list", Policy{Sums: sums, Pins: []string{"linux=" + hello.String()}}, base + "linux", want, want, hello},
		{"signed", Policy{Key: key.public}, base + "linux", want, want, hello},
		{"not signed", Policy{Key: key.public}, base + "initrd.gz", absent, absent, Digest{}},
		{"not signed, elsewhere", Policy{Key: key.public}, "http://server/linux", absent, absent, Digest{}},
		{"not signed, but in dom0's list", Policy{Key: key.public, Sums: sums}, base + "unsigned", want, want, other},
	} {
		checker, err := load(t, c.policy, signed)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		for boots, expected := range map[bool]string{true: c.boots, false: c.config} {
			w, err := checker.Want(c.url, boots)
			got := any
			switch {
			case IsError(err):
				got = absent
			case w != nil:
				got = want
			}
			if got != expected || w != nil && w.Digest != c.digest {
				t.Errorf("%s: boots %v: %s, %v, want %s", c.name, boots, got, err, expected)
			}
			if err := w.Check(c.url, c.digest); err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			if w == nil {
				continue
			}
			err = w.Check(c.url, Digest{})
			if !IsError(err) || !strings.Contains(err.Error(), c.digest.String()) || !strings.Contains(err.Error(), Digest{}.String()) {
				t.Errorf("%s: another content: %v", c.name, err)
			}
		}
	}
}

func TestLoad(t *testing.T) {
	key, pgp := newMinisign(t), newOpenPGP(t, 0, true)
	list := hello.String() + "  linux\n"
	bad := "nothing\n"
	for _, c := range []struct {
		name  string
		key   signer
		files tree
		err   string
	}{
		{"minisign", key, tree{Name: list, Name + ".minisig": string(key.sign([]byte(list)))}, ""},
		{"OpenPGP", pgp, tree{Name: list, Name + ".asc": string(pgp.sign([]byte(list)))}, ""},
		{"OpenPGP, the other name", pgp, tree{Name: list, Name + ".gpg": string(pgp.sign([]byte(list)))}, ""},
		{"no list", key, tree{Name + ".minisig": ""}, Name + ": file does not exist"},
		{"no signature", pgp, tree{Name: list}, Name + ".gpg: file does not exist"},
		{"another list", key, tree{Name: list + "\n", Name + ".minisig": string(key.sign([]byte(list)))}, Name + ".minisig: " + errChanged.Error()},
		{"another key", key, tree{Name: list, Name + ".minisig": string(newMinisign(t).sign([]byte(list)))}, Name + ".minisig: it is by minisign "},
		{"signed, and no list", key, tree{Name: bad, Name + ".minisig": string(key.sign([]byte(bad)))}, Name + ": line 1 is none of sha256sum's"},
	} {
		files := make(tree)
		for name, content := range c.files {
			files[base+name] = content
		}
		checker, err := load(t, Policy{Key: c.key.public}, files)
		if IsError(err) == (c.err == "") || err != nil && !strings.Contains(err.Error(), base+c.err) && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %v, want %s", c.name, err, c.err)
		}
		if how := checker.How(); (how == "") != (err != nil) {
			t.Errorf("%s: verified %q", c.name, how)
		}
	}
	// What is no answer is no verdict.
	c, err := Policy{Key: key.public}.Checker()
	labtest.Check(t, err)
	silence := errors.New("no answer")
	err = c.Load(t.Context(), base, func(context.Context, string, int64) ([]byte, error) { return nil, silence }, notThere)
	if !errors.Is(err, silence) || IsError(err) {
		t.Errorf("got %v", err)
	}
}

// What a signed list has is there.
func TestAbsent(t *testing.T) {
	key := newMinisign(t)
	empty := Digest(sha256.Sum256(nil))
	list := hello.String() + "  linux\n" + empty.String() + "  empty\n" + hello.String() + "  http://mirror/a\n"
	signed := tree{base + Name: list, base + Name + ".minisig": string(key.sign([]byte(list)))}
	for name, policy := range map[string]Policy{"signed": {Key: key.public}, "dom0's": {Sums: []byte(list)}} {
		c, err := load(t, policy, signed)
		labtest.Check(t, err)
		for url, want := range map[string]bool{base + "linux": true, "http://mirror/a": true, base + "empty": false, base + "default": false, "http://mirror/linux": false} {
			if err := c.Absent(url); IsError(err) != (want && name == "signed") {
				t.Errorf("%s: %s: %v", name, url, err)
			}
		}
	}
	if err := (*Checker)(nil).Absent(base + "linux"); err != nil {
		t.Error(err)
	}
}

func TestUnused(t *testing.T) {
	c, err := load(t, Policy{Pins: []string{"linux=" + hello.String(), "./initrd.gz=" + other.String()}}, nil)
	labtest.Check(t, err)
	if _, err := c.Want(base+"linux", true); err != nil {
		t.Error(err)
	}
	if err := c.Unused(); !IsError(err) || !strings.Contains(err.Error(), "--sha256 initrd.gz: no file of this boot has that name") {
		t.Errorf("got %v", err)
	}
	if _, err := c.Want(base+"initrd.gz", true); err != nil {
		t.Error(err)
	}
	if err := c.Unused(); err != nil || c.How() != "sha256" {
		t.Errorf("got %v, %q", err, c.How())
	}
}

func TestPolicyErrors(t *testing.T) {
	for want, p := range map[string]Policy{
		`--sha256 "linux": want FILE=HEX`:                     {Pins: []string{"linux"}},
		`--sha256 "=x": want FILE=HEX`:                        {Pins: []string{"=x"}},
		`--sha256: "00" is no SHA-256`:                        {Pins: []string{"linux=00"}},
		`--sha256: "../linux" leads out`:                      {Pins: []string{"../linux=" + hello.String()}},
		`--sha256: linux has two digests`:                     {Pins: []string{"linux=" + hello.String(), "./linux=" + other.String()}},
		`--sums: there is no digest in it`:                    {Sums: []byte{}},
		`--key: that is no public key of minisign or OpenPGP`: {Key: []byte("x")},
	} {
		if _, err := p.Checker(); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
