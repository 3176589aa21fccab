package session

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/console"
	"github.com/gopxeboot/gopxeboot/internal/deadline"
	"github.com/gopxeboot/gopxeboot/internal/guest"
	"github.com/gopxeboot/gopxeboot/internal/menu"
)

const (
	// idleTime is how long a menu waits for the next key.
	idleTime = 20 * time.Second
	// menuTime is how long a boot waits for its menu, and how much its deadline
	// may be put off by.
	menuTime = 60 * time.Second
)

// Person is who may sit at the terminal. In and Out have to be one.
type Person struct {
	In, Out *os.File
	Dumb    bool // it can only print lines

	// Wait is how long a key is waited for when the files are complete before.
	Wait time.Duration
	// Menu shows the menu without a key, for the configuration's own time and at
	// most for Limit.
	Menu  bool
	Limit time.Duration
}

// asked is what the parent tells a child that asked: one of the three.
type asked struct {
	PutOff time.Duration // its deadline is later by this
	Check  *menu.Choice  // whether this one's password is the right one
	Ended  *ended
}

// ended is how it came out: nil is what boots untouched.
type ended struct{ Choice *menu.Choice }

// checked is the child's answer to Check; "" is the right one.
type checked struct{ Wrong string }

// Ask has the parent ask the user, who is there if the parent says so, and
// returns how it comes out: nil for what boots untouched. valid says why a
// choice's password is not the right one. From now on the parent answers nothing
// else.
func (c *Child) Ask(ctx context.Context, o menu.Offer, valid func(menu.Choice) error) <-chan *menu.Choice {
	chosen := make(chan *menu.Choice, 1)
	if c.send(answer{Offer: &o}) != nil { // it is too large, or the parent is gone
		chosen <- nil
		return chosen
	}
	go func() {
		for {
			var a asked
			if c.Receive(&a) != nil {
				chosen <- nil
				return
			}
			switch {
			case a.Check != nil:
				wrong := ""
				if err := valid(*a.Check); err != nil {
					wrong = cut(err.Error())
				}
				c.send(answer{Checked: &checked{wrong}})
			case a.Ended != nil:
				chosen <- a.Ended.Choice
				return
			default:
				deadline.PutOff(ctx, a.PutOff)
			}
		}
	}()
	return chosen
}

// Complete tells the parent that nothing but the user is waited for.
func (c *Child) Complete() { c.send(answer{Complete: true}) }

// asking is a user while asked, in a goroutine of its own.
type asking struct {
	person *Person
	offer  menu.Offer
	guest  *guest.Guest
	con    *console.Console

	left     time.Duration // of menuTime
	complete chan struct{} // closed when the child waits for the user only
	once     sync.Once
	checked  chan checked
	stop     context.CancelFunc
	told     atomic.Bool // the child has the choice
	ended    chan struct{}
	chose    bool // when it has ended
}

// ask begins to ask; before is the time before, nil at first. A child that was
// taken over can offer anything, but it has menuTime for all that it asks, and of
// that none before a user has pressed a key.
func (p *Person) ask(ctx context.Context, g *guest.Guest, o *menu.Offer, before *asking, con *console.Console) (*asking, error) {
	if p == nil {
		return nil, errors.New("the guest's process asks a user who is not there")
	}
	if err := o.Check(); err != nil {
		return nil, fmt.Errorf("the guest's process offers a menu: %w", err)
	}
	a := &asking{
		person: p, offer: *o, guest: g, con: con, left: menuTime,
		complete: make(chan struct{}), checked: make(chan checked, 1), ended: make(chan struct{}),
	}
	if before != nil {
		before.end()
		a.left = before.left
	}
	if before == nil || !before.chose { // what failed was no person's choice
		a.offer.Failed = ""
	}
	asking, stop := context.WithCancel(ctx)
	a.stop = stop
	go func() {
		defer close(a.ended)
		end := &ended{a.choose(asking)}
		a.chose = end.Choice != nil
		a.told.Store(true)
		if asking.Err() == nil { // else no one waits for it
			g.Send(asked{Ended: end})
		}
	}()
	return a, nil
}

// over says whether the child can ask again.
func (a *asking) over() bool { return a == nil || a.told.Load() }

// end returns when the terminal is as it was.
func (a *asking) end() {
	if a != nil {
		a.stop()
		<-a.ended
	}
}

// choose is the user's choice; nil is none.
func (a *asking) choose(ctx context.Context) *menu.Choice {
	t, restore, err := console.OpenTerminal(a.person.In, a.person.Out)
	if err != nil {
		if a.person.Menu {
			a.con.Warn(fmt.Sprintf("--menu has no effect: %v", err))
		} else {
			a.con.Detail(fmt.Sprintf("menu: not shown: %v", err))
		}
		return nil
	}
	defer restore()
	t.Dumb, t.Idle = a.person.Dumb, idleTime
	switch {
	case a.offer.Failed != "": // a user is there
	case a.person.Menu:
		t.First = a.countdown()
	default:
		a.con.Stage(fmt.Sprintf("menu: %s boots; press a key for the menu", a.offer.Default))
		if !a.key(ctx, t) {
			return nil
		}
	}

	began := time.Now()
	a.putOff(ctx, a.left)
	defer func() {
		a.left = max(a.left-time.Since(began), 0)
		a.putOff(ctx, -a.left)
	}()
	defer a.con.Hold()()
	shown, cancel := context.WithTimeoutCause(ctx, a.left, menu.ErrUntouched)
	defer cancel()
	choice, err := t.Choose(shown, a.offer, func(c menu.Choice) error { return a.check(ctx, c) })
	if err != nil {
		a.con.Detail(fmt.Sprintf("menu: %v", err))
		return nil
	}
	return &choice
}

// key waits for one while the default's files are downloaded, and says whether
// it came.
func (a *asking) key(ctx context.Context, t *console.Terminal) bool {
	waiting, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		defer cancel()
		select {
		case <-time.After(a.person.Wait):
		case <-waiting.Done():
		}
		select {
		case <-a.complete:
		case <-waiting.Done():
		}
	}()
	return t.Key(waiting) == nil
}

// countdown is how long the menu waits for its first key.
func (a *asking) countdown() time.Duration {
	wait := a.offer.Timeout
	if len(a.offer.Menus) > 0 {
		wait = a.offer.Menus[a.offer.Start].Timeout
	}
	if wait <= 0 {
		return a.person.Limit
	}
	return min(wait, a.person.Limit)
}

// putOff moves all deadlines, the child's too.
func (a *asking) putOff(ctx context.Context, by time.Duration) {
	deadline.PutOff(ctx, by)
	if ctx.Err() == nil {
		a.guest.Send(asked{PutOff: by})
	}
}

// check asks the child for a password.
func (a *asking) check(ctx context.Context, c menu.Choice) error {
	select {
	case <-a.checked: // which no one asked for
	default:
	}
	if err := a.guest.Send(asked{Check: &c}); err != nil {
		return err
	}
	select {
	case answer := <-a.checked:
		if answer.Wrong != "" {
			return errors.New(answer.Wrong)
		}
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// completed is the child's Complete.
func (a *asking) completed() {
	if a != nil { // else the offer was too large to be sent
		a.once.Do(func() { close(a.complete) })
	}
}

// answered is the child's answer to check.
func (a *asking) answered(c checked) {
	select {
	case a.checked <- c:
	default:
	}
}
