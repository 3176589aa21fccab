//go:build !portable

package tftpget

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// udpSocket is a blocking socket: one system call a packet, where package net
// takes three and a change of goroutines. Lock-step speed is made of that.
type udpSocket struct {
	fd        int
	server    netip.AddrPort
	from      netip.AddrPort // who sent the last packet
	connected bool
	requests  int           // that were sent
	watching  bool          // the last packet came soon, see watchTime
	wait      time.Duration // SO_RCVTIMEO
	bufferLen int           // SO_RCVBUF, in the kernel's own reckoning

	mu     sync.Mutex
	closed bool
	unhook func() bool
	others *others // nil without a second request

	ended atomic.Bool // the context has
}

// dial opens a socket for one transfer. The end of the context wakes it.
func dial(ctx context.Context, server netip.AddrPort, local netip.Addr) (*udpSocket, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	family, level, option := unix.AF_INET, unix.IPPROTO_IP, unix.IP_RECVERR
	if server.Addr().Is6() {
		family, level, option = unix.AF_INET6, unix.IPPROTO_IPV6, unix.IPV6_RECVERR
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	s := &udpSocket{fd: fd, server: server, from: server}
	// The answer comes from another port, so the socket can't be connected
	// yet; this way the kernel still tells when no server listens there.
	err = unix.SetsockoptInt(fd, level, option, 1)
	if err == nil && local.IsValid() {
		err = unix.Bind(fd, sockaddr(netip.AddrPortFrom(local.Unmap(), 0)))
	}
	if err != nil {
		unix.Close(fd)
		return nil, &net.OpError{Op: "listen", Net: "udp", Err: err}
	}
	// A window has to fit in. The kernel grants less when rmem_max says so.
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 4<<20)
	s.bufferLen, _ = unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF)
	s.unhook = context.AfterFunc(ctx, s.wake)
	return s, nil
}

// fit makes the window small enough for the buffer. For each packet the kernel
// counts about twice its length and its own 1 KiB.
func (s *udpSocket) fit(t *terms) {
	t.window = max(min(t.window, s.bufferLen/(2*t.blockSize+1024)), 1)
}

// wake makes receive return. On a socket that is not connected shutdown
// reports an error, and works (inet_shutdown in Linux: "Hack to wake up other
// listeners").
func (s *udpSocket) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended.Store(true)
	if !s.closed {
		_ = unix.Shutdown(s.fd, unix.SHUT_RD)
	}
}

func (s *udpSocket) close() {
	s.unhook()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.closed = true
		unix.Close(s.fd)
		if s.others != nil {
			s.others.until.Store(time.Now().Add(othersTime).UnixNano())
		}
	}
}

func (s *udpSocket) now() time.Time { return time.Now() }

func (s *udpSocket) send(p []byte) error {
	for {
		var err error
		if s.connected {
			_, err = unix.Write(s.fd, p)
		} else {
			s.requests++
			err = unix.Sendto(s.fd, p, 0, sockaddr(s.server))
		}
		if !errors.Is(err, unix.EINTR) {
			return opError("write", s.server, err)
		}
	}
}

// connect takes the sender of the last packet for the server from now on. The
// kernel then answers everybody else as if no socket were there, unless there
// are others.
func (s *udpSocket) connect() error {
	if s.connected {
		return nil
	}
	if s.requests > 1 {
		s.others = s.listenToOthers()
	}
	if err := unix.Connect(s.fd, sockaddr(s.from)); err != nil {
		return opError("connect", s.from, err)
	}
	s.connected = true
	// What others sent before is still in the queue. The server itself has
	// nothing to say before our answer.
	turnDown(s.fd, s.server.Addr(), s.from)
	return nil
}

func (s *udpSocket) receive(p []byte, wait time.Duration) (int, error) {
	if s.ended.Load() {
		return 0, errHungUp
	}
	if s.watching {
		n, err := s.watch(p)
		if n > 0 || err != nil {
			return n, err
		}
	}
	// Setting the time costs a system call, waking a little early nothing.
	if wait < s.wait || wait > 2*s.wait {
		s.wait = max(wait, time.Millisecond)
		tv := unix.NsecToTimeval(s.wait.Nanoseconds())
		if err := unix.SetsockoptTimeval(s.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv); err != nil {
			return 0, os.NewSyscallError("setsockopt", err)
		}
	}
	begin := time.Now()
	n, err := s.read(p)
	switch {
	case n > 0:
		s.watching = s.connected && severalCPUs && time.Since(begin) < watchTime
		return n, nil
	case s.ended.Load():
		return 0, errHungUp
	case err == nil, errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR): // or an empty packet
		return 0, errQuiet
	}
	return 0, opError("read", s.server, err)
}

// watchTime is how long to watch for a packet before sleeping until it comes.
// To be woken costs the server, which has to do it, and us some microseconds
// each: a third of the time of a transfer between two machines on one host.
// Where the last packet took longer there is nothing to gain by watching.
const watchTime = 50 * time.Microsecond

// Alone, a CPU that watches keeps the packet from coming.
var severalCPUs = runtime.NumCPU() > 1 && runtime.GOMAXPROCS(0) > 1

// watch returns 0 when nothing came for watchTime. It lets other processes go
// first, of which one may be the server; other goroutines get their turn every
// 10 ms at the latest, as Go's scheduler interrupts.
func (s *udpSocket) watch(p []byte) (int, error) {
	for begin := time.Now(); ; {
		// A raw system call, as it never waits.
		n, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(s.fd), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)), unix.MSG_TRUNC|unix.MSG_DONTWAIT, 0, 0)
		switch {
		case errno == 0 && n > 0:
			return int(n), nil
		case errno != 0 && errno != unix.EAGAIN && errno != unix.EINTR:
			return 0, opError("read", s.server, errno)
		}
		if time.Since(begin) >= watchTime {
			s.watching = false
			return 0, nil
		}
		unix.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0)
	}
}

// read reads one packet, while not connected one of the server's.
func (s *udpSocket) read(p []byte) (int, error) {
	if s.connected { // package unix would allocate an address for each packet
		n, _, errno := unix.Syscall6(unix.SYS_RECVFROM, uintptr(s.fd), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)), unix.MSG_TRUNC, 0, 0)
		if errno != 0 {
			return 0, errno
		}
		return int(n), nil
	}
	n, from, err := unix.Recvfrom(s.fd, p, unix.MSG_TRUNC)
	if err != nil || n == 0 {
		return n, err
	}
	if s.from = addrPort(from); s.from.Addr() != s.server.Addr() {
		return 0, unix.EAGAIN
	}
	return n, nil
}

func opError(op string, server netip.AddrPort, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.ECONNREFUSED):
		return ErrNoServer
	}
	return &net.OpError{Op: op, Net: "udp", Addr: net.UDPAddrFromAddrPort(server), Err: os.NewSyscallError(op, err)}
}

func sockaddr(a netip.AddrPort) unix.Sockaddr {
	if a.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
	}
	to := &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
	if zone := a.Addr().Zone(); zone != "" {
		if i, err := net.InterfaceByName(zone); err == nil {
			to.ZoneId = uint32(i.Index)
		}
	}
	return to
}

func addrPort(a unix.Sockaddr) netip.AddrPort {
	switch a := a.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
	case *unix.SockaddrInet6:
		addr := netip.AddrFrom16(a.Addr)
		if a.ZoneId != 0 {
			if i, err := net.InterfaceByIndex(int(a.ZoneId)); err == nil {
				addr = addr.WithZone(i.Name)
			}
		}
		return netip.AddrPortFrom(addr, uint16(a.Port))
	}
	return netip.AddrPort{}
}

// pathMTU is the largest packet in bytes on the way to the server, as far as
// the kernel knows: the interface's MTU, or what a router said before.
func pathMTU(server netip.AddrPort, local netip.Addr) (int, error) {
	family, level, option := unix.AF_INET, unix.IPPROTO_IP, unix.IP_MTU
	if server.Addr().Is6() {
		family, level, option = unix.AF_INET6, unix.IPPROTO_IPV6, unix.IPV6_MTU
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	if local.IsValid() {
		if err := unix.Bind(fd, sockaddr(netip.AddrPortFrom(local.Unmap(), 0))); err != nil {
			return 0, opError("bind", server, err)
		}
	}
	if err := unix.Connect(fd, sockaddr(server)); err != nil {
		return 0, opError("connect", server, err)
	}
	return unix.GetsockoptInt(fd, level, option)
}
