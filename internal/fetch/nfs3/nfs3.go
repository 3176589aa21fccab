package nfs3

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"time"
)

// kind is a ftype3.
type kind uint32

const (
	regular   kind = 1
	directory kind = 2
	link      kind = 5
)

// attributes are the part of a fattr3 that somebody asks for.
type attributes struct {
	kind     kind
	size     uint64
	modified time.Time
}

func (d *decoder) attributes() *attributes {
	a := &attributes{kind: kind(d.uint32())}
	d.take(4 * 4) // mode, nlink, uid, gid
	a.size = d.uint64()
	d.take(4*8 + 8) // used, rdev, fsid, fileid, atime
	seconds, nanoseconds := d.uint32(), d.uint32()
	a.modified = time.Unix(int64(seconds), int64(nanoseconds))
	d.take(8) // ctime
	return a
}

// optional is a post_op_attr: nil when the server did not send it.
func (d *decoder) optional() *attributes {
	if !d.bool() {
		return nil
	}
	return d.attributes()
}

// The procedures that a reader needs.
const (
	getAttr  = 1
	lookUp   = 3
	access   = 4
	readLink = 5
	read     = 6
)

// ask calls a procedure whose arguments begin with a handle and whose results
// with a status.
func (c *conn) ask(procedure uint32, h handle, more encoder) (*decoder, error) {
	var arguments encoder
	arguments.opaque(h)
	results, err := c.call(nfs, procedure, append(arguments, more...))
	if err != nil {
		return nil, err
	}
	return results, results.status()
}

func (c *conn) lookup(dir handle, name string) (handle, *attributes, error) {
	var more encoder
	more.opaque([]byte(name))
	results, err := c.ask(lookUp, dir, more)
	if err != nil {
		return nil, nil, err
	}
	h := slices.Clone(results.opaque(maxHandle))
	attr := results.optional()
	if results.failed || len(h) == 0 {
		return nil, nil, garbled("a short LOOKUP")
	}
	if attr == nil {
		attr, err = c.getAttr(h)
	}
	return h, attr, err
}

func (c *conn) getAttr(h handle) (*attributes, error) {
	results, err := c.ask(getAttr, h, nil)
	if err != nil {
		return nil, err
	}
	attr := results.attributes()
	if results.failed {
		return nil, garbled("a short GETATTR")
	}
	return attr, nil
}

// access says before the first READ what that would say.
func (c *conn) access(h handle) error {
	const mayRead = 1
	var more encoder
	more.uint32(mayRead)
	results, err := c.ask(access, h, more)
	if err != nil {
		return err
	}
	results.optional()
	allowed := results.uint32()
	switch {
	case results.failed:
		return garbled("a short ACCESS")
	case allowed&mayRead == 0:
		return NoAccess
	}
	return nil
}

// readLink is a link's target, which is not empty.
func (c *conn) readLink(h handle) (string, error) {
	results, err := c.ask(readLink, h, nil)
	if err != nil {
		return "", err
	}
	results.optional()
	target := results.opaque(maxPath)
	if results.failed || len(target) == 0 || bytes.IndexByte(target, 0) >= 0 {
		return "", garbled("a link that leads nowhere")
	}
	return string(target), nil
}

// readResults takes the answer to a READ apart.
func (d *decoder) readResults() (attr *attributes, data []byte, end bool, err error) {
	if err := d.status(); err != nil {
		return nil, nil, false, err
	}
	attr = d.optional()
	count := d.uint32()
	end = d.bool()
	data = d.opaque(readSize)
	if d.failed || count != uint32(len(data)) {
		return nil, nil, false, garbled("a READ that contradicts itself")
	}
	return attr, data, end, nil
}

// ErrChanged is a file that somebody has written to since it was opened, as far
// as the server says so.
var ErrChanged = errors.New("the file has changed meanwhile")

// File is a file on a server. One goroutine at a time may read it.
type File struct {
	conn   *conn
	handle handle
	attr   *attributes
	chunk  int // bytes that the server gives at once
	err    error
}

// Size is the size in bytes that the file had when it was opened.
func (f *File) Size() int64 { return int64(f.attr.size) }

// Modified is when the file had last been written to, then.
func (f *File) Modified() time.Time { return f.attr.modified }

// Close ends the connection.
func (f *File) Close() error { return f.conn.Close() }

// piece is a part of a buffer.
type piece struct{ at, length int }

// window is how many READs are under way at once.
const window = 8

// ReadAt is io.ReaderAt's, except that it reads nothing when it does not read
// all. The larger p, the faster: many READs are then under way at once. An
// error but io.EOF is for good: the connection is closed.
func (f *File) ReadAt(p []byte, offset int64) (int, error) {
	if offset < 0 || offset >= f.Size() {
		return 0, io.EOF
	}
	var end error
	if left := f.Size() - offset; int64(len(p)) > left {
		p, end = p[:left], io.EOF
	}
	if f.err == nil {
		if f.err = f.read(p, offset); f.err != nil {
			f.conn.Close()
		}
	}
	if f.err != nil {
		return 0, f.err
	}
	return len(p), end
}

func (f *File) read(p []byte, offset int64) error {
	rest := piece{0, len(p)} // not asked for yet
	var again []piece        // came short
	asked := make(map[uint32]piece, window)
	for {
		for len(asked) < window && (len(again) > 0 || rest.length > 0) {
			next := piece{rest.at, min(rest.length, f.chunk)}
			if n := len(again); n > 0 {
				next, again = again[n-1], again[:n-1]
			} else {
				rest = piece{rest.at + next.length, rest.length - next.length}
			}
			xid, err := f.ask(offset+int64(next.at), next.length)
			if err != nil {
				return err
			}
			asked[xid] = next
		}
		if len(asked) == 0 {
			return nil
		}
		xid, results, err := f.conn.receive()
		if err != nil {
			return err
		}
		got, ok := asked[xid]
		if !ok {
			return garbled("the answer to another call")
		}
		delete(asked, xid)
		attr, data, end, err := results.readResults()
		if err != nil {
			return err
		}
		if attr != nil && (attr.size != f.attr.size || !attr.modified.Equal(f.attr.modified)) {
			return ErrChanged
		}
		switch n := copy(p[got.at:got.at+got.length], data); {
		case len(data) > got.length:
			return garbled("a READ of more than was asked for")
		case n == got.length:
		case end || n == 0:
			return io.ErrUnexpectedEOF // it was longer when it was opened
		default:
			f.chunk = max(n, 4096)
			again = append(again, piece{got.at + n, got.length - n})
		}
	}
}

func (f *File) ask(offset int64, length int) (uint32, error) {
	var arguments encoder
	arguments.opaque(f.handle)
	arguments.uint64(uint64(offset))
	arguments.uint32(uint32(length))
	return f.conn.send(nfs, read, arguments)
}
