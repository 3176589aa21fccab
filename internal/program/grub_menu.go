package program

import (
	"context"
	"strconv"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/grub"
	"github.com/gopxeboot/gopxeboot/internal/menu"
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
		m.Entries = append(m.Entries, menu.Entry{Text: e.Title, Kind: menu.Boots})
	}
	return oneMenu(m, "entry", func(ctx context.Context, entry int) (*Decision, error) {
		other := *x
		other.machine.Person = false
		return other.decide(ctx, grub.Choice{Entry: strconv.Itoa(entry)})
	})
}
