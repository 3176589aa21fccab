package grub

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/gopxeboot/gopxeboot/pxelinux"
)

// The kinds of findings.
const (
	SyntaxWrong     pxelinux.Code = "syntax-error"     // what GRUB does not understand
	UnknownCommand  pxelinux.Code = "unknown-command"  // which GRUB takes for done
	FileTest        pxelinux.Code = "file-test"        // -d, -e and -f, which are false on a network
	EFICommand      pxelinux.Code = "efi-command"      // linuxefi, which not every GRUB has
	URLAsPath       pxelinux.Code = "url-as-path"      // http://..., which GRUB does not know
	RootAsPath      pxelinux.Code = "root-as-path"     // $root/x, which is no device
	SecondKernel    pxelinux.Code = "second-kernel"    // two in one entry
	InitrdFirst     pxelinux.Code = "initrd-first"     // initrd before linux
	SecondInitrd    pxelinux.Code = "second-initrd"    // which takes the place of the first
	NoTitle         pxelinux.Code = "no-title"         // menuentry without one
	OneAssignment   pxelinux.Code = "one-assignment"   // a=1 b=2, of which the first counts
	NoEntry         pxelinux.Code = "no-entry"         // a kernel and neither boot nor an entry
	NoTimeout       pxelinux.Code = "no-timeout"       // entries, and nothing boots by itself
	DuplicateEntry  pxelinux.Code = "duplicate-entry"  // the first of a name counts
	BootsNoKernel   pxelinux.Code = "boots-no-kernel"  // an entry that loads nothing
	ForeignLanguage pxelinux.Code = "foreign-language" // a command of GRUB Legacy
	ByteOrderMark   pxelinux.Code = "byte-order-mark"  // before the first word
)

const maxFindings = 1000

// Lint reads a configuration, known by name in what it finds, as GRUB does, and
// returns its findings in the order of its lines, at most 1000.
func Lint(name string, text []byte) []pxelinux.Finding {
	l := &linter{file: name, functions: map[string]bool{}, ids: map[string]int{}}
	if bytes.HasPrefix(text, []byte("\ufeff")) {
		l.find(1, ByteOrderMark, "the file begins with a byte order mark, which GRUB takes for a part of the first word: save it without one")
	}
	var script []statement
	for src := newSource(name, string(text)); ; {
		list, more, err := src.parse(func(f function) {
			l.functions[f.name] = true
			l.bodies = append(l.bodies, f.body)
		})
		if !more {
			break
		}
		if syntax, ok := errors.AsType[*SyntaxError](err); ok {
			l.syntax(syntax)
		}
		script = append(script, list...)
	}
	for _, body := range l.bodies {
		l.list(body, &load{inFunction: true})
	}
	top := &load{}
	l.list(script, top)
	switch {
	case top.linux && l.entries == 0 && !top.boots && len(l.bodies) == 0:
		l.find(top.kernel, NoEntry, "a kernel is loaded, but there is neither boot nor a menu entry: GRUB ends at its prompt")
	case l.entries > 0 && !l.timeout && l.complete:
		l.find(l.firstEntry, NoTimeout, "no timeout: GRUB waits for a key")
	}
	return l.findings
}

type linter struct {
	file       string
	findings   []pxelinux.Finding
	functions  map[string]bool
	bodies     [][]statement
	ids        map[string]int
	entries    int
	firstEntry int
	timeout    bool
	complete   bool // no other file is read
}

// load is what a list of commands has loaded, by its line.
type load struct {
	kernel, initrd    int
	linux             bool // kernel is a line with linux
	boots, inFunction bool
	branch            int // how many ifs it stands in
}

func (l *linter) find(line int, code pxelinux.Code, format string, args ...any) {
	if len(l.findings) < maxFindings {
		severity := pxelinux.SeverityWarning
		switch code {
		case SyntaxWrong, URLAsPath, RootAsPath, InitrdFirst, NoTitle, NoEntry, ForeignLanguage:
			severity = pxelinux.SeverityError
		case FileTest, EFICommand, NoTimeout, BootsNoKernel:
			severity = pxelinux.SeverityNote
		}
		l.findings = append(l.findings, pxelinux.Finding{File: l.file, Line: line, Text: fmt.Sprintf(format, args...), Code: code, Severity: severity})
	}
}

func (l *linter) syntax(e *SyntaxError) {
	text := e.Error()
	switch {
	case errors.Is(e, errEnd):
		l.find(e.From, SyntaxWrong, "what begins here does not end: GRUB runs nothing from here to the end of the file")
		return
	case e.Near == "&" || e.Near == "&&" || e.Near == "|" || e.Near == "||" || e.Near == ">" || e.Near == "<":
		text += ", which belongs in quotes"
	case e.Near == ";":
		text += ": there is no command before it"
	}
	if e.From != e.Line {
		text += fmt.Sprintf("; what begins at line %d is lost, and what follows runs by itself", e.From)
	}
	l.find(e.Line, SyntaxWrong, "%s", text)
}

func (l *linter) list(list []statement, in *load) {
	for _, s := range list {
		switch s := s.(type) {
		case *command:
			l.command(s, in)
		case *conditional:
			l.list(s.condition, in)
			in.branch++
			l.list(s.then, in)
			l.list(s.otherwise, in)
			in.branch--
		case *forLoop:
			in.branch++
			l.list(s.body, in)
			in.branch--
		case *loop:
			in.branch++
			l.list(s.condition, in)
			l.list(s.body, in)
			in.branch--
		}
	}
}

// legacy are commands of GRUB Legacy that GRUB 2 has others for.
var legacy = map[string]string{"kernel": "linux", "title": "menuentry", "timeout": "set timeout=", "default": "set default=", "rootnoverify": "set root="}

func (l *linter) command(c *command, in *load) {
	args := texts(c.words)
	if len(args) > 1 && args[0] == "!" {
		args = args[1:]
	}
	name, args := args[0], args[1:]
	variable, _, assigns := strings.Cut(name, "=")
	if name == "set" && len(args) > 0 {
		variable, _, assigns = strings.Cut(args[0], "=")
		args = args[1:]
	}
	switch {
	case assigns:
		l.timeout = l.timeout || variable == "timeout"
		if len(args) > 0 && strings.Contains(args[0], "=") {
			l.find(c.Line, OneAssignment, "only %s is set: %s is ignored", variable, args[0])
		}
	case builtin(name) != nil, l.functions[name], strings.Contains(name, "$"):
	case legacy[name] != "":
		l.find(c.Line, ForeignLanguage, "%s is a command of GRUB Legacy: GRUB 2 has %s", name, legacy[name])
	default:
		l.find(c.Line, UnknownCommand, "GRUB has no command %s, and takes it for done", shown(name))
	}
	switch name {
	case "[", "test":
		for i, a := range args {
			if a == "-f" || a == "-e" || a == "-d" {
				if i+1 < len(args) && args[i+1] != "]" && !strings.Contains(args[i+1], "hd") {
					l.find(c.Line, FileTest, "%s is false on a network, whatever the server has: -s asks it", a)
				}
			}
		}
	case "menuentry", "submenu":
		l.entry(c, name)
	case "boot":
		in.boots = true
	case "source", ".", "configfile", "normal":
		l.complete = false
	case "linuxefi", "initrdefi":
		l.find(c.Line, EFICommand, "%s is not in every GRUB: %s is", name, strings.TrimSuffix(name, "efi"))
	}
	switch name {
	case "linux", "linux16", "linuxefi":
		if in.linux && in.branch == 0 {
			l.find(c.Line, SecondKernel, "a second kernel takes the place of the one of line %d", in.kernel)
		}
		in.kernel, in.initrd, in.linux = c.Line, 0, true
		l.path(c.Line, args[:min(1, len(args))])
	case "initrd", "initrd16", "initrdefi":
		switch {
		case in.kernel == 0 && in.branch == 0 && !in.inFunction:
			l.find(c.Line, InitrdFirst, "no kernel is loaded before it")
		case in.initrd != 0 && in.branch == 0:
			l.find(c.Line, SecondInitrd, "it takes the place of the one of line %d: one command loads several files", in.initrd)
		}
		in.initrd = c.Line
		l.path(c.Line, args)
	case "multiboot", "multiboot2", "chainloader", "exit", "reboot", "halt", "fwsetup", "configfile", "eval":
		in.kernel = c.Line
	default:
		if l.functions[name] || strings.Contains(name, "$") {
			in.kernel, in.linux = c.Line, false // perhaps
		}
	}
}

func (l *linter) path(line int, names []string) {
	for _, name := range names {
		switch {
		case strings.Contains(name, "://"):
			l.find(line, URLAsPath, "%s: GRUB writes (http,SERVER)/PATH", name)
		case strings.HasPrefix(name, "$root/"):
			l.find(line, RootAsPath, "%s: GRUB writes ($root)/%s", name, path.Base(name))
		}
	}
}

func (l *linter) entry(c *command, name string) {
	if l.entries++; l.entries == 1 {
		l.firstEntry, l.complete = c.Line, true
	}
	args := texts(c.words)
	o, rest, _ := parseOptions(args, entryOptions, true)
	if len(rest) == 0 {
		l.find(c.Line, NoTitle, "it has no title, and is no entry")
		return
	}
	id := rest[0]
	if o.has("id") {
		id = o.get("id")
	}
	if first, twice := l.ids[id]; twice && !strings.Contains(id, "$") {
		l.find(c.Line, DuplicateEntry, "%q is at line %d, too: the first counts", id, first)
	} else {
		l.ids[id] = c.Line
	}
	if c.block == nil {
		if !o.has("source") {
			l.find(c.Line, NoTitle, "it has no { } with commands on its line, and is no entry")
		}
		return
	}
	in := &load{}
	l.list(c.block.body, in)
	if name == "menuentry" && in.kernel == 0 {
		l.find(c.Line, BootsNoKernel, "%q loads nothing to boot", rest[0])
	}
}
