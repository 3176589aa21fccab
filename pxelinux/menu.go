package pxelinux

import (
	"context"
	"errors"
	"strings"
)

// isMenu says whether a module is the menu, which this package runs itself.
func isMenu(module string) bool { return module == "menu" || module == "vesamenu" }

// menu is menu.c32 or vesamenu.c32 when no key is pressed: it reads the
// configuration again, by its own rules, and boots what its time-out says.
func (m *machine) menu(ctx context.Context, args []string, graphic bool) (*Boot, error) {
	if len(args) == 0 {
		args = []string{"~"}
	}
	p := newParser(m, true, 0)
	for _, name := range args {
		if name == "~" {
			name = m.configName
		}
		if err := p.file(ctx, name); errors.Is(err, ErrNotFound) {
			m.note("the menu's file %s is not there", name)
		} else if err != nil {
			return nil, err
		}
	}
	p.finish()
	m.config.add(m, p)

	start := p.start
	if len(start.entries) == 0 {
		m.triedDefault = true
		return m.fail(ctx, "the menu has no entries")
	}
	if graphic && !p.shiftKey && start.background != nil && !strings.HasPrefix(*start.background, "#") {
		if _, err := m.exists(ctx, *start.background); err != nil {
			return nil, err
		}
	}
	chosen := start.entries[start.defaultEntry]
	if p.shiftKey {
		// The menu is for those who hold Shift.
		if chosen.action != command {
			return m.leaveMenu(ctx, p)
		}
		return m.runEntry(ctx, p, chosen)
	}
	m.asks(p)

	// To step over a disabled entry counts as a key: it stops the time-out. A
	// hidden menu is not drawn, so that nothing steps.
	timeout := start.timeout
	if !p.hiding && start.entries[start.selectable()] != chosen {
		timeout = 0
	}
	wait := timeout
	if timeout == 0 || p.totalTimeout != 0 && p.totalTimeout < timeout {
		wait = p.totalTimeout
	}
	if wait == 0 {
		return m.highlighted(ctx, p)
	}
	var b *Boot
	var err error
	switch {
	case start.ontimeout != nil:
		b, err = m.runLine(ctx, p, *start.ontimeout)
	case chosen.action == command:
		b, err = m.runEntry(ctx, p, chosen)
	default:
		// A submenu, a way to another menu or none at all is no command.
		b, err = m.leaveMenu(ctx, p)
	}
	if err == nil && !b.Waits {
		b.Timeout += tenths(wait)
	}
	return b, err
}

// selectable is the entry that is highlighted: the default one, or the next
// that is not disabled when that is the first one or the last one.
func (menu *menu) selectable() int {
	i, last := menu.defaultEntry, len(menu.entries)-1
	if i == 0 {
		for i <= last && menu.entries[i].action == disabled {
			i++
		}
	}
	if i >= last {
		i = last
		for i > 0 && menu.entries[i].action == disabled {
			i--
		}
	}
	return i
}

// highlighted is a menu that waits for a key without end: what Enter, again and
// again, would run.
func (m *machine) highlighted(ctx context.Context, p *parser) (*Boot, error) {
	seen := map[*menu]bool{}
	for menu := p.start; menu != nil && len(menu.entries) > 0 && !seen[menu]; {
		seen[menu] = true
		e := menu.entries[menu.selectable()]
		switch e.action {
		case command:
			if e.password != nil {
				m.note("label %s: the menu asks for a password", e.name)
			}
			b, err := m.runEntry(ctx, p, e)
			return waited(b, err, 0)
		case submenu, gotoMenu:
			menu = e.target
		}
	}
	return &Boot{Outcome: Prompt, Waits: true, Err: errors.New("the menu waits for a key, and its highlighted entry boots nothing")}, nil
}

// leaveMenu is the boot: prompt behind a menu that came to no command. Without
// an ONTIMEOUT that starts the menu again, without end.
func (m *machine) leaveMenu(ctx context.Context, p *parser) (*Boot, error) {
	if m.core.ontimeout != "" && !m.triedOntimeout && (m.core.timeout > 0 || m.core.totalTimeout > 0) {
		return m.promptAgain(ctx)
	}
	return m.highlighted(ctx, p)
}

func (m *machine) runEntry(ctx context.Context, p *parser, e *entry) (*Boot, error) {
	m.label = e.name
	return m.runMenuCommand(ctx, p, e.command(m.host))
}

// runLine boots a command of a menu's ONTIMEOUT: a label and more words, or
// else a file. Nothing is asked for its extension, and IMPLICIT does not
// matter.
func (m *machine) runLine(ctx context.Context, p *parser, line string) (*Boot, error) {
	m.label = ""
	if e := p.find(line); e != nil {
		m.label = e.name
		if e.action != command {
			return m.fail(ctx, "is an entry of a menu that boots nothing")
		}
		line = e.command(m.host) + line[len(firstWord(line)):]
	}
	return m.runMenuCommand(ctx, p, line)
}

// runMenuCommand is execute for menus: what can't be loaded leads to MENU
// ONERROR, and then to the menu again, without end.
func (m *machine) runMenuCommand(ctx context.Context, p *parser, line string) (*Boot, error) {
	m.fallbacks = nil
	if m.steps++; m.steps > maxSteps {
		return m.fail(ctx, "the configuration goes round in circles: %d commands, and none that boots", maxSteps)
	}
	if onerror := p.start.onerror; onerror != nil {
		m.fallbacks = append(m.fallbacks, func(m *machine, ctx context.Context) (*Boot, error) {
			line := *onerror
			m.label = ""
			if e := p.find(line); e != nil && e.action == command {
				m.label = e.name
				line = e.command(m.host) + line[len(firstWord(line)):]
			}
			return m.execute(ctx, line, kindOfFile(firstWord(line)), true)
		})
	}
	return m.execute(ctx, line, kindOfFile(firstWord(line)), false)
}

// moduleName is a COM32 module's name without its directory and extension.
func moduleName(file string) string {
	file = file[strings.LastIndexAny(file, "/:\\")+1:]
	return strings.TrimSuffix(lower(file), ".c32")
}
