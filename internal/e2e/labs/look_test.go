package labs

import (
	"context"
	"strings"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/boot"
	"github.com/gopxeboot/gopxeboot/internal/check"
	"github.com/gopxeboot/gopxeboot/internal/check/probe"
	"github.com/gopxeboot/gopxeboot/internal/check/render"
	"github.com/gopxeboot/gopxeboot/internal/console"
)

// How long servers are listened to: those that answer at once, on a machine
// that is busy with a dozen other labs, and those that take a second, as dnsmasq
// with --dhcp-reply-delay=1 and dhcpd with its ping check.
const (
	short = 900 * time.Millisecond
	long  = 2 * time.Second
)

// look is the check as the command does it, in a hurry. Its steps are written as they
// end, one line each.
func look(ctx context.Context, s *site, con *console.Console) (check.Facts, error) {
	s.Helper()
	var lines strings.Builder
	live := render.NewLive(&lines)
	facts, _, err := boot.Check(ctx, s.request, probe.Look{Take: s.lease, Wait: s.wait, Count: s.count, Rate: 50},
		func(f check.Facts) { _ = live.Seen(check.Diagnose(f)) }, con)
	if err == nil {
		_ = live.End(check.Diagnose(*facts), false)
		seen := map[string]bool{}
		steps, _, _ := strings.Cut(lines.String(), "\n\n")
		for line := range strings.Lines(steps) {
			if words := strings.Fields(line); len(words) > 1 && seen[words[1]] {
				s.Errorf("step %s twice:\n%s", words[1], lines.String())
			} else if len(words) > 1 {
				seen[words[1]] = true
			}
		}
	}
	return *facts, err
}
