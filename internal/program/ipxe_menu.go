package program

import (
	"cmp"
	"context"

	"github.com/gopxeboot/gopxeboot/internal/ipxe"
	"github.com/gopxeboot/gopxeboot/internal/menu"
)

// asks is the first menu that a script shows; nil for none, and where it can't be
// shown. A menu that follows takes what a time-out would.
func (x *script) asks(first *ipxe.Menu) *Asks {
	if first == nil {
		return nil
	}
	m := menu.Menu{Title: first.Title, Default: first.Default, Timeout: first.Timeout, Parent: -1, Immediate: true}
	for _, i := range first.Items {
		e := menu.Entry{Text: cmp.Or(i.Text, i.Name), Hotkey: i.Key, Kind: menu.Boots}
		if i.Name == "" {
			e.Kind = menu.Separator
		}
		m.Entries = append(m.Entries, e)
	}
	return oneMenu(m, "item", func(ctx context.Context, entry int) (*Decision, error) {
		chosen := false
		return x.run(ctx, "", func(shown ipxe.Menu) int {
			if chosen {
				return shown.Default
			}
			chosen = true
			return entry
		})
	})
}
