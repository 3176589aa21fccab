package fetch

import (
	"context"
	"net"
	"net/netip"
	"strconv"
	"time"
)

// connect makes a TCP connection to "host:port" that no silence outlasts.
func (c *Client) connect(ctx context.Context, network, address string) (net.Conn, error) {
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
	return &impatientConn{conn, c.timeout()}, nil
}

func (c *Client) dial(ctx context.Context, network string, to netip.AddrPort) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout())
	defer cancel()
	if c.Dial != nil {
		return c.Dial(ctx, network, to.String())
	}
	return new(net.Dialer).DialContext(ctx, network, to.String())
}

// impatientConn gives each Read and Write the same time to make progress.
type impatientConn struct {
	net.Conn
	timeout time.Duration
}

func (c *impatientConn) Read(p []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(c.timeout)); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

func (c *impatientConn) Write(p []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(c.timeout)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}
