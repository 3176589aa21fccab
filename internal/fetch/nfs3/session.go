package nfs3

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"
)

// Server is where a file is.
type Server struct {
	// Dial connects to a TCP port of the server, for all but the portmapper
	// (port 111) from a port below 1024 if it can: servers ask for that. What
	// it returns has to end a read or write that nothing comes of.
	Dial func(ctx context.Context, port uint16) (net.Conn, error)
	// Port is NFS's; 0 means what the portmapper says.
	Port uint16
	// Patience is how long one answer of at most 132 KiB may take.
	Patience time.Duration
}

// PortmapperPort is the port that Server.Dial is asked for first.
const PortmapperPort = 111

const (
	nfsPort  = 2049
	maxLinks = 40 // on the way to a file, as Linux has it (MAXSYMLINKS)
)

// ErrOutside is a path or a symbolic link that leads out of what the server exports as
// one.
var ErrOutside = errors.New("leads out of the export")

// session is the way to one file.
type session struct {
	ctx     context.Context
	server  *Server
	mount   *conn
	nfs     *conn
	mounted []string
}

// Open finds a file by its path from the server's root and sees that it can be
// read. The longest parent directory that the server lets mount is where the
// way begins; symbolic links are followed inside its export. A server's no is a
// Status. The context rules also the reading.
func (s *Server) Open(ctx context.Context, path string) (*File, error) {
	w := &session{ctx: ctx, server: s}
	f, err := w.open(path)
	if w.mount != nil && w.mount != w.nfs {
		w.mount.Close()
	}
	if err != nil && w.nfs != nil {
		w.nfs.Close()
	}
	return f, err
}

func (s *session) open(path string) (*File, error) {
	if len(path) > maxPath {
		return nil, NameTooLong
	}
	if err := s.connect(); err != nil {
		return nil, err
	}
	h, attr, err := s.walk(split(path))
	if err != nil {
		return nil, err
	}
	switch attr.kind {
	case regular:
	case directory:
		return nil, IsDirectory
	default:
		return nil, Invalid
	}
	if attr.size > 1<<62 {
		return nil, garbled(fmt.Sprintf("a file of %d bytes", attr.size))
	}
	if err := s.nfs.access(h); err != nil {
		return nil, err
	}
	s.unmountAll()
	return &File{conn: s.nfs, handle: h, attr: attr, chunk: readSize}, nil
}

// connect finds the two services.
func (s *session) connect() error {
	mountPort, port, err := s.ports()
	if err != nil {
		return err
	}
	if s.nfs, err = s.dial(port); err != nil {
		return err
	}
	s.mount = s.nfs
	if mountPort != port {
		s.mount, err = s.dial(mountPort)
	}
	return err
}

// ports asks the portmapper where the services are. A server without one may
// still have both on its NFS port.
func (s *session) ports() (mountPort, port uint16, err error) {
	port = s.server.Port
	c, err := s.dial(PortmapperPort)
	network, isNetwork := errors.AsType[net.Error](err)
	switch {
	case err == nil:
	case s.ctx.Err() != nil || isNetwork && network.Timeout():
		return 0, 0, err // no one is there at all
	default:
		port = cmp.Or(port, nfsPort)
		return port, port, nil
	}
	defer c.Close()
	if port == 0 {
		if port, err = c.port(nfs); err != nil {
			return 0, 0, err
		}
	}
	mountPort, err = c.port(mount)
	return mountPort, port, err
}

func (s *session) dial(port uint16) (*conn, error) {
	c, err := s.server.Dial(s.ctx, port)
	if err != nil {
		return nil, err
	}
	return newConn(&tiedConn{c, context.AfterFunc(s.ctx, func() { c.Close() })}, s.server.Patience), nil
}

// tiedConn is a connection that ends with a context.
type tiedConn struct {
	net.Conn
	untie func() bool
}

func (c *tiedConn) Close() error {
	c.untie()
	return c.Conn.Close()
}

// place is where walk is: in a mounted directory, or below it.
type place struct {
	root []string // the path of the mounted directory
	way  []handle // its handle, and those of the directories below it
}

// walk follows a path. Links can lead up and down, but never to a directory
// that the server would not let us mount, nor to one of another export.
func (s *session) walk(rest []string) (handle, *attributes, error) {
	at, rest, err := s.enter(rest, 0)
	if err != nil {
		return nil, nil, err
	}
	var export []string // known when it is needed
	known := false
	reenter := func(path []string) error {
		if !known {
			export, known = s.exportOf(at.root), true
		}
		if !hasPrefix(path, export) {
			return ErrOutside
		}
		at, rest, err = s.enter(path, len(export))
		return err
	}
	for links := 0; len(rest) > 0; {
		name := rest[0]
		rest = rest[1:]
		if name == ".." {
			switch {
			case len(at.way) > 1:
				at.way = at.way[:len(at.way)-1]
			case len(at.root) > 0:
				if err := reenter(slices.Concat(at.root[:len(at.root)-1], rest)); err != nil {
					return nil, nil, err
				}
			}
			continue
		}
		h, attr, err := s.nfs.lookup(at.way[len(at.way)-1], name)
		if err != nil {
			return nil, nil, err
		}
		switch {
		case attr.kind == link:
			if links++; links > maxLinks {
				return nil, nil, fmt.Errorf("%w: more than %d symbolic links on the way", NotFound, maxLinks)
			}
			target, err := s.nfs.readLink(h)
			if err != nil {
				return nil, nil, err
			}
			rest = slices.Concat(split(target), rest)
			if target[0] != '/' {
				continue
			}
			if hasPrefix(rest, at.root) {
				at.way, rest = at.way[:1], rest[len(at.root):]
			} else if err := reenter(rest); err != nil {
				return nil, nil, err
			}
		case len(rest) == 0:
			return h, attr, nil
		case attr.kind != directory:
			return nil, nil, NotDirectory
		default:
			at.way = append(at.way, h)
		}
	}
	return nil, nil, IsDirectory
}

// enter mounts the longest directory on the way that can be, of at least that
// many names, and returns what is left of the way.
func (s *session) enter(path []string, least int) (place, []string, error) {
	n := len(path) - 1
	if up := slices.Index(path, ".."); up >= 0 {
		n = min(n, up)
	}
	var refused error
	for n = max(n, least); n >= least; n-- {
		h, err := s.mnt(join(path[:n]))
		if err == nil {
			return place{slices.Clone(path[:n]), []handle{h}}, path[n:], nil
		}
		status, said := errors.AsType[Status](err)
		if !said && !errors.Is(err, ErrDenied) {
			return place{}, nil, err
		}
		// That a directory is not exported says more than that another is not
		// there.
		if refused == nil || errors.Is(refused, NotFound) && status != NotFound {
			refused = fmt.Errorf("mount %s: %w", join(path[:n]), err)
		}
	}
	return place{}, nil, refused
}
