package program

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/grub"
	"github.com/gopxeboot/gopxeboot/internal/menu"
	"github.com/gopxeboot/gopxeboot/internal/plan"
)

// asks is GRUB's first menu, as long as it is shown. A submenu boots what is
// highlighted in it.
func (x *grubProgram) asks(r *grub.Result) *Asks {
	if !x.machine.Person || x.machine.Label != "" || len(r.Entries) == 0 || r.Seconds == 0 {
		return nil
	}
	m := menu.Menu{Title: "GNU GRUB", Default: r.Highlight, Parent: -1}
	if r.Seconds > 0 {
		m.Timeout = time.Duration(min(r.Seconds, 3600)) * time.Second
	}
	for _, e := range r.Entries {
		m.Entries = append(m.Entries, menu.Entry{Name: e.ID, Text: e.Title, Mark: -1, Kind: menu.Boots})
	}
	a := &Asks{Offer: menu.Offer{Menus: []menu.Menu{m}}, Valid: func(menu.Choice) error { return nil }}
	if a.Offer.Check() != nil { // there are too many entries
		return nil
	}
	a.Choose = func(ctx context.Context, c menu.Choice) (*Decision, error) {
		other := *x
		other.machine.Person = false
		if c.Line != "" || a.Offer.At(c) == nil {
			return &Decision{}, &Error{plan.StageBoot, errors.New("what was chosen is no entry that boots"), true}
		}
		return other.decide(ctx, grub.Choice{Entry: strconv.Itoa(c.Entry)})
	}
	return a
}
