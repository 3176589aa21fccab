package tftpget

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"runtime"
	"testing"
	"time"
)

// Somebody else sends all that a server could, before each packet of the
// server's: from another address from the beginning on, and from another port
// as soon as the server's is known.
func TestSpoofed(t *testing.T) {
	t.Parallel()
	content := pattern(300_000)
	lies := [][]byte{
		packet(opERROR, 1, "wrong\x00"),
		[]byte("\x00\x06tsize\x00100\x00blksize\x0010000\x00"),
		packet(opDATA, 1, "wrong"),
		packet(opDATA, 1, string(bytes.Repeat([]byte("x"), 1468))),
		packet(opDATA, 2, ""),
		[]byte("\x00\x05"), []byte("\x00"), []byte("\xff\xffgarbage"),
	}
	for kind, window := range kinds {
		for name, from := range map[string]net.IP{"address": net.IPv4(127, 0, 0, 2), "port": net.IPv4(127, 0, 0, 1)} {
			t.Run(name+"/"+kind, func(t *testing.T) {
				other, err := net.ListenUDP("udp", &net.UDPAddr{IP: from})
				if err != nil {
					t.Skipf("no second loopback address: %v", err)
				}
				defer other.Close()
				c := Client{BlockSize: 1468, WindowSize: window, Retries: 20}
				got, _, err := get(t, c, func(s *session) {
					lie := func() {
						for _, p := range lies {
							other.WriteToUDPAddrPort(p, s.client)
						}
					}
					if name == "address" {
						lie()
					}
					s.oack("tsize", "300000", "blksize", "1468")
					if s.await(0) != nil {
						return
					}
					for n := 0; n*1468 < len(content); n++ {
						lie()
						s.data(n+1, content[n*1468:min((n+1)*1468, len(content))])
						lie()
						if s.await(n+1) != nil {
							return
						}
					}
				})
				if err != nil || !bytes.Equal(got, content) {
					t.Errorf("%d bytes, %v", len(got), err)
				}
			})
		}
	}
}

// A server that answers everything with errors, many of them, is asked no more
// often than there are ways to ask.
func TestErrorFlood(t *testing.T) {
	t.Parallel()
	for kind, window := range kinds {
		for code := range uint16(10) {
			s := serve(t, func(s *session) {
				for range 200 {
					s.error(code, "no")
				}
			})
			c := quick
			c.WindowSize = window
			_, err := c.Open(t.Context(), s.addr, "x")
			want := ErrRefused
			if code == 1 {
				want = ErrNotFound
			}
			if !errors.Is(err, want) {
				t.Errorf("%s, code %d: got %v, want %v", kind, code, err, want)
			}
			if n := len(s.asked()); n > 3 {
				t.Errorf("%s, code %d: asked %d times", kind, code, n)
			}
		}
	}
}

// endless is a server that never stops: it sends the next block at once.
type endless struct {
	blockSize int
	block     uint16
	clock     time.Time
}

func (e *endless) send([]byte) error { return nil }
func (e *endless) now() time.Time    { return e.clock }
func (e *endless) close()            {}

func (e *endless) repeat([]byte, time.Duration) func() { return func() {} }

func (e *endless) receive(p []byte, _ time.Duration) (int, error) {
	e.clock = e.clock.Add(time.Microsecond)
	e.block++
	binary.BigEndian.PutUint16(p, opDATA)
	binary.BigEndian.PutUint16(p[2:], e.block)
	return headLen + e.blockSize, nil
}

// A stream of 10 GiB ends where the limit is, whatever was announced, and
// takes no more memory than a small file.
func TestEndless(t *testing.T) {
	const limit, announced = 1 << 30, 10 << 30
	for _, tt := range []struct {
		window int
		size   int64
		want   error
	}{{1, -1, ErrTooBig}, {64, -1, ErrTooBig}, {64, limit / 2, ErrLong}, {64, announced, ErrTooBig}} {
		out := &output{w: io.Discard, size: tt.size, limit: limit}
		r := newReceiver(&endless{blockSize: 32768, clock: time.Unix(0, 0)}, terms{blockSize: 32768, window: tt.window, size: tt.size}, patient, rtt{}, new(counts))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r.run(out, nil)
		runtime.ReadMemStats(&after)
		if !errors.Is(out.err, tt.want) || out.n > limit {
			t.Errorf("%+v: %d bytes, %v", tt, out.n, out.err)
		}
		if took := after.TotalAlloc - before.TotalAlloc; took > 32<<20 {
			t.Errorf("%+v: %d MiB were allocated on the way", tt, took>>20)
		}
	}
}
