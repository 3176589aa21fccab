package fault

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"
)

func TestCodeOf(t *testing.T) {
	cancelled, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("terminated signal received"))
	late, cancelLate := context.WithTimeoutCause(t.Context(), 0, context.DeadlineExceeded)
	defer cancelLate()
	for _, test := range []struct {
		err  error
		code Code
		text string
	}{
		{nil, Done, ""},
		{errors.New("x"), Own, "x"},
		{context.Canceled, OutOfTime, "context canceled"},
		{New(NoLease, "dhcp", errors.New("no server"), "start one"), NoLease, "dhcp: no server; start one"},
		{New(Usage, "usage", errors.New("which URL?"), "say one"), Usage, "usage: which URL? say one"},
		// A status that would become 0 is none to tell a toolstack.
		{New(256, "boot", errors.New("x"), ""), Own, "boot: x"},
		{New(-256, "boot", errors.New("x"), ""), Own, "boot: x"},
		{New(Done, "boot", errors.New("x"), ""), Own, "boot: x"},
		{fmt.Errorf("wrapped: %w", New(NotFetched, "kernel", errors.New("gone"), "")), NotFetched, "wrapped: kernel: gone"},
		{In(t.Context(), NotFetched, "kernel", errors.New("gone"), "look"), NotFetched, "kernel: gone; look"},
		// The cause counts, not what it made of the stage.
		{In(cancelled, NotFetched, "kernel", errors.New("gone"), "look"), OutOfTime, "kernel: terminated signal received"},
		{In(late, NotFetched, "kernel", errors.New("gone"), "look"), OutOfTime, "kernel: the time for the whole boot is over: gone; raise --timeout if the network is that slow"},
		{In(late, NotFetched, "kernel", fmt.Errorf("u: %w", context.DeadlineExceeded), "look"), OutOfTime, "kernel: the time for the whole boot is over: u; look, or raise --timeout if the network is that slow"},
	} {
		if got := CodeOf(test.err); got != test.code {
			t.Errorf("%v: code %d, want %d", test.err, got, test.code)
		}
		if test.err != nil && test.err.Error() != test.text {
			t.Errorf("got %q, want %q", test.err, test.text)
		}
	}
}

// rung is a context whose deadline is over, but whose timer has not rung yet.
type rung struct{ context.Context }

func (rung) Deadline() (time.Time, bool) { return time.Now().Add(-time.Microsecond), true }

// A socket's deadline is the context's, and its timer may be the first to ring.
func TestInBeforeTimer(t *testing.T) {
	if got := CodeOf(In(rung{t.Context()}, NotFetched, "kernel", errors.New("i/o timeout"), "")); got != OutOfTime {
		t.Errorf("code %d, want %d", got, OutOfTime)
	}
}
