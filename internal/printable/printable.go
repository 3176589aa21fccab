// Package printable makes foreign text fit for people: a server's, another
// program's, the name of a file. It is for one line of a terminal, and of a log
// that others read.
package printable

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Text is s with "?" for each character that does not print, and without the
// NULs at its end, with which servers fill fields.
func Text(s string) string { return replaced(strings.TrimRight(s, "\x00"), '?') }

// Line is a server's text as a part of a message: at most max bytes of it, with
// a space for what does not print, and none at its ends.
func Line(s string, max int) string {
	if len(s) > max {
		for max > 0 && !utf8.RuneStart(s[max]) {
			max--
		}
		s = s[:max]
	}
	return strings.TrimSpace(replaced(s, ' '))
}

// replaced has a character instead of each that does not print. What is no
// UTF-8 is always a "?".
func replaced(s string, with rune) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == utf8.RuneError:
			return '?'
		case unicode.IsPrint(r):
			return r
		}
		return with
	}, s)
}

// password matches what a URL may have before its host.
var password = regexp.MustCompile(`(://[^/:\s]*):[^/\s]*@`)

// Redacted is Text with "***" for the password of each URL in it.
func Redacted(s string) string { return Text(password.ReplaceAllString(s, "$1:***@")) }

// WithoutPassword is a URL that may be shown, and that still is one.
func WithoutPassword(url string) string { return password.ReplaceAllString(url, "$1@") }
