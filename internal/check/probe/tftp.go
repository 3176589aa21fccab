package probe

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/check"
	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/internal/wire"
)

// Opcodes of TFTP (RFC 1350, section 5; RFC 2347).
const (
	opDATA = 3
	opACK  = 4
	opOACK = 6
)

// WhyStopped looks at a transfer by TFTP that stopped, packet by packet: whether the
// server hears our acknowledgements, and whether it keeps to what was agreed. "" is
// that it is neither of these. It takes StoppedTime at most.
func WhyStopped(ctx context.Context, link string) (reason plan.Reason, message string) {
	u, err := url.Parse(link)
	if err != nil {
		return "", ""
	}
	address, err := netip.ParseAddr(u.Hostname())
	if err != nil || u.Port() != "" {
		return "", ""
	}
	conn, err := net.ListenUDP("udp4", nil)
	if err != nil {
		return "", ""
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	const blockSize = 1024
	request := fmt.Sprintf("\x00\x01%s\x00octet\x00blksize\x00%d\x00", strings.TrimLeft(u.Path, "/"), blockSize)
	if strings.HasPrefix(u.Path, "//") { // an absolute name
		request = strings.Replace(request, "\x00\x01", "\x00\x01/", 1)
	}
	if _, err := conn.WriteToUDPAddrPort([]byte(request), netip.AddrPortFrom(address, 69)); err != nil {
		return "", ""
	}
	began := time.Now()
	conn.SetReadDeadline(began.Add(time.Second))
	first, port, err := nextFrom(conn, address, 0)
	if err != nil || len(first) < 4 {
		return "", ""
	}
	op := binary.BigEndian.Uint16(first)
	if op == opDATA && len(first) > 4+512 {
		return plan.NoOACK, fmt.Sprintf("asked for blocks of %d bytes it sends such of %d, without agreeing by an OACK (RFC 2347)", blockSize, len(first)-4)
	}
	ack := []byte{0, opACK, 0, 0}
	switch op {
	case opDATA:
		copy(ack[2:], first[2:4])
	case opOACK:
	default:
		return "", ""
	}
	// A server sends again after a second or two, atftpd after five.
	const patience = StoppedTime - time.Second
	name := map[uint16]string{opDATA: "DATA 1", opOACK: "OACK"}[op]
	for again := 0; ; again++ {
		// One packet may get lost.
		for range 3 {
			if _, err := conn.WriteToUDPAddrPort(ack, netip.AddrPortFrom(address, port)); err != nil {
				return "", ""
			}
		}
		if again == 2 || again == 1 && time.Since(began) > patience/2 {
			break
		}
		conn.SetReadDeadline(began.Add(patience))
		p, _, err := nextFrom(conn, address, port)
		if err != nil && again == 0 || err == nil && !bytes.Equal(p, first) {
			return "", ""
		}
		if err != nil {
			break
		}
	}
	abort := []byte("\x00\x05\x00\x00\x00")
	_, _ = conn.WriteToUDPAddrPort(abort, netip.AddrPortFrom(address, port))
	return plan.DataBlocked, fmt.Sprintf("it answers the request (%s from its port %d) again and again, and so hears none of the acknowledgements that are sent to that port", name, port)
}

// StoppedTime is how long WhyStopped takes.
const StoppedTime = 7 * time.Second

// nextFrom is what that machine sends next, from that port unless it is 0.
func nextFrom(conn *net.UDPConn, address netip.Addr, port uint16) ([]byte, uint16, error) {
	b := make([]byte, 2048)
	for {
		n, from, err := conn.ReadFromUDPAddrPort(b)
		if err != nil {
			return nil, 0, err
		}
		if from.Addr().Unmap() == address && (port == 0 || from.Port() == port) {
			return b[:n], from.Port(), nil
		}
	}
}

// claims are the answers to ARP for an address, of all machines that have it.
type claims struct {
	*sharedEnd
	address netip.Addr
}

func (o *observer) claims(a netip.Addr) claims { return claims{o.conn.end(isARP), a} }

// other is a second machine that says it has the address; nil for none so far.
// Virtual routers answer with a MAC of their own, which is no second machine.
func (c claims) other(known string) net.HardwareAddr {
	for {
		select {
		case frame, ok := <-c.frames:
			if !ok {
				return nil
			}
			f, _ := wire.ParseFrame(frame)
			p, ok := wire.ParseARP(f)
			if ok && p.Operation == wire.ARPReply && p.Sender == c.address && p.SenderMAC.String() != known && !check.VirtualMAC(p.SenderMAC.String()) {
				return bytes.Clone(p.SenderMAC)
			}
		default:
			return nil
		}
	}
}
