package tftpget

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/printable"
	"github.com/pin/tftp/v3"
)

// startLockstep sends the read request and returns when the server has
// accepted it. Receiver and transfer are pin/tftp's, one block at a time.
func startLockstep(ctx context.Context, server netip.AddrPort, name string, o options, counted *counts) (transfer, error) {
	client, err := tftp.NewClient(server.String())
	if err != nil {
		return nil, err
	}
	if o.localAddr.IsValid() {
		if err := client.SetLocalAddr(o.localAddr.String()); err != nil {
			return nil, err
		}
	}
	client.SetTimeout(o.timeout)
	client.SetRetries(o.retries)
	// pin/tftp calls this once for each packet it sends again. It sleeps for
	// what we return and does not read meanwhile, so nothing but 0 is good.
	client.SetBackoff(func(int) time.Duration {
		counted.retransmits.Add(1)
		return 0
	})
	client.SetBlockSize(o.blockSize)
	client.RequestTSize(true)
	l := &lockstep{ctx: ctx, patience: o.timeout}
	closed := func() bool { return portClosed(ctx, server, o) }
	if l.incoming, err = receive(ctx, client, name, closed); err != nil {
		return nil, err
	}

	size, known := l.incoming.Size()
	if !known || size <= 0 {
		// No OACK, one without a tsize that pin/tftp can read, or an empty file.
		// It may hide a blksize: names of options may come in any case (RFC
		// 2347), pin/tftp compares them exactly, and would then cut each block
		// off at 512 bytes without noticing; as it does where a server sends
		// larger blocks without a word. So the file is asked for without
		// options, by a receiver that takes no block which is too large.
		go l.incoming.WriteTo(new(gate))
		d := newDownload(ctx, server, name, o, counted)
		if err := d.ask(plainTerms); err != nil {
			return nil, err
		}
		return d, nil
	}
	l.size = size
	return l, nil
}

// incoming is what pin/tftp returns for an accepted request.
type incoming interface {
	io.WriterTo
	tftp.IncomingTransfer
}

// unheardAfter is how long to wait for an answer before looking whether there
// is anybody to give it.
const unheardAfter = 100 * time.Millisecond

// receive is pin/tftp's Receive with a context. When that ends first, or when
// no one hears us, Receive goes on in the background until it has an answer or
// no more patience, and an answer is then turned down.
func receive(ctx context.Context, client *tftp.Client, name string, closed func() bool) (incoming, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	type answer struct {
		w   io.WriterTo
		err error
	}
	answers := make(chan answer, 1)
	go func() {
		w, err := client.Receive(name, "octet")
		answers <- answer{w, err}
	}()
	look := time.NewTimer(unheardAfter)
	defer look.Stop()
	for {
		var err error
		select {
		case a := <-answers:
			if a.err != nil {
				return nil, typed(a.err)
			}
			return a.w.(incoming), nil
		case <-look.C:
			if closed() {
				err = ErrNoServer
			}
		case <-ctx.Done():
			err = ctx.Err()
		}
		if err != nil {
			go func() {
				if a := <-answers; a.err == nil {
					a.w.WriteTo(new(gate))
				}
			}()
			return nil, err
		}
	}
}

// portClosed asks the kernel, which tells a socket of ours, but not pin/tftp's,
// when the server's port is closed. What it sends for that is an ERROR packet,
// which no server answers (RFC 1350, section 7): another request would begin
// another transfer, and keep one of dnsmasq's 50 places for half a minute.
func portClosed(ctx context.Context, server netip.AddrPort, o options) bool {
	s, err := dial(ctx, server, o.localAddr)
	if err != nil {
		return false
	}
	defer s.close()
	if s.connect() != nil || s.send(errorPacket(0, "is a server there?")) != nil {
		return false
	}
	_, err = s.receive(make([]byte, headLen), unheardAfter)
	return errors.Is(err, ErrNoServer)
}

// lockstep is a transfer of pin/tftp's.
type lockstep struct {
	ctx      context.Context
	incoming incoming
	size     int64
	patience time.Duration // how long Close waits for the server
	gate     gate
}

func (l *lockstep) Size() int64 { return l.size }

func (l *lockstep) agreed() (block, window int) { return l.gate.blockSize(), 1 }

// WriteTo returns when the transfer has ended or the context has.
func (l *lockstep) WriteTo(w io.Writer) (int64, error) {
	ended := l.start(w)
	select {
	case err := <-ended:
		return 0, typed(err)
	case <-l.ctx.Done():
		l.gate.shut()
		return 0, l.ctx.Err()
	}
}

// Close accepts the first block, to answer it with an error.
func (l *lockstep) Close() error {
	ended := l.start(nil)
	select {
	case <-ended:
	case <-l.ctx.Done():
	case <-time.After(l.patience):
	}
	return nil
}

func (l *lockstep) start(w io.Writer) <-chan error {
	l.gate.w = w
	ended := make(chan error, 1)
	go func() {
		_, err := l.incoming.WriteTo(&l.gate)
		ended <- err
	}()
	return ended
}

// gate stands between pin/tftp and a writer until it is shut: a receiver that
// waits for a packet can't be interrupted, but it can be kept from writing.
// The zero value is shut.
type gate struct {
	mu     sync.Mutex
	w      io.Writer
	blocks int
	first  int // length of the first block
}

// errStopped is all that a server gets to read of why we don't go on; a
// writer's own error could name files of ours.
var errStopped = errors.New("transfer cancelled")

func (g *gate) Write(block []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.w == nil {
		return 0, errStopped
	}
	if g.blocks == 0 {
		g.first = len(block)
	}
	g.blocks++
	if n, err := g.w.Write(block); err != nil {
		return n, errStopped
	}
	return len(block), nil
}

// shut returns when no Write is under way, and none will follow.
func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.w = nil
}

// blockSize is known as soon as a second block came: then the first was full.
func (g *gate) blockSize() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.blocks < 2 {
		return 0
	}
	return g.first
}

// serverError is an ERROR packet.
type serverError struct {
	code    int
	message string
}

// newServerError has the text up to its NUL, RFC 1350 section 5.
func newServerError(code uint16, text string) *serverError {
	text, _, _ = strings.Cut(text, "\x00")
	return &serverError{int(code), printable.Line(text, maxMessage)}
}

func (e *serverError) Error() string { return fmt.Sprintf("code %d: %s", e.code, e.message) }

func (e *serverError) kind() error {
	if e.code == 1 { // "File not found", RFC 1350 appendix
		return ErrNotFound
	}
	return ErrRefused
}

// aboutOptions tells whether a request with fewer options could do better.
// Code 8 is for that (RFC 2347); servers older than it say "illegal operation"
// or nothing in particular.
func aboutOptions(err error) bool {
	e, ok := errors.AsType[*serverError](err)
	return ok && (e.code == 8 || e.code == 4 || e.code == 0)
}

// typed gives pin/tftp's errors a type. An ERROR packet comes as text only,
// "code: 1, message: File not found\x00"; silence as the socket's timeout.
func typed(err error) error {
	if network, ok := errors.AsType[net.Error](err); ok && network.Timeout() {
		return ErrTimeout
	} else if err == nil || ok {
		return err
	}
	if strings.HasPrefix(err.Error(), "short ERROR packet: ") {
		return ErrRefused // without the NUL that ends the text
	}
	if rest, ok := strings.CutPrefix(err.Error(), "code: "); ok {
		digits, message, ok := strings.Cut(rest, ", message: ")
		code, bad := strconv.ParseUint(digits, 10, 16)
		if ok && bad == nil {
			return newServerError(uint16(code), message)
		}
	}
	return err
}
