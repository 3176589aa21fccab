package console

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gopxeboot/gopxeboot/internal/menu"
)

var update = flag.Bool("update", false, "write the golden files anew")

// vt is as much of a VT100 as the menu needs.
type vt struct {
	width       int
	rows        []string
	marked      []bool // what was written last there stands out
	row, column int
	hidden      bool // the cursor
	inverse     bool
	wrong       string // what a terminal of that size would do something else with
	all         strings.Builder
}

func newVT(width, height int) *vt {
	return &vt{width: width, rows: make([]string, height), marked: make([]bool, height)}
}

func (v *vt) Write(p []byte) (int, error) {
	v.all.Write(p)
	for text := string(p); text != ""; {
		if rest, ok := strings.CutPrefix(text, "\x1b["); ok {
			i := strings.IndexFunc(rest, func(r rune) bool { return r >= '@' && r <= '~' })
			v.command(rest[:i], rest[i])
			text = rest[i+1:]
			continue
		}
		r := []rune(text)[0]
		text = text[len(string(r)):]
		if r == '\r' || r == '\n' {
			v.column = 0
			continue
		}
		line := []rune(v.rows[v.row] + strings.Repeat(" ", v.width+2))
		if columnsOf(r) > 0 {
			line[v.column] = r
		}
		if columnsOf(r) == 2 {
			line[v.column+1] = 0 // the other half
		}
		v.rows[v.row] = strings.TrimRight(string(line), " ")
		v.marked[v.row] = v.inverse
		if v.column += columnsOf(r); v.column >= v.width || r < ' ' {
			v.wrong = fmt.Sprintf("row %d: %q", v.row, v.rows[v.row])
		}
	}
	return len(p), nil
}

func (v *vt) command(parameters string, final byte) {
	switch final {
	case 'H':
		fmt.Sscanf(parameters, "%d;%d", &v.row, &v.column)
		v.row, v.column = v.row-1, v.column-1
		if v.row < 0 || v.row >= len(v.rows) || v.column < 0 || v.column >= v.width {
			v.wrong, v.row, v.column = "the cursor at "+parameters, 0, 0
		}
	case 'J':
		clear(v.rows)
	case 'K':
		v.rows[v.row] = cutTo(v.rows[v.row], v.column)
		v.marked[v.row] = v.marked[v.row] && v.column > 0
	case 'h', 'l':
		v.hidden = final == 'l'
	case 'm':
		v.inverse = parameters == "7"
	}
}

func (v *vt) String() string { return strings.TrimRight(strings.Join(v.rows, "\n"), "\n") + "\n" }

// picture is the screen in a frame, with what stands out and the cursor.
func (v *vt) picture() string {
	var b strings.Builder
	frame := "  +" + strings.Repeat("-", v.width) + "+\n"
	b.WriteString(frame)
	for i, text := range v.rows {
		side := " "
		if v.marked[i] {
			side = ">"
		}
		text = strings.ReplaceAll(text, "\x00", "")
		fmt.Fprintf(&b, "%s |%s%s|\n", side, text, strings.Repeat(" ", max(v.width-columns(text), 0)))
	}
	b.WriteString(frame)
	if !v.hidden {
		fmt.Fprintf(&b, "the cursor at row %d, column %d\n", v.row+1, v.column+1)
	}
	return b.String()
}

// long is a menu with more entries than a screen has rows, and wider ones.
func long() menu.Offer {
	m := menu.Menu{Title: strings.Repeat("A title that is too long ", 5), Edit: true, Parent: -1, Default: 1, TabMsg: "Press [Tab] to edit what is a long line of options", Autoboot: "Starts in # second{,s}"}
	for i := range 40 {
		m.Entries = append(m.Entries, menu.Entry{
			Text: fmt.Sprintf("%02d Größe ist %s", i, strings.Repeat("nicht alles ", i%9)), Kind: menu.Boots, Indent: i % 3,
			Line: "vmlinuz " + strings.Repeat("option=value ", i),
		})
	}
	m.Entries[1].Help = []string{"one", strings.Repeat("two ", 30), "three", "four", "five", "six, which is not shown"}
	return menu.Offer{Menus: []menu.Menu{m}}
}

// wide is a menu in wide characters.
func wide() menu.Offer {
	text := strings.Repeat("安装 GNU/Linux（图形界面）", 5)
	return menu.Offer{Menus: []menu.Menu{{Title: text, Edit: true, Parent: -1, Entries: []menu.Entry{
		{Text: text, Kind: menu.Boots}, {Text: "e\u0301 " + text, Kind: menu.Boots, Line: text},
	}}}}
}

// The screens, as a person sees them, by their golden files. No byte of the lab's is
// a command to the terminal.
func TestScreens(t *testing.T) {
	const up, down, end, escape, tab = "\x1b[A", "\x1b[B", "\x1b[F", "\x1b", "\t"
	failed := sample().Again(menu.Choice{Entry: 1}, "tftp://192.168.1.166/vmlinuz: not found\x1b[2J")
	prompt := menu.Offer{Say: []string{"Welcome to \x1b[31mthe lab", "linux or rescue"}}
	for _, c := range []struct {
		name, keys string
		offer      menu.Offer
	}{
		{"untouched", "", sample()},
		{"up", up, sample()},
		{"submenu", down + "\r" + down, sample()},
		{"password", down + down + "\rsesa", sample()},
		{"wrong-password", down + down + "\rx\r", sample()},
		{"edit", tab + " single", sample()},
		{"leave", escape + "linux te", sample()},
		{"failed", "", failed},
		{"prompt", "resc", prompt},
		{"long", "", long()},
		{"long-middle", "  ", long()},
		{"long-end", end, long()},
		{"long-edit", end + tab, long()},
		{"wide", down + tab + "\x01\xe4\xb8\xad", wide()},
		{"long-edit-begin", end + tab + "\x01x", long()},
	} {
		for _, size := range []struct{ width, height int }{{80, 25}, {40, 12}} {
			t.Run(fmt.Sprintf("%s-%dx%d", c.name, size.width, size.height), func(t *testing.T) {
				screen := newVT(size.width, size.height)
				shown(t, c.offer, c.keys, Terminal{Output: screen, Width: size.width, Height: size.height}, func() { golden(t, screen.picture()) })
				if screen.wrong != "" {
					t.Errorf("no terminal of %dx%d shows that: %s", size.width, size.height, screen.wrong)
				}
			})
		}
	}
	for _, c := range []struct {
		name, keys string
		offer      menu.Offer
	}{
		{"dumb", "", sample()},
		{"dumb-submenu", "4\r2", sample()},
		{"dumb-password", "5\rwrong\r5\rses", sample()},
		{"dumb-leave", "6\rlinux tex\x7f\x7f", sample()},
		{"dumb-failed", "", failed},
		{"dumb-prompt", "resc", prompt},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out strings.Builder
			shown(t, c.offer, c.keys, Terminal{Output: &out, Dumb: true}, func() {
				golden(t, strings.ReplaceAll(strings.ReplaceAll(out.String(), "\r\n", "\n"), "\b", "<backspace>")+"\n")
			})
			if text := out.String(); strings.ContainsAny(text, "\x1b\x07") || strings.Contains(text, "ses") {
				t.Errorf("%q", text)
			}
		})
	}
}

// shown calls look when the keys have been pressed, and ends the menu.
func shown(t *testing.T, o menu.Offer, typed string, terminal Terminal, look func()) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		input := make(chan byte)
		terminal.Input, terminal.First, terminal.Idle = input, 3*time.Second, time.Hour
		var all sync.WaitGroup
		all.Go(func() {
			if choice, err := terminal.Choose(ctx, o, right); !errors.Is(err, context.Canceled) {
				t.Errorf("%+v, %v", choice, err)
			}
		})
		press(typed, input, ctx.Done())
		time.Sleep(200 * time.Millisecond)
		synctest.Wait()
		look()
		cancel()
		all.Wait()
	})
}

// golden compares a text with the golden file of the test's name.
func golden(t *testing.T, got string) {
	t.Helper()
	name := filepath.Join("testdata", "screens", filepath.Base(t.Name())+".txt")
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func TestColumns(t *testing.T) {
	for text, want := range map[string]int{"": 0, "abc": 3, "Größe": 5, "安装": 4, "e\u0301": 1, "ｶﾅ": 2, "カナ": 4, "（）": 4, "🐧": 2, "한글": 4, "─│": 2} {
		if got := columns(text); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
	if got := cutTo("a安装b", 4); got != "a安" {
		t.Errorf("cut to %q", got)
	}
}

// The menu of a screen of any size stays on it.
func TestScreensOfAnySize(t *testing.T) {
	for _, size := range [][2]int{{0, 0}, {1, 1}, {20, 6}, {21, 7}, {19, 100}, {132, 50}, {400, 6}} {
		screen := newVT(size[0], size[1])
		if size[0] < 20 || size[1] < 6 { // which is taken for one that does not say
			screen = newVT(80, 24)
		}
		shown(t, long(), "\x1b[F\t\x01x\x1b  -", Terminal{Output: screen, Width: size[0], Height: size[1]}, func() {})
		if screen.wrong != "" {
			t.Errorf("%v: %s\n%s", size, screen.wrong, screen.picture())
		}
	}
}
