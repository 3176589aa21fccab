package console

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gopxeboot/gopxeboot/internal/menu"
)

func sample() menu.Offer {
	return menu.Offer{
		Menus: []menu.Menu{{
			Title: "Lab", Edit: true, Leave: true, Default: 1, Parent: -1, Autoboot: "Boots in # second{,s}",
			Entries: []menu.Entry{
				{Text: "Install", Kind: menu.Boots, Hotkey: 'i', Line: "linux quiet"},
				{Text: "Rescue", Kind: menu.Boots, Hotkey: 'r', Line: "linux rescue", Help: []string{"A shell"}},
				{Text: "----", Kind: menu.Separator},
				{Text: "More", Kind: menu.Opens, To: 1, Indent: 1},
				{Text: "Secret", Kind: menu.Boots, Locked: true},
				{Text: "Out", Kind: menu.Leaves},
			},
		}, {
			Title: "More", Edit: true, Parent: 0,
			Entries: []menu.Entry{{Text: "Memory test", Kind: menu.Boots}, {Text: "evil \x1b[2J\x07", Kind: menu.Boots}},
		}},
	}
}

func right(c menu.Choice) error {
	if c.Password != "sesame" {
		return menu.ErrPassword
	}
	return nil
}

// choose types these keys one after the other, each 10 ms behind the last, and
// returns what is on the screen at the end, too.
func choose(t *testing.T, o menu.Offer, typed string, change func(*Terminal)) (choice menu.Choice, screen *vt, took time.Duration, err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		input := make(chan byte)
		screen = newVT(80, 24)
		terminal := &Terminal{Input: input, Output: screen, First: 3 * time.Second, Idle: 20 * time.Second}
		if change != nil {
			change(terminal)
		}
		done := make(chan struct{})
		var typing sync.WaitGroup
		typing.Go(func() { press(typed, input, done) })
		begin := time.Now()
		choice, err = terminal.Choose(t.Context(), o, right)
		took = time.Since(begin)
		close(done)
		typing.Wait()
	})
	return choice, screen, took, err
}

// press presses these keys one after the other until done: 10 ms behind the last, and
// 1 s behind an Esc that begins no sequence.
func press(typed string, input chan<- byte, done <-chan struct{}) {
	for i := range len(typed) {
		if i > 0 && typed[i-1] == 0x1b && typed[i] != '[' && typed[i] != 'O' {
			time.Sleep(time.Second)
		}
		time.Sleep(10 * time.Millisecond)
		select {
		case input <- typed[i]:
		case <-done:
			return
		}
	}
}

func TestChoose(t *testing.T) {
	const up, down, esc = "\x1b[A", "\x1b[B", "\x1b"
	for _, c := range []struct {
		name, keys string
		want       menu.Choice
	}{
		{"Enter", "\r", menu.Choice{Entry: 1}},
		{"up", up + "\r", menu.Choice{Entry: 0}},
		{"up as a VT100 with application keys", "\x1bOA\r", menu.Choice{Entry: 0}},
		{"up by Ctrl-P, and a line feed", "\x10\n", menu.Choice{Entry: 0}},
		{"up past the first", up + up + up + "\r", menu.Choice{Entry: 0}},
		{"a hotkey, upper case", "I\r", menu.Choice{Entry: 0}},
		{"a submenu over a separator", down + "\r" + "\r", menu.Choice{Menu: 1, Entry: 0}},
		{"a submenu and back", down + "\r" + esc + up + "\r", menu.Choice{Entry: 1}},
		{"a password", down + down + "\rsesame\r", menu.Choice{Entry: 4, Password: "sesame"}},
		{"a wrong password, and the right one", down + down + "\rwrong\r\rsesame\r", menu.Choice{Entry: 4, Password: "sesame"}},
		{"a wrong password, and another entry", down + down + "\rwrong\ri\r", menu.Choice{Entry: 0}},
		{"no password", down + down + "\r" + esc + "i\r", menu.Choice{Entry: 0}},
		{"one by one", "+---\r", menu.Choice{Entry: 0}},
		{"page by page", "><\r", menu.Choice{Entry: 0}},
		{"edited", "\t single\r", menu.Choice{Entry: 1, Line: "linux rescue single"}},
		{"edited in the middle", "\t\x01\x06\x06\x06\x06\x06X\x17vmlinuz\x1b[3~\x1b[3~\r", menu.Choice{Entry: 1, Line: "vmlinuzescue"}},
		{"edited, but not changed", "\tx\x7f\r", menu.Choice{Entry: 1}},
		{"not edited after all", "\txyz" + esc + "\r", menu.Choice{Entry: 1}},
		{"the prompt", esc + "linux text\r", menu.Choice{Entry: -1, Line: "linux text"}},
		{"the prompt by an entry", "\x1b[F\rhd0\r", menu.Choice{Entry: -1, Line: "hd0"}},
		{"the prompt and back", up + esc + "x" + esc + "\r", menu.Choice{Entry: 0}},
		{"the prompt, and the menu anew", up + esc + "\r\r", menu.Choice{Entry: 1}},
		{"noise", "\xff\xfe\x00\x1b[999999999999999999999Zq\x1b[5;2$\x1bxé\r", menu.Choice{Entry: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, screen, _, err := choose(t, sample(), c.keys, nil)
			if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s\n%s", err, diff, screen)
			}
		})
	}
}

// A menu with a password of its own asks for it before a line is edited, and
// before the prompt.
func TestLocked(t *testing.T) {
	o := sample()
	o.Menus[0].Locked = true
	for keys, want := range map[string]*menu.Choice{
		"\r":                         {Entry: 1},
		"\tsesame\r single\r":        {Entry: 1, Line: "linux rescue single", Password: "sesame"},
		"\tsesame\r\r":               {Entry: 1, Password: "sesame"},
		"\twrong\ri\r":               {Entry: 0},
		"\x1bsesame\rhd0\r":          {Entry: -1, Line: "hd0", Password: "sesame"},
		"\x1bwrong\r\x1b[F\rwrong\r": nil,
	} {
		got, screen, _, err := choose(t, o, keys, nil)
		if want == nil {
			if !errors.Is(err, menu.ErrUntouched) {
				t.Errorf("%q: %+v, %v", keys, got, err)
			}
		} else if diff := cmp.Diff(*want, got); diff != "" || err != nil {
			t.Errorf("%q: %v (-want +got):\n%s\n%s", keys, err, diff, screen)
		}
	}
}

// Where there is no prompt, who leaves the menu finds it begun anew.
func TestAnew(t *testing.T) {
	o := sample()
	o.Anew = true
	for _, keys := range []string{"\x1b[A\x1b\r", "\x1b[F\r\r"} {
		got, screen, _, err := choose(t, o, keys, nil)
		if diff := cmp.Diff(menu.Choice{Entry: 1}, got); diff != "" || err != nil {
			t.Errorf("%q: %v (-want +got):\n%s\n%s", keys, err, diff, screen)
		}
	}
}

// A hotkey that counts as Enter boots its entry, and opens no menu.
func TestImmediate(t *testing.T) {
	o := sample()
	o.Menus[0].Immediate = true
	o.Menus[0].Entries[3].Hotkey = 'm'
	got, screen, _, err := choose(t, o, "mi", nil)
	if diff := cmp.Diff(menu.Choice{Entry: 0}, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s\n%s", err, diff, screen)
	}
}

// Where a choice did not boot, the menu is shown again with why, where it was
// chosen or typed.
func TestAgain(t *testing.T) {
	for _, c := range []struct {
		name, keys string
		before     menu.Choice
		dumb       bool
		want       menu.Choice
	}{
		{"an entry", "\r", menu.Choice{Entry: 4}, false, menu.Choice{Entry: 4, Password: "sesame"}},
		{"a submenu's", "\x1b[B\r", menu.Choice{Menu: 1}, false, menu.Choice{Menu: 1, Entry: 1}},
		{"edited", "\r", menu.Choice{Entry: 0, Line: "x"}, false, menu.Choice{Entry: 0}},
		{"typed", "linux\r", menu.Choice{Entry: -1, Line: "x"}, false, menu.Choice{Entry: -1, Line: "linux"}},
		{"typed, and the menu after all", "\r\r", menu.Choice{Entry: -1, Line: "x"}, false, menu.Choice{Entry: 1}},
		{"by a number", "\r", menu.Choice{Menu: 1, Entry: 1}, true, menu.Choice{Menu: 1, Entry: 1}},
		{"typed on a dumb terminal", "linux\r", menu.Choice{Entry: -1, Line: "x"}, true, menu.Choice{Entry: -1, Line: "linux"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := sample().Again(c.before, "linux: the server\x1b has no such file")
			keys := c.keys
			if c.want.Password != "" {
				keys += "sesame\r"
			}
			got, screen, _, err := choose(t, o, keys, func(t *Terminal) { t.Dumb, t.First = c.dumb, 0 })
			if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s\n%s", err, diff, screen)
			}
			if !strings.Contains(screen.all.String(), "linux: the server? has no such file") {
				t.Errorf("why is not shown:\n%q", screen.all.String())
			}
		})
	}
}

func TestUntouched(t *testing.T) {
	for _, c := range []struct {
		name, keys string
		took       time.Duration
	}{
		{"no key", "", 3 * time.Second},
		{"a key, and no other", "\x1b[A", 20*time.Second + 30*time.Millisecond},
		{"at the prompt", "\x1b", 20*time.Second + 110*time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, screen, took, err := choose(t, sample(), c.keys, nil)
			if !errors.Is(err, menu.ErrUntouched) || c.keys == "" && took != c.took || took < c.took || took > c.took+time.Second {
				t.Errorf("after %v: %v\n%s", took, err, screen)
			}
		})
	}
}

// What the toolstack sees when the terminal goes away, or our time is over.
func TestChooseEnds(t *testing.T) {
	gone := make(chan byte)
	close(gone)
	terminal := &Terminal{Input: gone, Output: io.Discard, First: time.Second, Idle: time.Second}
	if _, err := terminal.Choose(t.Context(), sample(), right); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("gone: %v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("terminated"))
	terminal.Input = make(chan byte)
	if _, err := terminal.Choose(ctx, sample(), right); err == nil || err.Error() != "terminated" {
		t.Errorf("cancelled: %v", err)
	}
}

// A countdown writes one short line a second: all of it goes to a log, too.
func TestWritesLittle(t *testing.T) {
	_, screen, _, _ := choose(t, sample(), "", func(t *Terminal) { t.First = 10 * time.Second })
	if n := screen.all.Len(); n > 900 {
		t.Errorf("%d bytes for a countdown of 10 s:\n%q", n, screen.all.String())
	}
}

func TestDumb(t *testing.T) {
	for _, c := range []struct {
		keys string
		want menu.Choice
	}{
		{"\r", menu.Choice{Entry: 1}},
		{"1\r", menu.Choice{Entry: 0}},
		{"9\r1\x7f1\r", menu.Choice{Entry: 0}},
		{"4\r2\r", menu.Choice{Menu: 1, Entry: 1}},
		{"5\rwrong\r5\rsesame\r", menu.Choice{Entry: 4, Password: "sesame"}},
		{"6\rlinux text\r", menu.Choice{Entry: -1, Line: "linux text"}},
		{"6\r\r1\r", menu.Choice{Entry: 0}},
	} {
		synctest.Test(t, func(t *testing.T) {
			input := make(chan byte, 100)
			for _, b := range []byte(c.keys) {
				input <- b
			}
			var out strings.Builder
			terminal := &Terminal{Input: input, Output: &out, Dumb: true, First: time.Second, Idle: time.Second}
			got, err := terminal.Choose(t.Context(), sample(), right)
			if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
				t.Errorf("%q: %v (-want +got):\n%s\n%s", c.keys, err, diff, &out)
			}
			if strings.ContainsAny(out.String(), "\x1b\x07") || strings.Contains(out.String(), "sesame") {
				t.Errorf("%q", &out)
			}
		})
	}
}

func TestCounted(t *testing.T) {
	for _, c := range []struct {
		text string
		n    int
		want string
	}{
		{"Automatic boot in # second{,s}...", 1, "Automatic boot in 1 second..."},
		{"Automatic boot in # second{,s}...", 5, "Automatic boot in 5 seconds..."},
		{"# {one,two,many}", 2, "2 two"},
		{"# {one,two,many}", 7, "7 many"},
		{"# {open", 7, "7 "},
		{"plain", 7, "plain"},
	} {
		if got := counted(c.text, c.n); got != c.want {
			t.Errorf("%q with %d: %q, want %q", c.text, c.n, got, c.want)
		}
	}
}

func FuzzKeys(f *testing.F) {
	for _, seed := range []string{"\x1b[A\r", "\x1b", "\x1b[", "\x1b[1;5~", "\xc3", "\xc3\xa9\r", "\tabc\x1b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		synctest.Test(t, func(t *testing.T) {
			input := make(chan byte, len(typed))
			for _, b := range []byte(typed) {
				input <- b
			}
			close(input)
			screen := newVT(80, 24)
			terminal := &Terminal{Input: input, Output: screen, First: time.Second, Idle: time.Second}
			choice, err := terminal.Choose(t.Context(), sample(), right)
			if err == nil && choice.Entry == 4 && choice.Password != "sesame" {
				t.Errorf("%q boots what is locked", typed)
			}
			if text := screen.all.String(); strings.Contains(text, "evil \x1b") || strings.Contains(text, "\x07") {
				t.Errorf("%q: a byte of the lab's reaches the terminal", typed)
			}
		})
	})
}

// FuzzOffer shows what a guest's process that was taken over may offer: it is
// neither the end of this one, nor does it reach the terminal as it is.
func FuzzOffer(f *testing.F) {
	text, err := json.Marshal(sample())
	if err != nil {
		f.Fatal(err)
	}
	for _, typed := range []string{"\r", "\x1b[B\x1b[B\r\x1b\x1b", "\tx\r", "1\r", "sesame\r"} {
		f.Add(string(text), typed, 80, 24, false)
		f.Add(string(text), typed, 1, 1, true)
	}
	f.Add(`{"Menus":[{"Entries":[{"Kind":"separator","Text":"\u009b2J","Indent":-5,"Mark":99,"Hotkey":255}],"Timeout":-1,"Parent":-1}]}`, "\r\t\x1b", 3, 2, false)
	f.Fuzz(func(t *testing.T, text, typed string, width, height int, dumb bool) {
		var offer menu.Offer
		if json.Unmarshal([]byte(text), &offer) != nil || offer.Check() != nil {
			return
		}
		synctest.Test(t, func(t *testing.T) {
			input := make(chan byte, len(typed))
			for _, b := range []byte(typed) {
				input <- b
			}
			close(input)
			var screen strings.Builder
			terminal := &Terminal{Input: input, Output: &screen, Width: width & 0xff, Height: height & 0xff, Dumb: dumb, First: time.Second, Idle: time.Second}
			terminal.Choose(t.Context(), offer, right)
			if strings.ContainsAny(screen.String(), "\a\x00\u009b") {
				t.Errorf("%q", screen.String())
			}
		})
	})
}
