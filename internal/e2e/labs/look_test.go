package labs

import (
	"context"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/boot"
	"github.com/gopxeboot/gopxeboot/internal/check"
	"github.com/gopxeboot/gopxeboot/internal/check/probe"
	"github.com/gopxeboot/gopxeboot/internal/console"
)

// How long servers are listened to: those that answer at once, on a machine
// that is busy with a dozen other labs, and those that take a second, as dnsmasq
// with --dhcp-reply-delay=1 and dhcpd with its ping check.
const (
	short = 900 * time.Millisecond
	long  = 2 * time.Second
)

// look is the check as the command does it, in a hurry.
func look(ctx context.Context, s *site, con *console.Console) (check.Facts, error) {
	facts, _, err := boot.Check(ctx, s.request, probe.Look{Take: s.lease, Wait: s.wait, Count: s.count, Rate: 50}, nil, con)
	return *facts, err
}
