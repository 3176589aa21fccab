package probe

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/check"
	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/internal/wire"
)

// WhyStopped looks at a transfer by TFTP that stopped, packet by packet: whether the
// server hears our acknowledgements, and whether it keeps to what was agreed. "" is
// that it is neither of these. It takes StoppedTime at most.
func WhyStopped(ctx context.Context, link string) (reason plan.Reason, message string) {
	const blockSize = 1024
	server, request := requestOf(link, blockSize)
	address := server.Addr()
	conn, end, err := sendRequest(ctx, server, request)
	if err != nil {
		return "", ""
	}
	defer end()
	began := time.Now()
	conn.SetReadDeadline(began.Add(time.Second))
	first, port, err := nextFrom(conn, address, 0)
	if err != nil || len(first) < 4 {
		return "", ""
	}
	op := binary.BigEndian.Uint16(first)
	if op == wire.TFTPData && len(first) > 4+512 {
		return plan.NoOACK, fmt.Sprintf("asked for blocks of %d bytes it sends such of %d, without agreeing by an OACK (RFC 2347)", blockSize, len(first)-4)
	}
	ack := []byte{0, wire.TFTPAck, 0, 0}
	switch op {
	case wire.TFTPData:
		copy(ack[2:], first[2:4])
	case wire.TFTPOACK:
	default:
		return "", ""
	}
	// A server sends again after a second or two, atftpd after five.
	const patience = StoppedTime - time.Second
	name := map[uint16]string{wire.TFTPData: "DATA 1", wire.TFTPOACK: "OACK"}[op]
	const rounds = 5 // from a server that repeats it at once
	unheard := 0
	for round := 0; round < rounds && unheard < 2 && (unheard == 0 || time.Since(began) < patience/2); round++ {
		for range 6 { // some may get lost
			if _, err := conn.WriteToUDPAddrPort(ack, netip.AddrPortFrom(address, port)); err != nil {
				return "", ""
			}
		}
		// All do where the server's MAC has to be asked for again and the answer
		// gets lost. Then a request behind them has no answer either.
		behind, endBehind, err := sendRequest(ctx, server, request)
		if err != nil {
			return "", ""
		}
		conn.SetReadDeadline(began.Add(patience))
		p, _, err := nextFrom(conn, address, port)
		answered := answeredBefore(behind, address)
		endBehind()
		if err != nil && unheard == 0 || err == nil && !bytes.Equal(p, first) {
			return "", ""
		}
		if err != nil {
			break
		}
		if answered {
			unheard++
		}
	}
	if unheard == 0 {
		return "", ""
	}
	_, _ = conn.WriteToUDPAddrPort(abort, netip.AddrPortFrom(address, port))
	return plan.DataBlocked, fmt.Sprintf("it answers the request (%s from its port %d) again and again, and so hears none of the acknowledgements that are sent to that port", name, port)
}

// answeredBefore tells whether the server answered the request by now. The transfer
// that it began is ended.
func answeredBefore(conn *net.UDPConn, server netip.Addr) bool {
	conn.SetReadDeadline(time.Now().Add(10 * time.Millisecond)) // one that is over reads nothing
	_, port, err := nextFrom(conn, server, 0)
	if err == nil {
		_, _ = conn.WriteToUDPAddrPort(abort, netip.AddrPortFrom(server, port))
	}
	return err == nil
}

// StoppedTime is how long WhyStopped takes.
const StoppedTime = 7 * time.Second

// abort ends a transfer.
var abort = []byte("\x00\x05\x00\x00\x00")

// readRequest asks for a file, without options (RFC 1350, section 5).
func readRequest(name string) []byte { return []byte("\x00\x01" + name + "\x00octet\x00") }

// sendRequest sends a request to a TFTP server from a port of its own, which takes the
// answers of all machines until ctx or the caller ends it.
func sendRequest(ctx context.Context, server netip.AddrPort, request []byte) (conn *net.UDPConn, end func(), err error) {
	if conn, err = net.ListenUDP("udp4", nil); err != nil {
		return nil, nil, err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	if _, err = conn.WriteToUDPAddrPort(request, server); err != nil {
		stop()
		conn.Close()
		return nil, nil, err
	}
	return conn, func() { stop(); conn.Close() }, nil
}

// requestOf is the server that a URL names, and the request for its file; the
// zero address where that is a name.
func requestOf(link string, blockSize int) (server netip.AddrPort, request []byte) {
	u, err := url.Parse(link)
	if err != nil {
		return server, nil
	}
	port, _ := strconv.ParseUint(cmp.Or(u.Port(), strconv.Itoa(wire.PortTFTP)), 10, 16)
	address, _ := netip.ParseAddr(u.Hostname())
	server = netip.AddrPortFrom(address, uint16(port))
	name := strings.TrimLeft(u.Path, "/")
	if strings.HasPrefix(u.Path, "//") { // an absolute name
		name = "/" + name
	}
	return server, fmt.Appendf(readRequest(name), "blksize\x00%d\x00", blockSize)
}

// blocks asks for the first block of a file whose blocks do not arrive, in the sizes
// that fill a frame, PXELINUX's, and smaller ones. A size is judged by several of
// them, and by how often the smallest ones are lost: any one packet may be.
func (o *observer) blocks(ctx context.Context, link string) []plan.Block {
	const few, most = 6, 12
	patience := 500 * time.Millisecond
	least := o.blocksOf(ctx, link, leastBlock, few, false, &patience)
	if !least.Arrives {
		const tiny = 128
		if b := o.blocksOf(ctx, link, tiny, few, true, &patience); b.Arrives && least.Asked > 0 {
			return []plan.Block{least, b}
		}
		return nil // it is not the size
	}
	// That chance lost as many as these is less likely than one in a thousand.
	enough := min(int(math.Ceil(math.Log(0.001)/math.Log(float64(least.Lost+1)/float64(least.Asked+2)))), most)
	var tried []plan.Block
	for _, size := range []int{wholeFrame, 1408, 1024} {
		b := o.blocksOf(ctx, link, size, enough, true, &patience)
		if b.Asked == 0 {
			return nil // the server is gone
		}
		tried = append(tried, b)
		if b.Arrives {
			break
		}
	}
	return append(tried, least)
}

// blocksOf asks for the first block so often, or until one came. What counts is
// whether the block follows the answer to the request. Blocks that come tell how long
// to wait for one.
func (o *observer) blocksOf(ctx context.Context, link string, size, often int, oneIsEnough bool, patience *time.Duration) plan.Block {
	b := plan.Block{Size: size}
	const most = 3 // of those that have no answer, for one that has
	for try := 0; b.Asked < often && try < most*often && (b.Asked > 0 || try < most*2) && ctx.Err() == nil && !(b.Arrives && oneIsEnough); try++ {
		began := time.Now()
		switch answer := o.oneBlock(ctx, link, size, *patience); answer {
		case silence:
			continue
		case agreed:
			b.Lost++
		default:
			b.Arrives, b.All = true, b.All || answer == all
			*patience = min(max(8*time.Since(began), 100*time.Millisecond), *patience)
		}
		b.Asked++
	}
	return b
}

// answer is what comes of asking for a first block.
type answer int

const (
	silence answer = iota
	agreed         // the server agreed to the size, and its block did not come
	block
	all // the block is the last one, too, or there is no such file
)

// oneBlock asks for the first block. One that comes without an agreement on the size
// is silence.
func (o *observer) oneBlock(ctx context.Context, link string, size int, patience time.Duration) answer {
	asked, request := requestOf(link, size)
	conn, end, err := sendRequest(ctx, asked, request)
	if err != nil {
		return silence
	}
	defer end()
	conn.SetReadDeadline(time.Now().Add(patience))
	first, port, err := nextFrom(conn, asked.Addr(), 0)
	if err != nil || len(first) < 2 {
		return silence
	}
	switch binary.BigEndian.Uint16(first) {
	case wire.TFTPError:
		return all
	case wire.TFTPOACK:
	default:
		return silence
	}
	server := netip.AddrPortFrom(asked.Addr(), port)
	defer func() { _, _ = conn.WriteToUDPAddrPort(abort, server) }()
	if _, err := conn.WriteToUDPAddrPort([]byte{0, wire.TFTPAck, 0, 0}, server); err != nil {
		return silence
	}
	conn.SetReadDeadline(time.Now().Add(patience))
	for {
		switch p, _, err := nextFrom(conn, asked.Addr(), port); {
		case err != nil:
			return agreed
		case len(p) < 4 || binary.BigEndian.Uint16(p) != wire.TFTPData:
		case len(p) < 4+size:
			return all
		default:
			return block
		}
	}
}

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
