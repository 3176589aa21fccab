package verify

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"aead.dev/minisign"
	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	pgp "github.com/ProtonMail/go-crypto/openpgp/errors"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// Bounds of what is read, in bytes. A keyring of a distribution has some 50 KiB.
const (
	MaxKey       = 1 << 20
	MaxSignature = 64 << 10
)

// A Key is whose signatures count: a public key of minisign, or those of an
// OpenPGP keyring.
type Key struct {
	minisign *minisign.PublicKey
	openpgp  openpgp.EntityList
}

const publicBlock = "-----BEGIN PGP PUBLIC KEY BLOCK-----"

// ParseKey reads a key as minisign -G writes it to its .pub file, or what gpg
// --export does, with and without --armor.
func ParseKey(text []byte) (_ *Key, err error) {
	defer recovered(&err)
	switch {
	case len(text) > MaxKey:
		return nil, fmt.Errorf("%d bytes are more than a key has", len(text))
	case bytes.Contains(text, []byte("PRIVATE KEY BLOCK")), bytes.Contains(text, []byte("minisign encrypted secret key")):
		return nil, errors.New("that is a secret key: only the public one is wanted, and the other one is not for this host")
	case bytes.Contains(text, []byte(publicBlock)):
		return keyring(openpgp.ReadArmoredKeyRing(bytes.NewReader(text)))
	}
	var key minisign.PublicKey
	if key.UnmarshalText(bytes.TrimSpace(text)) == nil {
		return &Key{minisign: &key}, nil
	}
	return keyring(openpgp.ReadKeyRing(bytes.NewReader(text)))
}

func keyring(list openpgp.EntityList, err error) (*Key, error) {
	if err != nil || len(list) == 0 {
		return nil, errors.New("that is no public key of minisign or OpenPGP")
	}
	for _, entity := range list {
		if entity.PrivateKey != nil {
			return nil, errors.New("that is a secret key: only the public one is wanted, and the other one is not for this host")
		}
	}
	return &Key{openpgp: list}, nil
}

// Suffixes are what the names of signatures end in that such a key makes, the
// likeliest one first.
func (k *Key) Suffixes() []string {
	if k.minisign != nil {
		return []string{".minisig"}
	}
	return []string{".asc", ".gpg"}
}

// String names the key.
func (k *Key) String() string {
	if k.minisign != nil {
		return minisignID(k.minisign.ID())
	}
	names := make([]string, len(k.openpgp))
	for i, entity := range k.openpgp {
		names[i] = fingerprint(entity)
	}
	return strings.Join(names, ", ")
}

func minisignID(id uint64) string { return fmt.Sprintf("minisign %016X", id) }

func fingerprint(e *openpgp.Entity) string {
	return fmt.Sprintf("OpenPGP %X", e.PrimaryKey.Fingerprint)
}

// Verify says whether a signature of this key's over the text holds at that
// time, and names who made it.
func (k *Key) Verify(text, signature []byte, now time.Time) (by string, err error) {
	defer recovered(&err)
	if len(signature) > MaxSignature {
		return "", fmt.Errorf("%d bytes are more than a signature has", len(signature))
	}
	if len(signature) == 0 {
		return "", errors.New("it is empty")
	}
	if k.minisign != nil {
		return k.verifyMinisign(text, signature)
	}
	return k.verifyOpenPGP(text, signature, now)
}

func (k *Key) verifyMinisign(text, signature []byte) (string, error) {
	var s minisign.Signature
	signature = append(bytes.TrimSpace(signature), '\n')
	switch err := s.UnmarshalText(signature); {
	case err != nil:
		return "", errors.New("it is no signature of minisign")
	case s.KeyID != k.minisign.ID():
		return "", fmt.Errorf("it is by %s, and --key is %s", minisignID(s.KeyID), k)
	case !minisign.Verify(*k.minisign, text, signature):
		return "", errChanged
	}
	return k.String(), nil
}

var errChanged = errors.New("it does not belong to the list: one of them was changed")

// weak are digests for which two texts with the same one can be made.
var weak = map[crypto.Hash]bool{crypto.MD5: true, crypto.SHA1: true, crypto.RIPEMD160: true}

func (k *Key) verifyOpenPGP(text, signature []byte, now time.Time) (string, error) {
	var r io.Reader = bytes.NewReader(signature)
	if bytes.HasPrefix(bytes.TrimSpace(signature), []byte("-----BEGIN PGP")) {
		block, err := armor.Decode(r)
		if err != nil || block.Type != openpgp.SignatureType {
			return "", errors.New("it is no detached signature of OpenPGP")
		}
		r = block.Body
	}
	sig, signer, err := openpgp.VerifyDetachedSignature(k.openpgp, bytes.NewReader(text), r, &packet.Config{Time: func() time.Time { return now }})
	_, changed := errors.AsType[pgp.SignatureError](err)
	const date = "2 January 2006, 15:04 MST"
	switch {
	case err == nil && weak[sig.Hash]:
		return "", fmt.Errorf("it is over a digest by %v, which can be forged: sign with gpg --digest-algo SHA256", sig.Hash)
	case err == nil && sig.CreationTime.Before(signer.PrimaryKey.CreationTime): // as gpgv
		return "", errors.New("it was made before the key was")
	case err == nil:
		return fingerprint(signer), nil
	case sig != nil && sig.CreationTime.After(now):
		return "", fmt.Errorf("it was made on %s, and dom0's clock says %s", sig.CreationTime.UTC().Format(date), now.UTC().Format(date))
	case errors.Is(err, pgp.ErrUnknownIssuer):
		return "", fmt.Errorf("it is by another key, and --key is %s", k)
	case errors.Is(err, pgp.ErrSignatureExpired):
		return "", errors.New("it has expired")
	case errors.Is(err, pgp.ErrKeyExpired):
		return "", errors.New("the key that made it has expired")
	case errors.Is(err, pgp.ErrKeyRevoked):
		return "", errors.New("the key that made it was revoked")
	case changed:
		return "", errChanged
	}
	return "", fmt.Errorf("it is not to be verified: %w", err)
}

// recovered makes an error of a panic: the bytes are a stranger's, and so are
// the libraries.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("it can't be read: %v", p)
	}
}
