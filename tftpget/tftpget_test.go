package tftpget

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pin/tftp/v3"
)

// quick has little patience: silence costs a test 300 ms. A server of ours
// must have answered within that, on a busy machine too.
var quick = Client{BlockSize: 1468, Timeout: 100 * time.Millisecond, Retries: 2}

// pinned is pin/tftp.
var pinned = Client{BlockSize: 1468, WindowSize: 1}

// kinds are the two receivers: what holds for one should hold for the other.
var kinds = map[string]int{"pin/tftp": 1, "own": 0}

// get downloads x from a server with this script.
func get(t testing.TB, c Client, script func(*session)) ([]byte, *File, error) {
	t.Helper()
	f, err := c.Open(t.Context(), serve(t, script).addr, "x")
	if err != nil {
		return nil, nil, err
	}
	var b bytes.Buffer
	n, err := f.WriteTo(&b)
	if n != int64(b.Len()) {
		t.Errorf("WriteTo returned %d, wrote %d", n, b.Len())
	}
	return b.Bytes(), f, err
}

func TestFiles(t *testing.T) {
	plain := func(content []byte) func(*session) {
		return func(s *session) { s.blocks(content, 512) }
	}
	tests := []struct {
		name   string
		client Client
		script func(*session)
		want   []byte
		size   int64 // 0: as long as want
		block  int
		own    []int // size and block where our own receiver knows better
	}{
		{name: "options taken", script: file(pattern(5000)), want: pattern(5000), block: 1468},
		{name: "block size asked for", client: Client{BlockSize: 8192}, script: file(pattern(20000)), want: pattern(20000), block: 8192},
		{name: "one block", script: file(pattern(100)), want: pattern(100), own: []int{100, 1468}},
		{name: "last block empty", script: file(pattern(2 * 1468)), want: pattern(2 * 1468), block: 1468},
		{name: "empty", script: file(nil), want: []byte{}, size: -1, block: 512, own: []int{-1, 1468}},
		{name: "no OACK", script: plain(pattern(1300)), want: pattern(1300), size: -1, block: 512},
		{name: "as large as allowed", client: Client{MaxSize: 3000}, script: file(pattern(3000)), want: pattern(3000), block: 1468},
		{name: "smaller blksize", want: pattern(1300), block: 600, script: func(s *session) {
			s.oack("blksize", "600", "tsize", "1300")
			s.expect(0)
			s.blocks(pattern(1300), 600)
		}},
		{name: "larger blksize", want: pattern(9000), block: 2000, script: func(s *session) {
			s.oack("blksize", "2000", "tsize", "9000")
			s.expect(0)
			s.blocks(pattern(9000), 2000)
		}},
		{name: "tsize only", want: pattern(1300), block: 512, script: func(s *session) {
			s.oack("tsize", "1300")
			s.expect(0)
			s.blocks(pattern(1300), 512)
		}},
		// RFC 2347: "the options are case insensitive"; pin/tftp would take
		// 512 bytes of each block and call it a file.
		{name: "upper case options", want: pattern(5000), size: -1, block: 512, own: []int{5000, 1468}, script: func(s *session) {
			if s.opts["tsize"] != "" {
				s.oack("BLKSIZE", s.opts["blksize"], "TSIZE", "5000")
				if s.expect(0) == nil {
					s.blocks(pattern(5000), 1468)
				}
				return
			}
			s.blocks(pattern(5000), 512)
		}},
		{name: "blksize below 512 without tsize", want: pattern(1300), size: -1, block: 512, own: []int{-1, 8}, script: func(s *session) {
			if s.opts["tsize"] != "" {
				s.oack("blksize", "8")
				if s.expect(0) == nil {
					s.blocks(pattern(1300), 8)
				}
				return
			}
			s.blocks(pattern(1300), 512)
		}},
		{name: "options not asked for", want: pattern(1300), block: 600, script: func(s *session) {
			s.oack("windowsize", "1", "blksize", "600", "tsize", "1300", "", "")
			s.expect(0)
			s.blocks(pattern(1300), 600)
		}},
		{name: "every packet twice", want: pattern(9000), block: 1468, script: func(s *session) {
			s.oack("tsize", "9000", "blksize", "1468")
			s.expect(0)
			content := pattern(9000)
			for n := 1; ; n++ {
				block := content[:min(1468, len(content))]
				content = content[len(block):]
				s.data(n, block)
				s.data(n, block)
				if s.expect(n) != nil { // a second ACK would fail the next round
					s.error(0, "sorcerer's apprentice")
				}
				if len(block) < 1468 {
					return
				}
			}
		}},
		{name: "packets from a wrong port", want: pattern(2000), block: 1468, script: func(s *session) {
			s.oack("tsize", "2000", "blksize", "1468")
			s.expect(0)
			other, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(s.client))
			if err != nil {
				return
			}
			defer other.Close()
			other.Write(packet(3, 1, "wrong"))
			other.Write(packet(5, 1, "wrong\x00"))
			other.Write([]byte("\xff\xffgarbage"))
			s.blocks(pattern(2000), 1468)
		}},
		{name: "late and early blocks", want: pattern(2000), block: 1468, script: func(s *session) {
			s.agree(2000)
			s.data(1, pattern(2000)[:1468])
			s.expect(1)
			s.data(1, pattern(2000)[:1468])
			s.data(3, pattern(100))
			s.data(0, nil)
			s.data(2, pattern(2000)[1468:])
		}},
	}
	for _, tt := range tests {
		for kind, window := range kinds {
			t.Run(tt.name+"/"+kind, func(t *testing.T) {
				t.Parallel()
				c := tt.client
				c.WindowSize = window
				if c.BlockSize == 0 {
					c.BlockSize = 1468
				}
				got, f, err := get(t, c, tt.script)
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(got, tt.want) {
					t.Errorf("got %d bytes, want %d, or their content differs", len(got), len(tt.want))
				}
				size, block := tt.size, tt.block
				if size == 0 {
					size = int64(len(tt.want))
				}
				if window != 1 && tt.own != nil {
					size, block = int64(tt.own[0]), tt.own[1]
				}
				if f.Size() != size {
					t.Errorf("Size() = %d, want %d", f.Size(), size)
				}
				stats := f.Stats()
				if stats.Duration <= 0 {
					t.Error("the transfer took no time")
				}
				stats.Duration, stats.Blocks, stats.Last = 0, 0, time.Time{} // of our own receiver only
				if diff := cmp.Diff(Stats{Bytes: int64(len(tt.want)), BlockSize: block, WindowSize: 1}, stats); diff != "" {
					t.Error("Stats (-want +got)\n", diff)
				}
			})
		}
	}
}

func TestFailures(t *testing.T) {
	tests := []struct {
		name    string
		client  Client
		script  func(*session)
		want    error
		code    int // 0: none
		said    string
		pinOnly bool // the server is right, and pin/tftp does not see it
	}{
		{name: "not found", want: ErrNotFound, code: 1, said: "File not found",
			script: func(s *session) { s.error(1, "File not found") }},
		{name: "access violation", want: ErrRefused, code: 2, said: "Access violation",
			script: func(s *session) { s.error(2, "Access violation") }},
		{name: "hostile words", want: ErrRefused, code: 8, said: "[2J two  lines " + strings.Repeat("?", 182),
			script: func(s *session) { s.error(8, "\x1b[2J\u202etwo\r\nlines "+strings.Repeat("\xff", 300)) }},
		{name: "no words", want: ErrNotFound, code: 1,
			script: func(s *session) { s.send(packet(5, 1, "\x00")) }},
		{name: "not even a NUL", want: ErrRefused, pinOnly: true,
			script: func(s *session) { s.send(packet(5, 1, "")) }},
		{name: "silence", want: ErrTimeout, script: func(s *session) {}},
		// Cut off at 512 bytes each they would be another file.
		{name: "larger blocks than anybody asked for", want: ErrTimeout, script: func(s *session) { s.blocks(pattern(4674), 1400) }},
		{name: "silence after OACK", want: ErrTimeout, script: func(s *session) { s.agree(1000) }},
		{name: "silence after a block", want: ErrTimeout, script: func(s *session) {
			s.agree(5000)
			s.data(1, pattern(1468))
		}},
		{name: "error in the middle", want: ErrRefused, code: 3, said: "disk on fire", script: func(s *session) {
			s.agree(5000)
			s.data(1, pattern(1468))
			s.expect(1)
			s.error(3, "disk on fire")
		}},
		{name: "short", want: ErrShort, script: func(s *session) {
			s.blocks(pattern(4999), s.agree(5000))
		}},
		{name: "long", want: ErrLong, script: func(s *session) {
			s.blocks(pattern(5001), s.agree(5000))
		}},
		{name: "longer by blocks", want: ErrLong, script: func(s *session) {
			s.blocks(pattern(50000), s.agree(1468))
		}},
		{name: "a short block in the middle", want: ErrShort, script: func(s *session) {
			s.agree(5000)
			s.data(1, pattern(1468))
			s.expect(1)
			s.data(2, pattern(100))
		}},
		// pin/tftp ignores the option, and takes the first block for the last.
		{name: "blksize below 512", want: ErrShort, pinOnly: true, script: func(s *session) {
			s.oack("tsize", "5000", "blksize", "8")
			s.expect(0)
			s.blocks(pattern(5000), 8)
		}},
		{name: "upper case blksize", want: ErrShort, pinOnly: true, script: func(s *session) {
			s.oack("tsize", "4500", "BLKSIZE", "1468")
			s.expect(0)
			s.blocks(pattern(4500), 1468)
		}},
		{name: "announced too big", client: Client{MaxSize: 4999}, want: ErrTooBig, script: file(pattern(5000))},
		{name: "announced enormous", client: Client{MaxSize: 4999}, want: ErrTooBig, script: func(s *session) {
			s.oack("tsize", "9223372036854775807", "blksize", "1468")
		}},
		{name: "tsize overflows", client: Client{MaxSize: 4999}, want: ErrTooBig, script: func(s *session) {
			if s.opts["tsize"] != "" {
				s.oack("tsize", "9223372036854775808", "blksize", "1468")
				return
			}
			s.blocks(pattern(5000), 512)
		}},
		{name: "too big and never said so", client: Client{MaxSize: 4999}, want: ErrTooBig, script: func(s *session) {
			s.blocks(pattern(50000), 512)
		}},
	}
	for _, tt := range tests {
		for kind, window := range kinds {
			t.Run(tt.name+"/"+kind, func(t *testing.T) {
				t.Parallel()
				c := quick
				c.MaxSize, c.WindowSize = tt.client.MaxSize, window
				if window != 1 && tt.pinOnly {
					t.Skip("our own receiver gets the file")
				}
				got, _, err := get(t, c, tt.script)
				if !errors.Is(err, tt.want) {
					t.Fatalf("got %v, want %v", err, tt.want)
				}
				var e *Error
				if !errors.As(err, &e) {
					t.Fatalf("%T is not an *Error", err)
				}
				code := tt.code
				if code == 0 {
					code = -1
				}
				if diff := cmp.Diff(Error{Server: e.Server, File: "x", Code: code, Message: tt.said}, Error{e.Server, e.File, e.Code, e.Message, nil}); diff != "" {
					t.Error("error (-want +got)\n", diff)
				}
				if tt.client.MaxSize > 0 && int64(len(got)) > tt.client.MaxSize {
					t.Errorf("%d bytes written, %d allowed", len(got), tt.client.MaxSize)
				}
			})
		}
	}
}

// What pin/tftp makes of packets that are none is an error of no special kind.
func TestGarbage(t *testing.T) {
	for _, p := range []string{"", "\x00", "\x00\x09", "\x00\x03", "\x00\x03\x00", "\x00\x06\x00", "\xff\xff\xff\xff", "\x00\x04\x00\x01", "\x00\x01\x00\x01"} {
		_, _, err := get(t, Client{Timeout: 5 * time.Millisecond, Retries: -1}, func(s *session) { s.send([]byte(p)) })
		if err == nil || errors.Is(err, ErrNotFound) || errors.Is(err, ErrRefused) {
			t.Errorf("%q: got %v", p, err)
		}
	}
}

func TestRequest(t *testing.T) {
	long := strings.Repeat("n", 482)
	for _, name := range []string{"x", "/boot//x", "a b%20c?#;é\\", "", "../../etc/passwd", "\xff\n", long} {
		for kind, window := range kinds {
			c := quick
			c.WindowSize = window
			s := serve(t, func(s *session) { s.error(1, "") })
			_, err := c.Open(t.Context(), s.addr, name)
			if !errors.Is(err, ErrNotFound) {
				t.Fatalf("%s: %q: %v", kind, name, err)
			}
			got := slices.Clone(s.asked()[0])
			if len(got) >= 6 && got[2] == "blksize" { // pin/tftp's order is that of a map
				got[2], got[3], got[4], got[5] = got[4], got[5], got[2], got[3]
			}
			want := []string{name, "octet", "tsize", "0", "blksize", "1468"}
			if window != 1 && name != long {
				want = append(want, "windowsize", "64", "timeout", "1", "utimeout", "100000")
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: %q (-want +got)\n%s", kind, name, diff)
			}
		}
	}
}

func TestRefusedHere(t *testing.T) {
	s := serve(t, func(s *session) { s.error(1, "") })
	for _, tt := range []struct {
		client Client
		name   string
		want   string
	}{
		{quick, "a\x00b", "a TFTP file name can't hold a NUL"},
		{quick, strings.Repeat("n", 483), "the name has 483 bytes, a TFTP request has room for 482"},
		{Client{BlockSize: 511}, "x", "block size 511 is not between 512 and 65464"},
		{Client{BlockSize: 65465}, "x", "block size 65465 is not between 512 and 65464"},
		{Client{WindowSize: 65}, "x", "window size 65 is not between 1 and 64"},
	} {
		_, err := tt.client.Open(t.Context(), s.addr, tt.name)
		if err == nil || !strings.HasSuffix(err.Error(), tt.want) {
			t.Errorf("%q: got %v, want %s", tt.name, err, tt.want)
		}
	}
	if len(s.asked()) != 0 {
		t.Errorf("the server was asked for %q", s.asked())
	}
}

func TestRetransmits(t *testing.T) {
	t.Parallel()
	_, f, err := get(t, Client{WindowSize: 1, BlockSize: 1468, Timeout: 200 * time.Millisecond}, func(s *session) {
		if s.nth == 0 {
			return // the first request got lost
		}
		s.agree(2000)
		s.data(1, pattern(2000)[:1468])
		s.expect(1)
		s.expect(1) // the second block got lost
		s.data(2, pattern(2000)[1468:])
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := f.Stats().Retransmits; got != 2 {
		t.Errorf("%d retransmits, want 2", got)
	}
}

func TestDeadServer(t *testing.T) {
	t.Parallel()
	conn := listen(t)
	begin := time.Now()
	_, err := quick.Open(t.Context(), conn.LocalAddr().(*net.UDPAddr).AddrPort(), "x")
	if !errors.Is(err, ErrTimeout) {
		t.Errorf("got %v, want %v", err, ErrTimeout)
	}
	if took := time.Since(begin); took < 300*time.Millisecond {
		t.Errorf("gave up after %v, before 3 packets had 100 ms each", took)
	}
	conn.SetReadDeadline(time.Now().Add(time.Second))
	for i := range 3 {
		if _, _, err := conn.ReadFrom(make([]byte, 600)); err != nil {
			t.Errorf("request %d: %v", i+1, err)
		}
	}
}

func TestUnreachable(t *testing.T) {
	c := quick
	c.LocalAddr = netip.MustParseAddr("192.0.2.1") // not ours
	_, err := c.Open(t.Context(), netip.MustParseAddrPort("127.0.0.1:69"), "x")
	var op *net.OpError
	if !errors.As(err, &op) || errors.Is(err, ErrTimeout) {
		t.Errorf("got %v, want what the network said", err)
	}
}

func TestLocalAddr(t *testing.T) {
	from := make(chan netip.Addr, 1)
	c := quick
	c.LocalAddr = netip.MustParseAddr("127.0.0.2")
	get(t, c, func(s *session) {
		from <- s.client.Addr()
		s.error(1, "")
	})
	if got := <-from; got != c.LocalAddr {
		t.Errorf("sent from %v, want %v", got, c.LocalAddr)
	}
}

func TestContext(t *testing.T) {
	slow := Client{BlockSize: 1468, Timeout: time.Hour} // only the context ends the wait
	for _, tt := range []struct {
		name   string
		script func(*session, context.CancelFunc)
	}{
		{"before the answer", func(s *session, cancel context.CancelFunc) { cancel() }},
		{"before the first block", func(s *session, cancel context.CancelFunc) {
			s.agree(5000)
			cancel()
		}},
		{"between blocks", func(s *session, cancel context.CancelFunc) {
			s.agree(5000)
			s.data(1, pattern(1468))
			s.expect(1)
			cancel()
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			s := serve(t, func(s *session) { tt.script(s, cancel) })
			f, err := slow.Open(ctx, s.addr, "x")
			if err == nil {
				_, err = f.WriteTo(io.Discard)
				defer f.Close()
			}
			if !errors.Is(err, context.Canceled) {
				t.Fatalf("got %v, want %v", err, context.Canceled)
			}
		})
	}
}

// After cancellation nothing is written, and the server hears about it as
// soon as it sends again.
func TestNothingAfterCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	returned := make(chan bool)
	told := make(chan []byte, 1)
	s := serve(t, func(s *session) {
		s.agree(5000)
		s.data(1, pattern(1468))
		s.expect(1)
		cancel()
		<-returned
		s.data(2, pattern(1468))
		p, _ := s.next()
		told <- p
	})
	f, err := pinned.Open(ctx, s.addr, "x")
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	n, err := f.WriteTo(&b)
	close(returned)
	if !errors.Is(err, context.Canceled) || n != 1468 {
		t.Errorf("got %d bytes, %v", n, err)
	}
	if got, want := <-told, packet(5, 1, "transfer cancelled\x00"); !bytes.Equal(got, want) {
		t.Errorf("the server was sent %q, want %q", got, want)
	}
	if b.Len() != 1468 {
		t.Errorf("%d bytes written, want those of before", b.Len())
	}
}

func TestCancelledBefore(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := serve(t, func(*session) {})
	if _, err := quick.Open(ctx, s.addr, "x"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if len(s.asked()) != 0 {
		t.Error("the server was asked all the same")
	}
}

// Close before, instead of and after WriteTo.
func TestClose(t *testing.T) {
	told := make(chan []byte, 1)
	s := serve(t, func(s *session) {
		s.agree(5000)
		s.data(1, pattern(1468))
		p, _ := s.next()
		told <- p
	})
	f, err := pinned.Open(t.Context(), s.addr, "x")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
	if got, want := <-told, packet(5, 1, "transfer cancelled\x00"); !bytes.Equal(got, want) {
		t.Errorf("the server was sent %q, want %q", got, want)
	}
	if n, err := f.WriteTo(io.Discard); err == nil || n != 0 {
		t.Errorf("WriteTo after Close: %d, %v", n, err)
	}

	_, f, err = get(t, Client{}, file(pattern(100)))
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if n, err := f.WriteTo(io.Discard); err == nil || n != 0 {
		t.Errorf("second WriteTo: %d, %v", n, err)
	}
}

// Close does not wait for a server that has gone silent, beyond one timeout.
func TestCloseSilent(t *testing.T) {
	s := serve(t, func(s *session) { s.agree(5000) })
	c := Client{Timeout: 20 * time.Millisecond, Retries: 1e6} // all of them are 6 hours
	f, err := c.Open(t.Context(), s.addr, "x")
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

type brokenWriter struct {
	n   int
	err error
}

func (w brokenWriter) Write(p []byte) (int, error) { return w.n, w.err }

// The writer's error comes back as it is, and its text stays here.
func TestWriter(t *testing.T) {
	full := errors.New("no space left in /secret")
	for _, tt := range []struct {
		w    brokenWriter
		want error
	}{{brokenWriter{3, full}, full}, {brokenWriter{3, nil}, io.ErrShortWrite}} {
		told := make(chan []byte, 1)
		s := serve(t, func(s *session) {
			s.agree(5000)
			s.data(1, pattern(1468))
			p, _ := s.next()
			told <- p
		})
		f, err := pinned.Open(t.Context(), s.addr, "x")
		if err != nil {
			t.Fatal(err)
		}
		n, err := f.WriteTo(tt.w)
		if !errors.Is(err, tt.want) || n != 3 {
			t.Errorf("got %d, %v", n, err)
		}
		if got, want := <-told, packet(5, 1, "transfer cancelled\x00"); !bytes.Equal(got, want) {
			t.Errorf("the server was sent %q, want %q", got, want)
		}
	}
}

// Block numbers have 16 bits and go on from 65535 to 0. 512 bytes is the
// smallest block that pin/tftp knows, so that takes 32 MiB. The server sends 64
// blocks before it looks for their ACKs, to be done sooner.
func TestWrap(t *testing.T) {
	t.Parallel()
	const size = (65536+64)*512 - 1
	content := pattern(size)
	s := serve(t, func(s *session) {
		s.agree(size)
		for n := 1; n <= size/512; n += 64 {
			for i := n; i < n+64; i++ {
				begin := (i - 1) * 512
				s.data(i, content[begin:min(begin+512, size)])
			}
			for i := n; i < n+64; i++ {
				if s.expect(i) != nil {
					return
				}
			}
		}
	})
	f, err := (&Client{BlockSize: 512, WindowSize: 1}).Open(t.Context(), s.addr, "x")
	if err != nil {
		t.Fatal(err)
	}
	got := bytes.NewBuffer(make([]byte, 0, size))
	if n, err := f.WriteTo(got); err != nil || n != size {
		t.Fatalf("got %d bytes, %v", n, err)
	}
	if !bytes.Equal(got.Bytes(), content) {
		t.Error("the content differs")
	}
}

// Nothing is left behind when everything went wrong that can.
func TestNoLeaks(t *testing.T) {
	before := runtime.NumGoroutine()
	t.Run("", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		c := Client{Timeout: 5 * time.Millisecond, Retries: 1}
		for _, script := range []func(*session){
			func(s *session) {},
			func(s *session) { s.error(1, "") },
			func(s *session) { s.oack("tsize", "2000", "blksize", "1468") },
			func(s *session) { s.oack("blksize", "1468") },
			func(s *session) { s.blocks(pattern(100), s.agree(2000)) },
			func(s *session) { s.agree(2000); cancel() },
		} {
			if f, err := c.Open(ctx, serve(t, script).addr, "x"); err == nil {
				f.WriteTo(io.Discard)
				f.Close()
			}
		}
	})
	// What the documentation allows is 2 x 2 x 5 ms.
	for deadline := time.Now().Add(2 * time.Second); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			buf := make([]byte, 1<<16)
			t.Fatalf("%d goroutines more than before\n%s", runtime.NumGoroutine()-before, buf[:runtime.Stack(buf, true)])
		}
	}
}

// pin/tftp's own server is one that others write labs with.
func TestPinServer(t *testing.T) {
	conn := listen(t)
	s := tftp.NewServer(func(name string, r io.ReaderFrom) error {
		if name != "/here" {
			return errors.New("open " + name + ": no such file or directory")
		}
		_, err := r.ReadFrom(bytes.NewReader(pattern(100000)))
		return err
	}, nil)
	done := make(chan error, 1)
	go func() { done <- s.Serve(conn) }()
	defer func() {
		s.Shutdown()
		<-done
	}()
	addr := conn.LocalAddr().(*net.UDPAddr).AddrPort()

	f, err := (&Client{}).Open(t.Context(), addr, "/here")
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if _, err := f.WriteTo(&b); err != nil || f.Size() != 100000 || !bytes.Equal(b.Bytes(), pattern(100000)) {
		t.Errorf("got %d of %d bytes, %v", b.Len(), f.Size(), err)
	}

	_, err = (&Client{}).Open(t.Context(), addr, "there")
	if !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v", err)
	}
	want := `tftp ` + addr.String() + ` "there": file not found (code 1: open there: no such file or directory)`
	if err.Error() != want {
		t.Errorf("got  %s\nwant %s", err, want)
	}
}
