package render

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/gopxeboot/gopxeboot/internal/console"
	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/internal/printable"
	"github.com/gopxeboot/gopxeboot/pxelinux"
)

// Plan writes what would boot for people, with each name that was tried where
// details are wanted.
func Plan(w io.Writer, p *plan.Plan, details bool) error {
	var text strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&text, "%-8s %s\n", name, printable.Redacted(fmt.Sprintf(format, args...)))
	}
	line("guest", "%s", strings.Join(notEmpty(p.MAC, with("uuid ", p.UUID), with("type ", string(p.GuestType)), with("--net ", p.Net)), ", "))
	if l := &p.Lease; l.Address.IsValid() {
		line("lease", "%s", strings.Join(notEmpty(l.Address.String(), with("from ", plan.Text(l.ServerID)), with("router ", plan.Text(l.Router)),
			"next-server "+cmp.Or(plan.Text(l.NextServer), "none"), with("first ", l.ROMBootFile), "boot file "+cmp.Or(l.BootFile, "none"),
			with("path prefix ", l.PathPrefix), with("config file ", l.ConfigFile)), ", "))
	}
	if p.Location != "" {
		line("location", "%s", p.Location)
	}
	c := &p.Config
	switch names := console.Count(len(c.Tried), "name"); {
	case c.URL != "":
		line("config", "%s (%s, %s, after %s)", c.URL, console.Size(c.Bytes), console.Count(c.Lines, "line"), names)
	case len(c.Tried) > 0 && p.Location == "":
		line("config", "none of %s, from %s to %s", names, c.Tried[0].URL, c.Tried[len(c.Tried)-1].URL)
	}
	for _, t := range c.Tried {
		if details {
			line("", "%s: %s", t.URL, cmp.Or(strings.TrimSpace(string(t.Result)+" "+t.Message), "not asked"))
		}
	}
	planBoot(line, &p.Boot)
	if p.Verified != "" {
		line("verified", "%s", p.Verified)
	}
	for _, f := range append(c.Problems, p.Warnings...) {
		line("warning", "%s", f)
	}
	if why := cmp.Or(c.Error, p.Boot.Error); why != "" {
		line("error", "%s", why)
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// planBoot has the lines of what boots.
func planBoot(line func(name, format string, args ...any), b *plan.Boot) {
	switch {
	case b.Outcome == pxelinux.LocalBoot:
		line("boots", "%sfrom the guest's own disk", plan.LabelText(b.Label))
	case b.Kernel != "":
		line("boots", "%s", strings.Join(notEmpty(with("label ", b.Label), with("by ", string(b.Program))), " "))
		line("kernel", "%s", b.Kernel)
	default:
		line("boots", "nothing")
	}
	for _, initrd := range b.Initrds {
		line("initrd", "%s", initrd)
	}
	if b.Args != "" {
		line("args", "%s", b.Args)
	}
	var labels []string
	for _, l := range b.Labels {
		labels = append(labels, l.Name)
	}
	if len(labels) > 1 {
		line("labels", "%s", strings.Join(labels, ", "))
	}
	if b.Instead != "" {
		line("instead", "%s, where the server does not have the kernel", b.Instead)
	}
}

// with is a word before a text; "" where there is none.
func with(word, text string) string {
	if text == "" {
		return ""
	}
	return word + text
}

func notEmpty(words ...string) (list []string) {
	for _, w := range words {
		if w != "" {
			list = append(list, w)
		}
	}
	return list
}
