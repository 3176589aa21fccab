package probe

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/gopxeboot/gopxeboot/dhcpclient"
	"github.com/gopxeboot/gopxeboot/internal/check"
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

// rejection sends a datagram, and waits for ICMP in place of an answer.
func rejection(ctx context.Context, to netip.AddrPort, request []byte) *plan.Rejected {
	r, _ := told(ctx, to, request, 3) // a machine sends few of these in a second
	return r
}

// told sends a datagram up to so often, and waits for ICMP in place of an answer. own is
// what our own kernel says of a way that is none, or on which no machine answers ARP.
func told(ctx context.Context, to netip.AddrPort, request []byte, often int) (r *plan.Rejected, own bool) {
	conn, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(to))
	if err != nil {
		return nil, isUnreachable(err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, false
	}
	_ = raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_RECVERR, 1) })
	if err != nil {
		return nil, false
	}
	ours := conn.LocalAddr().(*net.UDPAddr).AddrPort().Addr()
	for range often {
		_, _ = conn.Write(request)
		conn.SetReadDeadline(time.Now().Add(tellTime))
		_, err := conn.Read(make([]byte, 1500))
		if _, isErrno := errors.AsType[unix.Errno](err); !isErrno {
			if err == nil || ctx.Err() != nil {
				return nil, false
			}
			continue
		}
		_ = raw.Control(func(fd uintptr) { r = icmpError(int(fd)) })
		switch {
		case r == nil:
		case r.By != ours.Unmap():
			r.To = to.Addr()
			return r, false
		default:
			r, own = nil, true
		}
	}
	return nil, own
}

// tellTime is how long told waits for an answer.
const tellTime = 400 * time.Millisecond

// ServerTime is how long Server takes: the kernel asks for a MAC three times, a second
// each (arp(7), mcast_solicit); one more is for who answers in its place.
const ServerTime = 5 * time.Second

// Server is what a boot can tell of the TFTP server in a URL, which gives it nothing;
// nil for a name, and for one that answers now.
func Server(ctx context.Context, l *dhcpclient.Lease, link string) *check.Station {
	server, request := requestOf(link, leastBlock)
	address := server.Addr()
	if !address.Is4() {
		return nil
	}
	s := &check.Station{Address: address, Why: "next-server", Route: routeTo(l, address), TFTP: check.PortSilent}
	_, s.Asked, _ = strings.Cut(strings.TrimPrefix(link, "tftp://"), "/")
	var own bool
	s.Rejected, own = told(ctx, server, request, int((ServerTime-time.Second)/tellTime))
	s.MACUnknown = !own
	switch {
	case own:
		s.TFTP = check.PortUnreachable
	case s.Rejected != nil && s.Rejected.Code == 3 && !s.Rejected.Filtered():
		s.TFTP = check.PortClosed
	case s.Rejected != nil:
		s.TFTP = check.PortUnreachable
	default:
		var speaks bool
		if s.AnswersFrom, s.NoTFTP, speaks = answersFrom(ctx, server, s.Asked, time.Second); speaks {
			return nil
		}
	}
	return s
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
