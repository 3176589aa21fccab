package fetch

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/gopxeboot/gopxeboot/tftpget"
)

// The kinds of failure that a caller decides on. Test with errors.Is. They are
// tftpget's where that has them, so that its errors need no translation. A
// server that can't be reached at all, with an answer from the network that
// says so, is none of these.
var (
	ErrNotFound          = tftpget.ErrNotFound               // TFTP error 1, HTTP 404 and 410, FTP 550, NFS3ERR_NOENT, ENOENT; not in the image
	ErrForbidden         = errors.New("not to be asked")     // by Client.Refuse
	ErrLogin       error = loginRefused{}                    // HTTP 401 and 407, a login that FTP refuses: ErrRefused for all of a server's files
	ErrRefused           = tftpget.ErrRefused                // any other answer that is no file: not allowed, a directory, a damaged image
	ErrFails       error = &refusal{"fails"}                 // HTTP 5xx: ErrRefused of a server that is at fault itself
	ErrRedirect    error = &refusal{"redirect"}              // ErrRefused of a redirect that is not followed
	ErrEncoding    error = &refusal{"encoding"}              // ErrRefused of a Content-Encoding that can't be undone
	ErrTimeout           = tftpget.ErrTimeout                // silence
	ErrHangs       error = hangs{}                           // ErrTimeout of a server that took the connection
	ErrUnheard           = tftpget.ErrUnheard                // ErrTimeout of a TFTP server that hears no acknowledgement
	ErrNoServer          = tftpget.ErrNoServer               // a TFTP port where no server listens
	ErrPortClosed        = errors.New("no server listens")   // a TCP port where none does
	ErrCertExpired       = errors.New("expired certificate") // or one that is not valid yet
	ErrUnknownCA         = errors.New("unknown authority")
	ErrCertName          = errors.New("certificate of another server")
	ErrNoTLS             = errors.New("no TLS") // a port where it is not spoken
	ErrShort             = tftpget.ErrShort
	ErrLong              = tftpget.ErrLong
	ErrTooBig            = tftpget.ErrTooBig
	ErrEmpty             = errors.New("the file is empty") // for those who need what is in it: fetch takes it
	ErrTooSlow           = errors.New("too slow")
	ErrLossy             = errors.New("packets get lost") // and so there was no time for all of it
	ErrChanged           = errors.New("the file changed during the download")
	ErrURL               = errors.New("no URL")                 // that can be asked for
	ErrUnsupported       = errors.New("unsupported URL scheme") // or an image that is of no known kind
)

type hangs struct{}

func (hangs) Error() string { return "it takes the connection and says nothing" }
func (hangs) Unwrap() error { return ErrTimeout }

type loginRefused struct{}

func (loginRefused) Error() string { return "login refused" }
func (loginRefused) Unwrap() error { return ErrRefused }

// refusal is a kind of ErrRefused with its words.
type refusal struct{ kind string }

func (*refusal) Error() string { return ErrRefused.Error() }
func (*refusal) Unwrap() error { return ErrRefused }

// Redirected is an error of what the server that was asked redirects to.
type Redirected struct {
	To  string // a URL, printable, without a password
	Err error
}

func (e *Redirected) Error() string { return fmt.Sprintf("it redirects to %s: %v", e.To, e.Err) }
func (e *Redirected) Unwrap() error { return e.Err }

// Error is what Open and File.WriteTo return.
type Error struct {
	URL string // as asked for, printable, without a password
	Err error  // what came back, or one of the kinds above
}

func (e *Error) Error() string { return e.URL + ": " + e.Err.Error() }

func (e *Error) Unwrap() error { return e.Err }

// as gives an error a kind where its own text says enough.
func as(kind, err error) error { return &kindError{kind, err} }

type kindError struct{ kind, err error }

func (e *kindError) Error() string   { return e.err.Error() }
func (e *kindError) Unwrap() []error { return []error{e.kind, e.err} }

// failed wraps what a scheme reports. When the context has ended, that is the
// reason, whatever the scheme made of it. A timeout of ours is no
// context.DeadlineExceeded, which would look like the caller's.
func failed(ctx context.Context, l location, err error) error {
	err = inWords(err, cmp.Or(l.host, "the server"))
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		text := "no time is left"
		if said, ok := errors.AsType[*networkError](err); ok {
			text += ", " + said.text
		}
		err = as(ctx.Err(), errors.New(text))
	case ctx.Err() != nil:
		err = as(ctx.Err(), errors.New("cancelled"))
	case errors.Is(err, ErrTimeout):
	case isTimeout(err):
		err = fmt.Errorf("%w: %v", ErrTimeout, err)
	}
	return &Error{l.String(), err}
}

// maxMessage bounds how much of a server's text stands in an error, in bytes.
const maxMessage = 200
