package fetch

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/netip"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
)

// connect makes a TCP connection to "host:port" that ends after this silence.
func (c *Client) connect(ctx context.Context, network, address string, s *silence) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, err
	}
	addr, err := c.resolve(ctx, host)
	if err != nil {
		return nil, err
	}
	conn, err := c.dial(ctx, network, netip.AddrPortFrom(addr, uint16(n)))
	if err != nil {
		return nil, err
	}
	return &timeoutConn{Conn: conn, silence: s}, nil
}

func (c *Client) dial(ctx context.Context, network string, to netip.AddrPort) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout())
	defer cancel()
	dial := c.Dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	conn, err := dial(ctx, network, to.String())
	return conn, inWords(err, to.String())
}

// dialReserved makes a connection from a port below 1024, which Linux's NFS
// server wants to see unless it is told "insecure" (exports(5)). Where this
// process may not use one it is any port, and reserved is false.
func (c *Client) dialReserved(ctx context.Context, to netip.AddrPort) (conn net.Conn, reserved bool, err error) {
	const first, last = 512, 1023 // those below belong to services
	if c.Dial == nil {
		ctx, cancel := context.WithTimeout(ctx, c.timeout())
		defer cancel()
		for range 16 {
			from := &net.TCPAddr{Port: first + rand.IntN(last-first+1)}
			conn, err = (&net.Dialer{LocalAddr: from}).DialContext(ctx, "tcp", to.String())
			if errors.Is(err, fs.ErrPermission) {
				break
			}
			if !errors.Is(err, syscall.EADDRINUSE) && !errors.Is(err, syscall.EADDRNOTAVAIL) {
				return conn, true, inWords(err, to.String())
			}
		}
	}
	conn, err = c.dial(ctx, "tcp", to)
	return conn, false, err
}

// timeoutConn gives each Read and Write the same time to make progress.
type timeoutConn struct {
	net.Conn
	silence *silence
	said    atomic.Bool // something has come
}

func (c *timeoutConn) Read(p []byte) (int, error) {
	if err := c.SetReadDeadline(c.silence.deadline()); err != nil {
		return 0, err
	}
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.said.Store(true)
	}
	return n, c.inWords(err)
}

// inWords leaves the end of what the server sends as it is.
func (c *timeoutConn) inWords(err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	server := c.RemoteAddr().String()
	if c.said.Load() {
		return inWords(err, server)
	}
	return inWordsOf(err, server)
}

func (c *timeoutConn) Write(p []byte) (int, error) {
	if err := c.SetWriteDeadline(c.silence.deadline()); err != nil {
		return 0, err
	}
	n, err := c.Conn.Write(p)
	return n, c.inWords(err)
}

// silence is how long the connections of one file may bring nothing; 0 is as
// long as the context lasts.
type silence struct{ atomic.Int64 }

// newSilence is that of a server which has yet to answer.
func (c *Client) newSilence() *silence {
	s := new(silence)
	s.set(c.timeout())
	return s
}

func (s *silence) set(d time.Duration) { s.Store(int64(d)) }
func (s *silence) get() time.Duration  { return time.Duration(s.Load()) }

func (s *silence) deadline() time.Time {
	if d := s.get(); d > 0 {
		return time.Now().Add(d)
	}
	return time.Time{}
}
