// Package menu is what a boot program would let a user choose from: PXELINUX's
// menu and its boot: prompt, iPXE's choose, GRUB's menu. The program says what
// there is, package console shows it; neither knows the other.
//
// All text is foreign, as the lab wrote it.
package menu

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// ErrUntouched is what a Chooser's error wraps when nothing was chosen: what
// boots untouched boots.
var ErrUntouched = errors.New("nothing was chosen")

// ErrPassword is a wrong one.
var ErrPassword = errors.New("wrong password")

// Menu is one screen of entries. A program may have several: entries lead from
// one to another.
type Menu struct {
	Title   string
	Entries []Entry
	Default int           // index of the entry that is highlighted first
	Timeout time.Duration // until Default boots; 0 is to wait for a key
	Parent  int           // index of the menu that Esc leads back to; -1 for none

	Edit      bool // command lines can be edited
	Leave     bool // Esc leaves it where there is no Parent, as an entry may: to the boot: prompt
	Locked    bool // editing and leaving need a password
	Immediate bool // the hotkey of an entry that boots is as Enter on it, and does not only highlight it
	TabMsg    string
	Autoboot  string // with "#" for the seconds that are left
}

// Kind is what an entry does.
type Kind string

// What entries do.
const (
	Boots     Kind = "boots"
	Opens     Kind = "opens"     // the menu To
	Leaves    Kind = "leaves"    // the menus
	Separator Kind = "separator" // can't be chosen, as is an entry that is disabled
)

// Entry is a line of a menu.
type Entry struct {
	Text   string
	Hotkey byte // lower case; 0 for none
	Indent int
	Kind   Kind
	To     int      // of Opens: the index of a menu
	Help   []string // lines
	Line   string   // its command line, which Tab lets one edit
	Locked bool     // it boots with a password only
}

// Offer is all that a program would let a user choose from.
type Offer struct {
	Menus   []Menu // none where there is the boot: prompt only
	Start   int
	Anew    bool          // who leaves the menus finds them begun anew, and no prompt
	Timeout time.Duration // of the prompt; 0 is to wait
	Say     []string      // lines that are shown before
	Default string        // what boots untouched, for people

	// Failed is why what was chosen before does not boot; "" when nothing was.
	// AtPrompt says that it was typed at the prompt, which is where one is then.
	Failed   string
	AtPrompt bool
}

// Again is the offer once more, where a choice of it did not boot.
func (o Offer) Again(c Choice, why string) Offer {
	o.Failed, o.AtPrompt = why, c.Entry < 0
	if c.Menu >= 0 && c.Menu < len(o.Menus) {
		o.Start = c.Menu
	}
	if o.At(c) != nil {
		o.Menus = slices.Clone(o.Menus)
		o.Menus[c.Menu].Default = c.Entry
	}
	return o
}

// maxEntries is how many entries are shown, of all menus together.
const maxEntries = 4096

// Check says what is wrong with an offer: one that came from elsewhere may name
// what is not there.
func (o *Offer) Check() error {
	if o.Start < 0 || o.Start >= max(len(o.Menus), 1) {
		return errors.New("the first menu is none")
	}
	entries := 0
	for i, m := range o.Menus {
		if m.Default < 0 || m.Default >= len(m.Entries) || m.Parent < -1 || m.Parent >= len(o.Menus) {
			return fmt.Errorf("menu %d: no such default, or parent", i)
		}
		for _, e := range m.Entries {
			if e.Kind == Opens && (e.To < 0 || e.To >= len(o.Menus)) {
				return fmt.Errorf("menu %d: no such menu", i)
			}
		}
		if entries += len(m.Entries); entries > maxEntries {
			return fmt.Errorf("more than %d entries", maxEntries)
		}
	}
	return nil
}

// At is the entry that was chosen; nil where a command was typed, or there is
// no such entry.
func (o *Offer) At(c Choice) *Entry {
	if c.Menu < 0 || c.Menu >= len(o.Menus) || c.Entry < 0 || c.Entry >= len(o.Menus[c.Menu].Entries) {
		return nil
	}
	return &o.Menus[c.Menu].Entries[c.Entry]
}

// Locked says whether a choice needs a password: that of the entry or, for an
// edited line and the prompt, that of the menu, too.
func (o *Offer) Locked(c Choice) bool {
	if c.Menu < 0 || c.Menu >= len(o.Menus) {
		return false
	}
	e := o.At(c)
	return e != nil && e.Locked || (e == nil || c.Line != "") && o.Menus[c.Menu].Locked
}

// Choice is what a user chose.
type Choice struct {
	Menu, Entry int    // indices; Entry is -1 where a command was typed
	Line        string // the command line as edited or typed; "" as it is
	Password    string // that was asked for
}
