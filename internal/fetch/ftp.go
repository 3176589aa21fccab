package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strconv"
	"strings"

	"github.com/jlaffaye/ftp"
)

// maxControl bounds all that an FTP server may say besides the file, in bytes.
const maxControl = 64 << 10

func (c *Client) openFTP(ctx context.Context, l location) (_ source, err error) {
	name := l.name()
	if strings.ContainsAny(name, "\r\n\x00") {
		return nil, errors.New("an FTP file name can't hold a line end or a NUL")
	}
	if l.port == 0 {
		l.port = 21
	}
	if l.user == "" {
		l.user, l.password = "anonymous", "syslinux@" // as PXELINUX
	}
	// The library knows no context: it ends when its connections do.
	ctx, hangUp := context.WithCancel(ctx)
	defer func() {
		if err != nil {
			hangUp()
		}
	}()
	control := true // is dialled first
	dial := func(network, address string) (net.Conn, error) {
		conn, err := c.connect(ctx, network, address)
		if err != nil {
			return nil, err
		}
		context.AfterFunc(ctx, func() { conn.Close() })
		if control {
			control = false
			return &boundedConn{conn, maxControl}, nil
		}
		return conn, nil
	}
	server, err := ftp.Dial(net.JoinHostPort(l.host, strconv.Itoa(int(l.port))),
		ftp.DialWithDialFunc(dial),
		ftp.DialWithDisabledUTF8(true)) // names are bytes
	if err != nil {
		return nil, fromFTP(err)
	}
	if err := server.Login(l.user, l.password); err != nil {
		return nil, fmt.Errorf("log in as %s: %w", printable(l.user), fromLogin(err))
	}
	size, err := server.FileSize(name)
	if err != nil || size < 0 {
		size = -1 // RETR will tell whether it is there
	}
	body, err := server.Retr(name)
	if err != nil {
		return nil, fromFTP(err)
	}
	return &stream{&ftpBody{body, server, hangUp}, size}, nil
}

// ftpBody is the data connection together with the control connection, on
// which the server says whether what it sent was all.
type ftpBody struct {
	data   *ftp.Response
	server *ftp.ServerConn
	hangUp context.CancelFunc
}

func (b *ftpBody) Read(p []byte) (int, error) {
	n, err := b.data.Read(p)
	if err != io.EOF {
		return n, err
	}
	var said *textproto.Error
	switch err := b.data.Close(); {
	case err == nil:
		b.server.Quit()
		return n, io.EOF
	case errors.As(err, &said):
		return n, fmt.Errorf("%w: %d %s", ErrShort, said.Code, printable(said.Msg))
	case errors.Is(err, io.EOF): // hung up without a word
		return n, io.ErrUnexpectedEOF
	default:
		return n, err
	}
}

func (b *ftpBody) Close() error {
	b.hangUp()
	return nil
}

// fromFTP gives a server's answers their kinds.
func fromFTP(err error) error {
	var said *textproto.Error
	if !errors.As(err, &said) {
		return err
	}
	kind := ErrRefused
	if said.Code == ftp.StatusFileUnavailable {
		kind = ErrNotFound
	}
	return fmt.Errorf("%w: %d %s", kind, said.Code, printable(said.Msg))
}

// fromLogin does so for Login, where the library returns some answers as text
// only.
func fromLogin(err error) error {
	var said *textproto.Error
	var garbled textproto.ProtocolError
	var network net.Error
	switch {
	case errors.As(err, &said):
		return fmt.Errorf("%w: %d %s", ErrRefused, said.Code, printable(said.Msg))
	case errors.As(err, &network), errors.As(err, &garbled), errors.Is(err, ftp.ErrInvalidCommand),
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, errTalkative):
		return err
	}
	return fmt.Errorf("%w: %s", ErrRefused, printable(err.Error()))
}

// boundedConn ends when it has been read too much from.
type boundedConn struct {
	net.Conn
	left int
}

var errTalkative = errors.New("the server says too much")

func (c *boundedConn) Read(p []byte) (int, error) {
	if c.left == 0 {
		return 0, errTalkative
	}
	n, err := c.Conn.Read(p[:min(len(p), c.left)])
	c.left -= n
	return n, err
}
