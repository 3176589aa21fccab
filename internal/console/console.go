// Package console is what a user sees: one line a stage on standard error,
// which under xl and xm is the guest's console and the bootloader's log.
//
// The rules of output: everything begins with "gopxeboot: ", has no colour,
// no capital at its start and no full stop at its end. Results never come
// here, and nothing else goes where results go.
package console

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/printable"
	"github.com/gopxeboot/gopxeboot/xenout"
	"golang.org/x/term"
)

// Level is how much a user wants to see.
type Level int

// From less to more.
const (
	Quiet   Level = iota // warnings and errors
	Normal               // and a line a stage
	Verbose              // and why each thing was done
)

// Console prints lines. Its methods may be called from several goroutines.
type Console struct {
	mu    sync.Mutex
	w     io.Writer
	level Level
	end   string

	kept    bool     // lines are kept: none is replaced
	held    []string // lines that wait for Hold's end; nil when none do
	shown   int      // length of the progress line; 0 when there is none
	shownAt time.Time
	keptAt  time.Duration // that the download had taken at the last line that was kept
}

// New returns a console that prints to w.
//
// On a terminal lines end in CR LF: libxl and xend make the bootloader's
// terminal raw, some time after they started it (libxl_bootloader.c,
// bootloader_gotptys), and one that is not raw shows the same.
func New(w io.Writer, level Level) *Console {
	c := &Console{w: w, level: level, end: "\n"}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		c.end = "\r\n"
	}
	return c
}

// Stage says that a stage is done, and with what result.
func (c *Console) Stage(text string) {
	if c.level >= Normal {
		c.print(text)
	}
}

// Detail says why something was done.
func (c *Console) Detail(text string) {
	if c.level >= Verbose {
		c.print(text)
	}
}

// Warn says what should be changed though it boots.
func (c *Console) Warn(text string) { c.print("warning: " + text) }

// Error says why it does not boot.
func (c *Console) Error(err error) { c.print(oneLine(err)) }

// oneLine has what errors.Join joined with a separator that can be seen.
func oneLine(err error) string {
	return strings.ReplaceAll(strings.TrimSpace(err.Error()), "\n", "; ")
}

// Failure says once more, and for a toolstack to show, why it does not boot.
// Of all lines only this has the toolstack's prefix.
func (c *Console) Failure(toolstack xenout.Toolstack, err error) {
	if prefix := toolstack.FailurePrefix(); prefix != "" {
		c.line(prefix, oneLine(err))
	}
}

func (c *Console) print(text string) { c.line("gopxeboot: ", text) }

// line prints one, all of which but the prefix may be foreign text: a server's,
// another program's, the name of a file.
func (c *Console) line(prefix, text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	text = strings.ReplaceAll(printable.Redacted(text), failure, strings.Replace(failure, "Error", " Error", 1))
	line := fmt.Sprintf("%s%s%s%s", c.clear(), prefix, text, c.end)
	if c.held == nil {
		io.WriteString(c.w, line)
	} else if len(c.held) < maxHeld {
		c.held = append(c.held, line)
	}
}

// maxHeld is how many lines wait for a screen to be free.
const maxHeld = 1000

// Hold leaves the screen to a menu: lines wait until the function that it returns
// is called, and progress is not shown.
func (c *Console) Hold() (release func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	io.WriteString(c.w, c.clear())
	c.held = []string{}
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, line := range c.held {
			io.WriteString(c.w, line)
		}
		c.held = nil
	}
}

// failure is what XAPI looks for, from the front: what follows the first one is
// what it shows (bootloader.ml, parse_exception).
var failure = xenout.XAPI.FailurePrefix()
