// Package fault is a failed stage: what it says, and the exit code that it asks for.
package fault

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/plan"
)

// Code is the exit code that the process tells its caller.
type Code int

// The codes. Xend ignores them, libxl takes anything but 0 as failure;
// they are for scripts and for people.
const (
	Done        Code = 0
	Own         Code = 1
	Usage       Code = 2
	NoLease     Code = 3
	NoConfig    Code = 4
	NotBootable Code = 5
	NotFetched  Code = 6
	NoOutput    Code = 7 // output or space
	OutOfTime   Code = 8 // deadline or cancelled
)

// Error is a failed stage: what was asked of whom, what came back, and what
// to try.
type Error struct {
	Code  Code
	Stage plan.Stage
	Err   error
	Try   string // what a user could do; may be empty
}

func (e *Error) Error() string {
	text := fmt.Sprintf("%s: %v", e.Stage, e.Err)
	switch {
	case e.Try == "":
		return text
	case strings.HasSuffix(text, "?"):
		return text + " " + e.Try
	}
	return text + "; " + e.Try
}

func (e *Error) Unwrap() error { return e.Err }

// New is an *Error.
func New(code Code, stage plan.Stage, err error, try string) error {
	return &Error{code, stage, err, try}
}

// CodeOf is the exit code that an error asks for.
func CodeOf(err error) Code {
	var e *Error
	switch {
	case err == nil:
		return Done
	case errors.As(err, &e):
		// What the guest's process claims is not to become success: a
		// status is cut to 8 bits, and libxl or libvirtd may die of an
		// assertion after a success without a kernel (libxl_dom.c,
		// libxl__domain_firmware).
		if e.Code < Own || e.Code > OutOfTime {
			return Own
		}
		return e.Code
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return OutOfTime
	}
	return Own
}

// outOfTime says what was waited for, without package context's words.
func outOfTime(err error) error {
	const over = "the time for the whole boot is over"
	text := strings.TrimSuffix(strings.TrimSuffix(err.Error(), context.DeadlineExceeded.Error()), ": ")
	if text == "" {
		return late{over}
	}
	return late{over + ": " + text}
}

// late is a deadline that has passed, in words.
type late struct{ text string }

func (l late) Error() string { return l.text }
func (l late) Unwrap() error { return context.DeadlineExceeded }

// ended is a cancellation, in words.
type ended struct{}

func (ended) Error() string { return "ended from outside" }
func (ended) Unwrap() error { return context.Canceled }

// In wraps what went wrong in a stage. When our own time ran out or we were
// cancelled, that is the reason, whatever the stage made of it; where it is an
// Error itself, it is what went wrong. An error that has a method Try knows
// better than the stage what to try.
func In(ctx context.Context, code Code, stage plan.Stage, err error, try string) error {
	cause := context.Cause(ctx)
	if deadline, ok := ctx.Deadline(); ok && cause == nil && !time.Now().Before(deadline) {
		cause = context.DeadlineExceeded // a socket's timer may ring before the context's
	}
	if e, ok := errors.AsType[*Error](cause); ok {
		return e
	}
	switch {
	case errors.Is(cause, context.DeadlineExceeded):
		const raise = "raise --timeout if the network is that slow"
		if try == "" || !errors.Is(err, context.DeadlineExceeded) { // then it is of something else
			return New(OutOfTime, stage, outOfTime(err), raise)
		}
		return New(OutOfTime, stage, outOfTime(err), try+", or "+raise)
	case cause == context.Canceled:
		return New(OutOfTime, stage, ended{}, "")
	case cause != nil:
		return New(OutOfTime, stage, cause, "")
	}
	if knows, ok := errors.AsType[interface {
		error
		Try() string
	}](err); ok {
		try = knows.Try()
	}
	return New(code, stage, err, try)
}
