package domain

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/gopxeboot/gopxeboot/xenout"
)

// config is what a configuration file in xl's language sets. The language is
// libxlutil's: libxlu_cfg_l.l has the words, libxlu_cfg_y.y the grammar.
type config map[string]value

// value is a string, of which numbers are a kind, or a list.
type value struct {
	text string
	list []value // not nil in a list
}

// text is a setting's string, "" when it is not set or a list.
func (c config) text(name string) string { return c[name].text }

// strings is a setting's list, up to the first thing in it that is no string,
// as xl reads vif=.
func (c config) strings(name string) []string {
	var texts []string
	for _, v := range c[name].list {
		if v.list != nil {
			break
		}
		texts = append(texts, v.text)
	}
	return texts
}

// uuid is the guest's uuid in lower case, "" when it is not set or none.
func (c config) uuid() string {
	if uuid := c.text("uuid"); IsUUID(uuid) {
		return strings.ToLower(uuid)
	}
	return ""
}

// typeOr is the guest's type where xenstore says known, which it does not tell
// from a shim (libxl_create.c: that is a PVH domain, too). Without type= and
// builder= it depends on xl.
func (c config) typeOr(known xenout.GuestType) xenout.GuestType {
	said, err := xenout.ParseGuestType(c.text("type"))
	if builder := c.text("builder"); err != nil && builder != "" { // before Xen 4.10
		said = xenout.PV // generic
		if builder == "hvm" {
			said = xenout.HVM
		}
	}
	said = cmp.Or(known, said)
	if shim := c.text("pvshim"); shim != "" && shim != "0" && said == xenout.PVH {
		return xenout.PVShim
	}
	return said
}

// parseConfig reads a configuration. Like xl's, the parser goes on after the
// line with an error; xl uses nothing of such a file, and here it only helps
// to say whose file it is. The error is the first one.
func parseConfig(text string) (config, error) {
	p := &parser{rest: text, line: 1, config: make(config)}
	var first error
	for p.next(); p.kind != endOfFile; {
		if err := p.statement(); err != nil {
			first = cmp.Or(first, err)
			p.skipLine()
		}
	}
	return p.config, first
}

// The kinds of tokens that are not their own character.
const (
	endOfFile  byte = 0
	identifier byte = 'i'
	atom       byte = 'a' // a string or a number
	plusEquals byte = '+' // +=
	lineEnd    byte = '\n'
	noToken    byte = '?'
)

type parser struct {
	rest   string // what follows the token
	line   int    // the token's
	kind   byte
	text   string // the token as written
	value  string // of an atom
	config config
}

// statement reads [IDENT ("=" | "+=") value] and goes on to its end, which is
// the start of the next one.
func (p *parser) statement() error {
	if p.kind == lineEnd || p.kind == ';' {
		p.next()
		return nil
	}
	name := p.text
	if p.kind != identifier {
		return p.unexpected()
	}
	p.next()
	op := p.kind
	if op != '=' && op != plusEquals {
		return p.unexpected()
	}
	p.next()
	v, err := p.parseValue(0)
	if err != nil {
		return err
	}
	if p.kind != lineEnd && p.kind != ';' && p.kind != endOfFile {
		return p.unexpected()
	}
	before, isSet := p.config[name]
	if op == plusEquals && isSet {
		if (before.list == nil) != (v.list == nil) {
			return fmt.Errorf("line %d: a list and a string cannot be added to each other", p.line)
		}
		v = value{before.text + v.text, append(before.list, v.list...)}
	}
	p.config[name] = v
	return nil
}

// maxDepth is how deep lists may be in lists. No setting of xl's goes beyond
// two.
const maxDepth = 20

func (p *parser) parseValue(depth int) (value, error) {
	if p.kind == atom {
		v := value{text: p.value}
		p.next()
		return v, nil
	}
	if p.kind != '[' {
		return value{}, p.unexpected()
	}
	if depth > maxDepth {
		return value{}, fmt.Errorf("line %d: lists in lists, more than %d deep", p.line, maxDepth)
	}
	p.nextInList()
	list := []value{}
	for p.kind != ']' {
		v, err := p.parseValue(depth + 1)
		if err != nil {
			return value{}, err
		}
		list = append(list, v)
		p.skipLineEnds()
		if p.kind == ',' {
			p.nextInList()
		} else if p.kind != ']' {
			return value{}, p.unexpected()
		}
	}
	p.next()
	return value{list: list}, nil
}

func (p *parser) nextInList() {
	p.next()
	p.skipLineEnds()
}

func (p *parser) skipLineEnds() {
	for p.kind == lineEnd {
		p.next()
	}
}

func (p *parser) unexpected() error {
	switch {
	case p.kind == endOfFile:
		return fmt.Errorf("line %d: the file ends in the middle of a setting", p.line)
	case p.kind == lineEnd:
		return fmt.Errorf("line %d: a setting ends too early", p.line)
	case p.kind == noToken && strings.Contains("+-.():", p.text):
		return fmt.Errorf("line %d: unexpected %q: xl reads no Python, only name = \"value\" and lists", p.line, p.text)
	}
	return fmt.Errorf("line %d: unexpected %q", p.line, p.text)
}

// skipLine goes to the next line, unless the token is the end of this one.
func (p *parser) skipLine() {
	if p.kind != lineEnd && p.kind != endOfFile {
		_, p.rest, _ = strings.Cut(p.rest, "\n")
		p.line++
		p.next()
	}
}

func (p *parser) next() {
	if p.kind == lineEnd {
		p.line++
	}
	p.rest = strings.TrimLeft(p.rest, " \t")
	if p.rest == "" {
		p.kind, p.text = endOfFile, ""
		return
	}
	n := 1
	switch c := p.rest[0]; {
	case isLower(c):
		p.kind = identifier
		n = span(p.rest, func(c byte) bool { return isLower(c) || isDigit(c) || c == '_' || c == '.' })
	case isDigit(c):
		p.kind = atom
		n = span(p.rest, func(c byte) bool { return isDigit(c) || c >= 'a' && c <= 'f' || c == 'x' })
		p.value = p.rest[:n]
	case c == '\'' || c == '"':
		p.kind = noToken
		if end := closingQuote(p.rest); end > 0 {
			n = end + 1
			if text, err := dequote(p.rest[1:end]); err == nil {
				p.kind, p.value = atom, text
			}
		}
	case c == '#':
		p.kind = lineEnd
		n = strings.IndexByte(p.rest, '\n') + 1
		if n == 0 {
			n = len(p.rest) // xl wants a line's end there
		}
	case c == '+' && strings.HasPrefix(p.rest, "+="):
		p.kind, n = plusEquals, len("+=")
	case strings.IndexByte("\n,[]=;", c) >= 0:
		p.kind = c
	default:
		p.kind = noToken
	}
	p.text, p.rest = p.rest[:n], p.rest[n:]
}

func isLower(c byte) bool { return c >= 'a' && c <= 'z' }
func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// span is the length of what s begins with.
func span(s string, is func(byte) bool) int {
	n := 0
	for n < len(s) && is(s[n]) {
		n++
	}
	return n
}

// closingQuote returns where the string ends that s begins with, 0 when it
// does not end in its line.
func closingQuote(s string) int {
	for i := 1; i < len(s) && s[i] != '\n'; i++ {
		switch s[i] {
		case s[0]:
			return i
		case '\\':
			i++
			if i < len(s) && s[i] == '\n' {
				return 0
			}
		}
	}
	return 0
}

// dequote takes the backslashes out of a string (libxlu_cfg.c,
// xlu__cfgl_dequote). The numeric escapes are refused: xl's code for them
// refuses nearly all of them and loses the rest.
func dequote(s string) (string, error) {
	const letters, meanings = `"'\abfnrtv`, "\"'\\\a\b\f\n\r\t\v"
	if !strings.Contains(s, `\`) {
		return s, nil
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '\\' {
			i++
			if i == len(s) {
				return "", errors.New("a backslash at the end")
			}
			at := strings.IndexByte(letters, s[i])
			if at < 0 {
				return "", fmt.Errorf("a backslash before %q", s[i])
			}
			c = meanings[at]
		}
		b.WriteByte(c)
	}
	return b.String(), nil
}
