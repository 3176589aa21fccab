package dhcpclient

import (
	"context"
	"errors"
)

// The kinds of failure that a caller decides on. Test with errors.Is. When it
// was the context that ended the wait, its error is wrapped as well.
var (
	ErrNoOffer = errors.New("no DHCP server answered")
	ErrNoAck   = errors.New("no DHCP server confirmed its offer")
	ErrNak     = errors.New("DHCP server refused the address it offered")
	ErrInUse   = errors.New("DHCP server gave an address that is in use")
)

// because adds why the wait ended to err, when it was not our own patience.
func because(ctx context.Context, err error) error {
	if cause := ctx.Err(); cause != nil {
		return &endedError{err, cause}
	}
	return err
}

// endedError is a wait that the context ended. How long it was, the error says.
type endedError struct{ err, cause error }

func (e *endedError) Error() string {
	if errors.Is(e.cause, context.Canceled) {
		return e.err.Error() + ", and was cancelled"
	}
	return e.err.Error()
}

func (e *endedError) Unwrap() []error { return []error{e.err, e.cause} }
