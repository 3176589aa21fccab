package pxelinux

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// offered is what a configuration lets one choose from; nil for nothing.
func offered(t *testing.T, config string) *Offer {
	t.Helper()
	c, _ := tree{"pxelinux.cfg/default": config, "inc": "LABEL i\nKERNEL ki\n"}.find(t)
	b, err := c.Boot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return b.Offer()
}

const menus = `UI menu.c32
TIMEOUT 50
MENU TITLE Lab
MENU MASTER PASSWD master
MENU TABMSG Tab edits
MENU AUTOBOOT # s
LABEL a
  MENU LABEL ^Install
  KERNEL ka
  APPEND x=1
  TEXT HELP
  Two
    lines
  ENDTEXT
LABEL b
  MENU LABEL also ^install
  MENU INDENT 3
  MENU DEFAULT
  MENU PASSWD word
  KERNEL kb
MENU SEPARATOR
LABEL h
  MENU HIDE
  KERNEL kh
LABEL d
  MENU LABEL ^disabled
  MENU DISABLE
MENU BEGIN sub
  MENU TITLE More
  MENU LABEL ^More...
  MENU IMMEDIATE
  ALLOWOPTIONS 0
  TIMEOUT 20
  LABEL s
    KERNEL ks
  LABEL up
    MENU EXIT
  LABEL out
    MENU QUIT
MENU END
MENU BEGIN
  MENU TITLE Titled
  LABEL t
    KERNEL kt
MENU END
MENU BEGIN empty
MENU END
LABEL g
  MENU GOTO sub
LABEL n
  MENU GOTO nowhere
`

func TestOffer(t *testing.T) {
	ordinary := Menu{Parent: -1, Edit: true, Timeout: 5 * time.Second, Protected: true, TabMsg: "Tab edits", Autoboot: "# s"}
	top, sub, titled := ordinary, ordinary, ordinary
	top.Title, top.Default = "Lab", 1
	top.Entries = []Entry{
		{Name: "a", Text: "Install", Mark: 0, Kind: EntryBoots, Line: "ka x=1", Help: []string{"  Two", "    lines"}},
		{Name: "b", Text: "also install", Mark: -1, Indent: 3, Kind: EntryBoots, Line: "kb", Protected: true},
		{Mark: -1, Kind: EntryDisabled},
		{Name: "d", Text: "disabled", Mark: -1, Kind: EntryDisabled},
		{Text: "More...", Mark: 0, Kind: EntryOpens, To: 1},
		{Text: "Titled", Mark: -1, Kind: EntryOpens, To: 2},
		{Text: "empty", Mark: -1, Kind: EntryDisabled},
		{Name: "g", Text: "g", Mark: -1, Kind: EntryOpens, To: 1},
		{Name: "n", Text: "n", Mark: -1, Kind: EntryDisabled},
	}
	sub.Title, sub.Parent, sub.Edit, sub.Immediate, sub.Timeout = "More", 0, false, true, 2*time.Second
	sub.Entries = []Entry{
		{Name: "s", Text: "s", Mark: -1, Kind: EntryBoots, Line: "ks"},
		{Name: "up", Text: "up", Mark: -1, Kind: EntryOpens, To: 0},
		{Name: "out", Text: "out", Mark: -1, Kind: EntryQuits},
	}
	titled.Title, titled.Parent = "Titled", 0
	titled.Entries = []Entry{{Name: "t", Text: "t", Mark: -1, Kind: EntryBoots, Line: "kt"}}
	for _, c := range []struct {
		rule, config string
		want         *Offer
	}{
		{"all that a menu has", menus, &Offer{Menus: []Menu{top, sub, titled}}},
		{"DEFAULT boots at once", "DEFAULT a\nTIMEOUT 50\nLABEL a\nKERNEL ka\n", nil},
		{"MENU SHIFTKEY boots at once", "UI menu.c32\nMENU SHIFTKEY\nLABEL a\nKERNEL ka\n", nil},
		{"NOESCAPE boots at once", "DEFAULT a\nNOESCAPE 1\nPROMPT 1\nLABEL a\nKERNEL ka\n", nil},
		{"PROMPT", "SAY Welcome\nSAY\nDEFAULT a\nPROMPT 1\nTIMEOUT 50\nLABEL a\nKERNEL ka\n", &Offer{Timeout: 5 * time.Second, Say: []string{"Welcome", ""}}},
		{"PROMPT without end", "DEFAULT a\nPROMPT 1\nLABEL a\nKERNEL ka\n", &Offer{}},
		{"PROMPT, TOTALTIMEOUT", "DEFAULT a\nPROMPT 1\nTOTALTIMEOUT 70\nLABEL a\nKERNEL ka\n", &Offer{Timeout: 7 * time.Second}},
		{"no DEFAULT", "LABEL a\nKERNEL ka\n", &Offer{}},
		{"MENU HIDDEN", "UI menu.c32\nMENU HIDDEN\nLABEL a\nKERNEL ka\n", &Offer{Menus: []Menu{{
			Parent: -1, Edit: true, Entries: []Entry{{Name: "a", Text: "a", Mark: -1, Kind: EntryBoots, Line: "ka"}},
		}}}},
		{"a menu without entries is a prompt", "UI menu.c32\n", &Offer{}},
		{"a menu behind CONFIG", "DEFAULT c\nLABEL c\nCONFIG inc\n", &Offer{}},
	} {
		if d := cmp.Diff(c.want, offered(t, c.config), cmpopts.IgnoreUnexported(Offer{}), cmpopts.EquateEmpty()); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.rule, d)
		}
	}
}

// What boots by what is chosen.
func TestOfferBoots(t *testing.T) {
	boot := func(label, kernel, args string) Boot {
		return Boot{Outcome: Linux, Label: label, Kernel: serverURL + kernel, Args: "BOOT_IMAGE=" + kernel + " " + args}
	}
	entry := func(menu, entry int) func(*Offer) (*Boot, error) {
		return func(o *Offer) (*Boot, error) { return o.Entry(t.Context(), menu, entry) }
	}
	edited := func(line string) func(*Offer) (*Boot, error) {
		return func(o *Offer) (*Boot, error) { return o.Edited(t.Context(), line) }
	}
	typed := func(line string) func(*Offer) (*Boot, error) {
		return func(o *Offer) (*Boot, error) { return o.Typed(t.Context(), line) }
	}
	const prompt = "DEFAULT b x\nPROMPT 1\nTIMEOUT 50\nONTIMEOUT a\nLABEL a\nKERNEL ka\nLABEL b\nKERNEL kb\nAPPEND y\n"
	nothing := Boot{Outcome: Error, Err: errors.New("no such entry boots anything")}
	for _, c := range []struct {
		rule, config string
		choose       func(*Offer) (*Boot, error)
		want         Boot
	}{
		{"an entry", menus, entry(0, 0), boot("a", "ka", "x=1")},
		{"a submenu's", menus, entry(1, 0), boot("s", "ks", "")},
		{"one that boots nothing", menus, entry(0, 2), nothing},
		{"none", menus, entry(0, 99), nothing},
		{"none at all", menus, entry(-1, -1), nothing},
		{"an edited line", menus, edited("ka x=2 initrd=i"), Boot{Outcome: Linux, Kernel: serverURL + "ka", Initrds: []string{serverURL + "i"}, Args: "BOOT_IMAGE=ka x=2 initrd=i"}},
		{"edited: no label is looked for", menus, edited("a"), boot("", "a", "")},
		{"edited, of another type", menus, edited(".localboot 0"), Boot{Outcome: LocalBoot}},
		{"typed behind the menu", menus, typed("a more"), boot("a", "ka", "x=1 more")},
		{"typed at the prompt", prompt, typed("  b single"), boot("b", "kb", "y single")},
		{"Enter at the prompt", prompt, typed(""), boot("b", "kb", "y x")},
		{"Enter without DEFAULT", "LABEL a\nKERNEL ka\n", typed(""), Boot{Outcome: Prompt, Waits: true, Err: errors.New("no DEFAULT and no UI in the configuration; its labels are a")}},
		{"edited at the prompt", prompt, edited("x"), nothing},
		{"a kernel's name", prompt, typed("k.img x"), Boot{Outcome: Linux, Kernel: serverURL + "k.img", Args: "BOOT_IMAGE=k.img x"}},
	} {
		o := offered(t, c.config)
		for range 2 { // one choice does not change the next
			got, err := c.choose(o)
			if err != nil {
				t.Fatal(err)
			}
			diff(t, c.rule+": why", errText(c.want.Err), errText(got.Err))
			want := c.want
			want.Err, got.Err = nil, nil
			diff(t, c.rule, &want, got)
		}
	}
}

func TestUnlocks(t *testing.T) {
	o := offered(t, menus+"LABEL m\nMENU PASSWD $1$salt$qJH7.N4xYta3aEG/dfqo/0\n")
	for _, c := range []struct {
		entry    int
		password string
		want     bool
		err      string
	}{
		{1, "word", true, ""},
		{1, "master", true, ""},
		{1, "wrong", false, ""},
		{1, "", false, ""},
		{0, "word", false, ""},
		{-1, "master", true, ""},
		{-1, "word", false, ""},
		{9, "password", false, "a password of the form $1$ (MD5) can't be checked"},
		{9, "master", true, ""},
	} {
		got, err := o.Unlocks(0, c.entry, c.password)
		if got != c.want || errText(err) != c.err {
			t.Errorf("entry %d, %q: got %v, %v", c.entry, c.password, got, err)
		}
	}
	if ok, err := o.Unlocks(7, 0, "master"); ok || err != nil {
		t.Errorf("no such menu: %v, %v", ok, err)
	}
}
