package tftpget

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A tftpHPA is a server and the network to it, in a time of their own. It is
// the socket of each request, too.
type tftpHPA struct {
	content []byte
	after   time.Duration // how long an answer takes
	agrees  []string      // beside tsize and blksize
	givesUp int           // so many requests after their first block
	loses   int           // so many requests
	ignores int           // so many ACKs of the first block

	clock   time.Time
	asked   []string // the values of utimeout, without those asked once more
	opened  int
	answers []answer
}

type answer struct {
	at     time.Time
	packet []byte // nil: the port is closed
}

// download is of a file on that server.
func (s *tftpHPA) download(t *testing.T) *download {
	d := newDownload(t.Context(), netip.AddrPort{}, "x", options{blockSize: 1468, window: 64, timeout: time.Second, retries: 5}, new(counts))
	d.open = func() (requestSocket, error) {
		s.opened++
		s.answers = nil
		return s, nil
	}
	return d
}

func (s *tftpHPA) fit(*terms)                                 {}
func (s *tftpHPA) connect() error                             { return nil }
func (s *tftpHPA) close()                                     {}
func (s *tftpHPA) now() time.Time                             { return s.clock }
func (s *tftpHPA) repeat([]byte, time.Duration) (stop func()) { return func() {} }

func (s *tftpHPA) answer(p []byte) { s.answers = append(s.answers, answer{s.clock.Add(s.after), p}) }

func (s *tftpHPA) send(p []byte) error {
	switch binary.BigEndian.Uint16(p) {
	case opRRQ:
		_, micros, _ := strings.Cut(strings.TrimSuffix(string(p), "\x00"), "utimeout\x00")
		if len(s.asked) == 0 || micros != s.asked[len(s.asked)-1] {
			s.asked = append(s.asked, micros)
		}
		if s.loses--; s.loses >= 0 {
			break
		}
		terms := append([]string{"tsize", strconv.Itoa(len(s.content)), "blksize", "1468"}, s.agrees...)
		s.answer([]byte("\x00\x06" + strings.Join(terms, "\x00") + "\x00"))
	case opACK:
		n := binary.BigEndian.Uint16(p[2:])
		if n == 1 && s.opened <= s.givesUp {
			s.answer(nil)
			break
		}
		if n == 1 && s.ignores > 0 {
			s.ignores--
			break
		}
		if from := int(n) * 1468; from <= len(s.content) {
			s.answer(packet(opDATA, n+1, string(s.content[from:min(from+1468, len(s.content))])))
		}
	}
	return nil
}

func (s *tftpHPA) receive(p []byte, wait time.Duration) (int, error) {
	until := s.clock.Add(wait)
	if len(s.answers) == 0 || s.answers[0].at.After(until) {
		s.clock = until
		return 0, errQuiet
	}
	a := s.answers[0]
	s.answers, s.clock = s.answers[1:], a.at
	if a.packet == nil {
		return 0, ErrNoServer
	}
	return copy(p, a.packet), nil
}

// A server that would send each block twice, as its answers take longer than it
// was asked to wait for ours, is asked to wait longer; and one with windows for
// nothing, as they take longer by themselves.
func TestHasty(t *testing.T) {
	for name, tt := range map[string]struct {
		after  time.Duration
		loses  int
		agrees []string
		want   []string // the values of utimeout that it is asked for
		opened int      // how often it is asked, without requests that had no answer
	}{
		"in time":                 {0, 0, []string{"utimeout", "100000"}, []string{"100000"}, 1},
		"late":                    {2 * firstResend, 0, []string{"utimeout", "100000"}, []string{"100000", "600000"}, 2},
		"after two of ours":       {300 * time.Millisecond, 0, []string{"utimeout", "100000"}, []string{"100000", "900000"}, 3},
		"has its own time":        {2 * firstResend, 0, nil, []string{"100000"}, 1},
		"windows":                 {0, 0, []string{"utimeout", "100000", "windowsize", "64"}, []string{"100000", ""}, 2},
		"loses the first request": {time.Millisecond, 1, []string{"utimeout", "100000"}, []string{"100000"}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			s := &tftpHPA{content: []byte("content"), after: tt.after, loses: tt.loses, agrees: tt.agrees}
			d := s.download(t)
			if err := d.start(); err != nil {
				t.Fatal(err)
			}
			var b bytes.Buffer
			if _, err := d.WriteTo(&b); err != nil || b.String() != "content" {
				t.Errorf("%q, %v", b.String(), err)
			}
			if diff := cmp.Diff(tt.want, s.asked); diff != "" || s.opened != tt.opened {
				t.Errorf("asked %d times, want %d (-want +got)\n%s", s.opened, tt.opened, diff)
			}
		})
	}
}

// Answers that take longer than the first wait are not lost, whether the server is
// asked to wait or has a time of its own, as dnsmasq's has.
func TestLate(t *testing.T) {
	content := pattern(20 * 1468)
	for _, after := range []time.Duration{350 * time.Millisecond, 1300 * time.Millisecond} {
		for _, agrees := range [][]string{nil, {"utimeout", "100000"}} {
			s := &tftpHPA{content: content, after: after, agrees: agrees}
			d := s.download(t)
			if err := d.start(); err != nil {
				t.Fatal(err)
			}
			var b bytes.Buffer
			if _, err := d.WriteTo(&b); err != nil || !bytes.Equal(b.Bytes(), content) {
				t.Errorf("%d bytes, %v", b.Len(), err)
			}
			if n := d.counts.lost.Load(); n > 1 {
				t.Errorf("%v, %v: %d blocks of %d are lost", after, agrees, n, d.counts.blocks.Load())
			}
		}
	}
}

// A server that takes longer each time does not make the waits longer without end.
func TestEverLater(t *testing.T) {
	r := rtt{}
	for range 1000 {
		r.sample(r.patience(0, time.Second))
	}
	if got := r.patience(3, time.Second); got > 3*time.Second {
		t.Errorf("it waits for %v", got)
	}
}

// A block that is asked for again and again was lost once.
func TestLost(t *testing.T) {
	s := &tftpHPA{content: pattern(2000), after: time.Millisecond, ignores: 2, clock: time.Unix(1, 0)}
	d := s.download(t)
	if err := d.start(); err != nil {
		t.Fatal(err)
	}
	if _, err := d.WriteTo(io.Discard); err != nil {
		t.Fatal(err)
	}
	var got Stats
	got.take(d.counts)
	if want := (Stats{Retransmits: 2, Blocks: 2, Lost: 1, Last: got.Last}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if !got.Last.Equal(s.clock) {
		t.Errorf("the last block came at %v, want %v", got.Last, s.clock)
	}
}

// A server that gives us up in the middle, as tftp-hpa's does when we have been
// busy for longer than we asked it to wait, is asked once more, and to wait
// longer.
func TestGivenUp(t *testing.T) {
	content := pattern(100_000)
	for name, givesUp := range map[string]int{"once": 1, "always": 1000} {
		t.Run(name, func(t *testing.T) {
			s := &tftpHPA{content: content, agrees: []string{"utimeout", "100000"}, givesUp: givesUp}
			d := s.download(t)
			if err := d.start(); err != nil {
				t.Fatal(err)
			}
			var b bytes.Buffer
			_, err := d.WriteTo(&b)
			if good := err == nil && bytes.Equal(b.Bytes(), content); good != (givesUp == 1) || !good && !errors.Is(err, ErrShort) {
				t.Errorf("%d bytes, %v", b.Len(), err)
			}
			if diff := cmp.Diff([]string{"100000", "1000000"}, s.asked); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}
