package ipxe

import (
	"context"
	"slices"
	"strings"
	"time"
)

// Menu is what `choose` lets somebody choose from.
type Menu struct {
	Title   string
	Items   []MenuItem
	Default int           // the index of the item that a time-out takes
	Timeout time.Duration // 0 waits without limit
}

// MenuItem is a menu's line; one without a name separates others.
type MenuItem struct {
	Item
	Key   byte // that chooses it, in lower case; 0 for none
	usual bool // item --default
}

func (r *runner) menu(_ context.Context, o options, words []string) error {
	if o.has("delete") { // of which there need be none
		delete(r.menus, o["name"])
		return nil
	}
	if len(r.menus) >= maxItems {
		return tooMuch("more than %d menus", maxItems)
	}
	r.menus[o["name"]] = &Menu{Title: strings.Join(words, " ")}
	return nil
}

func (r *runner) item(_ context.Context, o options, args []string) error {
	m, ok := r.menus[o["menu"]]
	switch {
	case !ok:
		return failed("no menu to add to")
	case len(m.Items) >= maxItems:
		return tooMuch("more than %d menu items", maxItems)
	}
	i := MenuItem{usual: o.has("default")}
	if key := strings.ToLower(o["key"]); len(key) == 1 {
		i.Key = key[0]
	}
	if !o.has("gap") && len(args) > 0 {
		i.Name, args = args[0], args[1:]
	}
	i.Text = strings.Join(args, " ")
	m.Items = append(m.Items, i)
	return nil
}

// chooseItem takes what a time-out would: the item that is highlighted
// (hci/tui/menu_ui.c, show_menu), or the one that the caller wants.
func (r *runner) chooseItem(_ context.Context, o options, args []string) error {
	shown, ok := r.menus[o["menu"]]
	if !ok {
		return failed("no menu to choose from")
	}
	if !o.has("keep") {
		delete(r.menus, o["menu"])
	}
	m := *shown
	index := func(wanted func(MenuItem) bool) int {
		return slices.IndexFunc(m.Items, func(i MenuItem) bool { return i.Name != "" && wanted(i) })
	}
	named := func(name string) int { return index(func(i MenuItem) bool { return i.Name == name }) }
	if m.Default = index(func(MenuItem) bool { return true }); m.Default < 0 {
		return failed("the menu has no items to choose")
	}
	for n, i := range m.Items {
		if i.Name == "" {
			continue
		}
		if len(r.result.Items) < maxItems && !slices.Contains(r.result.Items, i.Item) {
			r.result.Items = append(r.result.Items, i.Item)
		}
		if !o.has("default") && i.usual {
			m.Default = n
		}
	}
	if n := named(o["default"]); n >= 0 {
		m.Default = n
	}
	timeout, _ := integer(o["timeout"])
	m.Timeout = time.Duration(max(timeout, 0)) * time.Millisecond
	chosen, waits := m.Default, timeout == 0
	first, rest, _ := strings.Cut(r.wanted, "/")
	if n := named(r.wanted); n >= 0 {
		chosen, r.wanted, waits = n, "", false
	} else if n := named(first); n >= 0 {
		chosen, r.wanted, waits = n, rest, false
	} else if r.env.Choose != nil {
		if n := r.env.Choose(m); n >= 0 && n < len(m.Items) && m.Items[n].Name != "" {
			chosen = n
		}
	}
	r.result.Waits = r.result.Waits || waits
	r.result.Chosen = m.Items[chosen].Name
	return r.set.set(args[0], r.result.Chosen)
}
