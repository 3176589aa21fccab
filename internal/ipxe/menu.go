package ipxe

import (
	"context"
	"slices"
	"strings"
)

// item is a menu's line; one without a name separates others.
type item struct {
	Item
	usual bool // item --default
}

func (r *runner) menu(_ context.Context, o options, _ []string) error {
	if o.has("delete") {
		if _, ok := r.menus[o["name"]]; !ok {
			return failed("no menu is called %q", o["name"])
		}
		delete(r.menus, o["name"])
		return nil
	}
	if len(r.menus) >= maxItems {
		return tooMuch("more than %d menus", maxItems)
	}
	r.menus[o["name"]] = []item{}
	return nil
}

func (r *runner) item(_ context.Context, o options, args []string) error {
	items, ok := r.menus[o["menu"]]
	switch {
	case !ok:
		return failed("no menu to add to")
	case len(items) >= maxItems:
		return tooMuch("more than %d menu items", maxItems)
	}
	i := item{usual: o.has("default")}
	if !o.has("gap") && len(args) > 0 {
		i.Name, args = args[0], args[1:]
	}
	i.Text = strings.Join(args, " ")
	r.menus[o["menu"]] = append(items, i)
	return nil
}

// choose takes what a time-out would: the item that is highlighted
// (hci/tui/menu_ui.c, show_menu), or the one that the caller wants.
func (r *runner) chooseItem(_ context.Context, o options, args []string) error {
	all, ok := r.menus[o["menu"]]
	if !ok {
		return failed("no menu to choose from")
	}
	if !o.has("keep") {
		delete(r.menus, o["menu"])
	}
	items := slices.DeleteFunc(slices.Clone(all), func(i item) bool { return i.Name == "" })
	if len(items) == 0 {
		return failed("the menu has no items to choose")
	}
	chosen := items[0].Name
	for _, i := range items {
		if len(r.result.Items) < maxItems && !slices.Contains(r.result.Items, i.Item) {
			r.result.Items = append(r.result.Items, i.Item)
		}
		if !o.has("default") && i.usual || o.has("default") && o["default"] == i.Name {
			chosen = i.Name
		}
	}
	timeout, _ := integer(o["timeout"])
	waits := timeout == 0
	named := func(name string) bool {
		return name != "" && slices.ContainsFunc(items, func(i item) bool { return i.Name == name })
	}
	if first, rest, _ := strings.Cut(r.wanted, "/"); named(r.wanted) {
		chosen, r.wanted, waits = r.wanted, "", false
	} else if named(first) {
		chosen, r.wanted, waits = first, rest, false
	}
	r.result.Waits = r.result.Waits || waits
	r.result.Chosen = chosen
	return r.set.set(args[0], chosen)
}
