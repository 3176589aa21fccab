package verify

import (
	"bytes"
	"cmp"
	"crypto"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aead.dev/minisign"
	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
)

// now is when the tests' signatures are made.
var now = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

// signer is a key with its secret half.
type signer struct {
	public []byte // as its file has it
	sign   func(text []byte) []byte
}

func newMinisign(t testing.TB) signer {
	t.Helper()
	public, private, err := minisign.GenerateKey(rand.Reader)
	labtest.Check(t, err)
	text, err := public.MarshalText()
	labtest.Check(t, err)
	return signer{append(text, '\n'), func(text []byte) []byte { return minisign.Sign(private, text) }}
}

// newOpenPGP signs so that the signature holds that long, 0 for any time.
func newOpenPGP(t testing.TB, holds time.Duration, armored bool) signer {
	t.Helper()
	config := &packet.Config{Time: func() time.Time { return now }, SigLifetimeSecs: uint32(holds / time.Second)}
	entity, err := openpgp.NewEntity("Tree", "", "tree@example.org", &packet.Config{Time: config.Time, Algorithm: packet.PubKeyAlgoEdDSA})
	labtest.Check(t, err)
	encode := func(kind string, write func(w io.Writer) error) []byte {
		var b bytes.Buffer
		var w io.Writer = &b
		if armored {
			a, err := armor.Encode(&b, kind, nil)
			labtest.Check(t, err)
			defer a.Close()
			w = a
			labtest.Check(t, write(w))
			labtest.Check(t, a.Close())
			return b.Bytes()
		}
		labtest.Check(t, write(w))
		return b.Bytes()
	}
	return signer{encode(openpgp.PublicKeyType, entity.Serialize), func(text []byte) []byte {
		return encode(openpgp.SignatureType, func(w io.Writer) error { return openpgp.DetachSign(w, entity, bytes.NewReader(text), config) })
	}}
}

func (s signer) key(t testing.TB) *Key {
	t.Helper()
	key, err := ParseKey(s.public)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestVerify(t *testing.T) {
	list := []byte(hello.String() + "  linux\n")
	mini, pgp, binary := newMinisign(t), newOpenPGP(t, 0, true), newOpenPGP(t, 0, false)
	short := newOpenPGP(t, time.Hour, true)
	changed := bytes.Replace(list, []byte("linux"), []byte("linuy"), 1)
	for _, c := range []struct {
		name      string
		key       signer
		text, sig []byte
		at        time.Time
		err       string
	}{
		{"minisign", mini, list, mini.sign(list), now, ""},
		{"minisign with CRLF", mini, list, bytes.ReplaceAll(mini.sign(list), []byte("\n"), []byte("\r\n")), now, ""},
		{"minisign of another list", mini, changed, mini.sign(list), now, errChanged.Error()},
		{"minisign by another key", mini, list, newMinisign(t).sign(list), now, "it is by minisign "},
		{"minisign with another comment", mini, list, bytes.Replace(mini.sign(list), []byte("\ntrusted comment: "), []byte("\ntrusted comment: x"), 1), now, errChanged.Error()},
		{"no signature of minisign", mini, list, []byte("<html>"), now, "it is no signature of minisign"},
		{"OpenPGP's for a key of minisign", mini, list, pgp.sign(list), now, "it is no signature of minisign"},
		{"OpenPGP", pgp, list, pgp.sign(list), now, ""},
		{"OpenPGP, binary", binary, list, binary.sign(list), now, ""},
		{"OpenPGP, two keys", signer{public: append(bytes.Clone(binary.public), newOpenPGP(t, 0, false).public...)}, list, binary.sign(list), now, ""},
		{"OpenPGP of another list", pgp, changed, pgp.sign(list), now, errChanged.Error()},
		{"OpenPGP by another key", pgp, list, binary.sign(list), now, "it is by another key, and --key is OpenPGP "},
		{"OpenPGP, and later", short, list, short.sign(list), now.Add(30 * time.Minute), ""},
		{"OpenPGP, expired", short, list, short.sign(list), now.Add(2 * time.Hour), "it has expired"},
		{"no signature of OpenPGP", pgp, list, []byte("<html>"), now, "it is not to be verified: "},
		{"a key for a signature", pgp, list, pgp.public, now, "it is no detached signature of OpenPGP"},
		{"nothing", pgp, list, nil, now, "it is empty"},
		{"nothing, minisign", mini, list, nil, now, "it is empty"},
		{"too much", pgp, list, make([]byte, MaxSignature+1), now, "bytes are more than a signature has"},
	} {
		by, err := c.key.key(t).Verify(c.text, c.sig, c.at)
		if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) || (by == "") != (err != nil) {
			t.Errorf("%s: %q, %v, want %q", c.name, by, err, c.err)
		}
	}
}

// TestVerifyOpenPGP has signatures that OpenPGP would let pass, or that are of a
// wrong time.
func TestVerifyOpenPGP(t *testing.T) {
	list := []byte(hello.String() + "  linux\n")
	entity, err := openpgp.NewEntity("Tree", "", "tree@example.org", &packet.Config{Time: func() time.Time { return now }, RSABits: 2048})
	labtest.Check(t, err)
	var public bytes.Buffer
	labtest.Check(t, entity.Serialize(&public))
	key := signer{public: public.Bytes()}.key(t)
	for _, c := range []struct {
		hash crypto.Hash
		at   time.Duration // from now
		err  string
	}{
		{crypto.SHA256, 0, ""},
		{crypto.SHA512, 0, ""},
		{crypto.SHA256, time.Hour, "it was made on 28 November 2026, 13:00 UTC, and dom0's clock says 28 November 2026, 12:00 UTC"},
	} {
		var signature bytes.Buffer
		config := &packet.Config{DefaultHash: c.hash, Time: func() time.Time { return now.Add(c.at) }}
		labtest.Check(t, openpgp.DetachSign(&signature, entity, bytes.NewReader(list), config))
		by, err := key.Verify(list, signature.Bytes(), now)
		if (by == "") != (c.err != "") || fmt.Sprint(err) != cmp.Or(c.err, "<nil>") {
			t.Errorf("%v, %v later: %q, %v", c.hash, c.at, by, err)
		}
	}
	for signature, want := range map[string]string{
		gpgSHA1:  "it is over a digest by SHA-1, which can be forged: sign with gpg --digest-algo SHA256",
		gpgEarly: "it was made before the key was",
	} {
		if by, err := (signer{public: []byte(gpgKey)}).key(t).Verify(list, []byte(signature), now); fmt.Sprint(err) != want {
			t.Errorf("got %q, %v, want %s", by, err, want)
		}
	}
}

// What gpg made of the list with --digest-algo SHA1, and an hour before its key;
// go-crypto makes neither.
const (
	gpgKey = `-----BEGIN PGP PUBLIC KEY BLOCK-----

mDMEawq0MBYJKwYBBAHaRw8BAQdA2O91wTJaL/lv4KoTh/V2FdQ4iqftGOBnUBQg
sKar6Oe0A3RAeIiQBBMWCAA4FiEE1L4kiMqeJ4K9LQeinvcYYMIFQ0sFAmsKtDAC
GwMFCwkIBwIGFQoJCAsCBBYCAwECHgECF4AACgkQnvcYYMIFQ0smfAD/dcc0PP0r
s67BAnBGZ8qTNceQGYM2M5t0UlFBNZi1kewBAPBbIC/IivRuwIn+tQiFcmYbmppg
3CVQ+GsL9QJlo4YF
=BJwo
-----END PGP PUBLIC KEY BLOCK-----
`
	gpgSHA1 = `-----BEGIN PGP SIGNATURE-----

iHUEABYCAB0WIQTUviSIyp4ngr0tB6Ke9xhgwgVDSwUCawq0MAAKCRCe9xhgwgVD
S/Z+AP0fPlyC5VpkiledUywn+5C+DoD28p/Q5xKPowMjmnm2LgD9EeZ6yFXtNWEZ
ijnLYrwgzUUZLUPEabuz1mMWT+JLswY=
=d+Kh
-----END PGP SIGNATURE-----
`
	gpgEarly = `-----BEGIN PGP SIGNATURE-----

iHUEABYIAB0WIQTUviSIyp4ngr0tB6Ke9xhgwgVDSwUCawqmIAAKCRCe9xhgwgVD
SzydAQCnobaNefogd0gy45SRIgSPW1bdyx840XaoyrzTMnaJ8QD+OI7s//GKVJfm
nJZz0yIyprCWrnIFqlqAhBAOmfE6bQM=
=fn3K
-----END PGP SIGNATURE-----
`
)

func TestParseKey(t *testing.T) {
	_, private, err := minisign.GenerateKey(rand.Reader)
	labtest.Check(t, err)
	secret, err := minisign.EncryptKey("", private)
	labtest.Check(t, err)
	for name, c := range map[string]struct{ text, err string }{
		"nothing":                  {"", "no public key"},
		"a page":                   {"<html>\n", "no public key"},
		"a list":                   {hello.String() + "  linux\n", "no public key"},
		"a secret key of minisign": {string(secret), "that is a secret key"},
		"a secret key of OpenPGP":  {"-----BEGIN PGP PRIVATE KEY BLOCK-----\n", "that is a secret key"},
		"broken armor":             {publicBlock + "\n\nxxxx\n", "no public key"},
		"too much":                 {strings.Repeat("x", MaxKey+1), "more than a key has"},
	} {
		if _, err := ParseKey([]byte(c.text)); err == nil || !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %v, want %s", name, err, c.err)
		}
	}
}

// TestJudges has gpgv and minisign judge, too: a list, and the same with each
// of its bytes changed in turn, and the signature with some of its bytes.
func TestJudges(t *testing.T) {
	list := []byte(hello.String() + "  linux\n" + other.String() + "  initrd.gz\n")
	for name, c := range map[string]struct {
		signer
		judge func(t *testing.T, dir string) bool
	}{
		"minisign": {newMinisign(t), func(t *testing.T, dir string) bool {
			return labtest.Program(t, "minisign", "-V", "-q", "-p", dir+"/key", "-x", dir+"/sig", "-m", dir+"/list").Run() == nil
		}},
		"gpgv": {newOpenPGP(t, 0, false), func(t *testing.T, dir string) bool {
			return labtest.Program(t, "gpgv", "-q", "--keyring", dir+"/key", dir+"/sig", dir+"/list").Run() == nil
		}},
	} {
		t.Run(name, func(t *testing.T) {
			dir, key, sig := t.TempDir(), c.key(t), c.sign(list)
			write := func(name string, content []byte) {
				labtest.Check(t, os.WriteFile(filepath.Join(dir, name), content, 0o644))
			}
			write("key", c.public)
			good, bad := 0, 0
			agree := func(what string, list, sig []byte) {
				write("list", list)
				write("sig", sig)
				_, err := key.Verify(list, sig, time.Now())
				if want := c.judge(t, dir); (err == nil) != want {
					t.Errorf("%s: %v, and %s says %v", what, err, name, want)
				}
				if err == nil {
					good++
				} else {
					bad++
				}
			}
			agree("whole", list, sig)
			if good != 1 {
				t.Error("the whole list was refused")
			}
			flip := func(b []byte, at int) []byte {
				b = bytes.Clone(b)
				b[at] ^= 4
				return b
			}
			for at := 0; at < len(list); at += 13 {
				agree(fmt.Sprintf("list, byte %d", at), flip(list, at), sig)
			}
			if good != 1 {
				t.Error("a changed list was good")
			}
			agree("cut", list[:len(list)-1], sig)
			agree("signature cut", list, sig[:len(sig)/2])
			if bad == 0 {
				t.Error("nothing was refused")
			}
		})
	}
}

func FuzzVerify(f *testing.F) {
	list := []byte(hello.String() + "  linux\n")
	mini, pgp := newMinisign(f), newOpenPGP(f, 0, false)
	miniKey, pgpKey := mini.key(f), pgp.key(f)
	f.Add(mini.sign(list), list)
	f.Add(pgp.sign(list), list)
	f.Add(newOpenPGP(f, 0, true).sign(list), list)
	f.Add([]byte(publicBlock), []byte("x"))
	f.Fuzz(func(t *testing.T, signature, text []byte) {
		for _, key := range []*Key{miniKey, pgpKey} {
			by, err := key.Verify(text, signature, now)
			if err == nil && !bytes.Equal(text, list) {
				t.Errorf("%s has signed %q", by, text)
			}
		}
		if key, err := ParseKey(signature); err == nil && key.String() == "" {
			t.Error("a key without a name")
		}
	})
}
