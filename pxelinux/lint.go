package pxelinux

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gopxeboot/gopxeboot/internal/nearest"
)

// A Finding is what Lint has to say about one line.
type Finding struct {
	File     string   `json:"file"` // the name given to Lint, or that of INCLUDE
	Line     int      `json:"line"` // from 1
	Text     string   `json:"message"`
	Code     Code     `json:"code"`
	Severity Severity `json:"severity"`
	Fix      string   `json:"fix,omitempty"` // a line to write instead, or to add; "" when there is no one answer
}

func (f Finding) String() string { return fmt.Sprintf("%s:%d: %s", f.File, f.Line, f.Text) }

// Lint reads a configuration, known by name in what it finds, by PXELINUX's
// rules and returns its findings in the order of its files and lines, at most
// 1000. What the configuration includes is opened as Find would for h; with a
// nil Opener it is left out. The error is one of the Opener that is not
// ErrNotFound, or of ctx; the findings are those until then.
func Lint(ctx context.Context, h Host, name string, text []byte, open Opener) ([]Finding, error) {
	l := &linter{machine: newMachine(h, open), written: map[string]int{}, seen: map[string]position{}}
	l.parser = newParser(l, false, 0)
	l.parser.visit = l.line
	l.look(name, string(text))
	if isUTF16(string(text)) {
		return l.findings, nil // its lines mean nothing
	}
	err := l.parser.parse(ctx, string(text), name)
	if errors.Is(err, ErrTooLarge) {
		l.find(l.parser.at, TooLarge, "", "%v", err)
		err = nil
	}
	if err == nil {
		l.parser.finish()
		l.labels()
		l.decision(name)
	}
	l.otherTexts()
	slices.SortStableFunc(l.findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(slices.Index(l.order, a.File), slices.Index(l.order, b.File)), cmp.Compare(a.Line, b.Line))
	})
	return slices.Compact(l.findings), err
}

const maxFindings = 1000

type linter struct {
	machine  *machine // opens what is included
	parser   *parser
	findings []Finding
	order    []string            // of the files
	written  map[string]int      // lines with something on them, by file
	seen     map[string]position // the last line of a directive in this label, or outside
	timeout  position
	label    *entry // whose lines these are; nil outside labels
}

// find adds a finding. fix is the line to write instead, or "".
func (l *linter) find(at position, code Code, fix, format string, args ...any) {
	if len(l.findings) < maxFindings {
		l.findings = append(l.findings, Finding{at.file, at.line, fmt.Sprintf(format, args...), code, code.severity(), fix})
	}
}

// The linter is its parser's source of files. A file is known by the name that
// the configuration has for it.

func (l *linter) read(ctx context.Context, name string) (text, url string, err error) {
	if l.machine.open == nil {
		return "", name, nil
	}
	if name == "" { // an INCLUDE that names nothing
		return "", name, ErrNotFound
	}
	text, _, err = l.machine.read(ctx, name)
	if errors.Is(err, ErrTooLarge) {
		err = ErrTooLarge // without the URL
	}
	if err == nil {
		l.look(name, text)
	}
	return text, name, err
}

func (l *linter) show(context.Context, string, string) error { return nil }

func (l *linter) retry(position, int64) {}

func (l *linter) warn(at position, code Code, format string, args ...any) {
	fix := ""
	if code == TextOpen {
		fix = "ENDTEXT"
	}
	l.find(at, code, fix, format, args...)
}

// look looks at a file as bytes: what is encoded otherwise, and what is too long
// for PXELINUX's buffer.
func (l *linter) look(file, text string) {
	if !slices.Contains(l.order, file) {
		l.order = append(l.order, file)
	}
	first := position{file, 1}
	switch {
	case isUTF16(text):
		l.find(first, UTF16, "", "the file is UTF-16, which PXELINUX does not read: save it as ASCII or UTF-8")
	case strings.HasPrefix(text, byteOrderMark):
		l.find(first, ByteOrderMark, strings.TrimPrefix(chomp(text), byteOrderMark),
			"the file begins with a byte order mark, which PXELINUX takes for a part of the first word: save it without one")
	}
	number := 0
	l.written[file] = 0
	for line := range strings.Lines(text) {
		if strings.TrimSpace(line) != "" {
			l.written[file]++
		}
		if number++; len(line) > maxLine {
			l.find(position{file, number}, LongLine, "", "the line has %d bytes: PXELINUX parses what follows the first %d as a line of its own", len(line), maxLine)
		}
	}
}

// otherTexts says once of a file that it does not look like a configuration, and
// not of each of its lines that it is no directive.
func (l *linter) otherTexts() {
	unknown := map[string]int{}
	for _, f := range l.findings {
		if f.Code == UnknownDirective {
			unknown[f.File]++
		}
	}
	for file, n := range unknown {
		if n < 5 || 2*n <= l.written[file] { // who misspells, does not misspell most lines
			continue
		}
		l.findings = slices.DeleteFunc(l.findings, func(f Finding) bool { return f.File == file && f.Code == UnknownDirective })
		l.find(position{file, 1}, NoConfiguration, "", "most of the file's lines are no directives of PXELINUX: it does not look like a configuration")
	}
}

const byteOrderMark = "\ufeff"

// isUTF16 says whether a text is in UTF-16, with a byte order mark or, where it
// begins with ASCII, without.
func isUTF16(text string) bool {
	return strings.HasPrefix(text, "\xff\xfe") || strings.HasPrefix(text, "\xfe\xff") ||
		len(text) >= 4 && (text[0] == 0 && text[2] == 0 && text[1] != 0 || text[1] == 0 && text[3] == 0 && text[0] != 0)
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

// line looks at a line before the parser does, while there is room for what it
// finds: to look for what an unknown word may mean takes its time.
func (l *linter) line(line string) {
	if len(l.findings) == maxFindings {
		return
	}
	at := l.parser.at
	word, value := directive(line)
	if word[0] == '#' {
		return
	}
	if !l.known(at, line) {
		return
	}
	if e := l.parser.label.entry; e != l.label {
		l.label = e
		clear(l.seen)
	}
	inside := l.label != nil
	switch word {
	case "timeout", "ontimeout", "totaltimeout":
		l.timeout = at
		if word != "ontimeout" && digits(value) == "" {
			l.find(at, BadNumber, "", "%s wants a number: tenths of a second", strings.ToUpper(word))
		}
	case "label":
		if value == "" {
			l.find(at, NoName, "", "LABEL without a name")
		} else if name, more := cutWord(value); more != "" {
			l.find(at, LabelWords, "LABEL "+name, "the label's name is %q only; menu.c32 takes the whole line, and can't find it as DEFAULT", name)
		}
	case "initrd":
		if !inside {
			l.find(at, OutsideLabel, "", "INITRD outside a label is ignored")
		}
		if name, more := cutWord(value); more != "" {
			l.find(at, InitrdWords, "INITRD "+strings.Join(strings.FieldsFunc(value, func(r rune) bool { return r <= ' ' || r == ',' }), ","), "INITRD takes names with commas and no spaces: %q goes to the command line, only %q is loaded", more, name)
		}
		l.backslash(at, InitrdBackslash, "INITRD", value, value)
		l.again(at, word)
	case "append", "ipappend", "sysappend":
		if inside {
			l.again(at, word)
		}
		if list, _ := initrds(value); word == "append" {
			l.backslash(at, InitrdBackslash, "APPEND", strings.Join(list, ","), value)
		}
		if before, after, found := strings.Cut(" "+value+" ", " initrd= "); found && word == "append" {
			fix := strings.TrimSpace("APPEND" + before + " initrd=" + skipSpace(after))
			l.find(at, InitrdEmpty, fix, "initrd= names no file: no space belongs behind the =")
		}
	case "kernel", "linux", "boot", "bss", "pxe", "fdimage", "comboot", "com32", "config", "localboot", "none":
		if !inside {
			l.find(at, OutsideLabel, "", "%s outside a label is ignored", strings.ToUpper(word))
			return
		}
		l.kernel(at, word, value)
		l.again(at, "kernel")
	}
}

// again notes a directive that stands twice in a label: the last one counts.
func (l *linter) again(at position, word string) {
	if first, found := l.seen[word]; found && l.label != nil {
		what := strings.ToUpper(word)
		if word == "kernel" {
			what = "KERNEL or another type"
		}
		l.find(at, Repeated, "", "%s stands in line %d of this label, too: only the last one counts", what, first.line)
	}
	l.seen[word] = at
}

func (l *linter) kernel(at position, word, value string) {
	name := firstWord(value)
	switch word {
	case "comboot", "none":
		l.find(at, BootsNothing, "", "%s boots nothing in PXELINUX 5 and 6", strings.ToUpper(word))
		return
	case "localboot":
		if digits(strings.TrimPrefix(value, "-")) == "" {
			l.find(at, BadNumber, "", "LOCALBOOT wants a number: 0, -1 or 0x80")
		}
		return
	}
	if name == "" {
		l.find(at, NoName, "", "%s without a file", strings.ToUpper(word))
		return
	}
	if kindOfFile(name) == "kernel" || word == "linux" {
		l.backslash(at, KernelBackslash, strings.ToUpper(word), name, value)
	}
	if word != "kernel" {
		return
	}
	// More words go to the command line, as they may. One with a / before any =
	// is the rest of a name.
	if _, more := cutWord(value); kindOfFile(name) == "kernel" {
		if word, _, _ := strings.Cut(firstWord(more), "="); strings.Contains(word, "/") {
			l.find(at, KernelWords, "", "a name has no spaces: only %q is asked for, and %q goes to the command line", name, more)
		}
	}
	switch kindOfFile(name) {
	case "fdimage":
		l.find(at, NotLinux, "", "%s ends in .img: PXELINUX takes it for a kernel, which a disk image or an initrd is not", name)
	case "boot", "bss", "pxe":
		l.find(at, NotLinux, "LINUX "+value, "%s is not booted as Linux, by the end of its name: LINUX %s would be", name, name)
	}
}

// backslash finds names that are written as Windows does. PXELINUX hands them to the
// server as they are, and few take a backslash for a slash.
func (l *linter) backslash(at position, code Code, directive, names, value string) {
	if strings.Contains(names, `\`) {
		l.find(at, code, directive+" "+strings.ReplaceAll(value, names, strings.ReplaceAll(names, `\`, "/")),
			`%s: a \ is no / but for dnsmasq and servers on Windows, to others it is a part of the file's name`, names)
	}
}

// known says whether there is such a directive.
func (l *linter) known(at position, line string) bool {
	list, menu := directives, ""
	what, value := directive(line)
	if what == "menu" {
		list, menu, line = menuDirectives, "MENU ", value
		if what, value = directive(line); what == "" {
			l.find(at, EmptyMenu, "", "MENU alone means nothing")
			return false
		}
	}
	if slices.Contains(list, what) {
		return true
	}
	show := menu + strings.ToUpper(what)
	if len(show) > 40 {
		show = show[:40] + "..."
	}
	if key, _, found := strings.Cut(what, "="); found && slices.Contains(list, key) {
		written := firstWord(skipSpace(line)) // the file's name is in its own case
		_, own, _ := strings.Cut(written, "=")
		show = menu + written
		if len(show) > 40 {
			show = show[:40] + "..."
		}
		l.find(at, EqualsSign, menu+strings.ToUpper(key)+withSpace(own)+withSpace(value), "%s: a space belongs between a directive and its value, not =; the line is ignored", show)
		return false
	}
	if who, found := foreign[what]; found && menu == "" {
		l.find(at, ForeignDirective, "", "%s is a directive of %s: PXELINUX ignores it", show, who)
		return false
	}
	hint, fix := "", ""
	if near := meant(what, list); near != "" {
		hint = "; " + strings.ToUpper(near) + " is one"
		number := "" // PROMPT0
		if rest, found := strings.CutPrefix(what, near); found && digits(rest) == rest {
			number = rest
		}
		fix = menu + strings.ToUpper(near) + withSpace(number) + withSpace(value)
	}
	l.find(at, UnknownDirective, fix, "%q is no directive: the line is ignored%s", show, hint)
	return false
}

// meant returns the word of a list that s begins with and goes on with digits,
// else the one that is nearest to s, or "".
func meant(s string, list []string) string {
	for _, word := range list {
		if rest, found := strings.CutPrefix(s, word); found && rest != "" && digits(rest) == rest {
			return word
		}
	}
	return nearest.Word(s, list)
}

// labels looks at the labels when all are known.
func (l *linter) labels() {
	p := l.parser
	for _, e := range p.entries {
		if e.named && p.labels[e.name] != e {
			if p.command != nil && l.menu(*p.command) {
				continue // a menu boots each of its entries by its place
			}
			first := p.labels[e.name].position
			l.find(e.position, DuplicateLabel, "", "label %q is never booted: there is one in %s:%d", e.name, first.file, first.line)
			continue
		}
		if !e.named || e.action != command {
			continue
		}
		if e.implied && kindOfFile(e.kernel) == "kernel" {
			l.find(e.position, ImpliedKernel, "", "label %q names no kernel: a file of the label's name is booted", e.name)
		}
		if p.noEscape && p.command != nil && !p.ui && !l.menu(*p.command) && p.find(*p.command) != e {
			l.find(e.position, Unreachable, "", "label %q can't be reached: NOESCAPE allows DEFAULT only", e.name)
		}
		if e.outcome() != Linux {
			continue
		}
		line := e.command(Host{})
		if strings.Count(" "+line, " initrd=") > 1 {
			l.find(e.position, InitrdTwice, "", "label %q has initrd= more than once: only the first one is loaded", e.name)
		}
		switch n, most := len("BOOT_IMAGE=")+len(line), l.machine.host.MaxArgs; {
		case len(line) > maxCommandLine:
			l.find(e.position, LongCommand, "", "label %q has a command line of %d bytes: PXELINUX boots no more than %d", e.name, len(line), maxCommandLine)
		case most > 0 && n > most:
			l.find(e.position, LongForGuest, "", "label %q has a command line of %d bytes: Xen gives a PV guest no more than %d", e.name, n, most)
		}
	}
	for _, e := range p.gotos {
		if e.target == nil {
			l.find(e.position, NoMenu, "", "there is no menu with the tag %q", e.kernel)
		}
	}
	for m := p.current; m.parent != nil; m = m.parent {
		l.find(m.entry.position, MenuOpen, "MENU END", "MENU BEGIN without MENU END")
	}
}

// decision looks at what boots by itself.
func (l *linter) decision(name string) {
	p := l.parser
	if p.command == nil {
		if len(p.labels) > 0 {
			fix := ""
			if names := p.names(); len(names) > 0 {
				fix = "DEFAULT " + names[0]
			}
			l.find(position{name, 1}, NoDefault, fix, "no DEFAULT and no UI: PXELINUX waits at the boot: prompt, and boots no label by itself")
		}
		return
	}
	label, at := p.command, p.commandAt
	if p.ui {
		label, at = p.byName, p.byNameAt
	}
	if label != nil && (p.ui || !l.menu(*label)) && p.find(*label) == nil {
		l.noLabel(at, *label)
	}
	wants := p.timeout != 0 || p.totalTimeout != 0
	switch {
	case p.ontimeout != "" && !wants:
		l.find(l.timeout, OntimeoutUnused, "", "ONTIMEOUT without a TIMEOUT has no effect")
	case (wants || p.ontimeout != "") && !p.prompt && !p.ui && !l.menu(*p.command):
		l.find(l.timeout, TimeoutUnused, "", "TIMEOUT and ONTIMEOUT have no effect: without PROMPT 1 or a menu DEFAULT boots at once")
	}
}

// menu says whether a command leads to the menu.
func (l *linter) menu(line string) bool {
	if e := l.parser.find(line); e != nil {
		return isMenu(moduleName(firstWord(e.kernel)))
	}
	return isMenu(moduleName(firstWord(line)))
}

// noLabel looks for what DEFAULT may have been to name.
func (l *linter) noLabel(at position, line string) {
	p := l.parser
	name, more := cutWord(line)
	more = withSpace(more)
	for _, e := range p.entries {
		if e.action == disabled && e.name == name && name != "" {
			l.find(at, DefaultDisabled, "", "DEFAULT %s: the label is disabled, and can't be booted", name)
			return
		}
	}
	var names []string
	for _, e := range p.entries {
		if e.named && len(names) < 1000 {
			if strings.EqualFold(e.name, name) {
				l.find(at, DefaultNoLabel, "DEFAULT "+e.name+more, "DEFAULT %s is no label: upper and lower case matter, there is %s", name, e.name)
				return
			}
			names = append(names, e.name)
		}
	}
	near, fix := meant(name, names), ""
	if near != "" {
		fix = "DEFAULT " + near + more
	}
	switch {
	case p.ui:
		l.find(at, DefaultNoLabel, fix, "DEFAULT %s names no label of the menu", name)
	case p.noImplicit:
		l.find(at, DefaultNoLabel, fix, "DEFAULT %s is no label, and IMPLICIT 0 allows nothing else", name)
	case near != "":
		l.find(at, DefaultNoLabel, fix, "DEFAULT %s is no label, but a file; there is a label %s", name, near)
	}
}

var _ files = (*linter)(nil)
var _ files = (*machine)(nil)
