package boot

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/gopxeboot/gopxeboot/internal/fault"
	"github.com/gopxeboot/gopxeboot/internal/menu"
	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/internal/program"
)

// choose fetches what was decided, or what a user chooses meanwhile; failed is
// why nothing boots by itself. The default's files are fetched until something
// else is chosen: no one waits for a user who is not there.
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
	choice := p.chosen(ctx, chosen)
	if choice == nil {
		return <-fetched
	}
	other, err := d.Asks.Choose(ctx, *choice)
	if err == nil && failed == nil && same(&other.Boot, &d.Boot) {
		err = <-fetched
	} else {
		stop()
		<-fetched
		err = p.fetchChosen(ctx, other, err, fetch)
	}
	// What does not boot leads to the menu again, as execute's return does in
	// menu.c32 (com32/menu/menumain.c, menu_main).
	for again(err) {
		p.say.Warn(err.Error())
		if choice = p.chosen(ctx, p.child.Ask(ctx, offer.Again(*choice, err.Error()), d.Asks.Valid)); choice == nil {
			return err
		}
		other, err = d.Asks.Choose(ctx, *choice)
		err = p.fetchChosen(ctx, other, err, fetch)
	}
	return err
}

// chosen waits for a choice; nil is none.
func (p *pipeline) chosen(ctx context.Context, chosen <-chan *menu.Choice) *menu.Choice {
	select {
	case choice := <-chosen:
		return choice
	case <-ctx.Done():
		return nil
	}
}

// fetchChosen fetches what was chosen; failed is why it boots nothing.
func (p *pipeline) fetchChosen(ctx context.Context, d *program.Decision, failed error, fetch func(context.Context, *program.Decision) error) error {
	why, _ := errors.AsType[*program.Error](failed)
	if err := p.boots(ctx, d, why); err != nil {
		return err
	}
	if err := p.verified(d.Boot.Kernel, d.Boot.Initrds); err != nil {
		return err
	}
	return fetch(ctx, d)
}

// again says whether another entry may boot where one failed.
func again(err error) bool {
	switch fault.CodeOf(err) {
	case fault.NotBootable, fault.NotFetched:
		return true
	}
	return false
}

// same says whether two entries are the same files and arguments.
func same(a, b *plan.Boot) bool {
	return a.Outcome == b.Outcome && a.Kernel == b.Kernel && a.Args == b.Args && slices.Equal(a.Initrds, b.Initrds)
}
