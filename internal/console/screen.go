package console

import (
	"fmt"
	"io"
	"strings"
	"unicode"
)

// screen is a terminal of VT100's kind. What is put on it is drawn by flush, and
// only what has changed: the toolstack keeps all of it in a log.
type screen struct {
	w             io.Writer
	width, height int
	shown, next   []string
	begun         bool
	row, column   int // of the cursor; row -1 hides it
	err           error
}

// newScreen is one of that size. A size that is not known (0, as xl's and
// libvirt's terminals have) is VT100's.
func newScreen(w io.Writer, width, height int) *screen {
	if width < 20 || height < 6 {
		width, height = 80, 24
	}
	return &screen{w: w, width: width, height: height, shown: make([]string, height), next: make([]string, height), row: -1}
}

// put is a line of printable text.
func (s *screen) put(row int, text string) {
	if row >= 0 && row < s.height {
		s.next[row] = cutTo(text, s.width-1) // a terminal scrolls at its last corner
	}
}

// mark is a line that stands out.
func (s *screen) mark(row int, text string) {
	if s.put(row, text); row >= 0 && row < s.height {
		s.next[row] = "\x1b[7m" + s.next[row] + "\x1b[0m"
	}
}

func (s *screen) clear() {
	clear(s.next)
	s.row = -1
}

func (s *screen) flush() {
	var b strings.Builder
	if !s.begun {
		b.WriteString("\x1b[0m\x1b[2J")
		s.begun = true
	}
	for i, text := range s.next {
		if text != s.shown[i] {
			fmt.Fprintf(&b, "\x1b[%d;1H%s\x1b[K", i+1, text)
		}
	}
	copy(s.shown, s.next)
	if s.row >= 0 {
		fmt.Fprintf(&b, "\x1b[%d;%dH\x1b[?25h", s.row+1, min(s.column, s.width-1)+1)
	} else if b.Len() > 0 {
		b.WriteString("\x1b[?25l")
	}
	s.write(b.String())
}

// end leaves a terminal as lines want it.
func (s *screen) end() {
	if s.begun {
		s.write(fmt.Sprintf("\x1b[0m\x1b[%d;1H\x1b[K\x1b[?25h\r\n", s.height))
	}
}

func (s *screen) write(text string) {
	if text != "" && s.err == nil {
		_, s.err = io.WriteString(s.w, text)
	}
}

// cutTo is no more of a text than has so many columns.
func cutTo(text string, width int) string {
	n := 0
	for i, r := range text {
		if n += columnsOf(r); n > width {
			return text[:i]
		}
	}
	return text
}

// columns is how many a text takes on a terminal.
func columns(text string) (n int) {
	for _, r := range text {
		n += columnsOf(r)
	}
	return n
}

// columnsOf is how many a character takes: two where terminals draw it wide
// (Unicode, UAX #11), as Chinese ones and their punctuation.
func columnsOf(r rune) int {
	switch {
	case r < 0x300:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	case r >= 0xff61 && r <= 0xffdc: // half as wide
		return 1
	case r >= 0x3000 && r <= 0x303e, r >= 0xff01 && r <= 0xff60, r >= 0x1f300 && r <= 0x1faff,
		unicode.In(r, unicode.Han, unicode.Hangul, unicode.Hiragana, unicode.Katakana):
		return 2
	}
	return 1
}
