package console

import (
	"slices"
	"strings"
	"unicode"
)

// maxTyped is how long a line may become, in bytes: PXELINUX's
// (MAX_CMDLINE_LEN), and more than a guest gets.
const maxTyped = 2047

// editor is a line that is being typed, with the cursor at a character of it.
// The keys are those of menu.c32 (com32/menu/menumain.c, edit_cmdline).
type editor struct {
	text []rune
	at   int
}

func newEditor(text string) *editor {
	e := &editor{text: []rune(text)}
	e.at = len(e.text)
	return e
}

func (e *editor) String() string { return string(e.text) }

// press changes the line by a key.
func (e *editor) press(k key) {
	switch k {
	case keyLeft, control('B'):
		e.at = max(e.at-1, 0)
	case keyRight, control('F'):
		e.at = min(e.at+1, len(e.text))
	case keyHome, control('A'):
		e.at = 0
	case keyLast, control('E'):
		e.at = len(e.text)
	case keyBackspace:
		if e.at > 0 {
			e.cut(e.at-1, e.at)
		}
	case keyDelete, control('D'):
		if e.at < len(e.text) {
			e.cut(e.at, e.at+1)
		}
	case control('U'):
		e.cut(0, len(e.text))
	case control('K'):
		e.cut(e.at, len(e.text))
	case control('W'):
		e.cut(len([]rune(strings.TrimRightFunc(strings.TrimRight(string(e.text[:e.at]), " "), func(r rune) bool { return r != ' ' }))), e.at)
	default:
		if k > 0 && unicode.IsPrint(rune(k)) && len(string(e.text)) < maxTyped {
			e.text = slices.Insert(e.text, e.at, rune(k))
			e.at++
		}
	}
}

func (e *editor) cut(from, to int) {
	e.text = slices.Delete(e.text, from, to)
	e.at = from
}

// view is the part of the line that fits, and where the cursor stands in it.
func (e *editor) view(width int) (text string, column int) {
	from := e.at
	for from > 0 && columns(string(e.text[from-1:e.at])) < width {
		from--
	}
	return cutTo(string(e.text[from:]), width), columns(string(e.text[from:e.at]))
}
