package tftpget

import (
	"errors"
	"fmt"
	"io/fs"
)

// The kinds of failure that a caller decides on. Test with errors.Is.
var (
	ErrNotFound       = errors.New("file not found")               // TFTP error 1
	ErrRefused        = errors.New("refused by server")            // any other TFTP error
	ErrTimeout        = errors.New("no answer")                    // silence after all retries
	ErrUnheard  error = unheard{}                                  // ErrTimeout of a server that repeats its first packet
	ErrNoServer       = errors.New("nothing listens on that port") // says the server's own kernel
	ErrShort          = errors.New("shorter than announced")
	ErrLong           = errors.New("longer than announced")
	ErrTooBig         = errors.New("larger than allowed")
)

type unheard struct{}

func (unheard) Error() string {
	return "it sends its first packet again and again, and so hears none of the acknowledgements"
}
func (unheard) Unwrap() error { return ErrTimeout }

// Error is what every failed transfer returns.
type Error struct {
	Server  string // host:port
	File    string
	Code    int    // TFTP error code, -1 when the server sent none
	Message string // the server's own words, printable, 200 bytes at most
	Err     error  // one of the errors above, the context's, or what the network or writer said
}

func (e *Error) Error() string {
	s := fmt.Sprintf("tftp %s %q: %v", e.Server, e.File, e.Err)
	switch {
	case e.Code < 0:
		return s
	case e.Message == "":
		return fmt.Sprintf("%s (code %d)", s, e.Code)
	}
	return fmt.Sprintf("%s (code %d: %s)", s, e.Code, e.Message)
}

func (e *Error) Unwrap() error { return e.Err }

// Is makes fs.ErrNotExist of every ERROR packet that answers a request: to a
// boot loader that is a file which is not there.
func (e *Error) Is(target error) bool {
	return target == fs.ErrNotExist && (e.Err == ErrNotFound || e.Err == ErrRefused)
}

// maxMessage bounds how much of a server's error text is kept, in bytes.
const maxMessage = 200
