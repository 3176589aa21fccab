package fetch

import (
	"bytes"
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"time"

	"github.com/gopxeboot/gopxeboot/tftpget"
)

// Client opens files as one guest. Its zero value opens what needs no name
// resolved; a Client may be copied and used by several goroutines at once.
type Client struct {
	DNS      []netip.Addr // the lease's name servers, of which PXELINUX asks the first four
	Domain   string       // added to names without a dot
	Fallback netip.Addr   // stands for every host that can't be resolved: PXELINUX's boot server

	// SysAppend holds PXELINUX's SYSAPPEND parameters, such as
	// "BOOTIF=01-00-16-3e-72-79-e3". HTTP servers get them as cookies.
	SysAppend []string

	// UserAgent is what HTTP servers are told; "" is PXELINUX's.
	UserAgent string

	// Form is sent to web servers by POST, as application/x-www-form-urlencoded;
	// "" is to GET. What is broken off is not asked for again then.
	Form string

	// RootCAs are whom https trusts, and is called each time that a server has to be
	// trusted; nil means the system's.
	RootCAs func() *x509.CertPool

	// MaxSize is the size in bytes of the largest file; 0 means any.
	MaxSize int64

	// Refuse, when not nil, says which addresses must not be asked, after
	// names are resolved and redirects followed: servers of files, of names,
	// and proxies.
	Refuse func(netip.Addr) error

	// Timeout is how long one thing may take: to resolve a name, to connect,
	// to answer a request, to send more of a file; 0 means 10 s. TFTP has its
	// own.
	Timeout time.Duration

	TFTP tftpget.Client // its MaxSize is not used

	// Resolve finds a name's address; nil means by asking DNS.
	Resolve func(ctx context.Context, host string) (netip.Addr, error)

	// Local opens a file of dom0 for file URLs, for reading; nil means that
	// there are none. It must wait for nothing: neither for a FIFO's other end
	// nor for a terminal.
	Local func(ctx context.Context, path string) (*os.File, error)

	// Proxy is http.Transport's: the proxy for an http or https request, or
	// nil for none; nil means no proxy at all.
	Proxy func(*http.Request) (*url.URL, error)

	// Dial makes connections to an IP address and port, for all but TFTP; nil
	// means a net.Dialer's.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	// Servers remembers who has answered: such a server is waited for until
	// the context ends, whatever Timeout is. Nil gives up each one alike.
	Servers *Servers

	// Names remembers which DNS servers are silent; nil asks them anew for each file.
	Names *Names

	// Images keeps images open between files; nil means that each file opens
	// the image that it is in.
	Images *Images

	// Verify, when not nil, is asked about what ReadAll or ReadHead has read whole, and its error
	// is that of the file. The content is nil where the file is not there, or is empty.
	Verify func(link string, content []byte) error

	// LookedUp, when not nil, is told of each name that was looked up.
	LookedUp func(Lookup)

	// Warn is told what a user should know although it went well.
	Warn func(text string)
}

// Open asks a server for a file and returns when the server has agreed to send
// it. The context rules the whole transfer, not only Open. Errors are of type
// *Error.
func (c *Client) Open(ctx context.Context, link string) (*File, error) {
	l, err := parse(link)
	if err != nil {
		return nil, failed(ctx, l, as(ErrURL, err))
	}
	s, err := c.open(ctx, l)
	if err != nil {
		return nil, failed(ctx, l, err)
	}
	if c.MaxSize > 0 && s.Size() > c.MaxSize {
		s.Close()
		return nil, failed(ctx, l, fmt.Errorf("%w: %d bytes of %d", ErrTooBig, s.Size(), c.MaxSize))
	}
	return &File{ctx: ctx, from: l, src: s, limit: c.MaxSize, patient: c.Servers != nil}, nil
}

// open knows the schemes, of which none knows another.
func (c *Client) open(ctx context.Context, l location) (source, error) {
	switch l.scheme {
	case "tftp":
		return c.openTFTP(ctx, l)
	case "http", "https":
		return c.openHTTP(ctx, l)
	case "ftp":
		return c.openFTP(ctx, l)
	}
	if container, name, ok := l.inside(); ok {
		return c.openInImage(ctx, container, name)
	}
	f, err := c.openRandom(ctx, l)
	if err != nil {
		return nil, err
	}
	return &wholeFile{ctx, f}, nil
}

// openRandom opens a file that can be read from anywhere, as an image has to
// be.
func (c *Client) openRandom(ctx context.Context, l location) (readerAt, error) {
	switch l.scheme {
	case "nfs":
		return c.openNFS(ctx, l)
	case "file":
		return c.openLocal(ctx, l)
	}
	return nil, ErrUnsupported
}

// ReadAll reads a whole file of at most limit bytes, which is a small one: by
// TFTP it comes in lock-step, as PXELINUX asks for it.
func (c *Client) ReadAll(ctx context.Context, link string, limit int64) ([]byte, error) {
	bounded := *c
	bounded.MaxSize = limit
	bounded.TFTP.WindowSize = 1
	f, err := bounded.Open(ctx, link)
	if err != nil {
		return nil, c.NotThere(link, err)
	}
	defer f.Close()
	var content bytes.Buffer
	if _, err := f.WriteTo(&content); err != nil {
		return nil, err
	}
	if c.Verify != nil {
		if err := c.Verify(link, content.Bytes()); err != nil {
			return nil, &Error{f.URL(), err}
		}
	}
	return content.Bytes(), nil
}

// NotThere is the error of a file that could not be opened. That it is not there is
// for Verify, too.
func (c *Client) NotThere(link string, err error) error {
	if c.Verify != nil && (errors.Is(err, ErrNotFound) || errors.Is(err, ErrRefused)) {
		return cmp.Or(c.Verify(link, nil), err)
	}
	return err
}

// ReadHead reads the first bytes of a file, most at most, and all of it where more
// says so of them: limit bytes then. at is where the file is after redirects.
func (c *Client) ReadHead(ctx context.Context, link string, most int, more func(head []byte) bool, limit int64) (content []byte, at string, err error) {
	f, content, at, err := c.Hold(ctx, link, most, more, limit)
	if f != nil {
		f.Close()
	}
	return content, at, err
}

// Hold is ReadHead, and keeps the file for who wants the rest, too: see File.Hold.
// With an error f is nil.
func (c *Client) Hold(ctx context.Context, link string, most int, more func(head []byte) bool, limit int64) (f *File, content []byte, at string, err error) {
	if f, err = c.Open(ctx, link); err != nil {
		return nil, nil, "", c.NotThere(link, err)
	}
	content, err = f.Hold(most, more, limit)
	if err == nil && f.held.whole && c.Verify != nil { // what boots is verified when it is fetched
		err = c.Verify(link, content)
	}
	at = link
	if s, ok := f.src.(*stream); ok && s.at != "" {
		at = s.at
	}
	if err != nil {
		f.Close()
		return nil, content, at, err
	}
	return f, content, at, nil
}

func (c *Client) timeout() time.Duration {
	if c.Timeout > 0 {
		return c.Timeout
	}
	return 10 * time.Second
}

func (c *Client) warn(format string, args ...any) {
	if c.Warn != nil {
		c.Warn(fmt.Sprintf(format, args...))
	}
}
