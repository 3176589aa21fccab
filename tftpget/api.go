package tftpget

import (
	"errors"
	"fmt"
)

// The kinds of failure that a caller decides on. Test with errors.Is.
var (
	ErrNotFound = errors.New("file not found")      // TFTP error 1
	ErrRefused  = errors.New("refused by server")   // any other TFTP error
	ErrTimeout  = errors.New("no answer")           // silence after all retries
	ErrShort    = errors.New("shorter than announced")
	ErrLong     = errors.New("longer than announced")
	ErrTooBig   = errors.New("larger than allowed")
)

// Error is what every failed transfer returns.
type Error struct {
	Server  string // host:port
	File    string
	Code    int    // TFTP error code, -1 when the server sent none
	Message string // the server's own words, printable
	Err     error  // one of the errors above, or what the network or writer said
}

func (e *Error) Error() string {
	s := fmt.Sprintf("tftp %s %q: %v", e.Server, e.File, e.Err)
	if e.Message != "" {
		s += fmt.Sprintf(" (code %d: %s)", e.Code, e.Message)
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }
