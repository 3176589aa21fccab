package grub

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Where GRUB notices that a text is wrong, and what it runs of it: an error
// costs the statement, up to the line where it is noticed.
func TestParse(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       []string // errors, and the first word of what is left
	}{
		{"empty", "", nil},
		{"comments", "# a\n  # b\na # c\n", []string{"a"}},
		{"one line", "a; b;c", []string{"a", "b", "c"}},
		{"an empty statement", "a\nb; ; c\nd", []string{"a", `2: syntax error near ";"`, "d"}},
		{"operators", "a && b\nc | d\ne&f\ng;;\nh>i\nj", []string{
			`1: syntax error near "&&"`, `2: syntax error near "|"`, `3: syntax error near "&"`, `4: syntax error near ";;"`, `5: syntax error near ">"`, "j"}},
		{"dollars", "a$\n\"$\"\n$-\n${a\n$'x'\n${1}$?$#$*$@", []string{
			"1: syntax error: a $ that begins no variable", "2: syntax error: a $ that begins no variable", "3: syntax error: a $ that begins no variable",
			"4: syntax error: a $ that begins no variable", "5: syntax error: a $ that begins no variable", "$1$?$#$*$@"}},
		{"if", "if a; then b; elif c; then d; else e; fi; f\nif a\nthen b\nfi", []string{"if", "f", "if"}},
		{"if on one line", "if a then b; fi\nc", []string{`1: syntax error near "fi"`, "c"}},
		{"in the middle", "if a; then\nb || c\nd\nfi\ne", []string{`2: syntax error near "||"`, "d", `4: syntax error near "fi"`, "e"}},
		{"loops", "for x in a b; do c; done\nwhile a; do b; done\nuntil a\ndo\nb\ndone", []string{"for", "loop", "loop"}},
		{"a for without a name", "for 1 in a; do b; done\nc", []string{`1: syntax error near "1"`, "c"}},
		{"functions", "function f { a; }\nfunction g\n{\nb\n}\nfunction h { c }\nd", []string{"function f", "function g", `6: syntax error near "}"`, "d"}},
		{"a function in an if", "if a; then function f { b; }; fi\nc", []string{`1: syntax error near "function"`, "c"}},
		{"blocks", "menuentry a {b}\nmenuentry c { d; }\nmenuentry e {\n\n f\n}\n", []string{"menuentry", "menuentry", "menuentry"}},
		{"an empty block", "menuentry a { }\nb", []string{`1: syntax error near "}"`, "b"}},
		{"a group", "{ a; }\nb", []string{`1: syntax error near "{"`, "b"}},
		{"double brackets", "[[ a ]]\nb", []string{`1: syntax error near "[["`, "b"}},
		{"not closed", "a\nif b; then\nc\n", []string{"a", "3: syntax error in what begins at line 2: the file ends inside of it"}},
		{"a quote that is not closed", "a 'b\nc\n", []string{"2: syntax error in what begins at line 1: the file ends inside of it"}},
		{"a last backslash", "a\nb\\", []string{"a", "2: syntax error: the file ends inside of it"}},
		{"lines that go on", "a\\\nb 'c\nd' \"e\nf\\\ng\"\nh", []string{"ab", "h"}},
		{"a line that is not there", "a '\n#'\nb' c\nd", []string{"a", "d"}},
		{"carriage returns", "if a\r\nthen b\r\nfi\r\nc\r\n", []string{"if", "c"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for src := newSource("f", c.text); ; {
				list, more, err := src.parse(func(f function) { got = append(got, "function "+f.name) })
				if !more {
					break
				}
				for _, s := range list {
					got = append(got, firstWord(s))
				}
				if err != nil {
					e := err.(*SyntaxError)
					got = append(got, strings.TrimPrefix(e.prefix(), "f:")+e.Error())
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func firstWord(s statement) string {
	switch s := s.(type) {
	case *command:
		return s.words[0].text()
	case *conditional:
		return "if"
	case *forLoop:
		return "for"
	}
	return "loop"
}
