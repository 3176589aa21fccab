package grub

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// How much a configuration may ask of us.
const (
	maxSteps     = 100_000  // commands that run
	maxWork      = 64 << 20 // bytes that variables, arguments and files make, together
	maxArguments = 64 << 10 // bytes of one command's arguments
	maxDepth     = 32       // functions, files and menus in each other
	maxEntries   = 10_000   // menu entries, together
	maxFile      = 8 << 20  // bytes of a file, which may be GRUB itself
	maxFiles     = 1024
	maxProblems  = 100 // that are remembered
)

// ErrTooLarge is what an error wraps when a configuration passes a limit of
// this package: 100,000 commands, 64 MiB of text that it makes, 32 functions,
// files and menus in each other, or 10,000 entries.
var ErrTooLarge = errors.New("it does not end, or is too large")

// A Problem is a line that did nothing, or not what it says.
type Problem struct {
	Position
	Text string
}

func (p Problem) String() string { return p.prefix() + p.Text }

// machine is GRUB while it runs.
type machine struct {
	ctx   context.Context
	host  *Host
	image *Image
	files *files

	open    bool   // Choice.Open
	wanted  string // the entry that somebody asks for; "" leaves it to the configuration
	missing map[string]bool

	scopes     []*scope
	functions  map[string][]statement
	parameters []string // $1 and so on
	inScope    bool     // there are parameters, if only none

	// As in script/execute.c.
	loops, breaks int
	continues     bool
	returned      bool

	at       Position // of the command that runs
	loaded   *Boot    // what boot would start
	problems []Problem
	tried    *[]Try
	config   string // URL of the file that the search found
	searched bool   // a command looked for it
	waits    bool   // a menu waited

	top        *menu // the first menu that was shown
	topDefault string
	highlight  int
	seconds    int64

	// Of the entry that runs, or ran last.
	entry   *entry
	inEntry []Problem
	disk    Position // where a disk was last looked for
	asked   bool     // for a kernel that the server does not have

	steps, work, entries, depth int

	boot *Boot // what boots: the end
	err  error // why nothing does: the end, too
}

// over says that there is nothing more to run.
func (m *machine) over() bool { return m.boot != nil || m.err != nil }

// fail ends the run.
func (m *machine) fail(format string, args ...any) {
	if !m.over() {
		m.err = fmt.Errorf("%s%w", m.at.prefix(), fmt.Errorf(format, args...))
	}
}

func (m *machine) spend(bytes int) {
	if m.work += bytes; m.work > maxWork {
		m.fail("%w: more than %d bytes of text", ErrTooLarge, maxWork)
	}
}

// down enters a function, file or menu, up leaves it.
func (m *machine) down() {
	if m.depth++; m.depth > maxDepth {
		m.fail("%w: %d functions, files and menus in each other", ErrTooLarge, maxDepth)
	}
}

func (m *machine) up() { m.depth-- }

func (m *machine) note(format string, args ...any) {
	if len(m.problems) < maxProblems {
		m.problems = append(m.problems, Problem{m.at, fmt.Sprintf(format, args...)})
	}
}

// failure is a command that failed: GRUB's number for it, and its message.
type failure struct {
	status int
	text   string
}

// GRUB's numbers (include/grub/err.h), as far as a configuration sees them.
const (
	testFailure   = 1
	fileNotFound  = 5
	unknownDevice = 12
	badArgument   = 18
	notLoaded     = 22
	badMenu       = 27
	inputOutput   = 29
)

func failed(status int, format string, args ...any) *failure {
	return &failure{status, fmt.Sprintf(format, args...)}
}

// errFalse is a test that says no: no error, and nothing to tell.
var errFalse = &failure{status: testFailure}

// run runs a list of statements, and returns the last one's status.
func (m *machine) run(list []statement) (status int) {
	for _, s := range list {
		if m.breaks > 0 || m.over() {
			break
		}
		status = m.statement(s)
		m.set("?", strconv.Itoa(status))
		if m.returned {
			break
		}
	}
	return status
}

func (m *machine) statement(s statement) int {
	switch s := s.(type) {
	case *command:
		m.at = s.Position
		return m.command(s)
	case *conditional:
		return m.conditional(s)
	case *forLoop:
		return m.forLoop(s)
	case *loop:
		return m.loop(s)
	}
	return 0
}

func (m *machine) conditional(c *conditional) int {
	status := m.run(c.condition)
	switch {
	case m.returned:
		return status
	case m.get("?") == "0":
		return m.run(c.then)
	}
	return m.run(c.otherwise)
}

func (m *machine) forLoop(f *forLoop) (status int) {
	m.at = f.Position
	m.loops++
	for _, value := range m.expand(f.words) {
		if m.continues && m.breaks == 1 {
			m.breaks = 0
		}
		if m.breaks == 0 && !m.over() {
			m.set(f.name, value)
			if status = m.run(f.body); m.returned {
				break
			}
		}
	}
	m.leaveLoop()
	return status
}

func (m *machine) loop(l *loop) (status int) {
	m.loops++
	for !m.over() {
		m.at = l.Position
		m.step()
		if status = m.run(l.condition); m.returned || (status == 0) == l.until {
			break
		}
		if status = m.run(l.body); m.returned {
			break
		}
		if m.breaks == 1 && m.continues {
			m.breaks = 0
		}
		if m.breaks > 0 {
			break
		}
	}
	m.leaveLoop()
	return status
}

func (m *machine) leaveLoop() {
	if m.breaks > 0 {
		m.breaks--
	}
	m.loops--
}

func (m *machine) step() {
	if m.steps++; m.steps > maxSteps {
		m.fail("%w: more than %d commands", ErrTooLarge, maxSteps)
	}
	if err := m.ctx.Err(); err != nil && !m.over() {
		m.err = err
	}
}

// command runs one command: one of GRUB's, a function, or an assignment. What
// is none of them counts as done.
func (m *machine) command(c *command) (status int) {
	m.step()
	args := m.expand(c.words)
	if c.block != nil && len(args) > 0 {
		args = append(args, c.block.raw())
	}
	invert := len(args) > 0 && args[0] == "!"
	if invert {
		args = args[1:]
	}
	if m.over() || len(args) == 0 {
		return 0
	}
	var failure *failure
	name := args[0]
	if run := builtin(name); run != nil {
		failure = run(m, args, c.block)
	} else if body, known := m.functions[name]; known {
		status = m.call(body, args[1:])
	} else {
		if name, value, found := strings.Cut(name, "="); !found {
			m.note("there is no command %s, which GRUB takes for done", shown(name))
		} else if !special(name) {
			m.set(name, value)
		}
		return 0
	}
	if failure != nil {
		status = failure.status
		if failure.text != "" {
			m.note("%s: %s", name, failure.text)
		}
	}
	switch {
	case !invert:
		return status
	case status == 0:
		return testFailure
	}
	return 0
}

// shown is a name in quotes where a part of it would not be seen.
func shown(name string) string {
	if quoted := strconv.Quote(name); quoted != `"`+name+`"` {
		return quoted
	}
	return name
}

// special says whether a name is a parameter's, which can't be assigned to.
func special(name string) bool {
	return name == "" || isDigit(name[0]) || name == "#" || name == "*" || name == "@"
}

func (m *machine) call(body []statement, args []string) int {
	m.down()
	defer m.up()
	parameters, inScope, loops := m.parameters, m.inScope, m.loops
	m.parameters, m.inScope, m.loops = args, true, 0
	status := m.run(body)
	m.parameters, m.inScope, m.loops, m.returned = parameters, inScope, loops, false
	return status
}

// text runs a script, statement by statement: a line that GRUB does not
// understand does not keep the next one from running.
func (m *machine) text(file, text string) {
	for src := newSource(file, text); !m.over(); {
		list, more, err := src.parse(func(f function) { m.functions[f.name] = f.body })
		if !more {
			break
		}
		if syntax, ok := errors.AsType[*SyntaxError](err); ok {
			m.at = syntax.Position
			m.note("%v", syntax)
		}
		m.run(list)
	}
}
