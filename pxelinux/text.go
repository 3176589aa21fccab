package pxelinux

import (
	"math"
	"strings"
)

// maxLine is what fgets reads at once: a longer line is cut there and its
// rest is parsed as a line of its own.
const maxLine = 4095

// lines reads a file's text as PXELINUX does.
type lines struct {
	text   string
	number int  // of the line that next returned, from 1
	inside bool // next returned a piece of a line that goes on
}

// next returns the next line, with its newline if it has one, or false.
func (l *lines) next() (string, bool) {
	if l.text == "" {
		return "", false
	}
	if !l.inside {
		l.number++
	}
	n := min(len(l.text), maxLine)
	if i := strings.IndexByte(l.text[:n], '\n'); i >= 0 {
		n = i + 1
	}
	line := l.text[:n]
	l.text = l.text[n:]
	l.inside = line[n-1] != '\n'
	return line, true
}

// countLines is how many lines a text has: the number of its last one.
func countLines(text string) int {
	l := lines{text: text}
	for ok := true; ok; {
		_, ok = l.next()
	}
	return l.number
}

// chomp cuts a line at its first CR, LF or NUL, wherever that is.
func chomp(line string) string {
	if i := strings.IndexAny(line, "\r\n\x00"); i >= 0 {
		return line[:i]
	}
	return line
}

// directive splits a line into its keyword, in lower case, and the value.
func directive(line string) (word, value string) {
	line = skipSpace(line)
	word = firstWord(line)
	return lower(word), skipSpace(line[len(word):])
}

// skipSpace cuts leading white space as C's isspace knows it, in Latin-1.
func skipSpace(s string) string {
	for s != "" && (s[0] >= '\b' && s[0] <= '\r' || s[0] == ' ' || s[0] == 0xa0) {
		s = s[1:]
	}
	return s
}

// isEnd says whether c ends a word: PXELINUX has two ideas of white space.
func isEnd(c byte) bool { return c <= ' ' || c == 0x7f }

func firstWord(s string) string {
	for i := range len(s) {
		if isEnd(s[i]) {
			return s[:i]
		}
	}
	return s
}

// cutWord splits a command line into its first word and what follows the
// white space after it.
func cutWord(s string) (word, rest string) {
	word = firstWord(s)
	rest = s[len(word):]
	for rest != "" && isEnd(rest[0]) {
		rest = rest[1:]
	}
	return word, rest
}

// words splits a COM32 module's command line, which knows no quotes.
func words(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r >= '\b' && r <= '\r' || r == ' ' })
}

func lower(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

// atoi is C's: the number that s begins with, 0 when there is none.
func atoi(s string) int64 {
	s = skipSpace(s)
	negative := strings.HasPrefix(s, "-")
	if negative || strings.HasPrefix(s, "+") {
		s = s[1:]
	}
	n := int64(0)
	for _, c := range []byte(digits(s)) {
		if n = n*10 + int64(c-'0'); n > math.MaxInt32 {
			n = math.MaxInt32
		}
	}
	if negative {
		return -n
	}
	return n
}

// strtoul is C's with base 0: decimal, 0x for hexadecimal, 0 for octal.
func strtoul(s string) uint32 {
	s = skipSpace(s)
	negative := strings.HasPrefix(s, "-")
	if negative || strings.HasPrefix(s, "+") {
		s = s[1:]
	}
	base := 10
	switch {
	case len(s) > 2 && s[0] == '0' && s[1]|0x20 == 'x' && hexDigit(s[2]) >= 0:
		base, s = 16, s[2:]
	case strings.HasPrefix(s, "0"):
		base = 8
	}
	n := uint64(0)
	for i := range len(s) {
		d := hexDigit(s[i])
		if d < 0 || d >= base {
			break
		}
		if n = n*uint64(base) + uint64(d); n > math.MaxUint32 {
			n = math.MaxUint32
		}
	}
	if negative {
		return uint32(-n)
	}
	return uint32(n)
}
