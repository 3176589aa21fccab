package console

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/menu"
	"github.com/gopxeboot/gopxeboot/internal/printable"
)

// Terminal is where a user chooses what boots. It has to be raw: each key
// comes at once, and is not shown by the terminal itself.
type Terminal struct {
	Input         <-chan byte // what is typed; closed when the terminal is gone
	Output        io.Writer
	Width, Height int  // 0 where not known
	Dumb          bool // it has no cursor that moves: a list, and a number that is typed

	// First is how long the first key is waited for, and Idle how long every
	// other one is. Then what boots untouched boots.
	First, Idle time.Duration
}

// Choose lets a user choose. valid says why a choice's password is not the
// right one, and is asked before Choose returns it. The error wraps menu.ErrUntouched when no one chose,
// and io.ErrUnexpectedEOF when the terminal is gone.
func (t *Terminal) Choose(ctx context.Context, o menu.Offer, valid func(menu.Choice) error) (menu.Choice, error) {
	c := &chooser{t: t, offer: o, valid: valid, keys: keys{t.Input}, first: t.First, message: printable.Text(o.Failed)}
	c.begin()
	c.screen = newScreen(t.Output, t.Width, t.Height)
	defer c.screen.end()
	var choice menu.Choice
	var err error
	switch {
	case t.Dumb:
		choice, err = c.list(ctx)
	case len(o.Menus) == 0:
		choice, err = c.prompt(ctx)
	default:
		choice, err = c.menus(ctx)
	}
	return choice, err
}

// chooser is one choice while it is made.
type chooser struct {
	t      *Terminal
	screen *screen
	keys   keys
	offer  menu.Offer
	valid  func(menu.Choice) error

	first   time.Duration // what is left of Terminal.First; 0 once a key was pressed
	menu    int
	at      []int // the entry that is highlighted, of each menu
	message string
}

// begin is where a menu starts.
func (c *chooser) begin() {
	c.menu, c.at = c.offer.Start, nil
	for _, m := range c.offer.Menus {
		c.at = append(c.at, m.Default)
	}
}

// menus shows the menus until something is chosen.
func (c *chooser) menus(ctx context.Context) (menu.Choice, error) {
	if c.offer.AtPrompt {
		if choice, done, err := c.leaveTo(ctx, &c.offer.Menus[c.menu]); done || err != nil {
			return choice, err
		}
	}
	for {
		m := &c.offer.Menus[c.menu]
		k, err := c.press(ctx, func() { c.draw(m); c.screen.flush() })
		if err != nil {
			return menu.Choice{}, err
		}
		c.message = ""
		var done bool
		var choice menu.Choice
		switch k {
		case keyUp, control('P'), '-':
			c.step(m, -1, 1)
		case keyDown, control('N'), '+':
			c.step(m, 1, 1)
		case keyPageUp, keyLeft, control('B'), '<':
			c.step(m, -1, c.rows(m))
		case keyPageDown, keyRight, control('F'), ' ', '>':
			c.step(m, 1, c.rows(m))
		case keyHome, control('A'):
			c.step(m, -1, len(m.Entries))
		case keyLast, control('E'):
			c.step(m, 1, len(m.Entries))
		case keyEnter:
			choice, done, err = c.enter(ctx, m)
		case keyTab:
			choice, done, err = c.edit(ctx, m)
		case keyEscape, control('C'):
			choice, done, err = c.leave(ctx, m)
		default:
			if c.hotkey(m, k) && m.Immediate && m.Entries[c.at[c.menu]].Kind == menu.Boots {
				choice, done, err = c.enter(ctx, m)
			}
		}
		if done || err != nil {
			return choice, err
		}
	}
}

// press is the next key. While none was pressed draw is called once a second,
// for what is left of First.
func (c *chooser) press(ctx context.Context, draw func()) (key, error) {
	for {
		if len(c.keys.input) == 0 { // else the next key changes it at once, and a log would have each
			draw()
		}
		if c.screen.err != nil {
			return 0, c.screen.err
		}
		wait := c.t.Idle
		if c.first > 0 {
			wait = min(c.first, time.Second)
		}
		switch k := c.keys.next(ctx, time.After(wait)); {
		case k == keyLate && c.first > wait:
			c.first -= wait
		case k == keyLate:
			return 0, menu.ErrUntouched
		case k == keyGone && ctx.Err() != nil:
			return 0, context.Cause(ctx)
		case k == keyGone:
			return 0, io.ErrUnexpectedEOF
		default:
			c.first = 0
			return k, nil
		}
	}
}

// step highlights another entry that can be chosen, n lines on or more.
func (c *chooser) step(m *menu.Menu, by, n int) {
	for i := c.at[c.menu] + by; i >= 0 && i < len(m.Entries); i += by {
		n--
		if m.Entries[i].Kind != menu.Separator {
			if c.at[c.menu] = i; n <= 0 {
				return
			}
		}
	}
}

// hotkey highlights the entry of a key, if there is one.
func (c *chooser) hotkey(m *menu.Menu, k key) bool {
	for i, e := range m.Entries {
		if e.Hotkey != 0 && e.Kind != menu.Separator && strings.EqualFold(string(rune(k)), string(rune(e.Hotkey))) {
			c.at[c.menu] = i
			return true
		}
	}
	return false
}

// enter is Enter on the entry that is highlighted.
func (c *chooser) enter(ctx context.Context, m *menu.Menu) (choice menu.Choice, done bool, err error) {
	e := &m.Entries[c.at[c.menu]]
	choice = menu.Choice{Menu: c.menu, Entry: c.at[c.menu]}
	if e.Locked && e.Kind != menu.Separator {
		if choice.Password, done, err = c.password(ctx, choice); !done || err != nil {
			return choice, false, err
		}
	}
	switch e.Kind {
	case menu.Boots:
		return choice, true, nil
	case menu.Opens:
		c.menu = e.To
	case menu.Leaves:
		return c.leaveTo(ctx, m)
	}
	return choice, false, nil
}

// edit lets one change the command line of the entry that is highlighted.
func (c *chooser) edit(ctx context.Context, m *menu.Menu) (choice menu.Choice, done bool, err error) {
	e := &m.Entries[c.at[c.menu]]
	if e.Kind != menu.Boots || !m.Edit {
		return choice, false, nil
	}
	choice = menu.Choice{Menu: c.menu, Entry: c.at[c.menu], Line: e.Line}
	if c.offer.Locked(choice) {
		if choice.Password, done, err = c.password(ctx, choice); !done || err != nil {
			return choice, false, err
		}
	}
	line, done, err := c.line(ctx, "> ", printable.Text(e.Line), false)
	if choice.Line = line; line == printable.Text(e.Line) {
		choice.Line = ""
	}
	return choice, done, err
}

// leave is Esc: the menu above, or the prompt.
func (c *chooser) leave(ctx context.Context, m *menu.Menu) (choice menu.Choice, done bool, err error) {
	switch {
	case m.Parent >= 0:
		c.menu = m.Parent
		return choice, false, nil
	case !m.Leave:
		return choice, false, nil
	}
	return c.leaveTo(ctx, m)
}

// leaveTo is the prompt, by Esc or by an entry, or the menus anew.
func (c *chooser) leaveTo(ctx context.Context, m *menu.Menu) (choice menu.Choice, done bool, err error) {
	choice = menu.Choice{Menu: c.menu, Entry: -1}
	if m.Locked {
		if choice.Password, done, err = c.password(ctx, choice); !done || err != nil {
			return choice, false, err
		}
	}
	if !c.offer.Anew {
		c.screen.clear()
		choice.Line, done, err = c.line(ctx, "boot: ", "", false)
		if !done || choice.Line != "" || err != nil {
			return choice, done, err
		}
	}
	c.begin() // by the DEFAULT command, which is the menu
	return choice, false, nil
}

// prompt is a program that has no menu.
func (c *chooser) prompt(ctx context.Context) (menu.Choice, error) {
	for i, text := range c.offer.Say {
		c.screen.put(i, printable.Text(text))
	}
	for {
		line, done, err := c.line(ctx, "boot: ", "", false)
		if done || err != nil {
			return menu.Choice{Entry: -1, Line: line}, err
		}
	}
}

// password asks for one; not done is Esc, or a wrong one, which leads back to the
// menu.
func (c *chooser) password(ctx context.Context, choice menu.Choice) (word string, done bool, err error) {
	if word, done, err = c.line(ctx, "Password: ", "", true); !done || err != nil {
		return word, done, err
	}
	choice.Password = word
	if err := c.valid(choice); err != nil {
		c.message = printable.Text(err.Error())
		return word, false, nil
	}
	return word, true, nil
}

// line lets one type a line at the bottom; not done is Esc.
func (c *chooser) line(ctx context.Context, ask, text string, secret bool) (line string, done bool, err error) {
	e := newEditor(text)
	row := c.screen.height - 1
	draw := func() {
		shown, column := e.view(c.screen.width - len(ask) - 1)
		if secret {
			shown = strings.Repeat("*", len([]rune(shown)))
		}
		c.screen.put(row-1, c.message)
		c.screen.put(row, ask+shown)
		c.screen.row, c.screen.column = row, len(ask)+column
		c.screen.flush()
	}
	defer func() {
		c.screen.put(row, "")
		c.screen.row = -1
	}()
	for {
		k, err := c.press(ctx, draw)
		if err != nil {
			return "", false, err
		}
		c.message = ""
		switch k {
		case keyEnter:
			return e.String(), true, nil
		case keyEscape, control('C'):
			return "", false, nil
		}
		e.press(k)
	}
}

// helpRows is what the help of entries takes of the screen: as many lines as the
// longest has, five at most, and a quarter of the screen.
func (c *chooser) helpRows(m *menu.Menu) (rows int) {
	for _, e := range m.Entries {
		rows = max(rows, len(e.Help))
	}
	return min(rows, 5, c.screen.height/4)
}

func (c *chooser) rows(m *menu.Menu) int {
	rows := c.screen.height - 5
	if help := c.helpRows(m); help > 0 {
		return max(rows-help-1, 1)
	}
	return rows
}

func (c *chooser) draw(m *menu.Menu) {
	s, at, rows := c.screen, c.at[c.menu], c.rows(m)
	s.clear()
	title := cutTo(printable.Text(m.Title), s.width-4)
	s.put(0, strings.Repeat(" ", max((s.width-columns(title))/2, 0))+title)
	top := max(min(at-rows/2, len(m.Entries)-rows), 0)
	for i := top; i < min(top+rows, len(m.Entries)); i++ {
		e := &m.Entries[i]
		text := "  " + strings.Repeat("  ", min(max(e.Indent, 0), 10)) + printable.Text(e.Text)
		if e.Kind == menu.Opens {
			text += " >"
		}
		if i == at {
			s.mark(2+i-top, text+"  ")
		} else {
			s.put(2+i-top, text)
		}
	}
	help := c.helpRows(m)
	for i, text := range m.Entries[at].Help[:min(len(m.Entries[at].Help), help)] {
		s.put(s.height-help-2+i, printable.Text(text))
	}
	s.put(s.height-2, c.message)
	switch {
	case c.first > 0:
		seconds := int((c.first + time.Second - 1) / time.Second)
		s.put(s.height-1, printable.Text(counted(cmp.Or(m.Autoboot, "Automatic boot in # second{,s}..."), seconds)))
	case m.Edit:
		s.put(s.height-1, printable.Text(cmp.Or(m.TabMsg, "Press [Tab] to edit options")))
	}
}

// counted is a text with a number for "#" and the form of a word that goes with
// it: {of one,of more} or {of one,of two,of more} (com32/menu/menumain.c,
// print_timeout).
func counted(text string, n int) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, "{")
		b.WriteString(strings.ReplaceAll(before, "#", strconv.Itoa(n)))
		inside, after, closed := strings.Cut(rest, "}")
		if !found || !closed {
			return b.String()
		}
		forms := strings.Split(inside, ",")
		b.WriteString(forms[min(max(n-1, 0), len(forms)-1)])
		text = after
	}
}

// list is the menu of a terminal that can only print lines.
func (c *chooser) list(ctx context.Context) (menu.Choice, error) {
	for _, text := range c.offer.Say {
		c.printf("%s\r\n", printable.Text(text))
	}
	for {
		if c.message != "" {
			c.printf("%s\r\n", c.message)
			c.message = ""
		}
		choice := menu.Choice{Entry: -1}
		if len(c.offer.Menus) > 0 && !c.offer.AtPrompt {
			var err error
			if choice, err = c.number(ctx); err != nil {
				return choice, err
			}
		}
		c.offer.AtPrompt = false
		e := c.offer.At(choice)
		if e != nil && e.Kind == menu.Leaves {
			choice.Entry = -1
		}
		var err error
		if e != nil && e.Locked || c.offer.Locked(choice) {
			c.printf("password: ")
			if choice.Password, err = c.plainLine(ctx, false); err != nil {
				return choice, err
			}
			if err := c.valid(choice); err != nil {
				c.message = printable.Text(err.Error())
				continue
			}
		}
		switch {
		case choice.Entry < 0 && c.offer.Anew:
			c.begin()
		case choice.Entry < 0:
			c.printf("boot: ")
			choice.Line, err = c.plainLine(ctx, true)
			if err != nil || choice.Line != "" || len(c.offer.Menus) == 0 {
				return choice, err
			}
		case e.Kind == menu.Boots:
			return choice, nil
		case e.Kind == menu.Opens:
			c.menu = e.To
		}
	}
}

func (c *chooser) printf(format string, args ...any) { c.screen.write(fmt.Sprintf(format, args...)) }

// number is an entry by its number in the list; nothing typed is the one that is
// highlighted.
func (c *chooser) number(ctx context.Context) (menu.Choice, error) {
	m := &c.offer.Menus[c.menu]
	for {
		c.printf("%s\r\n", printable.Text(m.Title))
		for i, e := range m.Entries {
			if e.Kind == menu.Separator {
				c.printf("    %s\r\n", printable.Text(e.Text))
			} else {
				c.printf("%3d %s\r\n", i+1, printable.Text(e.Text))
			}
		}
		c.printf("number [%d]: ", c.at[c.menu]+1)
		line, err := c.plainLine(ctx, true)
		if err != nil {
			return menu.Choice{}, err
		}
		if n, err := strconv.Atoi(line); err == nil && n >= 1 && n <= len(m.Entries) {
			c.at[c.menu] = n - 1
		} else if line != "" {
			continue
		}
		return menu.Choice{Menu: c.menu, Entry: c.at[c.menu]}, nil
	}
}

// plainLine is a line that is typed, and shown on a terminal that can only print.
func (c *chooser) plainLine(ctx context.Context, shown bool) (string, error) {
	var line []rune
	for {
		k, err := c.press(ctx, func() {})
		switch {
		case err != nil:
			return "", err
		case k == keyEnter:
			c.screen.write("\r\n")
			return string(line), nil
		case k == keyBackspace && len(line) > 0:
			line = line[:len(line)-1]
			if shown {
				c.screen.write("\b \b")
			}
		case k > ' ' && k < 0x7f && len(line) < maxTyped, k == ' ':
			line = append(line, rune(k))
			if shown {
				c.screen.write(string(rune(k)))
			}
		}
	}
}
