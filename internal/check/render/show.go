package render

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// How much of a text is shown, in bytes: of a name or a line, and of what is a
// paragraph by nature, such as a command line.
const (
	maxShown     = 512
	maxShownLong = 8 << 10
)

// show is a text from anybody for a user to read: what does not print, and
// what changes how the text around it is read, is written as an escape.
func show(s string) string { return shown(s, maxShown) }

func showLong(s string) string { return shown(s, maxShownLong) }

func shown(s string, most int) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		if b.Len() >= most {
			fmt.Fprintf(&b, "… (%d bytes)", len(s))
			break
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size <= 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\x%02x`, r)
		case !harmless(r):
			fmt.Fprintf(&b, `\u{%x}`, r)
		default:
			b.WriteRune(r)
		}
		i += size
	}
	return b.String()
}

// harmless says whether a character shows as itself and nothing else. The ones
// that change the direction of text, or have no width, are of category Cf;
// marks pile up on the letter before them.
func harmless(r rune) bool {
	return r == ' ' || r == '…' || unicode.IsGraphic(r) && !unicode.Is(unicode.Zs, r) && !unicode.IsMark(r) && r != 0x3164 && r != 0x2800
}
