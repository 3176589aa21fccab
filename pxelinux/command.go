package pxelinux

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
)

// maxCommandLine is what PXELINUX takes of a command, its type and its
// kernel's name included.
const maxCommandLine = 2047

// extensions are tried in this order on a kernel's name that is no label's
// and has none of them.
var extensions = []string{".c32", ".img", ".bss", ".bin", ".bs", ".0"}

// kindOfFile is what KERNEL means for a file, by the end of its name. Upper
// and lower case matter.
func kindOfFile(name string) string {
	switch {
	case strings.HasSuffix(name, ".c32"):
		return "com32"
	case strings.HasSuffix(name, ".img"):
		return "fdimage"
	case strings.HasSuffix(name, ".bss"):
		return "bss"
	case strings.HasSuffix(name, ".bin"), strings.HasSuffix(name, ".bs"):
		return "boot"
	case strings.HasSuffix(name, ".0"):
		return "pxe"
	}
	return "kernel"
}

// typeWords are the types that a command can begin with, after a dot. NONE
// and COMBOOT are words of the configuration but no types any more: such a
// label boots a kernel of the name ".comboot".
var typeWords = []string{"localboot", "kernel", "linux", "boot", "bss", "pxe", "fdimage", "com32", "config"}

// main is what PXELINUX does once it has read its configuration.
func (m *machine) main(ctx context.Context) (*Boot, error) {
	m.fallbacks = []fallback{(*machine).promptAgain}
	if p := m.core; p.command != nil && (!p.prompt || p.ui) {
		return m.autoBoot(ctx)
	}
	return m.promptAgain(ctx)
}

func (m *machine) autoBoot(ctx context.Context) (*Boot, error) {
	m.triedDefault = true
	return m.loadKernel(ctx, *m.core.command)
}

// promptAgain is the boot: prompt when no key is pressed. A command that failed
// leads back to it, but is not run again: it would fail each time.
func (m *machine) promptAgain(ctx context.Context) (*Boot, error) {
	p := m.core
	m.fallbacks = []fallback{(*machine).promptAgain}
	haveDefault := p.command != nil && !m.triedDefault
	if p.noEscape {
		if !haveDefault {
			return m.stuck()
		}
		return m.autoBoot(ctx)
	}
	m.asks(p)

	// TIMEOUT is for the first key; TOTALTIMEOUT counts when there is none. A
	// negative one is taken for a number of weeks.
	wait := cmp.Or(p.timeout, p.totalTimeout)
	var b *Boot
	var err error
	switch {
	case wait > 0 && p.ontimeout != "" && !m.triedOntimeout:
		m.triedOntimeout = true
		b, err = m.loadKernel(ctx, p.ontimeout)
	case haveDefault && (wait <= 0 || p.ontimeout == ""):
		b, err = m.autoBoot(ctx)
	default:
		return m.stuck()
	}
	return waited(b, err, wait)
}

// waited adds the time that PXELINUX waited for a key before it ran what b came
// from; none is without end.
func waited(b *Boot, err error, wait int64) (*Boot, error) {
	switch {
	case err != nil || b.Waits:
	case wait <= 0:
		b.Waits, b.Timeout = true, 0
	default:
		b.Timeout += tenths(wait)
	}
	return b, err
}

// stuck is where PXELINUX waits for a command to be typed.
func (m *machine) stuck() (*Boot, error) {
	if m.failure != nil {
		return &Boot{Outcome: Error, Label: m.label, Waits: true, Err: m.failure}, nil
	}
	err := errors.New("no DEFAULT and no UI in the configuration")
	if names := m.core.names(); len(names) > 0 {
		err = fmt.Errorf("%w; its labels are %s", err, strings.Join(names, ", "))
	}
	if m.core.encoded != "" {
		err = fmt.Errorf("the configuration %s", m.core.encoded)
	}
	return &Boot{Outcome: Prompt, Waits: true, Err: err}, nil
}

// names returns the first labels, for messages.
func (p *parser) names() []string {
	var names []string
	for _, e := range p.entries {
		if len(names) == 10 {
			return append(names, "...")
		}
		if p.labels[e.name] == e && e.action == command {
			names = append(names, e.name)
		}
	}
	return names
}

// fail goes on where PXELINUX goes on after a command that it could not run.
func (m *machine) fail(ctx context.Context, format string, args ...any) (*Boot, error) {
	m.failure = fmt.Errorf(format, args...)
	if m.label != "" {
		m.failure = fmt.Errorf("label %s: %w", m.label, m.failure)
	}
	return m.fallBack(ctx)
}

func (m *machine) fallBack(ctx context.Context) (*Boot, error) {
	n := len(m.fallbacks)
	if n == 0 {
		return m.stuck()
	}
	f := m.fallbacks[n-1]
	m.fallbacks = m.fallbacks[:n-1]
	return f(m, ctx)
}

// missing goes on after a kernel or an initrd that was not there.
func (m *machine) missing(ctx context.Context, b *Boot) (*Boot, error) {
	what := b.Kernel
	if len(b.Initrds) > 0 {
		what += " or an initrd"
	}
	return m.fail(ctx, "%s: %w", what, ErrNotFound)
}

// loadKernel runs a command line as it is typed at the boot: prompt and as
// DEFAULT, UI and ONTIMEOUT have it: a label or a file, and more words.
func (m *machine) loadKernel(ctx context.Context, line string) (*Boot, error) {
	if m.core.onerror != "" {
		m.fallbacks = append(m.fallbacks, (*machine).onError)
	}
	if m.steps++; m.steps > maxSteps {
		m.fallbacks = nil
		return m.fail(ctx, "the configuration goes round in circles: %d commands, and none that boots", maxSteps)
	}
	m.label = ""
	if e := m.core.find(line); e != nil {
		m.label = e.name
		if e.action != command {
			return m.fail(ctx, "is an entry of a menu that boots nothing")
		}
		line := e.command(m.host) + withSpace(restOf(line))
		return m.execute(ctx, line, kindOfFile(firstWord(line)), false)
	}
	if m.core.noImplicit {
		return m.fail(ctx, "%s is no label, and IMPLICIT 0 allows nothing else", firstWord(line))
	}
	if m.core.noOptions {
		line = firstWord(line)
	}
	kind := kindOfFile(firstWord(line))
	if kind == "kernel" {
		extension, err := m.extension(ctx, firstWord(line))
		if err != nil {
			return nil, err
		}
		if extension != "" {
			line = withExtension(line, extension)
			kind = kindOfFile(firstWord(line))
		}
	}
	return m.execute(ctx, line, kind, true)
}

func restOf(line string) string {
	_, rest := cutWord(line)
	return rest
}

func withSpace(s string) string {
	if s == "" {
		return ""
	}
	return " " + s
}

// extension asks the server which extension makes a file of a name that has
// none. The menu is not asked for: it is one wherever it is.
func (m *machine) extension(ctx context.Context, name string) (string, error) {
	for _, extension := range extensions {
		file := name + extension
		if extension == ".c32" && isMenu(moduleName(file)) {
			return extension, nil
		}
		for _, file := range m.candidates(file) {
			found, err := m.exists(ctx, file)
			if err != nil {
				return "", err
			}
			if found {
				return extension, nil
			}
		}
	}
	return "", nil
}

// candidates are the names by which a file is looked for with PATH.
func (m *machine) candidates(file string) []string {
	all := []string{file}
	for _, dir := range m.searchPath {
		if !strings.HasSuffix(dir, "/") {
			dir += "/"
		}
		all = append(all, dir+file)
	}
	return all
}

// withExtension puts an extension behind the first word of a command line, if
// it is not there already.
func withExtension(line, extension string) string {
	name := firstWord(line)
	if strings.HasSuffix(name, extension) {
		return line
	}
	return name + extension + line[len(name):]
}

// onError runs the ONERROR command. PXELINUX puts the DEFAULT command behind
// it, whatever it was that failed; the words behind a label are lost.
func (m *machine) onError(ctx context.Context) (*Boot, error) {
	line := m.core.onerror
	m.label = ""
	if e := m.core.find(line); e != nil {
		m.label = e.name
		if e.action != command {
			return m.fail(ctx, "is an entry of a menu that boots nothing")
		}
		line = e.command(m.host)
	}
	failed := "(null)" // what printf makes of no string at all
	if m.core.command != nil {
		failed = *m.core.command
	}
	line += " " + failed
	return m.execute(ctx, line, kindOfFile(firstWord(line)), true)
}

// execute runs a command line that names a file. The global SYSAPPEND is for
// commands that were no label.
func (m *machine) execute(ctx context.Context, line, kind string, sysappend bool) (*Boot, error) {
	if len(line) > maxCommandLine {
		return m.fail(ctx, "the command line has %d bytes; PXELINUX boots no more than %d", len(line), maxCommandLine)
	}
	kernel, args := cutWord(line)
	if sysappend {
		if more := strings.Join(sysappendStrings(m.host, m.sysappend), " "); args == "" {
			args = more
		} else {
			args += withSpace(more)
		}
	}
	if word, isType := strings.CutPrefix(kernel, "."); isType && slices.Contains(typeWords, word) {
		if word == "com32" {
			args = withExtension(args, ".c32")
		}
		return m.execute(ctx, args, word, sysappend)
	}
	switch kind {
	case "com32":
		// A module is given the line as it came in.
		return m.module(ctx, line)
	case "config":
		return m.chdirConfig(ctx, kernel, args)
	case "localboot":
		return &Boot{Outcome: LocalBoot, Label: m.label}, nil
	case "pxe", "bss", "boot":
		return m.chain(ctx, kernel)
	}
	return m.linux(ctx, kernel, args)
}

func (m *machine) linux(ctx context.Context, kernel, args string) (*Boot, error) {
	line := "BOOT_IMAGE=" + kernel + " " + args
	names, note := initrds(line)
	if note != "" {
		m.note("%s%s", m.inLabel(), note)
	}
	if path.Base(kernel) == "memdisk" {
		m.note("%smemdisk needs a BIOS, which a PV guest does not have", m.inLabel())
	}
	return m.kernel(ctx, kernel, names, line)
}

func (m *machine) inLabel() string {
	if m.label == "" {
		return ""
	}
	return "label " + m.label + ": "
}

func (m *machine) kernel(ctx context.Context, kernel string, initrds []string, args string) (*Boot, error) {
	b := &Boot{Outcome: Linux, Label: m.label, Args: args, after: m}
	var err error
	if b.Kernel, err = m.file(ctx, kernel); err != nil {
		return m.refused(ctx, "kernel", err)
	}
	for _, name := range initrds {
		url, err := m.resolve(name)
		if err != nil {
			return m.refused(ctx, "initrd", err)
		}
		if mangle(name) == "" {
			m.note("%san initrd has an empty name: PXELINUX asks for it, and boots nothing", m.inLabel())
		}
		b.Initrds = append(b.Initrds, url)
	}
	return b, nil
}

// file is the URL of a file. PXELINUX asks also for one without a name, but no
// TFTP server has such a file.
func (m *machine) file(ctx context.Context, name string) (string, error) {
	if mangle(name) == "" {
		if found, err := m.exists(ctx, name); err != nil {
			return "", err
		} else if !found {
			return "", nameError("no file named")
		}
	}
	return m.resolve(name)
}

// refused goes on after an error of file or resolve, if PXELINUX would.
func (m *machine) refused(ctx context.Context, what string, err error) (*Boot, error) {
	if errors.Is(err, ErrNotFound) {
		return m.fail(ctx, "%s: %w", what, err)
	}
	return nil, err
}

// initrds returns the files of the first initrd= on a command line. PXELINUX
// looks for these letters anywhere, as in noinitrd=; we want them at the start
// of a word. The note says where that, or another initrd=, makes a difference.
func initrds(line string) (names []string, note string) {
	const option = "initrd="
	count := 0
	for i := 0; i+len(option) <= len(line); i++ {
		if line[i:i+len(option)] != option {
			continue
		}
		if i > 0 && !isEnd(line[i-1]) {
			if count == 0 {
				note = fmt.Sprintf("PXELINUX would load the initrd of %q", lastWord(line[:i])+firstWord(line[i:]))
			}
			continue
		}
		if count++; count == 1 {
			list, _, _ := strings.Cut(line[i+len(option):], " ")
			names = strings.Split(list, ",")
		} else {
			note = "initrd= stands more than once: the first one is loaded (by PXELINUX 4 and linux.c32 the last)"
		}
	}
	return names, note
}

func lastWord(s string) string {
	for i := len(s); i > 0; i-- {
		if isEnd(s[i-1]) {
			return s[i:]
		}
	}
	return s
}

// chain is a boot program that takes over from PXELINUX.
func (m *machine) chain(ctx context.Context, name string) (*Boot, error) {
	url, err := m.file(ctx, name)
	if err != nil {
		return m.refused(ctx, "boot program", err)
	}
	return &Boot{Outcome: ChainBoot, Label: m.label, Kernel: url, after: m}, nil
}

// chdirConfig is CONFIG: PXELINUX starts anew with another configuration, and
// with dir as its current directory.
func (m *machine) chdirConfig(ctx context.Context, name, dir string) (*Boot, error) {
	name = mangle(absolute(m.cwd, name))
	text, url, err := m.read(ctx, name)
	m.fallbacks = nil
	if errors.Is(err, ErrNotFound) {
		return m.fail(ctx, "CONFIG %s: %w", url, ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	m.configName = name
	if dir = mangle(dir); dir != "" {
		m.cwd = absolute(m.cwd, dir)
	}
	if err := m.load(ctx, text, url); err != nil {
		return nil, err
	}
	return m.main(ctx)
}
