//go:build !portable

package tftpget

import (
	"encoding/binary"
	"errors"
	"math"
	"net/netip"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// others are the transfers that a request of ours began which was sent again
// too soon. A client tells them that they are not wanted (RFC 1350, section 4).
// The kernel's ICMP is not enough: dnsmasq does not look at it, keeps one of its
// 50 places for each for half a minute, and lets the next request wait.
type others struct {
	fd    int
	from  netip.Addr
	until atomic.Int64 // in nanoseconds, as time.Time has it
}

const (
	// othersTime is how long a server may have a request of ours in its queue
	// when the transfer is over.
	othersTime  = 10 * time.Second
	othersPause = 50 * time.Millisecond
	othersMost  = 64 // packets at a time
)

// listenToOthers opens a second socket on the same port, which gets what does
// not come from where the first one is connected to; nil where that fails.
func (s *udpSocket) listenToOthers() *others {
	name, err := unix.Getsockname(s.fd)
	if err != nil {
		return nil
	}
	family := unix.AF_INET
	if s.server.Addr().Is6() {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	// Not sooner for the first one, as it could have got somebody else's port.
	err = errors.Join(unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1), unix.Bind(fd, name))
	if err != nil {
		unix.Close(fd)
		return nil
	}
	o := &others{fd: fd, from: s.server.Addr()}
	o.until.Store(math.MaxInt64)
	time.AfterFunc(othersPause, o.turnDown)
	return o
}

func (o *others) turnDown() {
	turnDown(o.fd, o.from, netip.AddrPort{})
	if time.Now().UnixNano() > o.until.Load() {
		unix.Close(o.fd)
		return
	}
	time.AfterFunc(othersPause, o.turnDown)
}

// turnDown reads what has come, and answers what a server's other transfers
// sent.
func turnDown(fd int, server netip.Addr, transfer netip.AddrPort) {
	var p [headLen]byte
	for range othersMost {
		n, from, err := unix.Recvfrom(fd, p[:], unix.MSG_DONTWAIT|unix.MSG_TRUNC)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return
		case n < 2:
			continue
		}
		op, other := binary.BigEndian.Uint16(p[:]), addrPort(from)
		if (op == opDATA || op == opOACK) && other.Addr() == server && other != transfer {
			_ = unix.Sendto(fd, errorPacket(5, "unknown transfer ID"), unix.MSG_DONTWAIT, from)
		}
	}
}
