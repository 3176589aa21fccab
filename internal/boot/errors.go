package boot

import (
	"context"
	"errors"
	"fmt"

	"github.com/gopxeboot/gopxeboot/internal/plan"
)

// ExitCode is what the process tells its caller.
type ExitCode int

// The exit codes. Xend ignores them, libxl takes anything but 0 as failure;
// they are for scripts and for people.
const (
	Done        ExitCode = 0
	OwnFault    ExitCode = 1
	Usage       ExitCode = 2
	NoLease     ExitCode = 3
	NoConfig    ExitCode = 4
	NotBootable ExitCode = 5
	NotFetched  ExitCode = 6
	NoOutput    ExitCode = 7 // output or space
	OutOfTime   ExitCode = 8 // deadline or cancelled
)

// Error is a failed stage: what was asked of whom, what came back, and what
// to try.
type Error struct {
	Code  ExitCode
	Stage plan.Stage
	Err   error
	Try   string // what a person could do; may be empty
}

func (e *Error) Error() string {
	text := fmt.Sprintf("%s: %v", e.Stage, e.Err)
	if e.Try != "" {
		text += "; " + e.Try
	}
	return text
}

func (e *Error) Unwrap() error { return e.Err }

// CodeOf is the exit code that an error asks for.
func CodeOf(err error) ExitCode {
	var e *Error
	switch {
	case err == nil:
		return Done
	case errors.As(err, &e):
		// What the guest's process claims is not to become success: a
		// status is cut to 8 bits, and libxl or libvirtd may die of an
		// assertion after a success without a kernel (libxl_dom.c,
		// libxl__domain_firmware).
		if e.Code < OwnFault || e.Code > OutOfTime {
			return OwnFault
		}
		return e.Code
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return OutOfTime
	}
	return OwnFault
}

// fail wraps what went wrong in a stage. When our own time ran out or we were
// cancelled, that is the reason, whatever the stage made of it; where it is an
// Error itself, it is what went wrong.
func fail(ctx context.Context, code ExitCode, stage plan.Stage, err error, try string) error {
	cause := context.Cause(ctx)
	if e, ok := errors.AsType[*Error](cause); ok {
		return e
	}
	switch {
	case errors.Is(cause, context.DeadlineExceeded):
		return &Error{OutOfTime, stage, fmt.Errorf("the time for the whole boot is over: %w", err), "raise --timeout if the network is that slow"}
	case cause != nil:
		return &Error{OutOfTime, stage, cause, ""}
	}
	if forbidden, ok := errors.AsType[*forbiddenError](err); ok {
		try = forbidden.try()
	}
	return &Error{code, stage, err, try}
}
