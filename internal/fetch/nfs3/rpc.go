package nfs3

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"time"
)

// ErrGarbled is an answer that breaks the protocol.
var ErrGarbled = errors.New("garbled answer")

// ErrSlow is an answer that was still not complete when Server.Patience ended.
var ErrSlow = errors.New("answer takes too long")

// ErrDenied is a server that does not do what is asked for at all, as opposed
// to a Status.
var ErrDenied = errors.New("call denied")

func garbled(what string) error { return fmt.Errorf("%w: %s", ErrGarbled, what) }

// readSize is how much one READ asks for, in bytes: at 4 KiB/s its answer takes
// half a minute.
const readSize = 128 << 10

// maxAnswer bounds one answer, in bytes.
const maxAnswer = readSize + 4096

// conn is a connection to one RPC service.
type conn struct {
	net.Conn
	reader   *bufio.Reader
	patience time.Duration
	xid      uint32
	answer   []byte
}

func newConn(c net.Conn, patience time.Duration) *conn {
	return &conn{Conn: c, reader: bufio.NewReaderSize(c, 64<<10), patience: patience, xid: rand.Uint32()}
}

// A program of RPC.
type program struct{ number, version uint32 }

var (
	portmapper = program{100000, 2}
	nfs        = program{100003, 3}
	mount      = program{100005, 3}
)

const (
	messageCall  = 0
	messageReply = 1
	rpcVersion   = 2
	authSys      = 1
	lastFragment = 1 << 31
	maxAuth      = 400 // bytes of a verifier
)

// send makes a call and returns the number that its answer will have.
func (c *conn) send(p program, procedure uint32, arguments encoder) (uint32, error) {
	c.xid++
	var credentials encoder // AUTH_SYS, as the root that a dom0 would mount as
	credentials.uint32(0)   // stamp
	credentials.opaque([]byte("gopxeboot"))
	credentials.uint32(0) // uid
	credentials.uint32(0) // gid
	credentials.uint32(0) // further groups

	call := make(encoder, 4, 128+len(arguments))
	for _, v := range []uint32{c.xid, messageCall, rpcVersion, p.number, p.version, procedure, authSys} {
		call.uint32(v)
	}
	call.opaque(credentials)
	call.uint32(0) // a verifier of AUTH_NONE
	call.opaque(nil)
	call = append(call, arguments...)
	binary.BigEndian.PutUint32(call, lastFragment|uint32(len(call)-4))
	_, err := c.Write(call)
	return c.xid, err
}

// receive takes the next answer. The results are there until the next call.
func (c *conn) receive() (xid uint32, results *decoder, err error) {
	if err := c.record(); err != nil {
		return 0, nil, err
	}
	d := &decoder{rest: c.answer}
	xid = d.uint32()
	if d.uint32() != messageReply {
		return 0, nil, garbled("no RPC reply")
	}
	if d.uint32() != 0 { // MSG_DENIED
		if d.uint32() == 1 { // AUTH_ERROR
			err = fmt.Errorf("%w: the server does not accept who asks (auth_stat %d)", ErrDenied, d.uint32())
		} else {
			err = fmt.Errorf("%w: the server speaks another version of RPC", ErrDenied)
		}
		return xid, nil, err
	}
	d.uint32() // the verifier
	d.opaque(maxAuth)
	status := d.uint32()
	if d.failed {
		return 0, nil, garbled("a short RPC reply")
	}
	if status != 0 {
		why, ok := map[uint32]string{
			1: "no such service", 2: "the service has another version", 3: "no such procedure",
			4: "the arguments were not understood", 5: "the server has a problem of its own",
		}[status]
		if !ok {
			return 0, nil, garbled(fmt.Sprintf("accept_stat %d", status))
		}
		return xid, nil, fmt.Errorf("%w: %s", ErrDenied, why)
	}
	return xid, d, nil
}

// record reads one record, which may come in fragments (RFC 5531, section 11).
func (c *conn) record() error {
	begin := time.Now()
	c.answer = c.answer[:0]
	for last := false; !last; {
		var header [4]byte
		if err := c.fill(header[:], begin); err != nil {
			return err
		}
		n := binary.BigEndian.Uint32(header[:])
		last = n&lastFragment != 0
		n &^= lastFragment
		have := len(c.answer)
		if n > maxAnswer || have+int(n) > maxAnswer {
			return garbled(fmt.Sprintf("an answer of more than %d bytes", maxAnswer))
		}
		if n == 0 && !last {
			return garbled("an empty fragment")
		}
		if cap(c.answer) < maxAnswer {
			c.answer = append(make([]byte, 0, maxAnswer), c.answer...)
		}
		c.answer = c.answer[:have+int(n)]
		if err := c.fill(c.answer[have:], begin); err != nil {
			return err
		}
	}
	return nil
}

// fill reads as much as p holds. It is for the connection to end at silence.
func (c *conn) fill(p []byte, begin time.Time) error {
	for len(p) > 0 {
		n, err := c.reader.Read(p)
		p = p[n:]
		switch {
		case err == io.EOF:
			return io.ErrUnexpectedEOF
		case err != nil:
			return err
		case time.Since(begin) > c.patience:
			return ErrSlow
		}
	}
	return nil
}

// call makes a call and waits for its answer.
func (c *conn) call(p program, procedure uint32, arguments encoder) (*decoder, error) {
	sent, err := c.send(p, procedure, arguments)
	if err != nil {
		return nil, err
	}
	xid, results, err := c.receive()
	if err == nil && xid != sent {
		err = garbled("the answer to another call")
	}
	return results, err
}

// port asks the portmapper for a service's TCP port.
func (c *conn) port(p program) (uint16, error) {
	const getPort, tcp = 3, 6
	var arguments encoder
	for _, v := range []uint32{p.number, p.version, tcp, 0} {
		arguments.uint32(v)
	}
	results, err := c.call(portmapper, getPort, arguments)
	if err != nil {
		return 0, err
	}
	port := results.uint32()
	switch {
	case results.failed || port > 65535:
		return 0, garbled("no port from the portmapper")
	case port == 0:
		return 0, fmt.Errorf("%w: the portmapper knows no program %d version %d on TCP", ErrDenied, p.number, p.version)
	}
	return uint16(port), nil
}
