package pxelinux

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
)

// A Problem is what a person would want to know about one line.
type Problem struct {
	File    string
	Line    int
	Message string
}

func (p Problem) String() string { return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Message) }

// maxGuestCommandLine is MAX_GUEST_CMDLINE of Xen's public headers without
// its NUL: what a PV guest's command line may have.
const maxGuestCommandLine = 1023

// Lint reads a configuration by PXELINUX's rules and returns its problems in
// the order of its files and lines. The function include gives the files that
// it includes, by the name as it is written; with a nil function they are
// left out.
func Lint(name string, text []byte, include func(name string) ([]byte, error)) []Problem {
	l := &linter{include: include, seen: map[string]position{}}
	l.parser = newParser(l, false, 0)
	l.parser.visit = l.line
	l.longLines(name, string(text))
	if err := l.parser.parse(context.Background(), string(text), name); err != nil {
		l.problem(l.parser.at, "%v", err)
	}
	l.parser.finish()
	l.labels()
	l.decision(name)

	slices.SortStableFunc(l.problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(slices.Index(l.order, a.File), slices.Index(l.order, b.File)), cmp.Compare(a.Line, b.Line))
	})
	return slices.Compact(l.problems)
}

// maxProblems is enough for any person.
const maxProblems = 1000

type linter struct {
	parser   *parser
	include  func(name string) ([]byte, error)
	problems []Problem
	order    []string // of the files
	bytes    int
	files    int
	seen     map[string]position // the last line of a directive in this label, or outside
	chosen   position
	timeout  position
	scope    *entry
}

func (l *linter) problem(at position, format string, args ...any) {
	if len(l.problems) < maxProblems {
		l.problems = append(l.problems, Problem{at.file, at.line, fmt.Sprintf(format, args...)})
	}
}

// The linter is its parser's source of files.

func (l *linter) read(_ context.Context, name string) (text, url string, err error) {
	if l.include == nil {
		return "", name, nil
	}
	var b []byte
	if name != "" { // an INCLUDE that names nothing
		b, err = l.include(name)
	}
	if err != nil || len(b) == 0 {
		return "", name, fmt.Errorf("%s: %w", name, ErrNotFound)
	}
	l.bytes += len(b)
	l.files++
	if l.bytes > maxBytes || l.files > maxFiles {
		return "", name, ErrTooLarge
	}
	l.longLines(name, string(b))
	return string(b), name, nil
}

func (l *linter) show(context.Context, string, string) error { return nil }

func (l *linter) retry(position, int64) {}

func (l *linter) warn(at position, format string, args ...any) { l.problem(at, format, args...) }

// longLines finds what is too long for PXELINUX's buffer.
func (l *linter) longLines(file, text string) {
	if !slices.Contains(l.order, file) {
		l.order = append(l.order, file)
	}
	number := 0
	for line := range strings.Lines(text) {
		if number++; len(line) > maxLine {
			l.problem(position{file, number}, "the line has %d bytes: PXELINUX parses what follows the first %d as a line of its own", len(line), maxLine)
		}
	}
}

var directives = strings.Fields(`append initrd label none localboot kernel linux boot bss pxe fdimage comboot com32 config
	timeout totaltimeout ontimeout allowoptions ipappend sysappend default ui display font kbdmap implicit prompt console
	noescape nocomplete nohalt onerror pxeretry serial say path sendcookies include text endtext menu
	f0 f1 f2 f3 f4 f5 f6 f7 f8 f9 f10 f11 f12`)

var menuDirectives = strings.Fields(`label title default hide passwd shiftkey save nosave immediate noimmediate onerror master
	include background hidden hiddenkey clear autoboot tabmsg notabmsg passprompt color colour msgcolor msgcolour separator
	disable disabled indent begin end quit goto exit start help resolution width margin passwordmargin rows tabmsgrow
	cmdlinerow endrow passwordrow timeoutrow helpmsgrow helpmsgendrow hshift vshift hiddenrow`)

// foreign directives are those of others who read such files.
var foreign = map[string]string{
	"fdt": "U-Boot", "fdtdir": "U-Boot", "fdtoverlays": "U-Boot", "devicetree": "U-Boot", "devicetreedir": "U-Boot",
	"kaslrseed": "U-Boot", "fallback": "U-Boot", "dtb": "petitboot", "proxy": "petitboot", "plugin": "petitboot",
	"nerfdefault": "u-root",
}

// line looks at a line before the parser does.
func (l *linter) line(word, value string) {
	at := l.parser.at
	if word[0] == '#' {
		return
	}
	if !l.known(at, word, value) {
		return
	}
	if e := l.parser.label.entry; e != l.scope {
		l.scope = e
		clear(l.seen)
	}
	inside := l.scope != nil
	switch word {
	case "default", "ui":
		l.chosen = at
	case "timeout", "ontimeout", "totaltimeout":
		l.timeout = at
		if word != "ontimeout" && digits(value) == "" {
			l.problem(at, "%s wants a number: tenths of a second", strings.ToUpper(word))
		}
	case "label":
		if value == "" {
			l.problem(at, "LABEL without a name")
		} else if name, more := cutWord(value); more != "" {
			l.problem(at, "the label's name is %q only; menu.c32 takes the whole line, and can't find it as DEFAULT", name)
		}
	case "initrd":
		if !inside {
			l.problem(at, "INITRD outside a label is ignored")
		}
		if name, more := cutWord(value); more != "" {
			l.problem(at, "INITRD takes names with commas and no spaces: %q goes to the command line, only %q is loaded", more, name)
		}
		l.again(at, word)
	case "append", "ipappend", "sysappend":
		if inside {
			l.again(at, word)
		}
	case "kernel", "linux", "boot", "bss", "pxe", "fdimage", "comboot", "com32", "config", "localboot", "none":
		if !inside {
			l.problem(at, "%s outside a label is ignored", strings.ToUpper(word))
			return
		}
		l.kernel(at, word, value)
		l.again(at, "kernel")
	}
}

// again notes a directive that stands twice in a label: the last one counts.
func (l *linter) again(at position, word string) {
	if first, found := l.seen[word]; found && l.scope != nil {
		what := strings.ToUpper(word)
		if word == "kernel" {
			what = "KERNEL or another type"
		}
		l.problem(at, "%s stands in line %d of this label, too: only the last one counts", what, first.line)
	}
	l.seen[word] = at
}

func (l *linter) kernel(at position, word, value string) {
	name := firstWord(value)
	switch word {
	case "comboot", "none":
		l.problem(at, "%s boots nothing in PXELINUX 5 and 6", strings.ToUpper(word))
		return
	case "localboot":
		if digits(strings.TrimPrefix(value, "-")) == "" {
			l.problem(at, "LOCALBOOT wants a number: 0, -1 or 0x80")
		}
		return
	}
	if name == "" {
		l.problem(at, "%s without a file", strings.ToUpper(word))
		return
	}
	if word != "kernel" {
		return
	}
	switch kindOfFile(name) {
	case "fdimage":
		l.problem(at, "%s ends in .img: PXELINUX takes it for a kernel, which a disk image or an initrd is not", name)
	case "boot", "bss", "pxe":
		l.problem(at, "%s is not booted as Linux, by the end of its name: LINUX %s would be", name, name)
	}
}

// known says whether there is such a directive.
func (l *linter) known(at position, word, value string) bool {
	list, what := directives, word
	if word == "menu" {
		list, what = menuDirectives, lower(firstWord(value))
		if what == "" {
			l.problem(at, "MENU alone means nothing")
			return false
		}
	}
	if slices.Contains(list, what) {
		return true
	}
	show := strings.ToUpper(what)
	if word == "menu" {
		show = "MENU " + show
	}
	if len(show) > 40 {
		show = show[:40] + "..."
	}
	if key, _, found := strings.Cut(what, "="); found && slices.Contains(list, key) {
		l.problem(at, "%s: a space belongs between a directive and its value, not =; the line is ignored", show)
		return false
	}
	if who, found := foreign[what]; found && word != "menu" {
		l.problem(at, "%s is a directive of %s: PXELINUX ignores it", show, who)
		return false
	}
	hint := ""
	if near := nearest(what, list); near != "" {
		hint = "; " + strings.ToUpper(near) + " is one"
	}
	l.problem(at, "%q is no directive: the line is ignored%s", show, hint)
	return false
}

// nearest returns the word of a list that differs from s by at most two
// letters, or that s begins with and goes on with digits, or "".
func nearest(s string, list []string) string {
	best, distance := "", 3
	for _, word := range list {
		if rest, found := strings.CutPrefix(s, word); found && rest != "" && digits(rest) == rest {
			return word
		}
		// In short words two letters are too much of them.
		if d := edits(s, word); d < distance && d < len(word)-1 {
			best, distance = word, d
		}
	}
	return best
}

// edits is the Levenshtein distance, 3 when it is more than two.
func edits(a, b string) int {
	if len(a)-len(b) > 2 || len(b)-len(a) > 2 {
		return 3
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := before
			if a[i] != b[j] {
				cost++
			}
			before = row[j+1]
			row[j+1] = min(cost, row[j+1]+1, row[j]+1)
		}
	}
	return min(row[len(b)], 3)
}

// labels looks at the labels when all are known.
func (l *linter) labels() {
	p := l.parser
	for _, e := range p.entries {
		if e.named && p.labels[e.name] != e {
			first := p.labels[e.name].position
			l.problem(e.position, "label %q is never booted: there is one in %s:%d", e.name, first.file, first.line)
			continue
		}
		if !e.named || e.action != command {
			continue
		}
		if e.implied && kindOfFile(e.kernel) == "kernel" {
			l.problem(e.position, "label %q names no kernel: a file of the label's name is booted", e.name)
		}
		if p.noEscape && p.command != nil && !p.ui && !l.menu(*p.command) && p.find(*p.command) != e {
			l.problem(e.position, "label %q can't be reached: NOESCAPE allows DEFAULT only", e.name)
		}
		if e.outcome() != Linux {
			continue
		}
		line := e.command(Host{})
		if strings.Count(" "+line, " initrd=") > 1 {
			l.problem(e.position, "label %q has initrd= more than once: only the first one is loaded", e.name)
		}
		switch n := len("BOOT_IMAGE=") + len(line); {
		case len(line) > maxCommandLine:
			l.problem(e.position, "label %q has a command line of %d bytes: PXELINUX boots no more than %d", e.name, len(line), maxCommandLine)
		case n > maxGuestCommandLine:
			l.problem(e.position, "label %q has a command line of %d bytes: Xen gives a PV guest no more than %d", e.name, n, maxGuestCommandLine)
		}
	}
	for _, e := range p.gotos {
		if e.target == nil {
			l.problem(e.position, "there is no menu with the tag %q", e.kernel)
		}
	}
	for m := p.current; m.parent != nil; m = m.parent {
		l.problem(m.entry.position, "MENU BEGIN without MENU END")
	}
}

// decision looks at what boots by itself.
func (l *linter) decision(name string) {
	p := l.parser
	if p.command == nil {
		if len(p.labels) > 0 {
			l.problem(position{name, 1}, "no DEFAULT and no UI: PXELINUX waits at the boot: prompt, and boots no label by itself")
		}
		return
	}
	label := p.command
	if p.ui {
		label = p.byName
	}
	if label != nil && (p.ui || !l.menu(*label)) && p.find(*label) == nil {
		l.noLabel(firstWord(*label))
	}
	wants := p.timeout != 0 || p.totalTimeout != 0
	switch {
	case p.ontimeout != "" && !wants:
		l.problem(l.timeout, "ONTIMEOUT without a TIMEOUT has no effect")
	case (wants || p.ontimeout != "") && !p.prompt && !p.ui && !l.menu(*p.command):
		l.problem(l.timeout, "TIMEOUT and ONTIMEOUT have no effect: without PROMPT 1 or a menu DEFAULT boots at once")
	}
}

// menu says whether a command leads to the menu.
func (l *linter) menu(line string) bool {
	if e := l.parser.find(line); e != nil {
		return isMenu(moduleName(firstWord(e.kernel)))
	}
	return isMenu(moduleName(firstWord(line)))
}

func (l *linter) noLabel(name string) {
	p := l.parser
	for _, e := range p.entries {
		if e.action == disabled && e.name == name && name != "" {
			l.problem(l.chosen, "DEFAULT %s: the label is disabled, and can't be booted", name)
			return
		}
	}
	var names []string
	for _, e := range p.entries {
		if e.named && len(names) < 1000 {
			if strings.EqualFold(e.name, name) {
				l.problem(l.chosen, "DEFAULT %s is no label: upper and lower case matter, there is %s", name, e.name)
				return
			}
			names = append(names, e.name)
		}
	}
	near := nearest(name, names)
	switch {
	case p.ui:
		l.problem(l.chosen, "DEFAULT %s names no label of the menu", name)
	case p.noImplicit:
		l.problem(l.chosen, "DEFAULT %s is no label, and IMPLICIT 0 allows nothing else", name)
	case near != "":
		l.problem(l.chosen, "DEFAULT %s is no label, but a file; there is a label %s", name, near)
	}
}

var _ files = (*linter)(nil)
var _ files = (*machine)(nil)
