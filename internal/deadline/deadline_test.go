package deadline

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// A context ends as one of context.WithTimeoutCause does, and later when it was
// put off.
func TestDeadline(t *testing.T) {
	for _, c := range []struct {
		name   string
		inner  time.Duration
		putOff []time.Duration
		want   time.Duration
	}{
		{"the outer one", 20 * time.Second, nil, 10 * time.Second},
		{"the inner one", 5 * time.Second, nil, 5 * time.Second},
		{"put off, both", 8 * time.Second, []time.Duration{60 * time.Second}, 68 * time.Second},
		{"and not all of it used", 20 * time.Second, []time.Duration{60 * time.Second, -55 * time.Second}, 15 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				outer, cancelOuter := With(t.Context(), 10*time.Second)
				defer cancelOuter()
				between, cancelBetween := context.WithCancel(outer)
				defer cancelBetween()
				inner, cancelInner := With(between, c.inner)
				defer cancelInner()
				derived, cancel := context.WithCancel(inner)
				defer cancel()
				time.Sleep(time.Second)
				for _, by := range c.putOff {
					PutOff(derived, by)
				}
				if at, ok := derived.Deadline(); !ok || at.Sub(begin) != c.want {
					t.Errorf("the deadline is after %v", at.Sub(begin))
				}
				<-derived.Done()
				if took := time.Since(begin); took != c.want {
					t.Errorf("it ended after %v, want %v", took, c.want)
				}
				if derived.Err() != context.DeadlineExceeded || context.Cause(derived) != context.DeadlineExceeded {
					t.Errorf("%v because of %v", derived.Err(), context.Cause(derived))
				}
			})
		})
	}
}

// What has ended stays so, and its reason, too.
func TestEnded(t *testing.T) {
	why := errors.New("terminated")
	above, cancel := context.WithCancelCause(t.Context())
	ctx, stop := With(above, time.Hour)
	defer stop()
	if ctx.Err() != nil {
		t.Errorf("before: %v", ctx.Err())
	}
	cancel(why)
	<-ctx.Done()
	PutOff(ctx, time.Hour)
	if ctx.Err() != context.Canceled || context.Cause(ctx) != why {
		t.Errorf("%v because of %v", ctx.Err(), context.Cause(ctx))
	}
	PutOff(t.Context(), time.Hour) // there is nothing to put off
}
