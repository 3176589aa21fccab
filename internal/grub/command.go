package grub

import "strings"

// A command gets its name and arguments. Without a failure its status is 0.
type commandFunc func(m *machine, args []string, b *block) *failure

// builtin is the command of that name; nil is none.
func builtin(name string) commandFunc {
	switch name {
	case "[", "test":
		return test
	case "true", "false", "break", "continue", "return", "shift", "setparams", "eval":
		return control
	case "set", "unset", "export":
		return variables
	}
	return nil
}

func words(s string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(s) {
		set[w] = true
	}
	return set
}
