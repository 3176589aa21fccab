package program

import (
	"context"
	"errors"
	"fmt"

	"github.com/gopxeboot/gopxeboot/internal/menu"
	"github.com/gopxeboot/gopxeboot/pxelinux"
)

// asks is PXELINUX's offer as every program has it; nil where there is none, or
// none that could be shown.
func (x *pxe) asks(o *pxelinux.Offer) *Asks {
	if o == nil {
		return nil
	}
	a := &Asks{Offer: menu.Offer{Start: o.Start, Anew: o.NoEscape, Timeout: o.Timeout, Say: o.Say}}
	for _, m := range o.Menus {
		a.Offer.Menus = append(a.Offer.Menus, x.menu(m))
	}
	if a.Offer.Check() != nil { // there are too many entries
		return nil
	}
	a.Valid = func(c menu.Choice) error {
		entry := c.Entry
		if c.Line != "" && c.Menu >= 0 && c.Menu < len(o.Menus) && o.Menus[c.Menu].Protected {
			entry = -1 // menu.c32 edits with the menu's own only
		}
		switch ok, err := o.Unlocks(c.Menu, entry, c.Password); {
		case err != nil:
			return err
		case !ok:
			return menu.ErrPassword
		}
		return nil
	}
	a.Choose = func(ctx context.Context, c menu.Choice) (*Decision, error) {
		other := *x
		other.wanted.Person = false
		if err := a.check(c); err != nil {
			return other.finish(ctx, &pxelinux.Boot{Config: o.Config()}, err)
		}
		choose := func() (*pxelinux.Boot, error) { return o.Entry(ctx, c.Menu, c.Entry) }
		switch {
		case c.Entry < 0:
			choose = func() (*pxelinux.Boot, error) { return o.Typed(ctx, c.Line) }
		case c.Line != "":
			choose = func() (*pxelinux.Boot, error) { return o.Edited(ctx, c.Line) }
		}
		boot, err := choose()
		return other.finish(ctx, boot, err)
	}
	return a
}

// check says why a choice is none that the offer allows.
func (a *Asks) check(c menu.Choice) error {
	e := a.Offer.At(c)
	switch {
	case e == nil && c.Entry >= 0, e != nil && e.Kind != menu.Boots:
		return errors.New("what was chosen is no entry that boots")
	case e != nil && c.Line != "" && !a.Offer.Menus[c.Menu].Edit:
		return errors.New("the menu does not allow that a command line is edited")
	case a.Offer.Locked(c):
		if err := a.Valid(c); err != nil {
			return fmt.Errorf("what was chosen is protected: %w", err)
		}
	}
	return nil
}

// menu is one of PXELINUX's menus.
func (x *pxe) menu(m pxelinux.Menu) menu.Menu {
	shown := menu.Menu{
		Title: m.Title, Default: m.Default, Timeout: m.Timeout, Parent: m.Parent, Edit: m.Edit, Locked: m.Protected,
		Leave: m.Edit, Immediate: m.Immediate, TabMsg: m.TabMsg, Autoboot: m.Autoboot,
	}
	for _, e := range m.Entries {
		entry := menu.Entry{Text: e.Text, Indent: e.Indent, To: e.To, Help: e.Help, Line: e.Line, Locked: e.Protected}
		if e.Mark >= 0 {
			entry.Hotkey = e.Text[e.Mark] | 0x20
		}
		switch e.Kind {
		case pxelinux.EntryBoots:
			entry.Kind = menu.Boots
		case pxelinux.EntryOpens:
			entry.Kind = menu.Opens
		case pxelinux.EntryQuits:
			entry.Kind = menu.Leaves
		default:
			entry.Kind = menu.Separator
		}
		shown.Entries = append(shown.Entries, entry)
	}
	return shown
}
