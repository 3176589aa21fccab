package fetch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

	"github.com/gopxeboot/gopxeboot/tftpget"
)

func (c *Client) openTFTP(ctx context.Context, l location) (source, error) {
	// What follows an unescaped semicolon is a transfer mode (RFC 3617), which
	// PXELINUX cuts off.
	l.path, _, _ = strings.Cut(l.path, ";")
	addr, err := c.resolve(ctx, l.host)
	if err != nil {
		return nil, err
	}
	l.port = cmp.Or(l.port, 69)
	client := c.TFTP
	client.MaxSize = 0 // File sees to that, for all schemes
	server := netip.AddrPortFrom(addr, l.port)
	var f *tftpget.File
	err = c.patiently(ctx, server.String(), func() (err error) {
		if end, ok := ctx.Deadline(); ok && c.Servers.know(server.String()) {
			client.Retries = int(time.Until(end) / cmp.Or(client.Timeout, tftpget.DefaultTimeout))
		}
		f, err = client.Open(ctx, server, l.name())
		if reply, ok := errors.AsType[*tftpget.Error](err); err == nil || ok && reply.Code >= 0 {
			c.Servers.note(server.String())
		}
		return err
	})
	if err != nil {
		return nil, fromTFTP(err)
	}
	return &tftpFile{f}, nil
}

type tftpFile struct{ *tftpget.File }

func (f *tftpFile) WriteTo(w io.Writer) (int64, error) {
	n, err := f.File.WriteTo(w)
	return n, fromTFTP(err)
}

// fromTFTP leaves out what the URL says already.
func fromTFTP(err error) error {
	e, ok := errors.AsType[*tftpget.Error](err)
	switch {
	case !ok:
		return err
	case e.Code < 0:
		return fmt.Errorf("%w (%s)", e.Err, e.Server)
	}
	return fmt.Errorf("%w: %s said \"%s\" (code %d)", e.Err, e.Server, e.Message, e.Code)
}

func (f *tftpFile) stats() Stats {
	s := f.Stats()
	return Stats{s.BlockSize, s.WindowSize, s.Retransmits, s.Blocks, s.Lost, s.Last}
}
