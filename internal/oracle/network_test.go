package oracle

import (
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// datagram makes an IPv4 packet with UDP in it.
func datagram(from, to string, payload string) []byte {
	f, t := netip.MustParseAddrPort(from), netip.MustParseAddrPort(to)
	b := make([]byte, 28)
	b[0], b[9] = 0x45, 17
	copy(b[12:], f.Addr().AsSlice())
	copy(b[16:], t.Addr().AsSlice())
	b[20], b[21] = byte(f.Port()>>8), byte(f.Port())
	b[22], b[23] = byte(t.Port()>>8), byte(t.Port())
	return append(b, payload...)
}

func TestRecorder(t *testing.T) {
	const machine, server, other, reply = "192.168.1.199:", "192.168.1.2:69", "192.168.1.3:69", "192.168.1.2:4000"
	r := newRecorder(&Case{IP: netip.MustParseAddr("192.168.1.199")})
	for _, p := range [][]byte{
		nil,
		make([]byte, 40), // not IPv4
		datagram(machine+"49152", server, "\x00\x01a/b\x00octet\x00tsize\x000\x00"),
		datagram(machine+"49152", server, "\x00\x01a/b\x00octet\x00tsize\x000\x00"), // sent again
		datagram(reply, machine+"49152", "\x00\x05\x00\x01file not found\x00"),
		datagram(machine+"49152", server, "\x00\x01a/b\x00octet\x00tsize\x000\x00"), // and again: the answer was late
		datagram(machine+"49153", server, "\x00\x01//c\x00octet\x00tsize\x000\x00"),
		datagram(reply, machine+"49153", "\x00\x06tsize\x0012\x00blksize\x001408\x00"),
		datagram(reply, machine+"49153", "\x00\x03\x00\x01hello world!"),
		datagram(machine+"49154", other, "\x00\x01d\x00octet\x00"),
		datagram("192.168.1.3:4000", machine+"49154", "\x00\x06tsize\x000\x00blksize\x001408\x00"),
		datagram(machine+"49155", server, "\x00\x01e\x00octet\x00"),
		datagram(reply, machine+"49155", "\x00\x03\x00\x01"),
		datagram(machine+"49156", server, "\x00\x01unterminated"),
		datagram(machine+"49157", server, "\x00\x01//c\x00octet\x00"), // the same file, later
	} {
		r.packet(p)
	}
	packets, got := r.seen()
	want := []Request{{Absent, "a/b"}, {Found, "//c"}, {Empty, "192.168.1.3::d"}, {Empty, "e"}, {"", "//c"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if packets != 8 {
		t.Errorf("%d packets from the machine, want 8", packets)
	}
}

func TestServeHTTP(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{"a": "text", "empty": ""} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r := newRecorder(&Case{IP: netip.MustParseAddr("192.168.1.199")})
	handler := r.serveHTTP(root, map[string]string{"/old": "http://h/a"})
	for path, want := range map[string]int{"//a": 200, "/%61?x=y": 200, "/empty": 200, "/none": 404, "/old": 302} {
		w := httptest.NewRecorder()
		q := httptest.NewRequest("GET", "http://h"+path, nil)
		q.RequestURI = path // as a server sees it
		handler(w, q)
		if w.Code != want {
			t.Errorf("%s: status %d, want %d", path, w.Code, want)
		}
	}
	_, requests := r.seen()
	got := map[string]string{}
	for _, q := range requests {
		got[q.File] = q.Result
	}
	want := map[string]string{
		"http://h//a": Found, "http://h/%61?x=y": Found, "http://h/empty": Empty, "http://h/none": Absent, "http://h/old": Moved,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRound(t *testing.T) {
	start := []Request{{Found, "pxelinux.0"}, {Absent, "x"}, {Found, "menu.c32"}, {Found, "menu.c32"}, {Found, "default"}}
	repeat := func(times int, more ...Request) []Request {
		all := append([]Request(nil), start...)
		for range times {
			all = append(all, more...)
		}
		return all
	}
	tests := []struct {
		name     string
		requests []Request
		want     int
	}{
		{"nothing repeated", start, 5},
		{"three menus", repeat(2, Request{Found, "menu.c32"}, Request{Found, "default"}), 9},
		{"menus for ever", repeat(4, Request{Found, "menu.c32"}, Request{Found, "default"}), 5},
		{"a missing file for ever", repeat(5, Request{Absent, "two"}), 6},
		{"a missing file thrice", repeat(3, Request{Absent, "two"}), 8},
	}
	for _, test := range tests {
		if got := round(test.requests); len(got) != test.want {
			t.Errorf("%s: %d requests, want %d", test.name, len(got), test.want)
		}
	}
}
