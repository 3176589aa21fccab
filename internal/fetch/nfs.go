package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"

	"github.com/gopxeboot/gopxeboot/internal/fetch/nfs3"
)

// openNFS opens a file on an NFS server. The URL's path begins at the server's
// root, as in host:/path.
func (c *Client) openNFS(ctx context.Context, l location) (readerAt, error) {
	addr, err := c.resolve(ctx, l.host)
	if err != nil {
		return nil, err
	}
	f := &nfsFile{ctx: ctx, by: c, at: net.JoinHostPort(addr.String(), "nfs"), path: "/" + l.name(), silence: c.newSilence()}
	unprivileged := false
	f.server = nfs3.Server{
		Port:     l.port,
		Patience: c.timeout() + leastTime,
		Dial: func(ctx context.Context, port uint16) (net.Conn, error) {
			to := netip.AddrPortFrom(addr, port)
			if port == nfs3.PortmapperPort {
				conn, err := c.dial(ctx, "tcp", to)
				return &timeoutConn{Conn: conn, silence: f.silence}, err
			}
			conn, reserved, err := c.dialReserved(ctx, to)
			unprivileged = !reserved
			return &timeoutConn{Conn: conn, silence: f.silence}, err
		},
	}
	f.file, err = f.open()
	if unprivileged && (errors.Is(err, nfs3.NoAccess) || errors.Is(err, nfs3.NotPermitted) || errors.Is(err, nfs3.ErrDenied)) {
		err = fmt.Errorf("%w (asked from a port above 1023, which the server may refuse: exports(5), insecure)", err)
	}
	if err != nil {
		return nil, fromNFS(err)
	}
	return f, nil
}

// nfsFile is a file on an NFS server, on one connection after the other.
type nfsFile struct {
	ctx     context.Context
	by      *Client
	at      string // the server, for Client.Servers
	server  nfs3.Server
	path    string
	silence *silence

	mu      sync.Mutex
	file    *nfs3.File
	resumed int64
}

func (f *nfsFile) open() (file *nfs3.File, err error) {
	err = f.by.patiently(f.ctx, f.at, func() (err error) {
		file, err = f.server.Open(f.ctx, f.path)
		if err == nil || !isBroken(err) {
			f.by.Servers.note(f.at)
		}
		return err
	})
	return file, err
}

func (f *nfsFile) Size() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.file.Size()
}

func (f *nfsFile) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.file.Close()
}

func (f *nfsFile) stats() Stats {
	f.mu.Lock()
	defer f.mu.Unlock()
	return Stats{Retransmits: f.resumed}
}

// ReadAt goes on with another connection where one breaks, as long as it is
// still the same file.
func (f *nfsFile) ReadAt(p []byte, offset int64) (n int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, err = f.file.ReadAt(p, offset)
	for useless := 1; err != nil && err != io.EOF; useless++ {
		if !isBroken(err) || hopeless(useless, f.by.Servers != nil, isTimeout(err)) || !wait(f.ctx, useless, 0) {
			return 0, fromNFS(err)
		}
		again, openErr := f.open()
		if openErr != nil {
			if !isBroken(openErr) {
				return 0, fromNFS(openErr)
			}
			continue
		}
		if again.Size() != f.file.Size() || !again.Modified().Equal(f.file.Modified()) {
			again.Close()
			return 0, ErrChanged
		}
		f.by.warn("broke off at %d bytes (%v), resumed", offset, err)
		f.file = again
		f.resumed++
		n, err = f.file.ReadAt(p, offset)
	}
	return n, err
}

// isBroken says whether another connection could do better.
func isBroken(err error) bool {
	_, said := errors.AsType[nfs3.Status](err)
	return !said && !errors.Is(err, nfs3.ErrGarbled) && !errors.Is(err, nfs3.ErrDenied) &&
		!errors.Is(err, nfs3.ErrOutside) && !errors.Is(err, nfs3.ErrSlow) && !errors.Is(err, nfs3.ErrChanged)
}

// fromNFS gives a server's answers their kinds.
func fromNFS(err error) error {
	status, said := errors.AsType[nfs3.Status](err)
	switch {
	case status == nfs3.NotFound, status == nfs3.NotDirectory, status == nfs3.NameTooLong:
		return as(ErrNotFound, err)
	case status == nfs3.Stale:
		return as(ErrChanged, err)
	case said, errors.Is(err, nfs3.ErrDenied), errors.Is(err, nfs3.ErrGarbled), errors.Is(err, nfs3.ErrOutside):
		return as(ErrRefused, err)
	case errors.Is(err, nfs3.ErrChanged):
		return as(ErrChanged, err)
	case errors.Is(err, nfs3.ErrSlow):
		return as(ErrTooSlow, err)
	}
	return err
}
