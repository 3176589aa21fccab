package fetch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strconv"
	"strings"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/printable"
	"github.com/jlaffaye/ftp"
)

// maxControl bounds all that an FTP server may say besides the file, in bytes.
const maxControl = 64 << 10

func (c *Client) openFTP(ctx context.Context, l location) (source, error) {
	name := l.name()
	if strings.ContainsAny(name, "\r\n\x00") {
		return nil, errors.New("an FTP file name can't hold a line end or a NUL")
	}
	l.port = cmp.Or(l.port, 21)
	if l.user == "" {
		l.user, l.password = "anonymous", "syslinux@" // as PXELINUX
	}
	f := &ftpFile{client: c, ctx: ctx, at: l, name: name, silence: c.newSilence()}
	body, _, err := f.from(0)
	if err != nil {
		return nil, err
	}
	return &stream{ctx: ctx, body: body, size: f.size, patient: c.Servers != nil, silence: f.silence, open: f.from, warn: c.warn}, nil
}

type ftpFile struct {
	client *Client
	ctx    context.Context
	at     location
	name   string

	silence *silence
	seen    bool
	size    int64     // -1 when not known
	changed time.Time // zero when not known
}

// from asks for the file, beginning there, or at 0 where the server can't, or
// where nothing tells one version from another.
func (f *ftpFile) from(offset int64) (body io.ReadCloser, begin int64, err error) {
	if f.seen && f.size < 0 {
		offset = 0
	}
	server := net.JoinHostPort(f.at.host, strconv.Itoa(int(f.at.port)))
	err = f.client.patiently(f.ctx, server, func() (err error) {
		body, begin, err = f.ask(server, offset)
		return err
	})
	return body, begin, err
}

// ask logs in and asks once.
func (f *ftpFile) ask(address string, offset int64) (_ io.ReadCloser, begin int64, err error) {
	// The library knows no context: it ends when its connections do.
	ctx, hangUp := context.WithCancel(f.ctx)
	defer func() {
		// Answers such as "227 )(" are more than it can take.
		if recover() != nil {
			err = errors.New("an answer that is no FTP")
		}
		if err != nil {
			hangUp()
		}
	}()
	control := true // is dialled first
	dial := func(network, address string) (net.Conn, error) {
		conn, err := f.client.connect(ctx, network, address, f.silence)
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
	server, err := ftp.Dial(address,
		ftp.DialWithDialFunc(dial),
		ftp.DialWithDisabledUTF8(true)) // names are bytes
	if _, replied := errors.AsType[*textproto.Error](err); err == nil || replied {
		f.client.Servers.note(address)
	}
	if err != nil {
		return nil, 0, fromFTP(err)
	}
	if err := server.Login(f.at.user, f.at.password); err != nil {
		return nil, 0, fmt.Errorf("log in as %s: %w", printable.Line(f.at.user, maxMessage), fromLogin(err))
	}
	size, err := server.FileSize(f.name)
	if err != nil || size < 0 {
		size = -1 // RETR will tell whether it is there
	}
	var changed time.Time
	if server.IsGetTimeSupported() {
		changed, _ = server.GetTime(f.name)
	}
	if f.seen && (size != f.size || !changed.Equal(f.changed)) {
		return nil, 0, &permanent{ErrChanged}
	}
	f.seen, f.size, f.changed = true, size, changed
	body, err := server.RetrFrom(f.name, uint64(offset))
	if reply, _ := errors.AsType[*textproto.Error](err); offset > 0 && reply != nil && reply.Code < ftp.StatusNotLoggedIn { // 500 to 504: it knows no REST
		offset = 0
		body, err = server.Retr(f.name)
	}
	if err != nil {
		return nil, 0, fromFTP(err)
	}
	return &ftpBody{body, server, hangUp}, offset, nil
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
	err = b.data.Close()
	reply, replied := errors.AsType[*textproto.Error](err)
	switch {
	case err == nil:
		b.server.Quit()
		return n, io.EOF
	case replied:
		return n, fmt.Errorf("%w: %d %s", ErrShort, reply.Code, printable.Line(reply.Msg, maxMessage))
	case errors.Is(err, io.EOF): // hung up without a word
		return n, io.ErrUnexpectedEOF
	}
	return n, err
}

func (b *ftpBody) Close() error {
	b.hangUp()
	return nil
}

// fromFTP gives a server's answers their kinds.
func fromFTP(err error) error {
	reply, ok := errors.AsType[*textproto.Error](err)
	if !ok {
		return err
	}
	kind := ErrRefused
	if reply.Code == ftp.StatusFileUnavailable {
		kind = ErrNotFound
	}
	err = fmt.Errorf("%w: %d %s", kind, reply.Code, printable.Line(reply.Msg, maxMessage))
	if reply.Code == ftp.StatusNotAvailable {
		return &busyError{err, 0}
	}
	return err
}

// fromLogin does so for Login, where the library returns some answers as text
// only.
func fromLogin(err error) error {
	reply, replied := errors.AsType[*textproto.Error](err)
	_, garbled := errors.AsType[textproto.ProtocolError](err)
	_, network := errors.AsType[net.Error](err)
	switch {
	case replied:
		return fmt.Errorf("%w: %d %s", ErrLogin, reply.Code, printable.Line(reply.Msg, maxMessage))
	case network, garbled, errors.Is(err, ftp.ErrInvalidCommand),
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, errTalkative):
		return err
	}
	return fmt.Errorf("%w: %s", ErrLogin, printable.Line(err.Error(), maxMessage))
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
