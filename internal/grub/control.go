package grub

import (
	"strconv"
	"strings"
)

// control is what runs other commands, or keeps them from running.
func control(m *machine, args []string, _ *block) *failure {
	name, args := args[0], args[1:]
	n := 1
	if len(args) == 1 && name != "eval" && name != "setparams" {
		var err error
		if n, err = strconv.Atoi(args[0]); (err != nil || n < 0) && name != "true" && name != "false" {
			return failed(badArgument, "%s is no number", args[0])
		}
	}
	switch name {
	case "false":
		return errFalse
	case "break", "continue":
		if n == 0 {
			return failed(badArgument, "0 is not a number of loops")
		}
		m.continues, m.breaks = name == "continue", min(n, m.loops)
	case "return":
		if !m.inScope {
			return failed(badArgument, "it is in no function")
		}
		m.returned = true
		if len(args) == 0 {
			n, _ = strconv.Atoi(m.get("?"))
		}
		if n != 0 {
			return &failure{status: n}
		}
	case "shift":
		if n > len(m.parameters) {
			return &failure{status: badArgument}
		}
		m.parameters = m.parameters[n:]
	case "setparams":
		if m.inScope {
			m.parameters = args
		}
	case "eval":
		m.down()
		defer m.up()
		at := m.at
		m.text(at.File, strings.Join(args, " "))
		m.at = at
		if status, _ := strconv.Atoi(m.get("?")); status != 0 {
			return &failure{status: status}
		}
	}
	return nil
}

func variables(m *machine, args []string, _ *block) *failure {
	name, args := args[0], args[1:]
	switch {
	case len(args) == 0:
	case name == "export":
		for _, v := range args {
			m.export(v)
		}
	case name == "unset":
		m.unset(args[0])
	default:
		v, value, found := strings.Cut(args[0], "=")
		if !found {
			return failed(badArgument, "%s is no assignment", args[0])
		}
		m.set(v, value)
	}
	return nil
}

// options are a command's by name, without dashes.
type options map[string][]string

func (o options) has(name string) bool { return len(o[name]) > 0 }

// get is an option's last value.
func (o options) get(name string) string {
	if v := o[name]; len(v) > 0 {
		return v[len(v)-1]
	}
	return ""
}

// parseOptions takes options off a command's arguments, where spec lists them,
// with a = behind those that have a value (lib/arg.c). They may stand anywhere
// before a --. dash lets what is none of them pass as an argument.
func parseOptions(args []string, spec string, dash bool) (options, []string, *failure) {
	o, known, rest := options{}, words(spec), []string{}
	for args = args[1:]; len(args) > 0; args = args[1:] {
		arg := args[0]
		name, value, hasValue := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(arg, "-"), "-"), "=")
		switch {
		case arg == "--":
			return o, append(rest, args[1:]...), nil
		case len(arg) < 2 || arg[0] != '-':
			rest = append(rest, arg)
		case known[name] && !hasValue:
			o[name] = append(o[name], "")
		case known[name+"="] && hasValue:
			o[name] = append(o[name], value)
		case known[name+"="] && len(args) > 1:
			args = args[1:]
			o[name] = append(o[name], args[0])
		case dash:
			rest = append(rest, arg)
		default:
			return nil, nil, failed(badArgument, "it has no option %s", arg)
		}
	}
	return o, rest, nil
}
