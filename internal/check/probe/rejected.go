package probe

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/internal/wire"
	"golang.org/x/sys/unix"
)

// rejected is what the network says in the place of a server of files, of which this
// error tells no more than that it can't be reached; nil for nothing. It is asked
// by UDP also where the file is to come by TCP, which does not tell who says so: a
// firewall that prohibits one mostly prohibits the other.
func rejected(ctx context.Context, link string, err error) *plan.Rejected {
	if !isUnreachable(err) {
		return nil
	}
	var to netip.AddrPort
	if e, ok := errors.AsType[*net.OpError](err); ok && e.Addr != nil {
		to, _ = netip.ParseAddrPort(e.Addr.String())
	}
	if u, err := url.Parse(link); err == nil && !to.IsValid() {
		a, _ := netip.ParseAddr(u.Hostname())
		to = netip.AddrPortFrom(a, wire.PortTFTP)
	}
	if !to.Addr().Is4() {
		return nil
	}
	return rejection(ctx, to, readRequest("pxelinux.0"))
}

// rejection sends a datagram, and waits for ICMP in place of an answer. What our own
// kernel says of a machine that does not answer ARP is none.
func rejection(ctx context.Context, to netip.AddrPort, request []byte) *plan.Rejected {
	conn, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(to))
	if err != nil {
		return nil
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil
	}
	_ = raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_RECVERR, 1) })
	if err != nil {
		return nil
	}
	own := conn.LocalAddr().(*net.UDPAddr).AddrPort().Addr()
	for range 3 { // a machine sends few of these in a second
		_, _ = conn.Write(request)
		conn.SetReadDeadline(time.Now().Add(400 * time.Millisecond))
		_, err := conn.Read(make([]byte, 1500))
		if _, isErrno := errors.AsType[unix.Errno](err); !isErrno {
			if err == nil || ctx.Err() != nil {
				return nil
			}
			continue
		}
		var r *plan.Rejected
		_ = raw.Control(func(fd uintptr) { r = icmpError(int(fd)) })
		if r != nil && r.By != own.Unmap() {
			r.To = to.Addr()
			return r
		}
	}
	return nil
}

// icmpError takes an ICMP message from a socket's queue of errors (ip(7), IP_RECVERR);
// nil for none.
func icmpError(fd int) *plan.Rejected {
	data, control := make([]byte, 1500), make([]byte, 512)
	_, n, _, _, err := unix.Recvmsg(fd, data, control, unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT)
	if err != nil {
		return nil
	}
	messages, err := unix.ParseSocketControlMessage(control[:n])
	if err != nil {
		return nil
	}
	for _, m := range messages {
		// struct sock_extended_err, and behind it who sent it, a sockaddr_in.
		const origin, kind, code, family, address = 4, 5, 6, 16, 20
		d := m.Data
		if m.Header.Level == unix.IPPROTO_IP && m.Header.Type == unix.IP_RECVERR && len(d) >= address+4 &&
			d[origin] == unix.SO_EE_ORIGIN_ICMP && d[kind] == 3 && binary.NativeEndian.Uint16(d[family:]) == unix.AF_INET {
			return &plan.Rejected{By: netip.AddrFrom4([4]byte(d[address:])), Code: d[code]}
		}
	}
	return nil
}
