package render

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"net/netip"
	"slices"
	"strings"

	"github.com/gopxeboot/gopxeboot/internal/arch"
	"github.com/gopxeboot/gopxeboot/internal/check"
	"github.com/gopxeboot/gopxeboot/internal/console"
	"github.com/gopxeboot/gopxeboot/internal/plan"
)

//go:embed report.html
var reportPage string

//go:embed report.css
var reportStyle string

// HTML writes the report as one page that needs nothing else: no script, no
// font, no network. All text in it that came from a network is escaped, with
// control characters shown, and bounded.
func HTML(w io.Writer, f check.Facts, r check.Report) error {
	page, err := template.New("report").Funcs(template.FuncMap{
		"show": func(text any) string { return show(fmt.Sprint(text)) }, "long": showLong, "ms": console.Took, "clock": clockText, "size": sizeOr, "addr": plan.Text[netip.Addr],
		"mark": markOf, "arch": arch.FirmwareText, "divide": func(a, b float64) float64 { return a / b },
	}).Parse(reportPage)
	if err != nil {
		return fmt.Errorf("the report's page: %w", err)
	}
	if err := page.Execute(w, newPage(&f, r)); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// What a page shows of lists at most.
const (
	maxRows   = 400
	maxLanes  = 6
	maxOffers = 12
)

// page is what the template shows.
type page struct {
	Style   template.CSS
	Facts   *check.Facts
	Verdict check.Verdict
	Notes   []check.Note
	Status  check.Status
	Where   string // the bridge, or the capture
	Advice  string // the hint, without the stanzas
	Steps   []check.Step

	Ladder   ladder
	Offers   offerTable
	Merged   []check.Value
	Variants []check.Variant
	Heard    []check.Heard // of other VLANs
	Search   []plan.Try
	More     map[string]int // rows that are left out

	Unreadable []check.Unreadable
}

func newPage(f *check.Facts, r check.Report) *page {
	p := &page{
		Style: template.CSS(reportStyle), Facts: f, Verdict: r.Verdict, Notes: r.Notes, Status: r.Status(), Steps: r.Steps,
		Advice: sentence(r.Verdict.Advice), Ladder: newLadder(f), Offers: newOfferTable(f.Offers), Merged: f.Merged, Variants: f.Variants,
		More: make(map[string]int),
	}
	switch {
	case f.Bridge != nil:
		p.Where = f.Bridge.Name
	case f.Capture != "":
		p.Where = "capture " + f.Capture
	}
	p.Search = bounded(p.More, "names", f.Search)
	p.Variants = bounded(p.More, "ways", f.Variants)
	p.Heard = bounded(p.More, "servers of other VLANs", f.Heard)
	p.Unreadable = bounded(p.More, "unreadable messages", f.Unreadable)
	p.Ladder.Rows = bounded(p.More, "events", p.Ladder.Rows)
	return p
}

// bounded is the beginning of a list; more has how much is left out.
func bounded[T any](more map[string]int, name string, list []T) []T {
	if n := len(list) - maxRows; n > 0 {
		more[name] = n
		return list[:maxRows]
	}
	return list
}

// sentence is a hint that stands alone.
func sentence(hint string) string {
	if hint == "" || hint[0] < 'a' || hint[0] > 'z' {
		return hint
	}
	return strings.ToUpper(hint[:1]) + hint[1:]
}

// ladder is the exchange as a diagram: a lifeline for each machine.
type ladder struct {
	Lanes []lane
	Rows  []rung
}

// lane is a machine.
type lane struct {
	Name, Role, MAC string
}

// rung is one arrow, or a time in which nothing happens.
type rung struct {
	check.Event
	Gap        string // the time without events before; the rest is empty then
	A, B       int    // the lanes that the arrow is between, the left one first
	Leftward   bool
	ToAll      bool
	Other      bool // somebody who has no lifeline of his own
	FromN, ToN string
}

// quiet is a time without events that is worth to be seen, in milliseconds.
const quiet = 400

func newLadder(f *check.Facts) ladder {
	var l ladder
	if len(f.Events) == 0 {
		return l
	}
	l.Lanes = []lane{{Name: check.EventGuest, Role: "guest", MAC: f.Subject.MAC}}
	roles := rolesOf(f)
	find := func(name string) int {
		return slices.IndexFunc(l.Lanes, func(o lane) bool { return o.Name == name })
	}
	for _, e := range f.Events {
		for _, name := range []string{e.From, e.To} {
			i := find(name)
			switch {
			case name == check.EventBroadcast || name == "":
			case i >= 0 && name == e.From && l.Lanes[i].MAC == "":
				l.Lanes[i].MAC = e.PeerMAC
			case i < 0 && len(l.Lanes) < maxLanes:
				l.Lanes = append(l.Lanes, lane{Name: name, Role: roles[name], MAC: peerMAC(e, name)})
			}
		}
	}
	if len(l.Lanes) == 1 {
		l.Lanes = append(l.Lanes, lane{Name: "everybody"}) // who does not answer
	}
	before := f.Events[0].Millis
	for _, e := range f.Events {
		if wait := e.Millis - before; wait >= quiet {
			l.Rows = append(l.Rows, rung{Gap: console.Took(wait)})
		}
		before = max(before, e.Millis+e.Took)
		r := rung{Event: e, FromN: e.From, ToN: e.To}
		from, to := find(e.From), find(e.To)
		last := len(l.Lanes) - 1
		if e.To == check.EventBroadcast {
			r.ToAll, r.ToN, to = true, "everybody", last
			if from == last {
				to = 0
			}
		}
		if from < 0 || to < 0 {
			r.Other = true
			from, to = max(from, 0), last
		}
		r.A, r.B, r.Leftward = min(from, to), max(from, to), from > to
		l.Rows = append(l.Rows, r)
	}
	return l
}

func peerMAC(e check.Event, name string) string {
	if name == e.From {
		return e.PeerMAC
	}
	return ""
}

// rolesOf says what the servers are.
func rolesOf(f *check.Facts) map[string]string {
	roles := make(map[string][]string)
	add := func(a netip.Addr, role string) {
		if a.IsValid() && !slices.Contains(roles[a.String()], role) {
			roles[a.String()] = append(roles[a.String()], role)
		}
	}
	for _, o := range f.Offers {
		if o.Proxy {
			add(o.From, "proxyDHCP")
		} else {
			add(o.From, "DHCP")
		}
	}
	add(f.Lease.NextServer, "next-server")
	add(f.Lease.Router, "router")
	text := make(map[string]string)
	for a, list := range roles {
		text[a] = strings.Join(list, ", ")
	}
	return text
}

// offerTable has a column for each offer, and a row for each thing that one of
// them says.
type offerTable struct {
	Offers []check.Offer
	Rows   []offerRow
	More   int // offers that are left out
}

type offerRow struct {
	Name    check.ValueName
	Cells   []*check.Value // nil where an offer says nothing
	Differs bool
}

func newOfferTable(offers []check.Offer) offerTable {
	t := offerTable{Offers: offers[:min(len(offers), maxOffers)]}
	t.More = len(offers) - len(t.Offers)
	var names []check.ValueName
	for _, o := range t.Offers {
		for _, v := range o.Values {
			if !slices.Contains(names, v.Name) && len(names) < maxRows {
				names = append(names, v.Name)
			}
		}
	}
	for _, name := range names {
		row := offerRow{Name: name}
		var given, said []string // by those that give an address, and by all that say something
		for _, o := range t.Offers {
			cell, value := o.Find(name), o.Value(name)
			if !o.Proxy {
				given = append(given, value)
			}
			if value != "" {
				said = append(said, value)
			}
			row.Cells = append(row.Cells, cell)
		}
		row.Differs = differ(given) || differ(said)
		if name == check.ValueAddress { // two servers offer two; of one network
			row.Differs = differ(networksOf(t.Offers))
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// networksOf are those that addresses are offered of.
func networksOf(offers []check.Offer) (list []string) {
	for _, o := range offers {
		if !o.Proxy && o.Address.IsValid() {
			list = append(list, o.Address.Masked().String())
		}
	}
	return list
}

// differ says whether not all are the same.
func differ(list []string) bool {
	return slices.ContainsFunc(list, func(s string) bool { return s != list[0] })
}

// markOf is the sign for a status or a result, for those who do not see its
// colour.
func markOf(result any) signMark {
	switch fmt.Sprint(result) {
	case "ok", "found", "answers", "ack":
		return signMark{"ok", "✓"}
	case "not found", "", "not asked":
		return signMark{"none", "–"}
	case "warn", "empty":
		return signMark{"warn", "!"}
	}
	return signMark{"fail", "✗"}
}

type signMark struct{ Class, Sign string }

// clockText is a time since the beginning, to a tenth or to a whole
// millisecond.
func clockText(ms float64) string {
	if ms >= 1000 {
		return fmt.Sprintf("%.3f s", ms/1000)
	}
	return fmt.Sprintf("%.1f ms", ms)
}

// sizeOr is a size in bytes for people.
func sizeOr(n int64) string {
	if n < 0 {
		return "not said"
	}
	if n < 1<<10 {
		return console.Size(n)
	}
	return fmt.Sprintf("%s (%s bytes)", console.Size(n), groups(n))
}

// groups is a number with its thousands apart, by thin blanks that do not break.
func groups(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "\u202f" + s[i:]
	}
	return s
}
