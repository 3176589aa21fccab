package grub

import "strings"

// A scope holds variables, and the menu that menuentry adds to. configfile
// and submenus open a new one, which sees copies of what was exported
// (normal/context.c).
type scope struct {
	variables map[string]variable
	menu      *menu // nil until there is one
}

type variable struct {
	value    string
	exported bool
}

// hooked variables are never unset, but emptied.
var hooked = map[string]bool{"root": true, "prefix": true, "net_default_server": true, "pxe_default_server": true}

func (m *machine) current() *scope { return m.scopes[len(m.scopes)-1] }

func (m *machine) openContext() {
	c := &scope{variables: map[string]variable{}}
	for name, v := range m.current().variables {
		if v.exported {
			c.variables[name] = v
		}
	}
	m.spend(128 * len(c.variables)) // as long as that many bytes take
	m.scopes = append(m.scopes, c)
}

func (m *machine) closeContext() { m.scopes = m.scopes[:len(m.scopes)-1] }

func (m *machine) get(name string) string {
	if name == "pxe_default_server" {
		name = "net_default_server"
	}
	return m.current().variables[name].value
}

func (m *machine) set(name, value string) {
	switch name {
	case "root":
		if strings.HasPrefix(value, "(") && strings.HasSuffix(value, ")") {
			value = value[1 : len(value)-1]
		}
	case "pxe_default_server":
		name = "net_default_server"
	}
	m.spend(len(name) + len(value))
	v := m.current().variables[name]
	v.value = value
	m.current().variables[name] = v
}

func (m *machine) isSet(name string) bool {
	_, set := m.current().variables[name]
	return set
}

func (m *machine) unset(name string) {
	if hooked[name] {
		m.set(name, "")
	} else {
		delete(m.current().variables, name)
	}
}

func (m *machine) export(name string) {
	v := m.current().variables[name]
	v.exported = true
	m.current().variables[name] = v
}
