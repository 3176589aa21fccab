package grub

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// source is a text that is read line by line, as GRUB reads a file
// (normal/main.c, read_config_file_getline): carriage returns are dropped, and
// a line whose first byte is # is not there at all, not even in a string.
type source struct {
	file  string
	lines []string
	next  int // index of the next line
}

func newSource(file, text string) *source {
	return &source{file: file, lines: strings.Split(strings.TrimSuffix(strings.ReplaceAll(text, "\r", ""), "\n"), "\n")}
}

// line returns the next line and its number, which is 0 behind the last.
func (s *source) line() (string, int) {
	for s.next < len(s.lines) {
		s.next++
		if line := s.lines[s.next-1]; !strings.HasPrefix(line, "#") {
			return line, s.next
		}
	}
	return "", 0
}

// Position is a line of a file.
type Position struct {
	File string // as a URL
	Line int
}

func (p Position) prefix() string {
	if p.Line == 0 {
		return ""
	}
	return fmt.Sprintf("%s:%d: ", p.File, p.Line)
}

// A word of a script is a row of parts, which become one argument, none, or
// several.
type word []part

type part struct {
	kind partKind
	text string // of a variable its name
}

type partKind int

const (
	plain            partKind = iota // outside quotes; backslashes are gone
	quoted                           // inside quotes
	unquotedVariable                 // its value is split at blanks
	quotedVariable
)

func (w *word) add(kind partKind, text string) { *w = append(*w, part{kind, text}) }

// text is a word as far as it is known before it is expanded.
func (w word) text() string {
	var b strings.Builder
	for _, p := range w {
		if p.kind == unquotedVariable || p.kind == quotedVariable {
			b.WriteByte('$')
		}
		b.WriteString(p.text)
	}
	return b.String()
}

// texts is what is known of each word before it is expanded.
func texts(words []word) (list []string) {
	for _, w := range words {
		list = append(list, w.text())
	}
	return list
}

// A token is an operator, the newline, a word, or "" for the end.
type token struct {
	text  string // as it is written
	word  word   // of a word
	start int    // where it begins in lexer.text
	Position
}

// reserved words are recognised wherever they stand by themselves.
var reserved = map[string]bool{
	"case": true, "do": true, "done": true, "elif": true, "else": true, "esac": true, "fi": true, "for": true, "function": true,
	"if": true, "in": true, "select": true, "then": true, "until": true, "while": true, "[[": true, "]]": true,
}

// name reports whether a token can name a variable or a function.
func (t *token) name() bool {
	return t.word != nil && !reserved[t.text] && nameLength(t.text) == len(t.text)
}

// nameLength is how many bytes of s are a variable's name.
func nameLength(s string) int {
	i := 0
	for i < len(s) && (isLetter(s[i]) || i > 0 && isDigit(s[i])) {
		i++
	}
	return i
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' }
func isDigit(c byte) bool  { return c >= '0' && c <= '9' }

// maxStatement bounds one statement, in bytes: more than a submenu with a
// thousand entries.
const maxStatement = 1 << 20

// What a text can be wrong in, where no token can be named.
var (
	errEnd    = errors.New("the file ends inside of it")
	errLong   = fmt.Errorf("it has more than %d bytes", maxStatement)
	errDollar = errors.New("a $ that begins no variable")
)

// lexer takes tokens off a source. It looks at one line, and at further ones
// only while something is open: a quote, a line that ends in a backslash, or
// what the parser says.
type lexer struct {
	src  *source
	text []byte // the lines that were read for this statement, each with its newline
	at   int
	line int   // number of the last one
	open int   // blocks that are not closed yet
	end  error // why there is no more
}

// more reads a further line, or says in end why it does not.
func (l *lexer) more() bool {
	if len(l.text) > maxStatement {
		l.end = errLong
		return false
	}
	line, number := l.src.line()
	if number == 0 {
		l.end = errEnd
		return false
	}
	l.text, l.line = append(append(l.text, line...), '\n'), number
	return true
}

func (l *lexer) next() (token, error) {
	for {
		for l.at < len(l.text) && (l.text[l.at] == ' ' || l.text[l.at] == '\t') {
			l.at++
		}
		if l.at < len(l.text) && l.text[l.at] == '#' {
			l.at += bytes.IndexByte(l.text[l.at:], '\n')
		}
		if l.at < len(l.text) {
			break
		}
		if l.open == 0 {
			return token{Position: Position{l.src.file, l.line}}, nil
		}
		if !l.more() {
			return token{}, l.end
		}
	}
	t := token{start: l.at, Position: Position{l.src.file, l.line}}
	rest := l.text[l.at:]
	for _, operator := range []string{"||", "&&", ";;", "\n", "|", "&", ";", "<", ">", "{", "}"} {
		if bytes.HasPrefix(rest, []byte(operator)) {
			l.at += len(operator)
			t.text = operator
			return t, nil
		}
	}
	var err error
	t.word, err = l.word()
	t.text = string(l.text[t.start:l.at])
	return t, err
}

// word takes a word (script/yylex.l).
func (l *lexer) word() (word, error) {
	w := word{}
	for {
		c := l.text[l.at]
		switch {
		case strings.IndexByte("{}|&;<> \t\n", c) >= 0:
			return w, nil
		case c == '\\':
			if l.text[l.at+1] != '\n' {
				w.add(plain, string(l.text[l.at+1:l.at+2]))
			} else if l.at+2 == len(l.text) && !l.more() {
				return nil, l.end
			}
			l.at += 2
		case c == '\'':
			start := l.at + 1
			end := start
			for bytes.IndexByte(l.text[end:], '\'') < 0 {
				if end = len(l.text); !l.more() {
					return nil, l.end
				}
			}
			end += bytes.IndexByte(l.text[end:], '\'')
			w.add(quoted, string(l.text[start:end]))
			l.at = end + 1
		case c == '"', c == '$' && l.text[l.at+1] == '"': // $"..." is to be translated
			l.at += bytes.IndexByte(l.text[l.at:], '"') + 1
			if err := l.doubleQuoted(&w); err != nil {
				return nil, err
			}
		case c == '$':
			if err := l.variable(&w, unquotedVariable); err != nil {
				return nil, err
			}
		default:
			end := bytes.IndexAny(l.text[l.at:], "{}|&;<> \t\n\\'\"$")
			w.add(plain, string(l.text[l.at:l.at+end]))
			l.at += end
		}
	}
}

// doubleQuoted takes what follows a double quote, and the one that ends it.
func (l *lexer) doubleQuoted(w *word) error {
	w.add(quoted, "") // which makes it a word in any case
	for {
		if l.at == len(l.text) && !l.more() {
			return l.end
		}
		switch c := l.text[l.at]; c {
		case '"':
			l.at++
			return nil
		case '$':
			if err := l.variable(w, quotedVariable); err != nil {
				return err
			}
		case '\\':
			switch pair := l.text[l.at : l.at+2]; pair[1] {
			case '$', '\\', '"':
				w.add(quoted, string(pair[1:]))
			case '\n':
			default:
				w.add(quoted, string(pair))
			}
			l.at += 2
		default:
			end := bytes.IndexAny(l.text[l.at:], "\"$\\")
			if end < 0 {
				end = len(l.text) - l.at
			}
			w.add(quoted, string(l.text[l.at:l.at+end]))
			l.at += end
		}
	}
}

// variable takes $name, ${name}, $1, $?, $#, $* or $@.
func (l *lexer) variable(w *word, kind partKind) error {
	line := l.text[l.at+1:]
	rest := string(line[:bytes.IndexByte(line, '\n')])
	braces := strings.HasPrefix(rest, "{")
	if braces {
		rest = rest[1:]
	}
	n := nameLength(rest)
	if n == 0 {
		for n < len(rest) && isDigit(rest[n]) {
			n++
		}
	}
	if n == 0 && rest != "" && strings.IndexByte("?#*@", rest[0]) >= 0 {
		n = 1
	}
	if n == 0 || braces && !strings.HasPrefix(rest[n:], "}") {
		return errDollar
	}
	w.add(kind, rest[:n])
	l.at += 1 + n
	if braces {
		l.at += 2
	}
	return nil
}
