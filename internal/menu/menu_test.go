package menu

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Nothing that an offer names may be missing: who shows it relies on that.
func TestCheck(t *testing.T) {
	entries := []Entry{{Kind: Boots}, {Kind: Opens, To: 1}}
	good := []Menu{{Parent: -1, Entries: entries}, {Parent: 0, Default: 1, Entries: entries}}
	for _, c := range []struct {
		name string
		o    Offer
		ok   bool
	}{
		{"menus", Offer{Menus: good, Start: 1}, true},
		{"a prompt", Offer{}, true},
		{"no such start", Offer{Menus: good, Start: 2}, false},
		{"a prompt with a start", Offer{Start: 1}, false},
		{"below", Offer{Menus: good, Start: -1}, false},
		{"no entries", Offer{Menus: []Menu{{Parent: -1}}}, false},
		{"no such default", Offer{Menus: []Menu{{Parent: -1, Default: 2, Entries: entries}}}, false},
		{"no such parent", Offer{Menus: []Menu{{Parent: 1, Entries: entries[:1]}}}, false},
		{"no such menu", Offer{Menus: []Menu{{Parent: -1, Entries: entries}}}, false},
		{"too many", Offer{Menus: []Menu{{Parent: -1, Entries: make([]Entry, maxEntries+1)}}}, false},
	} {
		if err := c.o.Check(); (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestLocked(t *testing.T) {
	o := Offer{Menus: []Menu{
		{Locked: true, Entries: []Entry{{}, {Locked: true}}},
		{Entries: []Entry{{}, {Locked: true}}},
	}}
	for _, c := range []struct {
		choice Choice
		want   bool
	}{
		{Choice{}, false},
		{Choice{Line: "x"}, true},
		{Choice{Entry: 1}, true},
		{Choice{Entry: -1}, true},
		{Choice{Menu: 1}, false},
		{Choice{Menu: 1, Line: "x"}, false},
		{Choice{Menu: 1, Entry: 1}, true},
		{Choice{Menu: 1, Entry: 1, Line: "x"}, true},
		{Choice{Menu: 1, Entry: -1}, false},
		{Choice{Menu: 2}, false},
	} {
		if got := o.Locked(c.choice); got != c.want {
			t.Errorf("%+v: %v", c.choice, got)
		}
	}
}

// What is offered again begins where the choice was made; the offer itself stays.
func TestAgain(t *testing.T) {
	two := func(a, b int) []Menu {
		return []Menu{{Default: a, Entries: make([]Entry, 2)}, {Default: b, Entries: make([]Entry, 2)}}
	}
	for _, c := range []struct {
		choice Choice
		want   Offer
	}{
		{Choice{Menu: 1, Entry: 1}, Offer{Menus: two(0, 1), Start: 1, Failed: "why"}},
		{Choice{Menu: 1, Entry: -1}, Offer{Menus: two(0, 0), Start: 1, Failed: "why", AtPrompt: true}},
		{Choice{Menu: 7, Entry: 7}, Offer{Menus: two(0, 0), Failed: "why"}},
	} {
		o := Offer{Menus: two(0, 0)}
		if diff := cmp.Diff(c.want, o.Again(c.choice, "why")); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", c.choice, diff)
		}
		if diff := cmp.Diff(Offer{Menus: two(0, 0)}, o); diff != "" {
			t.Errorf("%+v changed the offer (-want +got):\n%s", c.choice, diff)
		}
	}
}
