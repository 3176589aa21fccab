package boot

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/gopxeboot/gopxeboot/internal/menu"
	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/internal/program"
)

// choose fetches what was decided, or what a person chooses meanwhile; failed is
// why nothing boots by itself. The default's files are fetched until something
// else is chosen: no one waits for a person who is not there.
func (p *pipeline) choose(ctx context.Context, d *program.Decision, failed error, fetch func(context.Context, *program.Decision) error) error {
	if d == nil || d.Asks == nil {
		if failed != nil {
			return failed
		}
		return fetch(ctx, d)
	}
	offer := d.Asks.Offer
	offer.Default = cmp.Or(d.Boot.Label, d.Boot.Kernel, "nothing")
	chosen := p.child.Ask(ctx, offer, d.Asks.Valid)
	fetching, stop := context.WithCancel(ctx)
	defer stop()
	fetched := make(chan error, 1)
	go func() {
		err := failed
		if err == nil {
			err = fetch(fetching, d)
		}
		fetched <- err
		p.child.Complete()
	}()
	var choice *menu.Choice
	select {
	case choice = <-chosen:
	case <-ctx.Done():
	}
	if choice == nil {
		return <-fetched
	}
	other, err := d.Asks.Choose(ctx, *choice)
	if err == nil && failed == nil && same(&other.Boot, &d.Boot) {
		return <-fetched
	}
	stop()
	<-fetched
	why, _ := errors.AsType[*program.Error](err)
	if err := p.boots(ctx, other, why); err != nil {
		return err
	}
	if err := p.verified(other.Boot.Kernel, other.Boot.Initrds); err != nil {
		return err
	}
	return fetch(ctx, other)
}

// same says whether two entries are the same files and arguments.
func same(a, b *plan.Boot) bool {
	return a.Outcome == b.Outcome && a.Kernel == b.Kernel && a.Args == b.Args && slices.Equal(a.Initrds, b.Initrds)
}
