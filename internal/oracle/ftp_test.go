package oracle

import (
	"io"
	"net"
	"net/netip"
	"net/textproto"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var passivePort = regexp.MustCompile(`\(127,0,0,1,(\d+),(\d+)\)`)

func TestServeFTP(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{"a": "text", "empty": ""} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	r := newRecorder(&Case{IP: netip.MustParseAddr("192.168.1.199")})
	go r.serveFTP(l, root)

	c, err := textproto.Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ask := func(line string, code int) string {
		t.Helper()
		if line != "" {
			if err := c.PrintfLine("%s", line); err != nil {
				t.Fatal(err)
			}
		}
		_, text, err := c.ReadResponse(code)
		if err != nil {
			t.Fatalf("%s: %v, want %d", line, err, code)
		}
		return text
	}
	// fetch asks for a file where the server says that it is to be had.
	fetch := func(name string) string {
		t.Helper()
		port := passivePort.FindStringSubmatch(ask("PASV", 227))
		if port == nil {
			t.Fatal("PASV: no port")
		}
		high, _ := strconv.Atoi(port[1])
		low, _ := strconv.Atoi(port[2])
		data, err := net.Dial("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(high<<8|low)))
		if err != nil {
			t.Fatal(err)
		}
		defer data.Close()
		ask("RETR "+name, 150)
		content, err := io.ReadAll(data)
		if err != nil {
			t.Fatal(err)
		}
		ask("", 226)
		return string(content)
	}
	ask("", 220)
	ask("USER anonymous", 331)
	ask("pass syslinux@", 230)
	ask("TYPE I", 200)
	ask("RETR a", 425) // before PASV
	if got := fetch("a"); got != "text" {
		t.Errorf("a is %q", got)
	}
	if got := fetch("empty"); got != "" {
		t.Errorf("empty is %q", got)
	}
	ask("RETR none", 550)
	ask("STOR a", 502)
	ask("QUIT", 221)

	_, got := r.seen()
	want := []Request{
		{Found, "ftp://127.0.0.1/a"}, {Found, "ftp://127.0.0.1/a"}, {Empty, "ftp://127.0.0.1/empty"}, {Absent, "ftp://127.0.0.1/none"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
