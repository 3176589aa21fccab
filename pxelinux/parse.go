package pxelinux

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// MaxBytes bounds all configuration files of a boot together.
const MaxBytes = 16 << 20

// Limits that PXELINUX has by its memory only.
const (
	maxFiles   = 1024    // that are asked for
	maxEntries = 1 << 20 // labels and submenus
	maxDepth   = 16      // of includes
	maxSay     = 100     // lines of SAY
	maxIndent  = 80      // columns
)

// A position is where in the configuration something stands.
type position struct {
	file string
	line int
}

// A menu holds entries. There is a root menu, one for hidden entries and one
// for each MENU BEGIN.
type menu struct {
	parent *menu
	entry  *entry // this menu in its parent

	entries      []*entry
	defaultEntry int
	background   *string

	// What menu.c32 knows of each menu, and a submenu inherits.
	timeout   int64   // tenths of a second; 0 is none
	ontimeout *string // a command
	onerror   *string // a command
	shown
}

// shown is what a menu looks like, and lets one do. A submenu inherits all but
// the title.
type shown struct {
	title            string
	autoboot, tabMsg *string
	password         *string // MENU MASTER PASSWD
	noEdit           bool    // ALLOWOPTIONS 0
	immediate        bool
}

// An action is what an entry of a menu does.
type action int

const (
	command action = iota
	disabled
	submenu
	gotoMenu
	quit
	help
)

// An entry is a label, a separator or a submenu in a menu.
type entry struct {
	position
	menu   *menu
	index  int // in menu
	action action
	target *menu // of submenu and gotoMenu

	name     string
	named    bool // a label that can be called by its name
	display  string
	hasText  bool    // MENU LABEL
	password *string // MENU PASSWD
	indent   int
	help     string // lines of TEXT HELP

	kind      string // KERNEL's type word in lower case
	kernel    string
	implied   bool // the kernel is the label's own name, as no line names one
	append    string
	initrd    *string
	sysappend uint32
}

// A label is an entry while its lines are read. What MENU says outside a
// label counts for the next separator.
type label struct {
	*entry    // nil when no label is open
	ownAppend *string

	exit, hide, isDefault, separator, disable bool
}

// A parser reads configuration files as if they were one text. PXELINUX has
// two that differ: the core's, and that of menu.c32 and vesamenu.c32, which
// read the files again and decide again.
type parser struct {
	forMenu bool // menu.c32's rules
	files   files
	visit   func(line string) // every line that is not skipped, for lint; may be nil

	root, hidden, start, current *menu
	menus                        map[string]*menu // by tag; the last one of a tag
	entries                      []*entry         // of all menus, as they were recorded
	labels                       map[string]*entry
	gotos                        []*entry // whose menus are known by tag only, entry.kernel

	label     label
	append    string
	sysappend uint32
	included  []string // the files being read, for cycles
	at        position

	// The core's.
	encoded   string  // how the file is encoded, where PXELINUX can't read that
	command   *string // what DEFAULT or UI run
	commandAt position
	ui        bool    // UI was seen
	byName    *string // DEFAULT, for the menu
	byNameAt  position
	noImplicit,
	noOptions,
	noEscape,
	prompt bool
	say       []string
	timeout   int64 // tenths of a second
	ontimeout string
	onerror   string
	path      []string

	// Both, for all menus.
	totalTimeout     int64
	shiftKey, hiding bool // MENU SHIFTKEY, MENU HIDDEN
}

// files is where a parser's files come from.
type files interface {
	// read returns a file's text and the name it is known by. Its error wraps
	// ErrNotFound when PXELINUX would go on without the file.
	read(ctx context.Context, name string) (text, url string, err error)
	// show is for files that PXELINUX only shows: DISPLAY, FONT and KBDMAP.
	show(ctx context.Context, word, name string) error
	// retry is PXERETRY.
	retry(at position, times int64)
	warn(at position, code Code, format string, args ...any)
}

func newParser(f files, forMenu bool, sysappend uint32) *parser {
	p := &parser{
		files: f, forMenu: forMenu, sysappend: sysappend,
		menus: map[string]*menu{}, labels: map[string]*entry{},
	}
	p.hidden = p.newMenu(nil, ".hidden")
	p.root = p.newMenu(nil, ".top")
	p.start, p.current = p.root, p.root
	return p
}

func (p *parser) newMenu(parent *menu, name string) *menu {
	m := &menu{parent: parent}
	if parent != nil {
		m.timeout, m.ontimeout, m.onerror, m.background = parent.timeout, parent.ontimeout, parent.onerror, parent.background
		m.shown, m.immediate = parent.shown, parent.immediate
		m.title = ""
	}
	p.menus[name] = m
	return m
}

// file parses one file; the label that is open at its end stays open.
func (p *parser) file(ctx context.Context, name string) error {
	text, url, err := p.files.read(ctx, name)
	if err != nil {
		return err
	}
	return p.parse(ctx, text, url)
}

// finish is the end of the last file.
func (p *parser) finish() {
	p.record(p.current)
	for _, e := range p.gotos {
		if e.target = p.menus[e.kernel]; e.target == nil {
			e.action = disabled
		}
	}
	// The core's parser does not ask whether there was a UI line, but has no
	// use for the answer either.
	if p.byName == nil || !p.ui {
		return
	}
	if e := p.find(*p.byName); e != nil && e.menu != p.hidden {
		e.menu.defaultEntry = e.index
		p.start = e.menu
	}
}

// find returns the entry that the first word of a command line names: the
// first one of that name, by upper and lower case.
func (p *parser) find(line string) *entry { return p.labels[firstWord(line)] }

// parse reads one file's text. After an error, p.at is the line that led to it.
func (p *parser) parse(ctx context.Context, text, url string) error {
	if len(p.included) >= maxDepth {
		p.files.warn(p.at, IncludeDepth, "includes nest deeper than %d: %s is not read", maxDepth, url)
		return nil
	}
	if slices.Contains(p.included, url) {
		p.files.warn(p.at, IncludeLoop, "%s includes itself: PXELINUX would hang", url)
		return nil
	}
	p.included = append(p.included, url)
	defer func() { p.included = p.included[:len(p.included)-1] }()
	parent := p.at

	// The menu that this file's lines go to is the file's own: a MENU BEGIN
	// without its END in an included file has no effect on the lines after
	// the INCLUDE, except for the parent of the next MENU BEGIN.
	m := p.current
	source := lines{text: text}
	for {
		line, ok := source.next()
		if !ok {
			p.at = parent
			return nil
		}
		p.at = position{url, source.number}
		line = chomp(line)
		word, value := directive(line)
		if word == "" {
			continue
		}
		if p.visit != nil {
			p.visit(line)
		}
		if word == "text" {
			help, _ := directive(value)
			text := p.text(&source)
			if p.forMenu && p.label.entry != nil && help == "help" {
				p.label.help += text
			}
			continue
		}
		if err := p.directive(ctx, &m, word, value); err != nil {
			return err
		}
	}
}

// text returns TEXT HELP and any other TEXT: everything up to ENDTEXT is
// swallowed, directives too.
func (p *parser) text(source *lines) string {
	whole := source.text
	for {
		rest := source.text
		line, ok := source.next()
		if !ok {
			p.files.warn(p.at, TextOpen, "TEXT without ENDTEXT swallows the rest of the file")
			return whole
		}
		if word, _ := directive(line); word == "endtext" {
			return whole[:len(whole)-len(rest)]
		}
	}
}

func (p *parser) directive(ctx context.Context, m **menu, word, value string) error {
	switch word {
	case "menu":
		return p.menuDirective(ctx, m, value)
	case "include":
		name, tag := cutWord(value)
		if p.forMenu && tag != "" {
			return p.includeMenu(ctx, m, name, tag)
		}
		return p.include(ctx, name)
	case "append":
		if p.label.entry != nil {
			p.label.ownAppend = &value
		} else {
			p.append = value
		}
	case "initrd":
		if p.label.entry != nil {
			p.label.initrd = &value
		}
	case "label":
		if len(p.entries) >= maxEntries {
			return fmt.Errorf("%s: more than %d labels: %w", p.at.file, maxEntries, ErrTooLarge)
		}
		p.record(*m)
		if !p.forMenu {
			value = firstWord(value)
		}
		p.label = label{entry: &entry{position: p.at, name: value, kind: "kernel", kernel: value, implied: true, sysappend: p.sysappend}}
	case "none", "localboot", "kernel", "linux", "boot", "bss", "pxe", "fdimage", "comboot", "com32", "config":
		if p.label.entry != nil {
			p.label.kind, p.label.kernel, p.label.implied = word, value, false
		}
	case "ipappend", "sysappend":
		if p.label.entry != nil {
			p.label.sysappend = strtoul(value)
		} else {
			p.sysappend = strtoul(value)
		}
	case "timeout":
		(*m).timeout = atoi(value)
		p.timeout = atoi(value)
	case "totaltimeout":
		p.totalTimeout = atoi(value)
	case "ontimeout":
		(*m).ontimeout = &value
		p.ontimeout = value
	case "default":
		p.byName, p.byNameAt = &value, p.at
		if !p.ui {
			p.command, p.commandAt = &value, p.at
		}
	case "allowoptions":
		(*m).noEdit = atoi(value) == 0
		p.noOptions = (*m).noEdit
	case "ui":
		p.ui = true
		p.command, p.commandAt = &value, p.at
	default:
		if !p.forMenu {
			return p.coreDirective(ctx, word, value)
		}
	}
	return nil
}

// coreDirective are the ones that menu.c32 does not look at.
func (p *parser) coreDirective(ctx context.Context, word, value string) error {
	switch word {
	case "display", "font", "kbdmap":
		return p.files.show(ctx, word, value)
	case "onerror":
		p.onerror = value
	case "implicit":
		p.noImplicit = atoi(value) == 0
	case "noescape":
		p.noEscape = atoi(value) != 0
	case "prompt":
		p.prompt = atoi(value) != 0
	case "say":
		if len(p.say) < maxSay {
			p.say = append(p.say, value)
		}
	case "pxeretry":
		p.files.retry(p.at, atoi(value))
	case "path":
		for dir := range strings.SplitSeq(value, ":") {
			if dir != "" {
				p.path = append(p.path, dir)
			}
		}
	}
	return nil
}

func (p *parser) menuDirective(ctx context.Context, m **menu, line string) error {
	word, value := directive(line)
	switch word {
	case "label":
		if p.label.entry != nil {
			p.label.display, p.label.hasText = value, true
		} else if e := (*m).entry; e != nil {
			e.display, e.hasText = value, true
			if (*m).title == "" {
				(*m).title = withoutMark(value)
			}
		}
	case "title":
		(*m).title = value
		if e := (*m).entry; e != nil && e.display == "" {
			e.display = value
		}
	case "default":
		if p.label.entry != nil {
			p.label.isDefault = true
		} else if e := (*m).entry; e != nil {
			(*m).parent.defaultEntry = e.index
		}
	case "hide":
		p.label.hide = true
	case "passwd":
		if p.label.entry != nil {
			p.label.password = &value
		} else if (*m).entry != nil {
			(*m).entry.password = &value
		}
	case "master":
		if word, value := directive(value); word == "passwd" {
			(*m).password = &value
		}
	case "indent":
		if p.label.entry != nil {
			p.label.indent = int(min(max(atoi(value), 0), maxIndent))
		}
	case "autoboot":
		(*m).autoboot = &value
	case "tabmsg":
		(*m).tabMsg = &value
	case "immediate":
		(*m).immediate = true
	case "noimmediate":
		(*m).immediate = false
	case "shiftkey":
		p.shiftKey = true
	case "hidden":
		p.hiding = true
	case "onerror":
		(*m).onerror = &value
		p.onerror = value
	case "include":
		name, tag := cutWord(value)
		if tag == "" {
			return p.include(ctx, name)
		}
		return p.includeMenu(ctx, m, name, tag)
	case "background":
		background := firstWord(value)
		(*m).background = &background
	case "separator":
		p.record(*m)
		p.label.entry, p.label.separator = &entry{position: p.at}, true
		p.record(*m)
	case "disable", "disabled":
		p.label.disable = true
	case "begin":
		return p.begin(m, value)
	case "end":
		p.end(m)
	case "quit":
		if p.label.entry != nil {
			p.label.action = quit
		}
	case "goto":
		if p.label.entry != nil {
			p.label.action, p.label.kernel, p.label.target, p.label.exit = gotoMenu, value, nil, false
		}
	case "exit":
		if p.label.entry == nil || (*m).parent == nil {
			return nil
		}
		p.label.action, p.label.exit = gotoMenu, true
		if p.label.target = (*m).parent; value != "" {
			p.label.kernel, p.label.target = value, nil
		}
	case "start":
		p.start = *m
	case "help":
		if p.forMenu && p.label.entry != nil {
			p.label.action, p.label.kernel = help, firstWord(value)
		}
	}
	return nil
}

func (p *parser) begin(m **menu, tag string) error {
	if len(p.entries) >= maxEntries {
		return fmt.Errorf("%s: more than %d labels: %w", p.at.file, maxEntries, ErrTooLarge)
	}
	p.record(*m)
	e := &entry{position: p.at, action: submenu, display: tag}
	p.add(p.current, e)
	child := p.newMenu(p.current, tag)
	child.entry, e.target = e, child
	*m, p.current = child, child
	return nil
}

func (p *parser) end(m **menu) {
	p.record(*m)
	if p.current.parent != nil {
		p.current = p.current.parent
	}
	*m = p.current
}

// include reads a file into the scope that is open. A file that is not there
// is no error.
func (p *parser) include(ctx context.Context, name string) error {
	err := p.file(ctx, name)
	switch {
	case !errors.Is(err, ErrNotFound):
		return err
	case name == "": // PXELINUX asks for it all the same
		p.files.warn(p.at, IncludeMissing, "INCLUDE without a file")
	default:
		p.files.warn(p.at, IncludeMissing, "INCLUDE %s: not found; PXELINUX goes on without it", name)
	}
	return nil
}

// includeMenu reads a file as a submenu of its own. menu.c32 makes the
// submenu also when there is no file; the core does not.
func (p *parser) includeMenu(ctx context.Context, m **menu, name, tag string) error {
	if p.forMenu {
		if err := p.begin(m, tag); err != nil {
			return err
		}
		if err := p.include(ctx, name); err != nil {
			return err
		}
		p.end(m)
		return nil
	}
	text, url, err := p.files.read(ctx, name)
	if errors.Is(err, ErrNotFound) {
		p.files.warn(p.at, IncludeMissing, "MENU INCLUDE %s: not found; PXELINUX goes on without it", name)
		return nil
	}
	if err != nil {
		return err
	}
	sub := *m
	if err := p.begin(&sub, tag); err != nil {
		return err
	}
	if err := p.parse(ctx, text, url); err != nil {
		return err
	}
	p.end(&sub)
	return nil
}

func (p *parser) add(m *menu, e *entry) {
	e.menu, e.index = m, len(m.entries)
	m.entries = append(m.entries, e)
	p.entries = append(p.entries, e)
}

// record closes the open label and puts it into a menu, with the global
// APPEND of this moment if it has none of its own.
func (p *parser) record(m *menu) {
	l := p.label
	e := l.entry
	if e == nil {
		return
	}
	p.label = label{}
	if l.hide {
		m = p.hidden
	}
	p.add(m, e)
	if !l.hasText {
		e.display = e.name
	}
	e.append = p.append
	if l.ownAppend != nil {
		e.append = *l.ownAppend
	}
	if e.append == "-" {
		e.append = ""
	}
	// A disabled label can't be called by its name either.
	if l.separator || l.disable {
		e.action = disabled
		return
	}
	if e.action == gotoMenu && e.target == nil {
		p.gotos = append(p.gotos, e)
	}
	e.named = true
	if _, taken := p.labels[e.name]; !taken {
		p.labels[e.name] = e
	}
	// For menu.c32 a MENU GOTO can be the default, a MENU EXIT can not.
	if l.isDefault && (e.action == command || p.forMenu && e.action == gotoMenu && !l.exit) {
		m.defaultEntry = e.index
	}
}

// command is the command line that an entry stands for, without the words
// that were typed behind its name.
func (e *entry) command(h Host) string {
	var b strings.Builder
	if e.kind != "kernel" {
		b.WriteString("." + e.kind + " ")
	}
	b.WriteString(e.kernel)
	if e.append != "" {
		b.WriteString(" " + e.append)
	}
	if e.initrd != nil {
		b.WriteString(" initrd=" + *e.initrd)
	}
	for _, s := range sysappendStrings(h, e.sysappend) {
		b.WriteString(" " + s)
	}
	return b.String()
}
