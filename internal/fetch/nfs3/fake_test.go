package nfs3

import (
	"context"
	"encoding/binary"
	"net"
	"os"
	"path"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// fake is a server without a network: what is written to it is answered at
// once, and silence is a timeout.
type fake struct {
	links    map[string]string // targets by path
	files    map[string]string // contents by path
	locked   map[string]bool
	exports  []string
	listed   bool           // the list of exports is public
	port     uint32         // that the portmapper knows; 0 for none
	refuses  bool           // nothing listens on the portmapper's port
	rsize    int            // bytes that a READ brings at most
	backward bool           // answers to READ come in the wrong order
	noAttr   bool           // neither LOOKUP nor READ tells attributes
	calls    map[string]int // by program and procedure

	// mangle is given each record with an answer, and returns what is sent.
	mangle func(call string, answer []byte) []byte
}

func (f *fake) server() *Server {
	return &Server{Dial: f.dial, Patience: time.Second}
}

func (f *fake) dial(_ context.Context, port uint16) (net.Conn, error) {
	if f.refuses && port == PortmapperPort {
		return nil, &net.OpError{Op: "dial", Err: os.ErrPermission}
	}
	return &fakeConn{server: f}, nil
}

type fakeConn struct {
	net.Conn
	server *fake
	out    []byte
	held   []byte // an answer that the next one overtakes
	closed atomic.Bool
}

func (c *fakeConn) Write(p []byte) (int, error) {
	if c.closed.Load() {
		return 0, net.ErrClosed
	}
	d := &decoder{rest: p[4:]}
	xid := d.uint32()
	d.uint32()
	d.uint32()
	program := d.uint32()
	d.uint32()
	procedure := d.uint32()
	d.uint32()
	d.opaque(maxAuth)
	d.uint32()
	d.opaque(maxAuth)
	name := callName(program, procedure)
	if c.server.calls == nil {
		c.server.calls = map[string]int{}
	}
	c.server.calls[name]++
	answer := make(encoder, 4)
	for _, v := range []uint32{xid, messageReply, 0, 0, 0, 0} {
		answer.uint32(v)
	}
	answer = append(answer, c.server.results(name, d)...)
	binary.BigEndian.PutUint32(answer, lastFragment|uint32(len(answer)-4))
	if c.server.mangle != nil {
		answer = c.server.mangle(name, answer)
	}
	switch {
	case c.server.backward && name == "READ" && c.held == nil:
		c.held = answer
	default:
		c.out = append(append(c.out, answer...), c.held...)
		c.held = nil
	}
	return len(p), nil
}

func (c *fakeConn) Read(p []byte) (int, error) {
	if c.closed.Load() {
		return 0, net.ErrClosed
	}
	if len(c.out) == 0 {
		c.out, c.held = c.held, nil
	}
	if len(c.out) == 0 {
		return 0, os.ErrDeadlineExceeded
	}
	n := copy(p, c.out)
	c.out = c.out[n:]
	return n, nil
}

func (c *fakeConn) Close() error {
	c.closed.Store(true)
	return nil
}

func callName(program, procedure uint32) string {
	switch program {
	case portmapper.number:
		return "GETPORT"
	case mount.number:
		return map[uint32]string{1: "MNT", 3: "UMNT", 5: "EXPORT"}[procedure]
	}
	return map[uint32]string{getAttr: "GETATTR", lookUp: "LOOKUP", access: "ACCESS", readLink: "READLINK", read: "READ"}[procedure]
}

// results are what a server says that keeps to the protocol. Handles are paths.
func (f *fake) results(call string, d *decoder) encoder {
	var e encoder
	switch call {
	case "GETPORT":
		e.uint32(f.port)
	case "MNT":
		dir := string(d.opaque(maxPath))
		status := NotFound
		if f.is(dir) == directory {
			status = NoAccess
			for _, export := range f.exports {
				if dir == export || strings.HasPrefix(dir, strings.TrimSuffix(export, "/")+"/") {
					status = 0
				}
			}
		}
		e.uint32(uint32(status))
		if status == 0 {
			e.opaque([]byte(dir))
			e.uint32(2)
			e.uint32(390003) // Kerberos
			e.uint32(authSys)
		}
	case "EXPORT":
		for _, export := range f.exports {
			if f.listed {
				e.uint32(1)
				e.opaque([]byte(export))
				e.uint32(1)
				e.opaque([]byte("*"))
				e.uint32(0)
			}
		}
		e.uint32(0)
	case "LOOKUP":
		dir := string(d.opaque(maxHandle))
		name := path.Join(dir, string(d.opaque(255)))
		switch {
		case f.is(dir) != directory:
			e.uint32(uint32(NotDirectory))
		case f.is(name) == 0:
			e.uint32(uint32(NotFound))
		default:
			e.uint32(0)
			e.opaque([]byte(name))
			if f.noAttr {
				e.uint32(0)
			} else {
				e.uint32(1)
				f.attributes(&e, name)
			}
			e.uint32(0)
		}
	case "GETATTR":
		e.uint32(0)
		f.attributes(&e, string(d.opaque(maxHandle)))
	case "ACCESS":
		allowed := !f.locked[string(d.opaque(maxHandle))]
		e.uint32(0)
		e.uint32(0)
		if allowed {
			e.uint32(d.uint32())
		} else {
			e.uint32(0)
		}
	case "READLINK":
		e.uint32(0)
		e.uint32(0)
		e.opaque([]byte(f.links[string(d.opaque(maxHandle))]))
	case "READ":
		name := string(d.opaque(maxHandle))
		content := f.files[name]
		offset := min(int(d.uint64()), len(content))
		length := min(int(d.uint32()), len(content)-offset)
		if f.rsize > 0 {
			length = min(length, f.rsize)
		}
		e.uint32(0)
		if f.noAttr {
			e.uint32(0)
		} else {
			e.uint32(1)
			f.attributes(&e, name)
		}
		e.uint32(uint32(length))
		end := uint32(0)
		if offset+length == len(content) {
			end = 1
		}
		e.uint32(end)
		e.opaque([]byte(content[offset : offset+length]))
	case "UMNT":
	}
	return e
}

// is says what kind of file has that path.
func (f *fake) is(name string) kind {
	if _, ok := f.files[name]; ok {
		return regular
	}
	if _, ok := f.links[name]; ok {
		return link
	}
	for _, all := range []map[string]string{f.files, f.links} {
		for other := range all {
			if name == "/" || strings.HasPrefix(other, name+"/") {
				return directory
			}
		}
	}
	return 0
}

func (f *fake) attributes(e *encoder, name string) {
	e.uint32(uint32(f.is(name)))
	for range 4 {
		e.uint32(0)
	}
	e.uint64(uint64(len(f.files[name])))
	for range 5 {
		e.uint64(0)
	}
	e.uint32(1_000_000_000) // modified
	e.uint32(5)
	e.uint64(0)
}

// readFile reads a whole file.
func readFile(t testing.TB, s *Server, name string) (string, error) {
	t.Helper()
	f, err := s.Open(t.Context(), name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if f.Size() > 64<<20 {
		t.Fatalf("%d bytes", f.Size())
	}
	content := make([]byte, f.Size())
	if len(content) == 0 {
		return "", nil
	}
	_, err = f.ReadAt(content, 0)
	return string(content), err
}
