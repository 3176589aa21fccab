package console

import (
	"context"
	"time"
	"unicode/utf8"
)

// key is one that was pressed: a character, or one of the constants, which are
// no characters.
type key rune

const (
	keyNone key = -iota - 1 // nothing that is known
	keyGone                 // no more will come
	keyLate                 // none in time
	keyUp
	keyDown
	keyLeft
	keyRight
	keyHome
	keyLast // End
	keyPageUp
	keyPageDown
	keyDelete

	keyTab       key = '\t'
	keyEnter     key = '\r'
	keyEscape    key = 0x1b
	keyBackspace key = 0x7f
)

func control(letter rune) key { return key(letter & 0x1f) }

// escapeTime is how long the rest of an escape sequence may take, by a slow
// serial line of 1200 bit/s. Behind an Esc that was pressed nothing comes.
const escapeTime = 100 * time.Millisecond

// maxSequence is where an escape sequence is given up, in bytes.
const maxSequence = 16

// keys makes keys of what a terminal sends.
type keys struct{ input <-chan byte }

// next is the next key; keyLate when late comes first, keyGone when the
// terminal is gone or ctx ends. A nil late never comes.
func (k keys) next(ctx context.Context, late <-chan time.Time) key {
	b, got := k.byte(ctx, late)
	switch {
	case got != 0:
		return got
	case b == '\n':
		return keyEnter
	case b == '\b':
		return keyBackspace
	case b == 0x1b:
		return k.sequence(ctx)
	case b < utf8.RuneSelf:
		return key(b)
	}
	// The rest of a character comes at once.
	text := []byte{b}
	for !utf8.FullRune(text) {
		b, got := k.byte(ctx, time.After(escapeTime))
		if got != 0 {
			return keyNone
		}
		text = append(text, b)
	}
	if r, _ := utf8.DecodeRune(text); r != utf8.RuneError {
		return key(r)
	}
	return keyNone
}

// byte is the next one, or else why there is none.
func (k keys) byte(ctx context.Context, late <-chan time.Time) (byte, key) {
	select {
	case b, ok := <-k.input:
		if !ok {
			return 0, keyGone
		}
		return b, 0
	case <-late:
		return 0, keyLate
	case <-ctx.Done():
		return 0, keyGone
	}
}

// sequence is what follows an Esc (ECMA-48 §5.4): "[", parameters and a final
// byte, or "O" and a byte (VT100, application keys). An Esc behind which
// nothing comes is the key.
func (k keys) sequence(ctx context.Context) key {
	b, got := k.byte(ctx, time.After(escapeTime))
	switch {
	case got == keyLate:
		return keyEscape
	case got != 0:
		return got
	case b == 'O':
		if b, got = k.byte(ctx, time.After(escapeTime)); got != 0 {
			return keyNone
		}
		return named("", b)
	case b != '[':
		return keyNone // Alt and a key
	}
	parameters := ""
	for len(parameters) < maxSequence {
		b, got := k.byte(ctx, time.After(escapeTime))
		switch {
		case got != 0:
			return keyNone
		case b >= 0x40 && b <= 0x7e:
			return named(parameters, b)
		}
		parameters += string(rune(b))
	}
	return keyNone
}

// named is the key of a sequence, as VT100, xterm, Linux and screen send it.
func named(parameters string, final byte) key {
	switch final {
	case 'A':
		return keyUp
	case 'B':
		return keyDown
	case 'C':
		return keyRight
	case 'D':
		return keyLeft
	case 'H':
		return keyHome
	case 'F':
		return keyLast
	case 'M':
		return keyEnter // of the keypad
	case '~':
		switch parameters {
		case "1", "7":
			return keyHome
		case "4", "8":
			return keyLast
		case "3":
			return keyDelete
		case "5":
			return keyPageUp
		case "6":
			return keyPageDown
		}
	}
	return keyNone
}
