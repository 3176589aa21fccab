// Package render writes what a look came to: as text, as JSON, and as a page.
package render

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/gopxeboot/gopxeboot/internal/check"
	"github.com/gopxeboot/gopxeboot/internal/console"
	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/internal/printable"
)

// JSON writes what --json promises.
func JSON(w io.Writer, r check.Report, p *plan.Plan, f *check.Facts) error {
	return console.WriteJSON(w, struct {
		check.Report
		*plan.Plan
		Facts *check.Facts `json:"facts"`
	}{r, p, f})
}

// Live is a report that is written while a look goes on.
type Live struct {
	w     io.Writer
	shown map[string]check.Step
}

// NewLive writes to w.
func NewLive(w io.Writer) *Live { return &Live{w, map[string]check.Step{}} }

// Seen writes the steps that have ended, of a report on what is known so far. From
// the first one on that may still change they are for the end: a step has one outcome.
func (l *Live) Seen(r check.Report) error {
	if i := slices.IndexFunc(r.Steps, func(s check.Step) bool { return s.Open }); i >= 0 {
		r.Steps = r.Steps[:i]
	}
	return l.steps(r.Steps)
}

// steps writes those that have not been written, or not so.
func (l *Live) steps(steps []check.Step) error {
	var text strings.Builder
	for _, s := range steps {
		before, shown := l.shown[s.Name]
		if shown && before.Status == s.Status && before.Detail == s.Detail {
			continue
		}
		l.shown[s.Name] = s
		word := string(s.Status)
		if s.Status == check.Fail {
			word = "FAIL"
		}
		took := ""
		if s.Millis > 0 {
			took = fmt.Sprintf(" (%s)", console.Took(s.Millis))
		}
		fmt.Fprintf(&text, "%-4s  %-6s  %s%s\n", word, s.Name, printable.Redacted(s.Detail), took)
	}
	_, err := io.WriteString(l.w, text.String())
	return err
}

// End writes what is left of the whole report: a line a step, the verdict, and a line
// a note, or all of its details.
func (l *Live) End(r check.Report, details bool) error {
	if err := l.steps(r.Steps); err != nil {
		return err
	}
	var text strings.Builder
	text.WriteString("\n" + Verdict(r.Verdict))
	for _, n := range r.Notes {
		fmt.Fprintf(&text, "note: %s [%s]\n", printable.Redacted(n.Summary), n.Code)
		for _, line := range n.Details {
			if details {
				fmt.Fprintf(&text, "      %s\n", printable.Redacted(line))
			}
		}
	}
	_, err := io.WriteString(l.w, text.String())
	return err
}

// Verdict is the verdict as a paragraph.
func Verdict(v check.Verdict) string {
	text := fmt.Sprintf("%s [%s]\n", printable.Redacted(v.Summary), v.Code)
	if v.Evidence != "" {
		text += "seen: " + printable.Redacted(v.Evidence) + "\n"
	}
	for i, line := range strings.Split(v.Hint, "\n") {
		switch {
		case line == "":
		case i == 0:
			text += "try:  " + printable.Redacted(line) + "\n"
		default:
			text += "    " + printable.Redacted(line) + "\n"
		}
	}
	return text
}
