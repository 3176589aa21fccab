// Package deadline is a context's end that can be put off: the time that a
// person takes at a menu is not the boot's.
package deadline

import (
	"context"
	"errors"
	"sync"
	"time"
)

// end is a context that ends by its timer. It has a channel of its own, so that
// contexts that are made of it take their error from it, too.
type end struct {
	context.Context
	done  chan struct{}
	above *end // the next one that ctx is made of; nil for none

	mu    sync.Mutex
	at    time.Time
	timer *time.Timer
}

type key struct{}

// With is context.WithTimeoutCause with context.DeadlineExceeded, but PutOff can
// put it off.
func With(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return Until(ctx, time.Now().Add(d))
}

// Until is With for a point in time.
func Until(ctx context.Context, at time.Time) (context.Context, context.CancelFunc) {
	inner, cancel := context.WithCancelCause(ctx)
	e := &end{Context: inner, done: make(chan struct{}), at: at}
	e.above, _ = ctx.Value(key{}).(*end)
	context.AfterFunc(inner, func() { close(e.done) })
	e.timer = time.AfterFunc(time.Until(at), func() { cancel(context.DeadlineExceeded) })
	return e, func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.timer.Stop()
		cancel(context.Canceled)
	}
}

// PutOff puts off the ends of all With and Until that ctx is made of; a negative
// time brings them nearer. What has ended has ended.
func PutOff(ctx context.Context, by time.Duration) {
	e, _ := ctx.Value(key{}).(*end)
	for ; e != nil; e = e.above {
		e.mu.Lock()
		e.at = e.at.Add(by)
		if e.Context.Err() == nil {
			e.timer.Reset(time.Until(e.at))
		}
		e.mu.Unlock()
	}
}

func (e *end) Deadline() (time.Time, bool) {
	e.mu.Lock()
	at := e.at
	e.mu.Unlock()
	if above, ok := e.Context.Deadline(); ok && above.Before(at) {
		return above, true
	}
	return at, true
}

func (e *end) Done() <-chan struct{} { return e.done }

func (e *end) Err() error {
	select {
	case <-e.done:
	default:
		return nil
	}
	if errors.Is(context.Cause(e.Context), context.DeadlineExceeded) {
		return context.DeadlineExceeded
	}
	return e.Context.Err()
}

func (e *end) Value(k any) any {
	if (k == key{}) {
		return e
	}
	return e.Context.Value(k)
}
