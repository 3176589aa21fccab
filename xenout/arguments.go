package xenout

import (
	"regexp"
	"slices"
	"strings"
)

const blanks = " \t\r\n"

// commandLines are the options whose value is a kernel command line. It may
// look like anything, so such a value is never taken apart.
var commandLines = []string{"args", "extra_args", "default_args"}

// firstCounts are the options of which the first counts. libxl puts its own
// before the user's arguments. It reads the answer where and how those say, so
// a later one could only break the boot; and who restricts bootloaders does not
// want a guest's configuration to choose another uid.
var firstCounts = []string{"output", "output-format", "output-directory", "runas"}

// optionStart matches the dashes and the name that an option begins with.
var optionStart = regexp.MustCompile(`^(--?)([A-Za-z][^=\s]*)`)

// firstOnly leaves out what repeats an option of firstCounts.
func firstOnly(options []option) (kept []option) {
	seen := make(map[string]bool)
	for _, o := range options {
		if !slices.Contains(firstCounts, o.name) || !seen[o.name] {
			kept = append(kept, o)
		}
		seen[o.name] = true
	}
	return kept
}

// join writes down what scan found, for a parser.
func join(options []option, positionals []string, takesValue func(string) bool) []string {
	var out []string
	for _, o := range options {
		if o.hasValue {
			out = append(out, o.dashes+o.name+"="+o.value)
			continue
		}
		out = append(out, o.dashes+o.name)
		if takesValue(o.name) {
			return out // its value is missing, and "--" is not to become it
		}
	}
	if len(positionals) > 0 {
		out = append(append(out, "--"), positionals...)
	}
	return out
}

type option struct {
	dashes, name, value string
	hasValue            bool
}

// scanner sorts words into options and positionals.
type scanner struct {
	takesValue  func(option string) bool
	options     []option
	positionals []string
	wantsValue  bool // the last option's value is the next word
}

func scan(words []string, takesValue func(option string) bool) ([]option, []string) {
	s := &scanner{takesValue: takesValue}
	output := slices.IndexFunc(words, isOutput)
	for i, word := range words {
		switch {
		case word == "" && !s.wantsValue:
		case s.wantsValue:
			last := &s.options[len(s.options)-1]
			last.value, last.hasValue = word, true
			s.wantsValue = false
		case word == "--":
			for _, word := range words[i+1:] {
				if word != "" {
					s.positionals = append(s.positionals, word)
				}
			}
			return s.options, s.positionals
		case isOneArgument(word, i < output || output < 0):
			s.add(word)
		default:
			for rest := strings.Trim(word, blanks); rest != ""; {
				rest = strings.TrimLeft(s.addFirst(rest), blanks)
			}
		}
	}
	return s.options, s.positionals
}

// isOneArgument says that a word is not to be split. libxls says that it
// stands where libxl writes what it took from the guest's configuration.
func isOneArgument(word string, libxls bool) bool {
	if !strings.ContainsAny(word, blanks) || word[0] == '/' {
		return true
	}
	_, name, tail := cutOption(word)
	return strings.HasPrefix(tail, "=") &&
		(slices.Contains(commandLines, name) || libxls && (name == "kernel" || name == "ramdisk"))
}

// add takes a word that is one argument.
func (s *scanner) add(word string) {
	dashes, name, tail := cutOption(word)
	if name == "" {
		if len(word) > 1 && word[0] == '-' && strings.IndexByte(blanks, word[1]) < 0 {
			// No option can be called that. The parser says so.
			s.options = append(s.options, option{name: word})
		} else {
			s.positionals = append(s.positionals, word)
		}
		return
	}
	value, hasValue := strings.CutPrefix(tail, "=")
	s.options = append(s.options, option{dashes, name, value, hasValue})
	s.wantsValue = !hasValue && s.takesValue(name)
}

// addFirst takes the first argument of text that holds several, and returns
// what follows it.
func (s *scanner) addFirst(text string) string {
	dashes, name, tail := cutOption(text)
	if name == "" {
		end := nextArgument(text)
		s.add(strings.TrimRight(text[:end], blanks))
		return text[end:]
	}
	after := strings.TrimLeft(tail, blanks)
	end := 0
	switch {
	case strings.HasPrefix(tail, "="):
		after = tail[1:]
		end = nextArgument(after)
	case after == "" || !s.takesValue(name):
		s.add(dashes + name)
		return after
	default:
		end = strings.IndexAny(after+" ", blanks)
	}
	value, rest, ok := cutQuoted(after)
	switch {
	case ok:
	case slices.Contains(commandLines, name):
		value, rest = after, ""
	default:
		value, rest = strings.TrimRight(after[:end], blanks), after[end:]
	}
	s.options = append(s.options, option{dashes, name, value, true})
	return rest
}

// cutOption cuts the dashes and the name off text that begins with an
// option; otherwise both are empty.
func cutOption(text string) (dashes, name, tail string) {
	m := optionStart.FindStringSubmatch(text)
	if m == nil {
		return "", "", text
	}
	return m[1], m[2], text[len(m[0]):]
}

// nextArgument returns where the first blank is that separates text from a
// further argument, or the length of text.
func nextArgument(text string) int {
	for i := range len(text) - 1 {
		if next := text[i+1:]; strings.IndexByte(blanks, text[i]) >= 0 &&
			(optionStart.MatchString(next) || vifKey.MatchString(next)) {
			return i
		}
	}
	return len(text)
}

// cutQuoted cuts a quoted value off text; ok is false unless the quotes
// hold the whole of it.
func cutQuoted(text string) (value, rest string, ok bool) {
	if text == "" || text[0] != '"' && text[0] != '\'' {
		return "", text, false
	}
	value, rest, ok = strings.Cut(text[1:], text[:1])
	ok = ok && (rest == "" || strings.IndexByte(blanks, rest[0]) >= 0)
	return value, rest, ok
}

func isOutput(word string) bool {
	return word == "--output" || strings.HasPrefix(word, "--output=")
}
