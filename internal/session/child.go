package session

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"runtime/debug"
	"sync"
	"time"

	"github.com/gopxeboot/gopxeboot/dhcpclient"
	"github.com/gopxeboot/gopxeboot/internal/check"
	"github.com/gopxeboot/gopxeboot/internal/deadline"
	"github.com/gopxeboot/gopxeboot/internal/fault"
	"github.com/gopxeboot/gopxeboot/internal/guest"
	"github.com/gopxeboot/gopxeboot/internal/plan"
)

// reportTime is how long before the parent's deadline the child gives up, so
// that it can still say at what.
const reportTime = 300 * time.Millisecond

// Child is this process, which does the job.
type Child struct {
	*guest.Child
	terms

	sending sync.Mutex
}

// Serve is what the child process does. It returns the process's exit status. do
// receives the job. A panic in a parser is an error like any other: nothing
// outside this process is at stake.
func Serve(do func(context.Context, *Child) (Answer, error)) int {
	inside, err := guest.Inside()
	if err != nil {
		return 1
	}
	debug.SetMemoryLimit(64 << 20)
	c := &Child{Child: inside}
	if err := c.Receive(&c.terms); err != nil {
		return 1
	}
	ctx, cancel := deadline.Until(context.Background(), c.Deadline.Add(-reportTime))
	defer cancel()
	found := Answer{Plan: plan.New()}
	func() {
		defer func() {
			if r := recover(); r != nil {
				err = fault.New(fault.Own, "boot", fmt.Errorf("a parser failed: %v", r), "please report what this server sent")
			}
		}()
		found, err = do(ctx, c)
	}()
	if c.end(found, err) != nil {
		return 1
	}
	return 0
}

// end tells how it ended. What is too large to tell, a boot does without, which
// needs to know what boots and no more; whoever asks for the plan gets an error.
func (c *Child) end(found Answer, failed error) error {
	err := c.send(answer{Answer: found, Facts: (*facts)(found.Facts), Failure: newFailure(failed)})
	if !errors.Is(err, guest.ErrTooLarge) {
		return err
	}
	if failed == nil && c.Brief {
		err = c.SendLast(Answer{Plan: found.Plan.Brief()})
	}
	if !errors.Is(err, guest.ErrTooLarge) {
		return err
	}
	if failed == nil {
		failed = fault.New(fault.NoConfig, "config", fmt.Errorf("%s: what it says is %w", cmp.Or(found.Plan.Config.URL, "none"), err), "see what is in it")
	}
	return c.SendLast(answer{Answer: Answer{Plan: plan.New()}, Failure: newFailure(failed)})
}

// send is for several goroutines.
func (c *Child) send(a answer) error {
	c.sending.Lock()
	defer c.sending.Unlock()
	return c.Send(a)
}

// Say has the parent print a line.
func (c *Child) Say(l Line) { c.send(answer{Line: &l}) }

// Seen tells the parent what a look has seen so far. Some of it is enough: all
// comes with the answer, for which there has to be room.
func (c *Child) Seen(f check.Facts) {
	const most = 64 << 10
	f.Events = nil
	if text, err := json.Marshal(f); err == nil && len(text) <= most {
		c.send(answer{Seen: (*facts)(&f)})
	}
}

// Configure has the parent give us the leased address, where the network is the
// guest's own.
func (c *Child) Configure(l *dhcpclient.Lease) error {
	if !c.OwnNet {
		return nil
	}
	if err := c.send(answer{Configure: &configure{l.Address, l.Router, l.MTU}}); err != nil {
		return err
	}
	return c.Receive(&struct{}{})
}

// Resolver has the parent resolve names: the child has neither dom0's files nor
// a lease that names DNS servers. Dom0 itself resolves those that the command line
// names, so that what comes of them was named, too.
func (c *Child) Resolver(ctx context.Context) func(context.Context, string) (netip.Addr, error) {
	var asking sync.Mutex
	known := make(map[string]netip.Addr)
	resolve := func(_ context.Context, host string) (netip.Addr, error) {
		asking.Lock()
		defer asking.Unlock()
		if a, ok := known[host]; ok {
			return a, nil
		}
		var r resolved
		if err := c.send(answer{Resolve: host}); err != nil {
			return netip.Addr{}, err
		}
		if err := c.Receive(&r); err != nil {
			return netip.Addr{}, err
		}
		if r.Error != "" {
			return netip.Addr{}, errors.New(r.Error)
		}
		known[host] = r.Address
		return r.Address, nil
	}
	for _, host := range c.Hosts {
		if _, err := netip.ParseAddr(host); err == nil {
			continue
		}
		if a, err := resolve(ctx, host); err == nil {
			c.Reach.Named = append(c.Reach.Named, a.Unmap())
		}
	}
	return resolve
}
