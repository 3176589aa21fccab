// Package menu is what a boot program would let a person choose from: PXELINUX's
// menu and its boot: prompt, iPXE's choose, GRUB's menu. The program says what
// there is, package console shows it; neither knows the other.
//
// All text is foreign, as the lab wrote it.
package menu

import (
	"context"
	"errors"
	"time"
)

// ErrUntouched is what a Chooser's error wraps when nothing was chosen: what
// boots untouched boots.
var ErrUntouched = errors.New("nothing was chosen")

// Menu is one screen of entries. A program may have several: entries lead from
// one to another.
type Menu struct {
	Title   string
	Entries []Entry
	Default int           // index of the entry that is highlighted first
	Timeout time.Duration // until Default boots; 0 is to wait for a key
	Parent  int           // index of the menu that Esc leads back to; -1 for none

	Immediate bool // a hotkey boots its entry, and does not only highlight it
	TabMsg    string
	Autoboot  string // with "#" for the seconds that are left
}

// Kind is what an entry does.
type Kind string

// What entries do.
const (
	Boots     Kind = "boots"
	Opens     Kind = "opens"     // the menu To
	Leaves    Kind = "leaves"    // to the boot: prompt
	Separator Kind = "separator" // can't be chosen, as is an entry that is disabled
)

// Entry is a line of a menu.
type Entry struct {
	Name   string // what the program knows it by
	Text   string
	Hotkey byte // lower case; 0 for none
	Mark   int  // where in Text, in bytes, the hotkey stands; -1 for none
	Indent int
	Kind   Kind
	To     int      // of Opens: the index of a menu
	Help   []string // lines
	Line   string   // its command line, which Tab lets one edit
	Locked bool     // it boots with a password only
}

// Offer is all that a program would let a person choose from.
type Offer struct {
	Menus []Menu // none where there is the prompt only
	Start int
	// Prompt says that a command can be typed: at once where there are no menus,
	// else by Esc.
	Prompt  bool
	Edit    bool          // command lines can be edited
	Locked  bool          // editing and the prompt need a password
	Timeout time.Duration // of the prompt; 0 is to wait
	Say     []string      // lines that are shown before
	Default string        // what boots untouched, for people
}

// Choice is what a person chose. The zero Choice is what boots untouched.
type Choice struct {
	Menu, Entry int    // indices; Entry is -1 where a command was typed
	Line        string // the command line as edited or typed; "" as it is
	Password    string // that was asked for
}

// Chooser lets a person choose. valid says whether a choice's password is the
// right one, and is asked before Choose returns it.
type Chooser interface {
	Choose(ctx context.Context, o Offer, valid func(Choice) bool) (Choice, error)
}
