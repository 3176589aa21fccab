package pxelinux

import (
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"fmt"
	"hash"
	"strconv"
	"strings"
)

const (
	// maxRounds bounds the work of one password. crypt(3) has 5000 unless it is
	// told, and allows 999999999, which take an hour.
	maxRounds = 200_000
	// maxPassword is far longer than what anybody types, in bytes: the work
	// grows with its square.
	maxPassword = 256
)

// A PasswordError says why a password can't be checked: MENU PASSWD has it in
// a form that is not known here.
type PasswordError struct{ Form string }

func (e *PasswordError) Error() string {
	return "a password of the form " + e.Form + " can't be checked"
}

// isPassword says whether what was typed is the password that MENU PASSWD or
// MENU MASTER PASSWD has (com32/menu/passwd.c): as it is, or as crypt(3) has it
// with SHA-256 and SHA-512.
func isPassword(have, typed string) (bool, error) {
	if len(typed) > maxPassword {
		return false, nil
	}
	if len(have) < 3 || have[0] != '$' || have[2] != '$' {
		return same(have, typed), nil
	}
	var hash func() hash.Hash
	switch have[1] {
	case '5':
		hash = sha256.New
	case '6':
		hash = sha512.New
	case '1':
		return false, &PasswordError{"$1$ (MD5)"}
	case '4':
		return false, &PasswordError{"$4$ (SHA-1)"}
	default:
		return false, nil
	}
	rest := have[3:]
	rounds := 5000
	if text, after, found := strings.Cut(strings.TrimPrefix(rest, "rounds="), "$"); found && strings.HasPrefix(rest, "rounds=") {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil || n > maxRounds {
			return false, &PasswordError{fmt.Sprintf("%srounds=%s: more than %d", have[:3], text[:min(len(text), 20)], maxRounds)}
		}
		rest, rounds = after, max(int(n), 1000)
	}
	salt, want, _ := strings.Cut(rest, "$")
	want, _, _ = strings.Cut(want, "$")
	if len(salt) > 16 { // crypt(3) would cut it, and menu.c32 compares it
		return false, nil
	}
	return same(want, shaCrypt(hash, typed, salt, rounds)), nil
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// shaCrypt is Ulrich Drepper's "Unix crypt using SHA-256 and SHA-512", version
// 0.6, by the numbers of its steps.
func shaCrypt(newHash func() hash.Hash, password, salt string, rounds int) string {
	h := newHash()
	sum := func(parts ...string) string {
		h.Reset()
		for _, p := range parts {
			h.Write([]byte(p))
		}
		return string(h.Sum(nil))
	}
	fill := func(digest string, n int) string { return strings.Repeat(digest, n/len(digest)+1)[:n] }

	b := sum(password, salt, password) // 4 to 8
	parts := []string{password, salt, fill(b, len(password))}
	for n := len(password); n > 0; n >>= 1 { // 11
		if n&1 != 0 {
			parts = append(parts, b)
		} else {
			parts = append(parts, password)
		}
	}
	a := sum(parts...)                                                     // 12
	p := fill(sum(strings.Repeat(password, len(password))), len(password)) // 13 to 16
	s := fill(sum(strings.Repeat(salt, 16+int(a[0]))), len(salt))          // 17 to 20
	for i := range rounds {                                                // 21
		parts := make([]string, 0, 4)
		if i%2 != 0 {
			parts = append(parts, p)
		} else {
			parts = append(parts, a)
		}
		if i%3 != 0 {
			parts = append(parts, s)
		}
		if i%7 != 0 {
			parts = append(parts, p)
		}
		if i%2 != 0 {
			parts = append(parts, a)
		} else {
			parts = append(parts, p)
		}
		a = sum(parts...)
	}
	return cryptText(a)
}

// cryptText is step 22: three bytes at a time, from each third of the digest, as
// four characters.
func cryptText(digest string) string {
	const letters = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	var text strings.Builder
	put := func(bits uint, n int) {
		for range n {
			text.WriteByte(letters[bits&63])
			bits >>= 6
		}
	}
	third := len(digest) / 3
	i, j, k := 0, third, 2*third
	for range third {
		put(uint(digest[i])<<16|uint(digest[j])<<8|uint(digest[k]), 4)
		if len(digest) == sha512.Size {
			i, j, k = j+1, k+1, i+1
		} else {
			i, j, k = k+1, i+1, j+1
		}
	}
	if len(digest) == sha512.Size {
		put(uint(digest[63]), 2)
	} else {
		put(uint(digest[31])<<8|uint(digest[30]), 3)
	}
	return text.String()
}
