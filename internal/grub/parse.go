package grub

import (
	"errors"
	"fmt"
)

// What a script is made of. A list of statements is a []statement.
type (
	statement interface{ isStatement() }

	command struct {
		Position
		words []word
		block *block // the last argument, in braces; or nil
	}
	conditional struct {
		condition, then, otherwise []statement
	}
	forLoop struct {
		Position
		name  string
		words []word
		body  []statement
	}
	loop struct { // while or until
		Position
		until           bool
		condition, body []statement
	}
	block struct {
		text []byte // as it is written
		body []statement
	}
	function struct {
		name string
		body []statement
	}
)

func (*command) isStatement()     {}
func (*conditional) isStatement() {}
func (*forLoop) isStatement()     {}
func (*loop) isStatement()        {}

// maxOpen bounds how deep blocks may stand in each other.
const maxOpen = 64

// SyntaxError is a statement that GRUB does not understand. It goes on behind
// the line where it notices.
type SyntaxError struct {
	Position        // where GRUB notices
	From     int    // the line on which the statement begins
	Near     string // the token that it notices it by; "" at the end of a file
	Err      error
}

func (e *SyntaxError) Error() string {
	switch {
	case e.Err != nil && e.From != e.Line:
		return fmt.Sprintf("syntax error in what begins at line %d: %v", e.From, e.Err)
	case e.Err != nil:
		return fmt.Sprintf("syntax error: %v", e.Err)
	}
	return fmt.Sprintf("syntax error near %q", e.Near)
}

func (e *SyntaxError) Unwrap() error { return e.Err }

// parser takes statements off a source (script/parser.y).
type parser struct {
	lexer
	token  token
	loaded bool // token is the next one
	err    error
}

// parse parses the statements of one line and what they continue on. Functions
// of it are defined by define, at once as in GRUB. At the end of the source
// more is false. After an error it can go on.
func (s *source) parse(define func(function)) (list []statement, more bool, err error) {
	p := &parser{lexer: lexer{src: s}}
	if !p.more() {
		return nil, false, nil
	}
	from := p.line
	list = p.script(define)
	if p.err == nil {
		return list, true, nil
	}
	e := &SyntaxError{Position: Position{s.file, p.line}, From: from}
	if errors.Is(p.err, errUnexpected) {
		e.Near = p.token.text
	} else {
		e.Err = p.err
	}
	return nil, true, e
}

var errUnexpected = errors.New("unexpected token")

// peek returns the text of the next token, "" where there is none.
func (p *parser) peek() string {
	if !p.loaded && p.err == nil {
		var err error
		p.token, err = p.lexer.next()
		p.loaded = true
		if err != nil {
			p.err = err
		}
	}
	if p.err != nil {
		return ""
	}
	return p.token.text
}

// take takes the next token if it is that one.
func (p *parser) take(text string) bool {
	if p.peek() != text || p.err != nil {
		return false
	}
	p.loaded = false
	return true
}

func (p *parser) expect(text string) {
	if !p.take(text) {
		p.unexpected()
	}
}

func (p *parser) unexpected() {
	if p.peek(); p.err == nil {
		p.err = errUnexpected
	}
}

func (p *parser) newlines() {
	for p.take("\n") {
	}
}

// delimiter takes a semicolon or a newline, and newlines.
func (p *parser) delimiter() bool {
	if !p.take(";") && !p.take("\n") {
		return false
	}
	p.newlines()
	return true
}

// ref notes that more lines belong to this statement.
func (p *parser) ref() {
	if p.open++; p.open > maxOpen && p.err == nil {
		p.err = fmt.Errorf("more than %d blocks stand in each other", maxOpen)
	}
}

func (p *parser) script(define func(function)) (list []statement) {
	p.newlines()
	for p.peek() != "" {
		if p.take("function") {
			f := p.function()
			if p.err == nil {
				define(f)
			}
		} else {
			list = append(list, p.statement())
		}
		if p.err == nil && !p.delimiter() {
			p.unexpected()
		}
	}
	return list
}

func (p *parser) function() (f function) {
	f.name = p.name()
	p.ref()
	p.newlines()
	p.expect("{")
	f.body = p.list("}")
	p.open--
	return f
}

// name takes a word that is a name.
func (p *parser) name() string {
	p.peek()
	if p.err != nil || !p.token.name() {
		p.unexpected()
		return ""
	}
	p.loaded = false
	return p.token.text
}

// list takes statements, each with its delimiter, and the word that ends them.
func (p *parser) list(end string) []statement {
	list := p.statements()
	p.expect(end)
	return list
}

// statements takes statements, each with its delimiter.
func (p *parser) statements() []statement {
	list, delimited := p.commands()
	if !delimited {
		p.unexpected()
	}
	return list
}

// commands takes statements up to a token that begins none, and says whether
// the last one had a delimiter.
func (p *parser) commands() (list []statement, delimited bool) {
	p.newlines()
	for p.err == nil {
		list = append(list, p.statement())
		if delimited = p.delimiter(); !delimited || !p.begins() {
			break
		}
	}
	return list, delimited
}

// begins says whether a statement begins here.
func (p *parser) begins() bool {
	switch text := p.peek(); text {
	case "if", "for", "while", "until":
		return true
	default:
		return p.err == nil && p.token.word != nil && !reserved[text]
	}
}

func (p *parser) statement() statement {
	if !p.begins() {
		p.unexpected()
		return nil
	}
	at := p.token.Position
	switch {
	case p.take("if"):
		p.ref()
		c := p.conditional()
		p.open--
		return c
	case p.take("for"):
		f := &forLoop{Position: at, name: p.name()}
		p.ref()
		p.expect("in")
		f.words = p.words()
		if !p.delimiter() {
			p.unexpected()
		}
		p.expect("do")
		f.body = p.list("done")
		p.open--
		return f
	case p.take("while"):
		return p.loop(at, false)
	case p.take("until"):
		return p.loop(at, true)
	}
	c := &command{Position: at, words: p.words()}
	if p.take("{") {
		p.ref()
		c.block = p.block()
		p.open--
	}
	return c
}

// block takes what follows a brace, and the one that ends it.
func (p *parser) block() *block {
	start, b := p.at, &block{}
	b.body, _ = p.commands()
	if p.take("}") {
		b.text = p.text[start:p.token.start]
	} else {
		p.unexpected()
	}
	return b
}

// conditional takes what follows if or elif, and the fi.
func (p *parser) conditional() statement {
	c := &conditional{condition: p.list("then"), then: p.statements()}
	switch {
	case p.take("elif"):
		if p.open++; p.open > maxOpen { // an elif is as deep as an if in the else
			p.unexpected()
			return c
		}
		c.otherwise = []statement{p.conditional()}
		p.open--
	case p.take("else"):
		c.otherwise = p.list("fi")
	default:
		p.expect("fi")
	}
	return c
}

func (p *parser) loop(at Position, until bool) statement {
	p.ref()
	l := &loop{Position: at, until: until, condition: p.list("do"), body: p.list("done")}
	p.open--
	return l
}

// words takes words; a reserved one is a word like others, but as the first.
func (p *parser) words() (words []word) {
	for p.peek() != "" && p.token.word != nil && p.token.text != "[[" && p.token.text != "]]" {
		words = append(words, p.token.word)
		p.loaded = false
	}
	return words
}

// raw is what a block is as an argument that is text.
func (b *block) raw() string { return "{" + string(b.text) + "}" }
