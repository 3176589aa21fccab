package grub

import (
	"strconv"
	"strings"
)

// arguments collects what words become (script/argv.c). An argument that
// nothing was put into is none, one that an empty string was put into is one.
type arguments struct {
	list []string
	last []byte // the one that is being written
	open bool   // there is one
	size int    // bytes of all
}

// put has no effect on arguments that are too large already.
func (a *arguments) put(s string) {
	if a.size += len(s) + 1; a.size <= maxArguments {
		a.last, a.open = append(a.last, s...), true
	}
}

func (a *arguments) next() {
	if a.open {
		a.list = append(a.list, string(a.last))
	}
	a.last, a.open = a.last[:0], false
}

// split puts a value that is split at blanks. Those at its ends part it from
// nothing.
func (a *arguments) split(s string) {
	for i, field := range strings.FieldsFunc(s, isSpace) {
		if i > 0 {
			a.next()
		}
		a.put(field)
	}
}

// isSpace is grub_isspace.
func isSpace(c rune) bool { return strings.ContainsRune(" \t\n\v\f\r", c) }

// expand makes arguments of words (script/execute.c, grub_script_arglist_to_argv).
func (m *machine) expand(words []word) []string {
	var a arguments
	for _, w := range words {
		a.next()
		for _, p := range w {
			switch p.kind {
			case plain, quoted:
				a.put(p.text)
			default:
				m.value(&a, p)
			}
		}
	}
	a.next()
	m.spend(a.size)
	if a.size > maxArguments {
		m.fail("%w: arguments of %d bytes", ErrTooLarge, a.size)
	}
	return a.list
}

// value puts what a variable holds.
func (m *machine) value(a *arguments, p part) {
	put := a.put
	if p.kind == unquotedVariable {
		put = a.split
	}
	switch {
	case p.text == "@" || p.text == "*":
		for i, arg := range m.parameters {
			if i > 0 && (p.text == "@" || p.kind == unquotedVariable) {
				a.next()
			} else if i > 0 {
				a.put(" ")
			}
			put(arg)
		}
	case p.text == "#":
		if m.inScope {
			put(strconv.Itoa(len(m.parameters)))
		}
	case isDigit(p.text[0]):
		if n, err := strconv.Atoi(p.text); err == nil && n > 0 && n <= len(m.parameters) {
			put(m.parameters[n-1])
		}
	default:
		if v := m.get(p.text); v != "" {
			put(v)
		}
	}
}
