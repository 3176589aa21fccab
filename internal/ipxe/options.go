package ipxe

import (
	"context"
	"strings"
)

type command struct {
	options  string // what it takes: a letter and a name each, as "n:name=" with a value, "t:timeout#" with a number, "a:autofree" with none
	min, max int    // words; -1 is any number
	test     bool   // its failure is an answer, and nothing went wrong
	helpless bool   // it is for a user, or ends things: what failed before says why
	run      func(ctx context.Context, o options, args []string) error
}

// options are those that were given, by their long names.
type options map[string]string

func (o options) has(name string) bool { _, ok := o[name]; return ok }

// parseOptions takes a command's options off, as core/getopt.c does: up to the
// first word that is none, or to "--".
func parseOptions(c command, words []string) (options, []string, error) {
	o := options{}
	for len(words) > 0 && strings.HasPrefix(words[0], "-") {
		word := words[0]
		words = words[1:]
		if word == "--" {
			break
		}
		name, value, hasValue := word, "", false
		isLong := strings.HasPrefix(word, "--")
		if isLong {
			name, value, hasValue = strings.Cut(word[2:], "=")
		} else {
			name = word[1:]
		}
		for again := true; again; {
			again = false
			long, takes, ok := c.option(name, isLong)
			switch {
			case !ok:
				return nil, nil, failed("unknown option %s", word)
			case !isLong && len(name) > 1 && takes != "":
				value, hasValue = name[1:], true
			case !isLong && len(name) > 1: // flags together
				o[long], name, again = "", name[1:], true
				continue
			}
			switch {
			case takes == "" && hasValue:
				return nil, nil, failed("option %s takes no value", word)
			case takes != "" && !hasValue:
				if len(words) == 0 || strings.HasPrefix(words[0], "-") {
					return nil, nil, failed("option %s needs a value", word)
				}
				value, words = words[0], words[1:]
			}
			if _, ok := integer(value); takes == "#" && !ok {
				return nil, nil, failed("%q is no number", value)
			}
			o[long] = value
		}
	}
	if len(words) < c.min || c.max >= 0 && len(words) > c.max {
		return nil, nil, failed("%d words, which is the wrong number", len(words))
	}
	return o, words, nil
}

// option finds an option by its long name or, else, by the first letter.
func (c command) option(name string, isLong bool) (long, takes string, ok bool) {
	for known := range strings.FieldsSeq(c.options) {
		short, long, _ := strings.Cut(known, ":")
		long = strings.TrimRight(long, "=#")
		if isLong && name == long || !isLong && name != "" && name[:1] == short {
			return long, strings.TrimPrefix(known, short+":"+long), true
		}
	}
	return "", "", false
}
