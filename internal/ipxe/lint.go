package ipxe

import (
	"fmt"
	"strings"

	"github.com/gopxeboot/gopxeboot/pxelinux"
)

// Lint reads a script, known by name in what it finds, without running it. What
// ends the script is an error.
func Lint(name, text string) (found []pxelinux.Finding) {
	r := &runner{}
	commands := r.table()
	s := parseScript(name, text)
	set := map[string]bool{}
	for _, l := range s.lines {
		if words := split(l.text); len(words) > 1 {
			for i, w := range words {
				switch w {
				case "set", "read", "inc", "choose", "nslookup":
					for _, v := range words[i+1:] {
						key, _, _ := strings.Cut(v, ":")
						set[key] = true
					}
				}
			}
		}
	}
	for _, l := range s.lines {
		find := func(code pxelinux.Code, fix, format string, args ...any) {
			severity := pxelinux.SeverityWarning
			if code == "ipxe-unknown-command" || code == "ipxe-label" {
				severity = pxelinux.SeverityError
			}
			if len(found) < 1000 {
				found = append(found, pxelinux.Finding{File: name, Line: l.number, Text: fmt.Sprintf(format, args...), Code: code, Severity: severity, Fix: fix})
			}
		}
		words := split(l.text)
		for len(words) > 0 {
			n := 0
			for n < len(words) && !operator(words[n]) {
				n++
			}
			command, rest := words[:n], words[n:]
			words = words[min(len(words), n+1):]
			if n == 0 || strings.Contains(command[0], "${") {
				continue
			}
			switch _, known := commands[command[0]]; {
			case !known && strings.HasSuffix(command[0], ":"):
				find("ipxe-label", ":"+strings.TrimSuffix(command[0], ":"), "%s is no label: a label begins with a colon", command[0])
			case !known:
				find("ipxe-unknown-command", "", "iPXE has no command %s, and the script ends here", command[0])
			case command[0] == "goto" && n == 2:
				_, there := s.labels[command[1]]
				if strings.Contains(command[1], "${") {
					if len(rest) == 0 || rest[0] != "||" {
						find("ipxe-goto-variable", l.text+" ||", "goto %s ends the script where there is no such label", command[1])
					}
				} else if !there {
					find("ipxe-no-label", "", "no label is called %s", command[1])
				}
			case command[0] == "sleep" && n == 2 && !strings.Contains(command[1], "${"):
				if _, ok := integer(command[1]); !ok {
					find("ipxe-sleep", "", "sleep takes a number of seconds, and not %s", command[1])
				}
			}
		}
		for _, v := range variables(l.text) {
			if n, ok := parseName(v); !ok {
				find("ipxe-no-type", "", "${%s} is always empty: there is no type %s", v, n.kind)
			} else if key := strings.TrimSuffix(v, ":"+string(n.kind)); n.scope == "" && !set[key] && !builtin(key) {
				find("ipxe-never-set", "", "%s is never set in this script", key)
			}
		}
	}
	return found
}

// variables are the names of a text's ${...} that hold no other.
func variables(text string) (names []string) {
	for {
		_, rest, ok := strings.Cut(text, "${")
		if !ok {
			return names
		}
		if end := strings.IndexByte(rest, '}'); end > 0 && !strings.Contains(rest[:end], "${") {
			names = append(names, rest[:end])
		}
		text = rest
	}
}

// builtin says whether iPXE or DHCP has a value for a name.
func builtin(key string) bool {
	if _, ok := named[key]; ok || strings.Trim(key, "0123456789.") == "" {
		return true
	}
	switch key {
	case "platform", "buildarch", "version", "manufacturer", "product", "serial", "asset", "board-serial", "chip", "bustype", "linktype", "ifname",
		"cwuri", "cwduri", "cpuvendor", "cpumodel", "user-class", "keymap":
		return true
	}
	return false
}
