package tftpget

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// patient is the zero Client's patience.
var patient = options{timeout: DefaultTimeout, retries: DefaultRetries}

// run downloads through the network, as download.WriteTo does when the window
// is too wide.
func run(t testing.TB, n *network, o options) (got []byte, err error) {
	t.Helper()
	for {
		var b bytes.Buffer
		r := newReceiver(n, n.terms, o, rtt{}, new(counts))
		err = r.run(&b, nil)
		if !errors.Is(err, errTooWide) {
			return b.Bytes(), err
		}
		if b.Len() > 0 {
			t.Fatalf("%d bytes were written before the transfer begins again", b.Len())
		}
		if smaller := r.narrower(); smaller >= n.terms.window {
			t.Fatalf("window %d after %d", smaller, n.terms.window)
		}
		n.terms.window, n.begin, n.events = r.narrower(), 1, nil
		n.wait()
	}
}

func TestBadNetworks(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name              string
		lose, twice, late float64
		deaf              bool
		window            int
		least             int           // of 100 must succeed
		most              time.Duration // for one of them
	}{
		{name: "good", window: 64, least: 100, most: time.Second},
		{name: "1% loss", lose: 0.01, window: 64, least: 100, most: 2 * time.Second},
		{name: "5% loss", lose: 0.05, window: 64, least: 100, most: 5 * time.Second},
		// A sixteenth of what 8 MiB may take within the 110 s of a boot.
		{name: "20% loss", lose: 0.2, window: 64, least: 95, most: 110 * time.Second / 16},
		{name: "20% loss, small window", lose: 0.2, window: 4, least: 95, most: 40 * time.Second},
		{name: "20% loss, lock-step", lose: 0.2, window: 1, least: 95, most: 110 * time.Second},
		{name: "5% loss, deaf", lose: 0.05, deaf: true, window: 64, least: 100, most: 60 * time.Second},
		{name: "1% loss, lock-step, deaf", lose: 0.01, deaf: true, window: 1, least: 100, most: 60 * time.Second},
		{name: "reordered and doubled", twice: 0.1, late: 0.25, window: 64, least: 100, most: time.Second},
		{name: "reordered and doubled, lock-step", twice: 0.1, late: 0.25, window: 1, least: 100, most: time.Second},
		{name: "all of it", lose: 0.05, twice: 0.1, late: 0.25, window: 16, least: 100, most: 10 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			content := pattern(1<<19 + 7)
			good := 0
			var longest time.Duration
			for seed := range uint64(100) {
				n := newNetwork(content, terms{blockSize: 1468, window: tt.window, size: -1}, seed)
				n.lose, n.twice, n.late, n.deaf = tt.lose, tt.twice, tt.late, tt.deaf
				got, err := run(t, n, patient)
				longest = max(longest, n.clock.Sub(time.Unix(0, 0)))
				switch {
				case err != nil && !errors.Is(err, ErrTimeout):
					t.Fatal(err)
				case err == nil && !bytes.Equal(got, content):
					t.Fatalf("seed %d: %d bytes that are not the file were called a success", seed, len(got))
				case err == nil && n.clock.Sub(time.Unix(0, 0)) <= tt.most:
					good++
				}
			}
			if good < tt.least {
				t.Errorf("%d of 100 succeeded within %v, want %d; the last took %v", good, tt.most, tt.least, longest)
			}
		})
	}
}

// A packet that comes twice must not make two of the next (RFC 1123, section
// 4.2.3.1): nor may one that comes late.
func TestNoApprentice(t *testing.T) {
	content := pattern(1 << 20)
	for _, window := range []int{1, 4, 64} {
		count := func(twice, late float64) int {
			n := newNetwork(content, terms{blockSize: 1468, window: window, size: -1}, 1)
			n.twice, n.late = twice, late
			if got, err := run(t, n, patient); err != nil || !bytes.Equal(got, content) {
				t.Fatalf("window %d: %d bytes, %v", window, len(got), err)
			}
			return n.counts[0] // what we sent
		}
		quiet := count(0, 0)
		if got := count(0.1, 0); float64(got) > 1.1*float64(quiet) {
			t.Errorf("window %d: %d packets where every tenth came twice, %d otherwise", window, got, quiet)
		}
		if got := count(0, 0.25); float64(got) > 1.5*float64(quiet) {
			t.Errorf("window %d: %d packets where every fourth was late, %d otherwise", window, got, quiet)
		}
	}
}

// Whichever packet is lost, it costs one wait, not more.
func TestOnePacketLost(t *testing.T) {
	content := pattern(20*1468 + 100)
	for _, window := range []int{1, 4, 16} {
		took := func(toClient bool, nth int) time.Duration {
			n := newNetwork(content, terms{blockSize: 1468, window: window, size: -1}, 1)
			n.drop = func(c bool, i int) bool { return c == toClient && i == nth }
			got, err := run(t, n, patient)
			if err != nil || !bytes.Equal(got, content) {
				t.Fatalf("window %d, packet %d (to the client: %v): %d bytes, %v", window, nth, toClient, len(got), err)
			}
			return n.clock.Sub(time.Unix(0, 0))
		}
		usual := took(true, -1)
		for _, toClient := range []bool{true, false} {
			for nth := range 25 {
				wait := leastWait
				if nth == 0 {
					wait = firstWait // nothing was measured yet
				}
				if more := took(toClient, nth) - usual; more > wait+5*time.Millisecond {
					t.Errorf("window %d: without packet %d (to the client: %v) it took %v more", window, nth, toClient, more)
				}
			}
		}
	}
}

// Block numbers have 16 bits.
func TestWrapped(t *testing.T) {
	content := pattern(65536*8*2 + 100)
	for _, tt := range []struct {
		window int
		zero   bool
		lose   float64
		err    error
	}{
		{window: 1}, {window: 1, zero: true}, {window: 64}, {window: 60, lose: 0.001},
		// With windows a missing block 0 could have been lost.
		{window: 64, zero: true, err: ErrTimeout},
	} {
		n := newNetwork(content, terms{blockSize: 8, window: tt.window, size: -1}, 1)
		n.zero, n.lose = tt.zero, tt.lose
		got, err := run(t, n, patient)
		if !errors.Is(err, tt.err) || err == nil && !bytes.Equal(got, content) {
			t.Errorf("%+v: %d bytes, %v", tt, len(got), err)
		}
	}
}

func TestLengths(t *testing.T) {
	for _, window := range []int{1, 2, 3, 64} {
		for length := range 40 {
			content := pattern(400)[:length*3]
			got, err := run(t, newNetwork(content, terms{blockSize: 12, window: window, size: -1}, 1), patient)
			if err != nil || !bytes.Equal(got, content) {
				t.Errorf("window %d, %d bytes: got %d, %v", window, len(content), len(got), err)
			}
		}
	}
}

// A server that sends nothing new is given up, whatever else it sends.
func TestNothingNew(t *testing.T) {
	content := pattern(5000)
	for name, drop := range map[string]func(bool, int) bool{
		"nothing at all":  func(toClient bool, _ int) bool { return toClient },
		"the first again": func(toClient bool, nth int) bool { return toClient && nth > 0 },
		"deaf":            func(toClient bool, nth int) bool { return !toClient && nth > 0 },
	} {
		n := newNetwork(content, terms{blockSize: 512, window: 4, size: -1}, 1)
		n.drop = drop
		got, err := run(t, n, patient)
		if want := ErrTimeout; !errors.Is(err, want) {
			t.Errorf("%s: got %d bytes, %v, want %v", name, len(got), err, want)
		}
		if took := n.clock.Sub(time.Unix(0, 0)); took > 2*patient.patience() {
			t.Errorf("%s: given up after %v", name, took)
		}
	}
}

// A server that hears no acknowledgement is given up however long our patience is,
// and its losses are no such thing.
func TestUnheard(t *testing.T) {
	for name, test := range map[string]struct {
		drop func(toClient bool, nth int) bool
		want error
	}{
		"a firewall before its port": {func(toClient bool, _ int) bool { return !toClient }, ErrUnheard},
		"two acknowledgements lost":  {func(toClient bool, nth int) bool { return !toClient && nth < 2 }, nil},
	} {
		n := newNetwork(pattern(5000), terms{blockSize: 512, window: 1, size: -1}, 1)
		n.drop = test.drop
		_, err := run(t, n, options{timeout: time.Second, retries: 1000})
		if !errors.Is(err, test.want) || errors.Is(err, ErrUnheard) && !errors.Is(err, ErrTimeout) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
		if took := n.clock.Sub(time.Unix(0, 0)); took > 15*time.Second {
			t.Errorf("%s: it took %v", name, took)
		}
	}
}

func TestOACK(t *testing.T) {
	asked := terms{blockSize: 1468, window: 64, size: -1, resend: 50 * time.Millisecond}
	for list, want := range map[string]terms{
		"":                                 plainTerms,
		"tsize\x005000\x00":                {512, 1, 5000, 0},
		"tsize\x000\x00":                   plainTerms,
		"tsize\x00-3\x00":                  plainTerms,
		"tsize\x0099999999999999999999":    {512, 1, math.MaxInt64, 0},
		"tsize\x009223372036854775808\x00": {512, 1, math.MaxInt64, 0},
		"BLKSIZE\x001000\x00TSize\x007":    {1000, 1, 7, 0},
		"blksize\x008\x00":                 {8, 1, -1, 0},
		"blksize\x0065464\x00":             {65464, 1, -1, 0},
		"windowsize\x0064\x00":             {512, 64, -1, 0},
		"windowsize\x001\x00":              plainTerms,
		"timeout\x00x\x00tsize\x007\x00":   {512, 1, 7, 0},
		"utimeout\x009999999999999\x00":    {512, 1, -1, 50 * time.Millisecond},
		"\x00tsize\x007\x00":               plainTerms,
		"tsize":                            plainTerms,
	} {
		got, err := parseOACK([]byte(list), asked)
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(terms{})); err != nil || diff != "" {
			t.Errorf("%q: %v (-want +got)\n%s", list, err, diff)
		}
	}
	for _, list := range []string{
		"blksize\x007\x00", "blksize\x000\x00", "blksize\x0065465\x00", "blksize\x00x\x00", "blksize\x00\x00", "blksize\x0099999999999999999999\x00",
		"windowsize\x000\x00", "windowsize\x0065\x00", "windowsize\x00-1\x00", "windowsize\x00\x00",
	} {
		if got, err := parseOACK([]byte(list), asked); !errors.Is(err, errBadOptions) {
			t.Errorf("%q: got %+v, %v", list, got, err)
		}
	}
}

func FuzzOACK(f *testing.F) {
	f.Add([]byte("tsize\x005000\x00blksize\x001468\x00windowsize\x0064\x00"), 64)
	f.Add([]byte("BLKSIZE\x0099999999999999999999\x00\x00\x00"), 1)
	f.Add([]byte("windowsize\x00"), 2)
	f.Fuzz(func(t *testing.T, list []byte, window int) {
		got, err := parseOACK(list, terms{blockSize: 1468, window: window, size: -1})
		if err != nil {
			return
		}
		if got.blockSize < minBlockSize || got.blockSize > maxBlockSize || got.window < 1 || got.window > max(window, 1) || got.size == 0 || got.size < -1 {
			t.Errorf("%q became %+v", list, got)
		}
	})
}

// script is a network that sends these packets, 1 ms apart, whatever it gets.
type script struct {
	packets [][]byte
	clock   time.Time
}

func (s *script) send([]byte) error { return nil }
func (s *script) now() time.Time    { return s.clock }
func (s *script) close()            {}

func (s *script) repeat([]byte, time.Duration) func() { return func() {} }

func (s *script) receive(p []byte, wait time.Duration) (int, error) {
	if len(s.packets) == 0 || wait < time.Millisecond {
		s.clock = s.clock.Add(wait)
		return 0, errQuiet
	}
	s.clock = s.clock.Add(time.Millisecond)
	next := s.packets[0]
	s.packets = s.packets[1:]
	copy(p, next)
	return len(next), nil
}

// FuzzBlocks lets a server send any packets. What is called a file must be
// the blocks that it sent under these numbers, whichever came first.
func FuzzBlocks(f *testing.F) {
	join := func(packets ...string) []byte {
		var b []byte
		for _, p := range packets {
			b = append(append(b, byte(len(p))), p...)
		}
		return b
	}
	f.Add(join("\x00\x03\x00\x01abcdefgh", "\x00\x03\x00\x02ab"), byte(1))
	f.Add(join("\x00\x03\x00\x02ab", "\x00\x03\x00\x01abcdefgh"), byte(4))
	f.Add(join("\x00\x03\x00\x03a", "\x00\x03\x00\x02", "\x00\x03\x00\x01abcdefgh"), byte(4))
	f.Add(join("\x00\x03\x00\x01abcdefghi", "\x00\x03", "\x00\x05\x00\x01", "\xff"), byte(2))
	f.Add(join("\x00\x03\xff\xffabcdefgh", "\x00\x03\x00\x00abcdefgh", "\x00\x03\x00\x01"), byte(64))
	f.Fuzz(func(t *testing.T, input []byte, window byte) {
		s := &script{clock: time.Unix(0, 0)}
		sent := map[string]bool{}
		for len(input) > 0 {
			n := min(int(input[0]), len(input)-1)
			p := input[1 : 1+n]
			s.packets = append(s.packets, p)
			input = input[1+n:]
			if n >= headLen && n <= headLen+8 && binary.BigEndian.Uint16(p) == opDATA {
				sent[fmt.Sprintf("%d %s", binary.BigEndian.Uint16(p[2:]), p[4:])] = true
			}
		}
		var b bytes.Buffer
		o := options{timeout: 100 * time.Millisecond}
		r := newReceiver(s, terms{blockSize: 8, window: 1 + int(window%64), size: -1}, o, rtt{}, new(counts))
		if err := r.run(&b, nil); err != nil {
			return
		}
		for i, content := 1, b.Bytes(); ; i++ {
			block := content[:min(8, len(content))]
			if wire := (int64(i) + r.skew) % 65536; !sent[fmt.Sprintf("%d %s", wire, block)] && r.skew == 0 {
				t.Fatalf("block %d is %q, which nobody sent", i, block)
			}
			if content = content[len(block):]; len(block) < 8 {
				break
			}
		}
	})
}

// Every beginning of every packet that a server may send first is an error or
// a timeout, never a file.
func TestTruncated(t *testing.T) {
	whole := []string{
		"\x00\x06tsize\x005000\x00blksize\x001468\x00windowsize\x0016\x00",
		"\x00\x03\x00\x01" + strings.Repeat("x", 512),
		"\x00\x05\x00\x01File not found\x00",
	}
	s, err := dial(t.Context(), netip.MustParseAddrPort("127.0.0.1:9"), netip.Addr{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	for _, p := range whole {
		for n := range p {
			d := &download{asked: terms{blockSize: 1468, window: 64, size: -1}, socket: s}
			answered, err := d.answer([]byte(p[:n]))
			if answered && err != nil {
				t.Errorf("%q: answered, and %v", p[:n], err)
			}
			if n < headLen && answered {
				t.Errorf("%q was taken for an answer", p[:n])
			}
		}
	}
	// A block that is cut off ends the file early; only the size can tell.
	for n := headLen; n < headLen+512; n += 73 {
		_, f, err := get(t, Client{BlockSize: 512, Timeout: 50 * time.Millisecond}, func(s *session) {
			s.oack("tsize", "1000", "blksize", "512")
			s.expect(0)
			s.send([]byte(whole[1][:n]))
		})
		if !errors.Is(err, ErrShort) {
			t.Errorf("a block of %d bytes: %v, %v", n-headLen, f.Stats(), err)
		}
	}
}

// windows answers with a window, and loses what the function says.
func windows(content []byte, lost func(s *session, block int) bool) func(*session) {
	return func(s *session) {
		size, _ := strconv.Atoi(s.opts["blksize"])
		window, _ := strconv.Atoi(s.opts["windowsize"])
		s.oack("tsize", strconv.Itoa(len(content)), "blksize", s.opts["blksize"], "windowsize", s.opts["windowsize"])
		last := len(content)/size + 1
		for {
			p, err := s.next()
			if err != nil || binary.BigEndian.Uint16(p) != opACK {
				return
			}
			begin := int(binary.BigEndian.Uint16(p[2:])) + 1
			if begin > last {
				return
			}
			for block := begin; block < begin+window && block <= last; block++ {
				if !lost(s, block-begin) {
					s.data(block, content[(block-1)*size:min(block*size, len(content))])
				}
			}
		}
	}
}

// A switch that has room for 20 frames loses the end of each larger burst: the
// transfer begins anew with a window that fits.
func TestNarrowPath(t *testing.T) {
	t.Parallel()
	content := pattern(1 << 20)
	s := serve(t, windows(content, func(_ *session, nth int) bool { return nth >= 20 }))
	c := Client{BlockSize: 1468, Retries: 20}
	f, err := c.Open(t.Context(), s.addr, "x")
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if _, err := f.WriteTo(&b); err != nil || !bytes.Equal(b.Bytes(), content) {
		t.Fatalf("%d bytes, %v", b.Len(), err)
	}
	if got := f.Stats(); got.WindowSize > 16 {
		t.Errorf("got %+v", got)
	}
	if n := len(s.asked()); n != 2 {
		t.Errorf("asked %d times: %q", n, s.asked())
	}
}

// Where fragments don't arrive, a server without windows is asked once more.
func TestFragments(t *testing.T) {
	t.Parallel()
	content := pattern(2 << 20)
	for _, arrive := range []int{maxBlockSize, 1468, 1408, 512} {
		t.Run(strconv.Itoa(arrive), func(t *testing.T) {
			t.Parallel()
			s := serve(t, func(s *session) {
				size := s.agree(len(content))
				if size <= arrive {
					s.patientBlocks(content, size)
				}
			})
			c := Client{Timeout: 200 * time.Millisecond, Retries: 40}
			f, err := c.Open(t.Context(), s.addr, "x")
			if err != nil {
				t.Fatal(err)
			}
			var b bytes.Buffer
			if _, err := f.WriteTo(&b); err != nil || !bytes.Equal(b.Bytes(), content) {
				t.Fatalf("%d bytes, %v", b.Len(), err)
			}
			// On a busy machine it may have been more careful than needed.
			if got := f.Stats(); got.BlockSize > arrive || got.BlockSize < 512 || got.WindowSize != 1 {
				t.Errorf("got %+v, want blocks of %d", got, arrive)
			}
		})
	}
}

// onEthernet is as if the path were Ethernet and not the loopback.
var onEthernet = options{blockSize: wholeFrame, chooseBlock: true, window: maxWindowSize, timeout: 300 * time.Millisecond, retries: 40}

// Where fragments get lost later on, the file comes once more, in smaller
// blocks, and must be the same.
func TestLateFragments(t *testing.T) {
	t.Parallel()
	content := pattern(60 * maxBlockSize)
	other := bytes.Clone(content)
	other[20*maxBlockSize]++
	shorter := content[:10*maxBlockSize]
	for name, tt := range map[string]struct {
		then  []byte
		block int // the size of blocks that don't get lost
		never int // the size of those of which none arrives
		err   error
	}{
		"same":             {content, mediumBlock, 0, nil},
		"medium ones also": {content, wholeFrame, 0, nil},
		"no medium ones":   {content, wholeFrame, mediumBlock, nil},
		"other":            {other, mediumBlock, 0, errChanged},
		"shorter":          {shorter, mediumBlock, 0, errChanged},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, func(s *session) {
				size := s.agree(len(content))
				switch {
				case s.opts["windowsize"] != "": // the first request
				case size == tt.never:
				case size == tt.block:
					s.patientBlocks(tt.then, size)
				case size > tt.block:
					s.losing(content, size, 25)
				}
			})
			d := newDownload(t.Context(), s.addr, "x", onEthernet, new(counts))
			err := d.start()
			if err != nil {
				t.Fatal(err)
			}
			var b bytes.Buffer
			_, err = d.WriteTo(&b)
			if !errors.Is(err, tt.err) || err == nil && !bytes.Equal(b.Bytes(), content) {
				t.Fatalf("%d bytes, %v", b.Len(), err)
			}
			if got, _ := d.agreed(); got != tt.block {
				t.Errorf("got blocks of %d", got)
			}
		})
	}
}

// losing loses each block once from that one on.
func (s *session) losing(content []byte, size, from int) {
	for n := 1; len(content) > 0; n++ {
		block := content[:min(size, len(content))]
		content = content[len(block):]
		if n >= from {
			if p, err := s.next(); err != nil || p[1] != opACK {
				return
			}
		}
		if s.deliver(n, block) != nil {
			return
		}
	}
}

// Servers that don't like what they are asked for get to hear less.
func TestPickyServers(t *testing.T) {
	t.Parallel()
	content := pattern(3000)
	plain := func(s *session) { s.blocks(content, 512) }
	for name, tt := range map[string]struct {
		script func(*session)
		asked  int // the last request's words
		block  int
	}{
		"refuses windowsize": {asked: 6, block: 1468, script: func(s *session) {
			if s.opts["windowsize"] != "" {
				s.error(8, "no such option")
				return
			}
			file(content)(s)
		}},
		"refuses all options": {asked: 2, block: 512, script: func(s *session) {
			if len(s.opts) > 0 {
				s.error(8, "no options")
				return
			}
			plain(s)
		}},
		"is silent about windowsize": {asked: 6, block: 1468, script: func(s *session) {
			if s.opts["windowsize"] == "" {
				file(content)(s)
			}
		}},
		"is silent about options": {asked: 2, block: 512, script: func(s *session) {
			if len(s.opts) == 0 {
				plain(s)
			}
		}},
		"knows no options": {asked: 12, block: 512, script: plain},
		"gives a larger window": {asked: 6, block: 1468, script: func(s *session) {
			if s.opts["windowsize"] != "" {
				s.oack("windowsize", "65")
				return
			}
			file(content)(s)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, tt.script)
			c := Client{BlockSize: 1468, Timeout: 50 * time.Millisecond, Retries: 60}
			f, err := c.Open(t.Context(), s.addr, "x")
			if err != nil {
				t.Fatal(err)
			}
			var b bytes.Buffer
			if _, err := f.WriteTo(&b); err != nil || !bytes.Equal(b.Bytes(), content) {
				t.Fatalf("%d bytes, %v", b.Len(), err)
			}
			asked := s.asked()
			if last := asked[len(asked)-1]; len(last) != tt.asked || f.Stats().BlockSize != tt.block {
				t.Errorf("asked %q, got %+v", asked, f.Stats())
			}
		})
	}
}

// A port where nobody listens is found out by both receivers, and not by
// silence.
func TestClosedPort(t *testing.T) {
	conn := listen(t)
	addr := conn.LocalAddr().(*net.UDPAddr).AddrPort()
	conn.Close()
	for kind, window := range kinds {
		_, err := (&Client{WindowSize: window, Timeout: time.Hour}).Open(t.Context(), addr, "x")
		if !errors.Is(err, ErrNoServer) {
			t.Errorf("%s: got %v, want %v", kind, err, ErrNoServer)
		}
	}
}

// What a server can do when it is asked for the file once more.
func TestAskedAgain(t *testing.T) {
	t.Parallel()
	content := pattern(60 * maxBlockSize)
	for name, tt := range map[string]struct {
		again func(*session) // once the large blocks got lost
		err   error
	}{
		"says no size": {func(s *session) { s.oack("blksize", s.opts["blksize"]); s.expect(0); s.patientBlocks(content, 8192) }, nil},
		"says none, and is short": {func(s *session) {
			s.oack("blksize", s.opts["blksize"])
			s.expect(0)
			s.patientBlocks(content[:55*maxBlockSize], 8192)
		}, ErrShort},
		"has only large blocks": {func(s *session) { s.oack("blksize", "65464") }, errBadOptions},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, func(s *session) {
				switch {
				case s.opts["windowsize"] != "":
					s.agree(len(content))
				case s.opts["blksize"] == strconv.Itoa(maxBlockSize):
					s.losing(content, s.agree(len(content)), 25)
				default:
					tt.again(s)
				}
			})
			var b bytes.Buffer
			f := &File{ctx: t.Context(), cancel: func() {}}
			d := newDownload(t.Context(), s.addr, "x", onEthernet, &f.counts)
			if err := d.start(); err != nil {
				t.Fatal(err)
			}
			f.transfer = d
			_, err := f.WriteTo(&b)
			if !errors.Is(err, tt.err) || err == nil && !bytes.Equal(b.Bytes(), content) {
				t.Errorf("%d bytes, %v", b.Len(), err)
			}
			if tt.err != errBadOptions && f.Size() != int64(len(content)) {
				t.Errorf("the size is %d now", f.Size())
			}
		})
	}
}

// A writer that takes its time is no network that loses packets.
func TestSlowDisk(t *testing.T) {
	t.Parallel()
	content := pattern(300 * maxBlockSize)
	s := serve(t, func(s *session) { s.patientBlocks(content, s.agree(len(content))) })
	d := newDownload(t.Context(), s.addr, "x", onEthernet, new(counts))
	err := d.start()
	if err != nil {
		t.Fatal(err)
	}
	slow := &busyDisk{every: 8, wait: leastWait}
	if _, err := d.WriteTo(slow); err != nil || !bytes.Equal(slow.got.Bytes(), content) {
		t.Errorf("%d bytes, %v", slow.got.Len(), err)
	}
	if asked := s.asked(); len(asked) != 2 { // for windows, and then for large blocks
		t.Errorf("asked %q", asked)
	}
}

type busyDisk struct {
	every, n int
	wait     time.Duration
	got      bytes.Buffer
}

func (w *busyDisk) Write(p []byte) (int, error) {
	if w.n++; w.n%w.every == 0 {
		time.Sleep(w.wait)
	}
	return w.got.Write(p)
}
