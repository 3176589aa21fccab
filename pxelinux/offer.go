package pxelinux

import (
	"context"
	"errors"
	"strings"
	"time"
)

// An Offer is what PXELINUX lets somebody at its console choose from: a menu of
// menu.c32 or vesamenu.c32, or the boot: prompt. All text is the
// configuration's, with whatever bytes it has.
type Offer struct {
	Menus []Menu // that can be come to; none at the prompt
	Start int    // the index of the first one

	// Timeout is after what time without a key at the prompt the Boot that
	// offers this boots, and Say what was printed before; both for the prompt only.
	Timeout time.Duration
	Say     []string

	NoEscape bool // NOESCAPE: there is no prompt behind a menu

	at    *Boot
	menus []*menu
}

// A Menu is one of an Offer's menus. It has one entry at least.
type Menu struct {
	Title     string // "" for none
	Entries   []Entry
	Default   int           // index of the entry that is highlighted
	Timeout   time.Duration // until the Boot that offers this boots; 0 for no end
	Parent    int           // index of the menu that Esc leads to; -1 for the prompt
	Edit      bool          // command lines can be edited and, but for NOESCAPE, the prompt be come to
	Protected bool          // but with MENU MASTER PASSWD only
	Immediate bool          // a hotkey is as Enter on its entry
	Autoboot  string        // MENU AUTOBOOT; "" for menu.c32's own
	TabMsg    string        // MENU TABMSG; "" for menu.c32's own
}

// EntryKind says what an entry of a Menu does.
type EntryKind string

// What entries do.
const (
	EntryBoots    EntryKind = "boots"
	EntryOpens    EntryKind = "opens"    // a menu
	EntryQuits    EntryKind = "quits"    // to the prompt; with NOESCAPE the menu starts again
	EntryDisabled EntryKind = "disabled" // can't be chosen: separators, too
)

// An Entry is a line of a Menu.
type Entry struct {
	Name      string // the label's
	Text      string
	Mark      int // where in Text, in bytes, its hotkey stands; -1 for none
	Indent    int // columns
	Kind      EntryKind
	To        int      // of EntryOpens, the index of a menu
	Help      []string // lines of TEXT HELP
	Line      string   // of EntryBoots, the command line that can be edited
	Protected bool     // MENU PASSWD
}

// asks remembers where somebody could choose first.
func (m *machine) asks(p *parser) {
	if m.asked == nil {
		at := m.clone()
		at.config = nil
		m.asked = &scope{at, p}
	}
}

// Offer is what somebody could have chosen instead of b; nil where PXELINUX
// boots b at once.
func (b *Boot) Offer() *Offer {
	if b.asked == nil {
		return nil
	}
	p := b.asked.parser
	o := &Offer{at: b, NoEscape: b.asked.machine.core.noEscape}
	if !p.forMenu {
		o.Timeout, o.Say = tenths(max(p.timeout, 0)), p.say
		if p.timeout == 0 {
			o.Timeout = tenths(p.totalTimeout)
		}
		return o
	}
	o.menus = reachable(p.start)
	indices := map[*menu]int{}
	for i, m := range o.menus {
		indices[m] = i
	}
	for _, m := range o.menus {
		o.Menus = append(o.Menus, m.offer(b.asked.machine, indices))
	}
	return o
}

// reachable are the menus that one can come to, that have entries.
func reachable(start *menu) (list []*menu) {
	seen := map[*menu]bool{nil: true}
	for next := []*menu{start}; len(next) > 0; {
		m := next[0]
		next = next[1:]
		if seen[m] || len(m.entries) == 0 {
			continue
		}
		seen[m] = true
		list = append(list, m)
		next = append(next, m.parent)
		for _, e := range m.entries {
			next = append(next, e.target)
		}
	}
	return list
}

func (menu *menu) offer(m *machine, indices map[*menu]int) Menu {
	o := Menu{
		Title: menu.title, Default: menu.selectable(), Timeout: tenths(menu.timeout), Parent: -1,
		Edit: !menu.noEdit, Protected: menu.password != nil, Immediate: menu.immediate,
		Autoboot: text(menu.autoboot), TabMsg: text(menu.tabMsg),
	}
	if i, ok := indices[menu.parent]; ok {
		o.Parent = i
	}
	taken := map[byte]bool{}
	for _, e := range menu.entries {
		entry := e.offer(m, indices)
		if entry.Mark >= 0 {
			// The first one has it.
			if key := entry.Text[entry.Mark] &^ 0x20; taken[key] || entry.Kind == EntryDisabled {
				entry.Mark = -1
			} else {
				taken[key] = true
			}
		}
		o.Entries = append(o.Entries, entry)
	}
	return o
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func (e *entry) offer(m *machine, indices map[*menu]int) Entry {
	o := Entry{Name: e.name, Text: withoutMark(e.display), Mark: -1, Indent: e.indent, Kind: EntryDisabled, Protected: e.password != nil}
	if i := strings.IndexByte(e.display, '^'); e.hasText && i >= 0 && i+1 < len(e.display) && e.display[i+1] != '^' {
		o.Mark = i
	}
	if help := strings.TrimRight(e.help, "\r\n"); help != "" {
		for line := range strings.SplitSeq(help, "\n") {
			o.Help = append(o.Help, strings.TrimRight(line, "\r"))
		}
	}
	switch e.action {
	case command:
		o.Kind, o.Line = EntryBoots, e.command(m.host)
	case submenu, gotoMenu:
		if to, ok := indices[e.target]; ok {
			o.Kind, o.To = EntryOpens, to
		}
	case quit:
		o.Kind = EntryQuits
	}
	return o
}

// withoutMark is a text without the marks of hotkeys.
func withoutMark(text string) string { return strings.ReplaceAll(text, "^", "") }

// Entry is what boots when an entry is chosen, whether or not it is protected.
// Errors are as Config.Boot's.
func (o *Offer) Entry(ctx context.Context, menu, entry int) (*Boot, error) {
	e := o.entry(menu, entry)
	if e == nil || e.action != command {
		return o.nothing()
	}
	return o.run(func(m *machine, p *parser) (*Boot, error) { return m.runEntry(ctx, p, e) })
}

// Edited is what boots when the line of a menu's entry was made another one.
func (o *Offer) Edited(ctx context.Context, line string) (*Boot, error) {
	if len(o.Menus) == 0 {
		return o.nothing()
	}
	return o.run(func(m *machine, p *parser) (*Boot, error) {
		m.label = ""
		return m.runMenuCommand(ctx, p, chomp(line))
	})
}

// Typed is what boots when a line is typed at the boot: prompt. An empty one is
// the DEFAULT command. A command that fails leads to ONERROR only: at the prompt
// another one could be typed.
func (o *Offer) Typed(ctx context.Context, line string) (*Boot, error) {
	return o.run(func(m *machine, _ *parser) (*Boot, error) {
		m.fallbacks = nil
		line := strings.TrimLeft(chomp(line), " \t")
		if line != "" {
			return m.loadKernel(ctx, line)
		}
		if m.core.command == nil {
			return m.stuck()
		}
		return m.autoBoot(ctx)
	})
}

// Unlocks says whether a password is the one of a protected entry, or of its
// menu, which is what editing and the prompt need; entry is -1 for them. The
// error wraps a *PasswordError.
func (o *Offer) Unlocks(menu, entry int, password string) (bool, error) {
	if menu < 0 || menu >= len(o.menus) || password == "" {
		return false, nil
	}
	all := []*string{o.menus[menu].password}
	if e := o.entry(menu, entry); e != nil {
		all = append(all, e.password)
	}
	var failed error
	for _, have := range all {
		if have == nil {
			continue
		}
		ok, err := isPassword(*have, password)
		if ok {
			return true, nil
		}
		failed = errors.Join(failed, err)
	}
	return false, failed
}

// Config is what was read until somebody could choose.
func (o *Offer) Config() *Config { return o.at.Config }

// entry is one of a menu; nil where there is none.
func (o *Offer) entry(menu, entry int) *entry {
	if menu < 0 || menu >= len(o.menus) || entry < 0 || entry >= len(o.menus[menu].entries) {
		return nil
	}
	return o.menus[menu].entries[entry]
}

// run goes on where somebody chose.
func (o *Offer) run(choose func(*machine, *parser) (*Boot, error)) (*Boot, error) {
	at := o.at.asked
	return o.at.Config.run(at.machine, func(m *machine) (*Boot, error) { return choose(m, at.parser) })
}

func (o *Offer) nothing() (*Boot, error) {
	return &Boot{Outcome: Error, Config: o.at.Config, Err: errors.New("no such entry boots anything")}, nil
}
