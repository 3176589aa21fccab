package verify

import (
	"crypto/sha256"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestHasher(t *testing.T) {
	content := make([]byte, 1<<20)
	rand.NewChaCha8([32]byte{}).Read(content)
	for _, size := range []int{0, 1, 100, 1 << 20} {
		h, rest, buffer := NewHasher(), content[:size], make([]byte, 70_000)
		for len(rest) > 0 {
			n := copy(buffer, rest)
			h.Write(buffer[:n])
			clear(buffer) // it is the writer's again
			rest = rest[n:]
		}
		if got, want := h.Sum(), Digest(sha256.Sum256(content[:size])); got != want {
			t.Errorf("%d bytes: %s, want %s", size, got, want)
		}
	}
}

func TestParseDigest(t *testing.T) {
	const hello = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
	for text, good := range map[string]bool{
		hello: true, strings.ToUpper(hello): true,
		"": false, hello[1:]: false, hello + "0": false, hello + "00": false, "x" + hello[1:]: false,
	} {
		d, err := ParseDigest(text)
		if (err == nil) != good || good && d != sha256.Sum256([]byte("hello")) {
			t.Errorf("%q: %s, %v", text, d, err)
		}
	}
}
