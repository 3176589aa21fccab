// Package render writes what a look came to: as text, as JSON, and as a page.
package render

import (
	"fmt"
	"io"
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

// Text writes a line a step, the verdict, and a line a note, or all of its
// details.
func Text(w io.Writer, r check.Report, details bool) error {
	var text strings.Builder
	for _, s := range r.Steps {
		word := string(s.Status)
		if s.Status == check.Fail {
			word = "FAIL"
		}
		took := ""
		if s.Millis > 0 {
			took = fmt.Sprintf(" (%.1f ms)", s.Millis)
		}
		fmt.Fprintf(&text, "%-4s  %-6s  %s%s\n", word, s.Name, printable.Redacted(s.Detail), took)
	}
	text.WriteString("\n" + Verdict(r.Verdict))
	for _, n := range r.Notes {
		fmt.Fprintf(&text, "note: %s [%s]\n", printable.Redacted(n.Summary), n.Code)
		for _, line := range n.Details {
			if details {
				fmt.Fprintf(&text, "      %s\n", printable.Redacted(line))
			}
		}
	}
	_, err := io.WriteString(w, text.String())
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
