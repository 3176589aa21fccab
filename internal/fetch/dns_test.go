package fetch

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/dns/dnsmessage"
)

// nameServer answers questions on loopback. It keeps the names that it was
// asked for.
type nameServer struct {
	addr string
	mu   sync.Mutex
	got  []string
}

func (s *nameServer) asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.got
}

func serveNames(t testing.TB, answer func(q dnsmessage.Message) []dnsmessage.Message) *nameServer {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() {
		conn.Close()
		<-done
	})
	s := &nameServer{addr: conn.LocalAddr().String()}
	go func() {
		defer close(done)
		buf := make([]byte, 512)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			var q dnsmessage.Message
			if q.Unpack(buf[:n]) != nil || len(q.Questions) != 1 {
				continue
			}
			s.mu.Lock()
			s.got = append(s.got, q.Questions[0].Name.String())
			s.mu.Unlock()
			q.Response = true
			for _, m := range answer(q) {
				if p, err := m.Pack(); err == nil {
					conn.WriteTo(p, from)
				}
			}
		}
	}()
	return s
}

func record(name string, body dnsmessage.ResourceBody) dnsmessage.Resource {
	return dnsmessage.Resource{Header: dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName(name), Class: dnsmessage.ClassINET}, Body: body}
}

// knows answers with an address behind a CNAME.
func knows(host, addr string) func(dnsmessage.Message) []dnsmessage.Message {
	return func(q dnsmessage.Message) []dnsmessage.Message {
		if q.Questions[0].Name.String() != host {
			q.RCode = dnsmessage.RCodeNameError
			return []dnsmessage.Message{q}
		}
		q.Answers = []dnsmessage.Resource{
			record(host, &dnsmessage.CNAMEResource{CNAME: dnsmessage.MustNewName("real.example.")}),
			record("real.example.", &dnsmessage.AResource{A: netip.MustParseAddr(addr).As4()}),
		}
		return []dnsmessage.Message{q}
	}
}

func mute(dnsmessage.Message) []dnsmessage.Message { return nil }

// resolver is a Client whose name servers 192.0.2.1, .2, ... are these.
func resolver(servers ...*nameServer) *Client {
	c := quick()
	at := map[string]string{}
	for i, s := range servers {
		addr := netip.AddrFrom4([4]byte{192, 0, 2, byte(i + 1)})
		c.DNS = append(c.DNS, addr)
		at[netip.AddrPortFrom(addr, 53).String()] = s.addr
	}
	c.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		if to, ok := at[address]; ok {
			return new(net.Dialer).DialContext(ctx, network, to)
		}
		return nil, errors.New("unexpected connection to " + network + " " + address)
	}
	return c
}

func TestResolve(t *testing.T) {
	t.Parallel()
	good := func() *nameServer { return serveNames(t, knows("pxe.lab.example.", "198.51.100.7")) }
	dead := func() *nameServer { return serveNames(t, mute) }
	tests := []struct {
		name    string
		host    string
		domain  string
		servers []*nameServer
		want    string
		err     string
		asked   []string // of the last server
	}{
		{name: "address", host: "192.0.2.77", want: "192.0.2.77"},
		{name: "IPv6 address", host: "2001:db8::1", want: "2001:db8::1"},
		{name: "name", host: "pxe.lab.example", domain: "other.example", servers: []*nameServer{good()}, want: "198.51.100.7", asked: []string{"pxe.lab.example."}},
		{name: "domain added", host: "pxe", domain: "lab.example", servers: []*nameServer{good()}, want: "198.51.100.7", asked: []string{"pxe.lab.example."}},
		{name: "final dot", host: "pxe.lab.example.", servers: []*nameServer{good()}, want: "198.51.100.7", asked: []string{"pxe.lab.example."}},
		{name: "second server", host: "pxe.lab.example", servers: []*nameServer{dead(), good()}, want: "198.51.100.7", asked: []string{"pxe.lab.example."}},
		{name: "unknown to the first", host: "pxe.lab.example", servers: []*nameServer{serveNames(t, knows("x.", "192.0.2.1")), good()}, want: "198.51.100.7", asked: []string{"pxe.lab.example."}},
		// In dom0's /etc/hosts this name is there; the guest's servers count.
		{name: "localhost", host: "localhost", servers: []*nameServer{good()}, err: "can't resolve localhost: 192.0.2.1: no address (NameError)", asked: []string{"localhost."}},
		{name: "silence", host: "pxe", servers: []*nameServer{dead()}, err: "can't resolve pxe: no answer from DNS server 192.0.2.1", asked: []string{"pxe.", "pxe."}},
		{name: "a fifth server is too many", host: "pxe.lab.example", servers: []*nameServer{dead(), dead(), dead(), dead(), good()}, err: "can't resolve pxe.lab.example: no answer from DNS server 192.0.2.1"},
		{name: "no server", host: "pxe", err: "can't resolve pxe: the lease names no DNS server"},
		{name: "no name", host: "", err: "the URL names no host"},
		{name: "bad name", host: "a..b", servers: []*nameServer{dead()}, err: "a..b is no host name: packing Question: Name: zero length segment"},
		{name: "long name", host: strings.Repeat("x", 300), servers: []*nameServer{dead()}, err: strings.Repeat("x", 200) + " is no host name: insufficient data for calculated length"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := resolver(tt.servers...)
			c.Domain = tt.domain
			addr, err := c.resolve(t.Context(), tt.host)
			if tt.err == "" && (err != nil || addr.String() != tt.want) {
				t.Errorf("got %v, %v, want %s", addr, err, tt.want)
			}
			if tt.err != "" && (err == nil || !strings.HasPrefix(err.Error(), tt.err[:min(len(tt.err), 60)])) {
				t.Errorf("got %v, %v, want %s", addr, err, tt.err)
			}
			if n := len(tt.servers); n > 0 {
				if diff := cmp.Diff(tt.asked, tt.servers[n-1].asked()); diff != "" {
					t.Error("questions (-want +got)\n", diff)
				}
			}
		})
	}
}

// What is not an answer to our question does not keep us from hearing the one
// that is.
func TestResolveSpoofed(t *testing.T) {
	s := serveNames(t, func(q dnsmessage.Message) []dnsmessage.Message {
		good := knows("pxe.example.", "198.51.100.7")(q)[0]
		otherID, otherName, notAnswer := good, good, good
		evil := []dnsmessage.Resource{record("pxe.example.", &dnsmessage.AResource{A: [4]byte{6, 6, 6, 6}})}
		otherID.ID++
		otherID.Answers, otherName.Answers, notAnswer.Answers = evil, evil, evil
		otherName.Questions = []dnsmessage.Question{{Name: dnsmessage.MustNewName("evil.example."), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}}
		notAnswer.Response = false
		return []dnsmessage.Message{otherID, otherName, notAnswer, good}
	})
	addr, err := resolver(s).resolve(t.Context(), "pxe.example")
	if err != nil || addr.String() != "198.51.100.7" {
		t.Errorf("got %v, %v", addr, err)
	}
}

// As PXELINUX, whatever can't be resolved is the boot server; a warning says so.
func TestFallback(t *testing.T) {
	c := resolver(serveNames(t, knows("x.", "192.0.2.1")))
	c.Fallback = netip.MustParseAddr("127.0.0.1")
	var warned []string
	c.Warn = func(text string) { warned = append(warned, text) }
	addr := tftpServer(t, map[string]string{"x": "content"})
	_, port, _ := net.SplitHostPort(addr)
	for _, host := range []string{"nosuch", ""} {
		if got, err := get(t, c, "tftp://"+host+":"+port+"/x"); err != nil || got != "content" {
			t.Errorf("host %q: got %q, %v", host, got, err)
		}
	}
	want := []string{"can't resolve nosuch: 192.0.2.1: no address (NameError); using the boot server 127.0.0.1 in its place, as PXELINUX does"}
	if diff := cmp.Diff(want, warned); diff != "" {
		t.Error("warnings (-want +got)\n", diff)
	}
}

// A DNS server that is silent is waited for once in a boot, and that is said once.
func TestSilentDNS(t *testing.T) {
	dead, good := serveNames(t, mute), serveNames(t, func(q dnsmessage.Message) []dnsmessage.Message {
		return knows(q.Questions[0].Name.String(), "198.51.100.7")(q)
	})
	for _, test := range []struct {
		name    string
		servers []*nameServer
		hosts   []string
		asked   int // of the silent one
		warned  string
	}{
		{"alone, for one name", []*nameServer{dead}, []string{"a.lab", "a.lab", "a.lab"}, 2, "the DNS server 192.0.2.1 does not answer, which cost 0."},
		{"before another one", []*nameServer{dead, good}, []string{"a.lab", "b.lab", "c.lab"}, 1, "the DNS server 192.0.2.1 does not answer, which cost 0."},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := len(dead.asked())
			c := resolver(test.servers...)
			c.Names = new(Names)
			var warned []string
			c.Warn = func(text string) { warned = append(warned, text) }
			for _, host := range test.hosts {
				if _, err := c.Lookup(t.Context(), host); (err == nil) != (len(test.servers) > 1) {
					t.Errorf("%s: %v", host, err)
				}
			}
			if got := len(dead.asked()) - before; got != test.asked {
				t.Errorf("the silent one was asked %d times, want %d", got, test.asked)
			}
			if len(warned) != 1 || !strings.HasPrefix(warned[0], test.warned) {
				t.Errorf("it warns %q", warned)
			}
		})
	}
}

func TestResolveCancelled(t *testing.T) {
	c := resolver(serveNames(t, mute))
	c.Timeout = time.Minute
	c.Fallback = netip.MustParseAddr("127.0.0.1")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if addr, err := c.resolve(ctx, "pxe"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, %v", addr, err)
	}
}

// A server has 512 bytes for an answer by UDP. What does not fit in is asked for
// by TCP.
func TestResolveTruncated(t *testing.T) {
	const host = "pxe.lab.example."
	whole := knows(host, "198.51.100.7")
	truncated := func(records int) func(dnsmessage.Message) []dnsmessage.Message {
		return func(q dnsmessage.Message) []dnsmessage.Message {
			m := whole(q)[0]
			m.Truncated, m.Answers = true, m.Answers[:records]
			return []dnsmessage.Message{m}
		}
	}
	for _, tt := range []struct {
		name     string
		udp, tcp func(dnsmessage.Message) []dnsmessage.Message
		want     string // an address, or how the error ends
	}{
		{"whole by TCP", truncated(1), whole, "198.51.100.7"},
		{"nothing at all by UDP", truncated(0), whole, "198.51.100.7"},
		{"an address by UDP", truncated(2), nil, "198.51.100.7"},
		{"truncated by TCP too", truncated(1), truncated(1), "192.0.2.1: no address in a truncated answer"},
		{"none by TCP", truncated(1), knows("x.", "192.0.2.1"), "192.0.2.1: no address (NameError)"},
		{"silence by TCP", truncated(1), mute, "192.0.2.1: no address in a truncated answer, and asked by TCP: 192.0.2.1 hung up without an answer"},
		{"no TCP", truncated(1), nil, "connection refused"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := serveNames(t, tt.udp)
			if tt.tcp != nil {
				serveNamesByTCP(t, s.addr, tt.tcp)
			}
			addr, err := resolver(s).resolve(t.Context(), host)
			got := addr.String()
			if err != nil {
				got = err.Error()
			}
			if !strings.HasSuffix(got, tt.want) {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			if diff := cmp.Diff([]string{host}, s.asked()); diff != "" {
				t.Error("questions by UDP (-want +got)\n", diff)
			}
		})
	}
}

// serveNamesByTCP answers one question a connection, and closes it.
func serveNamesByTCP(t testing.TB, addr string, answer func(dnsmessage.Message) []dnsmessage.Message) {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() {
		l.Close()
		<-done
	})
	reply := func(conn net.Conn) error {
		defer conn.Close()
		p := make([]byte, 512)
		if _, err := io.ReadFull(conn, p[:2]); err != nil {
			return err
		}
		p = p[:binary.BigEndian.Uint16(p)]
		if _, err := io.ReadFull(conn, p); err != nil {
			return err
		}
		var q dnsmessage.Message
		if err := q.Unpack(p); err != nil {
			return err
		}
		q.Response = true
		for _, m := range answer(q) {
			p, err := m.AppendPack(make([]byte, 2))
			if err != nil {
				return err
			}
			binary.BigEndian.PutUint16(p, uint16(len(p)-2))
			for _, b := range p { // a stream comes in pieces
				if _, err := conn.Write([]byte{b}); err != nil {
					return err
				}
			}
		}
		return nil
	}
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if err := reply(conn); err != nil {
				t.Error(err)
			}
		}
	}()
}

func FuzzAnswer(f *testing.F) {
	q, err := newQuestion("pxe.example.")
	if err != nil {
		f.Fatal(err)
	}
	var m dnsmessage.Message
	if err := m.Unpack(q.packed); err != nil {
		f.Fatal(err)
	}
	m.Response = true
	for _, a := range knows("pxe.example.", "198.51.100.7")(m) {
		p, err := a.Pack()
		if err != nil {
			f.Fatal(err)
		}
		for i := range p { // every prefix of a good answer
			f.Add(p[2:max(i, 2)])
		}
		f.Add(p[2:])
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		addr, err := q.answer(append([]byte{byte(q.id >> 8), byte(q.id)}, p...))
		if (err == nil) != addr.Is4() {
			t.Errorf("got %v, %v", addr, err)
		}
	})
}
