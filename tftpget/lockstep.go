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
	"sync/atomic"
	"time"

	"github.com/pin/tftp/v3"
)

// request sends the read request and returns when the server has accepted it.
// Receiver and transfer are pin/tftp's, one block at a time.
func request(ctx context.Context, server netip.AddrPort, name string, o options, retransmits *atomic.Int64) (transfer, error) {
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
		retransmits.Add(1)
		return 0
	})
	client.SetBlockSize(o.blockSize)
	client.RequestTSize(true)
	w, err := receive(ctx, client, name)
	if err != nil {
		return nil, err
	}

	size, known := w.Size()
	if !known {
		// An OACK without a tsize that pin/tftp can read. It may also hide a
		// blksize: names of options may come in any case (RFC 2347), pin/tftp
		// compares them exactly, and would then cut each block off at 512
		// bytes without noticing. A block size of 512 can't be mistaken.
		go w.WriteTo(&output{stopped: errClosed})
		client.SetBlockSize(512) // asking for none makes pin/tftp send an OACK back, or panic
		client.RequestTSize(false)
		if w, err = receive(ctx, client, name); err != nil {
			return nil, err
		}
	}
	if size <= 0 {
		size = -1 // see File.Size
	}
	return &lockstep{w, size}, nil
}

// incoming is what pin/tftp returns for an accepted request.
type incoming interface {
	io.WriterTo
	tftp.IncomingTransfer
}

// receive is pin/tftp's Receive with a context. When that ends first, Receive
// goes on in the background until it has an answer or no more patience, and an
// answer is then turned down.
func receive(ctx context.Context, client *tftp.Client, name string) (incoming, error) {
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
	select {
	case a := <-answers:
		if a.err != nil {
			return nil, typed(a.err)
		}
		return a.w.(incoming), nil
	case <-ctx.Done():
		go func() {
			if a := <-answers; a.err == nil {
				a.w.WriteTo(&output{stopped: errClosed})
			}
		}()
		return nil, ctx.Err()
	}
}

type lockstep struct {
	incoming incoming
	size     int64
}

func (l *lockstep) Size() int64 { return l.size }

func (l *lockstep) WriteTo(w io.Writer) (int64, error) {
	n, err := l.incoming.WriteTo(w)
	return n, typed(err)
}

// serverError is an ERROR packet.
type serverError struct {
	code    int
	message string
}

func (e *serverError) Error() string { return fmt.Sprintf("code %d: %s", e.code, e.message) }

func (e *serverError) kind() error {
	if e.code == 1 { // "File not found", RFC 1350 appendix
		return ErrNotFound
	}
	return ErrRefused
}

// typed gives pin/tftp's errors a type. An ERROR packet comes as text only,
// "code: 1, message: File not found\x00"; silence as the socket's timeout.
func typed(err error) error {
	var network net.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &network):
		if network.Timeout() {
			return ErrTimeout
		}
		return err
	}
	if strings.HasPrefix(err.Error(), "short ERROR packet: ") {
		return ErrRefused // without the NUL that ends the text
	}
	if rest, ok := strings.CutPrefix(err.Error(), "code: "); ok {
		digits, message, ok := strings.Cut(rest, ", message: ")
		code, bad := strconv.ParseUint(digits, 10, 16)
		if ok && bad == nil {
			return &serverError{int(code), printable(message)}
		}
	}
	return err
}
