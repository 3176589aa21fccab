//go:build !linux || portable

package tftpget

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
)

// udpSocket is package net's. It does not learn that no server listens on the
// server's port, so that costs all retries here.
type udpSocket struct {
	conn      *net.UDPConn
	server    netip.AddrPort
	from      netip.AddrPort // who sent the last packet
	connected bool
	packet    [1 << 16]byte
	unhook    func() bool

	mu    sync.Mutex
	ended bool // the context has
}

// dial opens a socket for one transfer. The end of the context wakes it.
func dial(ctx context.Context, server netip.AddrPort, local netip.Addr) (*udpSocket, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	network := "udp4"
	if server.Addr().Is6() {
		network = "udp6"
	}
	var from *net.UDPAddr
	if local.IsValid() {
		from = net.UDPAddrFromAddrPort(netip.AddrPortFrom(local.Unmap(), 0))
	}
	conn, err := net.ListenUDP(network, from)
	if err != nil {
		return nil, err
	}
	_ = conn.SetReadBuffer(bufferLen) // a window should fit in
	s := &udpSocket{conn: conn, server: server, from: server}
	s.unhook = context.AfterFunc(ctx, s.wake)
	return s, nil
}

// bufferLen is what systems grant without being asked to allow more.
const bufferLen = 256 << 10

// fit makes the window small enough for the buffer, as on Linux.
func (s *udpSocket) fit(t *terms) {
	t.window = max(min(t.window, bufferLen/(2*t.blockSize+1024)), 1)
}

func (s *udpSocket) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	s.conn.SetReadDeadline(time.Unix(0, 0))
}

func (s *udpSocket) close() {
	s.unhook()
	s.conn.Close()
}

func (s *udpSocket) now() time.Time { return time.Now() }

func (s *udpSocket) send(p []byte) error {
	to := s.server
	if s.connected {
		to = s.from
	}
	_, err := s.conn.WriteToUDPAddrPort(p, to)
	return err
}

// connect takes the sender of the last packet for the server from now on.
func (s *udpSocket) connect() error {
	s.connected = true
	return nil
}

func (s *udpSocket) receive(p []byte, wait time.Duration) (int, error) {
	deadline := time.Now().Add(wait)
	for {
		s.mu.Lock()
		if s.ended {
			s.mu.Unlock()
			return 0, errHungUp
		}
		err := s.conn.SetReadDeadline(deadline)
		s.mu.Unlock()
		if err != nil {
			return 0, err
		}
		n, from, err := s.conn.ReadFromUDPAddrPort(s.packet[:])
		from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			// Of the wait, or the context's, which the next turn sees.
			if time.Now().Before(deadline) {
				continue
			}
			return 0, errQuiet
		case err != nil:
			return 0, err
		case s.connected && from != s.from, from.Addr() != s.server.Addr(), n == 0:
			continue
		}
		s.from = from
		copy(p, s.packet[:n])
		return n, nil
	}
}

// pathMTU is Ethernet's; there is no portable way to ask.
func pathMTU(netip.AddrPort, netip.Addr) (int, error) { return 1500, nil }
