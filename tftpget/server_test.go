package tftpget

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// A fakeServer answers each read request on loopback with a script, from a
// port of its own, as RFC 1350 section 4 has it.
type fakeServer struct {
	addr netip.AddrPort

	mu       sync.Mutex
	requests [][]string // file, mode, and the options' names and values
}

// A session is one request and the conversation that follows.
type session struct {
	conn   *net.UDPConn
	client netip.AddrPort
	file   string
	opts   map[string]string
	nth    int // 0 for the first request that the server got
}

// serve starts a server that lives as long as the test.
func serve(t testing.TB, script func(*session)) *fakeServer {
	t.Helper()
	s := &fakeServer{}
	var sessions sync.WaitGroup
	t.Cleanup(sessions.Wait)
	conn := listen(t)
	s.addr = conn.LocalAddr().(*net.UDPAddr).AddrPort()
	sessions.Go(func() {
		buf := make([]byte, 2048)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			fields := strings.Split(strings.TrimSuffix(string(buf[2:n]), "\x00"), "\x00")
			s.mu.Lock()
			nth := len(s.requests)
			s.requests = append(s.requests, fields)
			s.mu.Unlock()
			opts := map[string]string{}
			for i := 2; i+1 < len(fields); i += 2 {
				opts[fields[i]] = fields[i+1]
			}
			tid, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
			if err != nil {
				return
			}
			// At the end only, so that after the script there is silence and
			// not a closed port, and a script that still waits gives up.
			t.Cleanup(func() { tid.Close() })
			sessions.Go(func() {
				script(&session{tid, from, fields[0], opts, nth})
			})
		}
	})
	return s
}

func listen(t testing.TB) *net.UDPConn {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func (s *fakeServer) asked() [][]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

func packet(op, number uint16, rest string) []byte {
	p := binary.BigEndian.AppendUint16(nil, op)
	return append(binary.BigEndian.AppendUint16(p, number), rest...)
}

func (s *session) send(p []byte)               { s.conn.WriteToUDPAddrPort(p, s.client) }
func (s *session) data(n int, payload []byte)  { s.send(packet(3, uint16(n), string(payload))) }
func (s *session) error(code uint16, m string) { s.send(packet(5, code, m+"\x00")) }

func (s *session) oack(opts ...string) {
	s.send([]byte("\x00\x06" + strings.Join(opts, "\x00") + "\x00"))
}

var errNoPacket = errors.New("nothing came")

// expect returns when the client sent the ACK of block n. What else it sent
// is an error.
func (s *session) expect(n int) error {
	p, err := s.next()
	if err == nil && !bytes.Equal(p, packet(4, uint16(n), "")) {
		err = fmt.Errorf("got %q, want ACK %d", p, n)
	}
	return err
}

func (s *session) next() ([]byte, error) { return s.within(2 * time.Second) }

func (s *session) within(wait time.Duration) ([]byte, error) {
	buf := make([]byte, 2048)
	s.conn.SetReadDeadline(time.Now().Add(wait))
	n, _, err := s.conn.ReadFromUDPAddrPort(buf)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = errNoPacket
	}
	return buf[:n], err
}

// blocks sends content and waits for each block's ACK.
func (s *session) blocks(content []byte, size int) error {
	for n := 1; ; n++ {
		block := content[:min(size, len(content))]
		content = content[len(block):]
		s.data(n, block)
		if err := s.expect(n); err != nil || len(block) < size {
			return err
		}
	}
}

// patientBlocks does so too, as long as a busy machine takes.
func (s *session) patientBlocks(content []byte, size int) {
	for n := 1; ; n++ {
		block := content[:min(size, len(content))]
		content = content[len(block):]
		if s.deliver(n, block) != nil || len(block) < size {
			return
		}
	}
}

// deliver sends block n, again each time that the client asks for it, and
// returns when the client has it.
func (s *session) deliver(n int, block []byte) error {
	s.data(n, block)
	for {
		p, err := s.within(time.Minute)
		if err != nil || bytes.Equal(p, packet(opACK, uint16(n), "")) {
			return err
		}
		if bytes.Equal(p, packet(opACK, uint16(n-1), "")) {
			s.data(n, block)
		}
	}
}

// await returns when the client sent the ACK of block n, whatever else before.
func (s *session) await(n int) error {
	for {
		p, err := s.next()
		if err != nil || bytes.Equal(p, packet(opACK, uint16(n), "")) {
			return err
		}
	}
}

// agree answers the request's options: as asked, and with the file's size.
func (s *session) agree(size int) (blockSize int) {
	s.oack("tsize", strconv.Itoa(size), "blksize", s.opts["blksize"])
	s.expect(0)
	blockSize, _ = strconv.Atoi(s.opts["blksize"])
	return blockSize
}

// file is the whole conversation about a file, as a good server has it.
func file(content []byte) func(*session) {
	return func(s *session) {
		if s.opts["blksize"] == "" { // none is asked for
			s.blocks(content, plainTerms.blockSize)
			return
		}
		s.blocks(content, s.agree(len(content)))
	}
}

// pattern is n bytes in which every block differs from every other.
func pattern(n int) []byte {
	p := make([]byte, n)
	for i := 0; i+4 <= n; i += 4 {
		binary.BigEndian.PutUint32(p[i:], uint32(i)*2654435761)
	}
	return p
}
