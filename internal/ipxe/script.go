package ipxe

import "strings"

// isSpace is iPXE's isspace().
func isSpace(c rune) bool { return c == ' ' || c >= '\t' && c <= '\r' }

// line is one logical line of a script.
type line struct {
	number int    // of its first physical line, from 1
	label  string // "" for none
	text   string // the command behind it
}

// script is a script's text, taken apart once.
type script struct {
	url    string
	lines  []line
	labels map[string]int // the first line that has the label
}

// IsScript says whether a file that begins so is a script (script_probe).
func IsScript(head []byte) bool {
	magic := string(head[:min(len(head), 6)])
	return len(head) > 6 && (magic == "#!ipxe" || magic == "#!gpxe") && isSpace(rune(head[6]))
}

// parseScript takes a script apart as process_script does: a CR before the end of a
// line is cut, and a backslash there glues the next line on with nothing between.
func parseScript(url, text string) *script {
	s := &script{url: url, labels: map[string]int{}}
	number := 0
	for text != "" {
		l := line{number: number + 1}
		for more := true; more && text != ""; {
			part, rest, _ := strings.Cut(text, "\n")
			text, number = rest, number+1
			part, more = strings.CutSuffix(strings.TrimSuffix(part, "\r"), `\`)
			l.text += part
		}
		l.text, _, _ = strings.Cut(l.text, "\x00") // a C string
		l.text = strings.TrimLeftFunc(l.text, isSpace)
		if rest, ok := strings.CutPrefix(l.text, ":"); ok {
			end := strings.IndexFunc(rest, isSpace)
			if end < 0 {
				end = len(rest)
			}
			l.label, l.text = rest[:end], rest[end:]
			if _, again := s.labels[l.label]; !again {
				s.labels[l.label] = len(s.lines)
			}
		}
		s.lines = append(s.lines, l)
	}
	return s
}

// split makes words of a command line. There are no quotes and no escapes; a
// word that begins with # ends the line (split_command).
func split(text string) []string {
	words := strings.FieldsFunc(text, isSpace)
	for i, w := range words {
		if w[0] == '#' {
			return words[:i]
		}
	}
	return words
}

// operator says whether a word stands between two commands. Words are looked at
// before expansion.
func operator(word string) bool { return word == "||" || word == "&&" || word == ";" }

// Expand is a boot file's name with its settings' values, as DHCP may give it.
func Expand(m Machine, text string) (string, error) {
	r := &runner{set: newSettings(&m)}
	return expand(text, r.value, r.spend)
}

// expand replaces each ${...} by what value says of it: the first that is
// complete and has none inside, and then from the left again, so that values are
// expanded, too (expand_settings). spend is told the work of each round, and
// ends it with an error.
func expand(text string, value func(name string) string, spend func(bytes int) error) (string, error) {
	for {
		open := strings.Index(text, "${")
		if open < 0 {
			return text, nil
		}
		length := strings.IndexByte(text[open:], '}')
		if length < 0 {
			return text, nil
		}
		end := open + length
		open = strings.LastIndex(text[:end], "${")
		if err := spend(len(text) + step); err != nil {
			return "", err
		}
		text = text[:open] + value(text[open+2:end]) + text[end+1:]
		if len(text) > maxWord {
			return "", tooMuch("more than %d bytes in one word", maxWord)
		}
	}
}
