package verify

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// A Digest is the SHA-256 of a file.
type Digest [sha256.Size]byte

func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// ParseDigest reads 64 hexadecimal digits.
func ParseDigest(text string) (d Digest, err error) {
	if n, err := hex.Decode(d[:], []byte(text[:min(len(text), 2*len(d))])); err != nil || n != len(d) || len(text) != 2*len(d) {
		return Digest{}, fmt.Errorf("%.80q is no SHA-256: that is 64 hexadecimal digits", text)
	}
	return d, nil
}

// MarshalText is String.
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText is ParseDigest: as JSON a digest is neither longer nor shorter.
func (d *Digest) UnmarshalText(text []byte) (err error) {
	*d, err = ParseDigest(string(text))
	return err
}

// A Hasher computes the digest of what is written to it in a goroutine of its
// own, so that a download does not wait for it.
type Hasher struct {
	full, free chan []byte
	digest     chan Digest
}

// NewHasher starts one. Sum has to be called, also for nothing.
func NewHasher() *Hasher {
	const buffers = 8 // of the size of a Write
	h := &Hasher{make(chan []byte, buffers), make(chan []byte, buffers), make(chan Digest, 1)}
	for range buffers {
		h.free <- nil
	}
	go func() {
		sum := sha256.New()
		for p := range h.full {
			sum.Write(p)
			h.free <- p
		}
		h.digest <- Digest(sum.Sum(nil))
	}()
	return h
}

// Write takes a copy of p. It never fails.
func (h *Hasher) Write(p []byte) (int, error) {
	h.full <- append((<-h.free)[:0], p...)
	return len(p), nil
}

// Sum is the digest of all that was written. It can be called once, and nothing
// can be written after it.
func (h *Hasher) Sum() Digest {
	close(h.full)
	return <-h.digest
}
