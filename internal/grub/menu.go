package grub

import (
	"fmt"
	"strings"
)

// A menu is what menuentry and submenu add to.
type menu struct{ entries []*entry }

type entry struct {
	Position
	title, id  string
	submenu    bool
	restricted bool // only for users, where there are superusers
	args       []string
	body       []statement
	source     string // --source: the body as text
}

// menuentry is the command of that name, and submenu (commands/menuentry.c).
func menuentry(m *machine, args []string, b *block) *failure {
	o, rest, failure := parseOptions(args, entryOptions, true)
	switch {
	case failure != nil:
		return failure
	case b == nil && !o.has("source"):
		return failed(badArgument, "it has no { } with commands")
	case b != nil && o.has("source"):
		return failed(badArgument, "it has both { } and --source")
	case b != nil:
		rest = rest[:len(rest)-1]
	}
	if len(rest) == 0 {
		return failed(badMenu, "it has no title")
	}
	if m.entries++; m.entries > maxEntries {
		m.fail("%w: more than %d entries", ErrTooLarge, maxEntries)
	}
	e := &entry{Position: m.at, title: rest[0], id: rest[0], submenu: args[0] == "submenu", args: rest, source: o.get("source")}
	e.restricted = o.has("users") || !o.has("unrestricted")
	if o.has("id") {
		e.id = o.get("id")
	}
	if b != nil {
		e.body = b.body
	}
	menu := m.current().menu
	menu.entries = append(menu.entries, e)
	return nil
}

// describe is an entry for a list.
func (e *entry) describe() Entry {
	d := Entry{ID: e.id, Title: e.title, Submenu: e.submenu}
	for _, s := range e.body {
		c, isCommand := s.(*command)
		if !isCommand || e.submenu {
			continue
		}
		switch name, args := c.words[0].text(), texts(c.words[1:]); name {
		case "linux", "linux16", "linuxefi", "multiboot", "multiboot2":
			if d.Kernel == "" && len(args) > 0 {
				d.Kernel, d.Args, d.Type = args[0], strings.Join(args[1:], " "), Linux
				if strings.HasPrefix(name, "multiboot") {
					d.Type = Multiboot
				}
			}
		case "initrd", "initrd16", "initrdefi":
			d.Initrds = args
		case "exit", "chainloader":
			d.Type = LocalBoot
		}
	}
	return d
}

// find is the entry that a value such as $default's means, and what stands
// behind its first >: by number, else by title or id (normal/menu.c,
// get_entry_number). -1 is none.
func (menu *menu) find(value string) (index int, rest string) {
	name, rest := cutChoice(value)
	if n, tail := leading(value); tail != value && n >= 0 && !strings.HasPrefix(value, "-") {
		if n < int64(len(menu.entries)) {
			return int(n), rest
		}
		return -1, rest
	}
	for i, e := range menu.entries {
		if e.title == name || e.id == name {
			return i, rest
		}
	}
	return -1, rest
}

// pick is find for somebody who picks an entry: what is more than a number is
// first looked for as a name, and so is one with a > in it.
func (menu *menu) pick(value string) (index int, rest string) {
	name, rest := cutChoice(value)
	if _, tail := leading(value); tail != "" {
		for i, e := range menu.entries {
			if e.title == value || e.id == value {
				return i, ""
			}
			if e.title == name || e.id == name {
				return i, rest
			}
		}
	}
	return menu.find(value)
}

// cutChoice splits a>b at the first > that is not doubled.
func cutChoice(s string) (first, rest string) {
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] != '>':
		case strings.HasPrefix(s[i:], ">>"):
			i++
		default:
			return strings.ReplaceAll(s[:i], ">>", ">"), s[i+1:]
		}
	}
	return strings.ReplaceAll(s, ">>", ">"), ""
}

// show runs a menu that no one sits before: what a timeout would boot boots,
// and if it comes back, its fallbacks. Where GRUB would wait for a key without
// end, what is highlighted boots. It comes back only from a submenu that GRUB
// leaves by itself (normal/menu.c, show_menu).
func (m *machine) show(menu *menu, submenu bool) {
	m.down()
	defer m.up()
	if m.over() {
		return
	}
	seconds, tail := leading(m.get("timeout"))
	alone := m.isSet("timeout") && tail != m.get("timeout") && !strings.HasPrefix(m.get("timeout"), "-")
	if m.top == nil {
		m.top, m.topDefault = menu, m.get("default")
		m.highlight, _ = menu.find(m.topDefault)
		if m.seconds = seconds; !alone {
			m.seconds = -1
		}
	}
	index := 0
	if m.wanted != "" {
		alone = false
		var rest string
		if index, rest = menu.pick(m.wanted); index < 0 {
			m.err = &NoEntryError{m.wanted, m.config, menu.names()}
			return
		}
		m.wanted = rest
		m.set("default", ">"+rest)
	} else {
		m.waits = m.waits || !alone
		index, _ = menu.find(m.get("default"))
	}
	m.enter(menu.entries[max(index, 0)])
	for alone && !m.over() {
		next, rest, _ := strings.Cut(strings.TrimSpace(m.get("fallback")), " ")
		m.set("fallback", rest)
		if index, _ = menu.find(next); next == "" || index < 0 {
			break
		}
		m.enter(menu.entries[index])
	}
	if !submenu && !m.over() {
		m.fail("%w", m.nothing())
	}
}

// enter runs an entry (normal/menu.c, grub_menu_execute_entry).
func (m *machine) enter(e *entry) {
	m.at = e.Position
	if e.restricted && !m.open && m.get("superusers") != "" {
		m.fail("the entry %q is for users who give their name and password", e.title)
		return
	}
	chosen, hasChosen, preset, hasDefault := m.get("chosen"), m.isSet("chosen"), m.get("default"), m.isSet("default")
	menu := &menu{}
	if e.submenu {
		m.openContext()
		m.current().menu = menu
		m.set("timeout", "0")
	}
	id := strings.ReplaceAll(e.id, ">", ">>")
	if hasChosen {
		id = chosen + ">" + id
	}
	m.set("chosen", id)
	m.export("chosen")
	if _, rest := cutChoice(preset); rest != "" {
		m.set("default", rest)
	} else {
		m.unset("default")
	}

	m.entry, m.disk, m.asked = e, Position{}, false
	before := len(m.problems)
	parameters, inScope := m.parameters, m.inScope
	m.parameters, m.inScope = e.args, true
	if e.source != "" {
		m.text(e.File, e.source)
	} else {
		m.run(e.body)
	}
	m.parameters, m.inScope, m.returned = parameters, inScope, false
	m.inEntry = m.problems[min(before, len(m.problems)):]
	switch {
	case m.loaded != nil:
		m.start(m.loaded)
	case !e.submenu && m.disk.Line != 0 && !m.asked:
		m.start(&Boot{Position: m.disk, Outcome: LocalBoot})
	}

	if e.submenu {
		if len(menu.entries) > 0 {
			m.show(menu, true)
		}
		m.closeContext()
	}
	m.restore("chosen", chosen, hasChosen)
	m.restore("default", preset, hasDefault)
	m.unset("timeout")
}

func (m *machine) restore(name, value string, set bool) {
	if set {
		m.set(name, value)
	} else {
		m.unset(name)
	}
}

// nothing says why a menu's entry boots nothing.
func (m *machine) nothing() error {
	m.at = m.entry.Position
	if n := len(m.inEntry); n > 0 {
		return fmt.Errorf("the entry %q loads nothing: %s", m.entry.title, m.inEntry[n-1])
	}
	return fmt.Errorf("the entry %q loads nothing", m.entry.title)
}

// NoEntryError says that no entry has the name that somebody asks for.
type NoEntryError struct {
	Name    string
	Config  string // URL
	Entries []string
}

func (e *NoEntryError) Error() string {
	return fmt.Sprintf("no entry is called %q in %s: its entries are %s", e.Name, e.Config, strings.Join(e.Entries, ", "))
}

func (menu *menu) names() (names []string) {
	for _, e := range menu.entries {
		names = append(names, e.id)
	}
	return names
}

// entryOptions are those of menuentry and submenu.
const entryOptions = "class= users= hotkey= source= id= unrestricted"
