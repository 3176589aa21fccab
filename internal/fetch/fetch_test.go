package fetch

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gopxeboot/gopxeboot/tftpget"
	"github.com/pin/tftp/v3"
)

// quick has little patience: silence costs a test half a second. A server of
// ours must have answered within that, on a busy machine too.
func quick() *Client { return &Client{Timeout: 500 * time.Millisecond} }

// get reads a whole file, and wants an error of ours if any.
func get(t testing.TB, c *Client, url string) (string, error) {
	t.Helper()
	content, err := c.ReadAll(t.Context(), url, 1<<20)
	if err != nil {
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%T is not an *Error", err)
		}
		if strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' || r == '\x7f' }) {
			t.Errorf("not printable: %q", err)
		}
	}
	return string(content), err
}

// silent is an address on loopback that takes connections and says nothing.
func silent(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().String()
}

// tftpServer serves files by TFTP with pin/tftp's server.
func tftpServer(t testing.TB, files map[string]string) string {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	s := tftp.NewServer(func(name string, r io.ReaderFrom) error {
		content, ok := files[name]
		if !ok {
			return errors.New("no \x1b such file")
		}
		_, err := r.ReadFrom(strings.NewReader(content))
		return err
	}, nil)
	s.SetTimeout(100 * time.Millisecond)
	done := make(chan struct{})
	go func() {
		s.Serve(conn)
		close(done)
	}()
	t.Cleanup(func() {
		s.Shutdown()
		<-done
	})
	return conn.LocalAddr().String()
}

func TestTFTP(t *testing.T) {
	t.Parallel()
	addr := tftpServer(t, map[string]string{
		"pxelinux.cfg/default": "DEFAULT linux\n",
		"/images/k":            "absolute",
		"a b%;c?#d":            "escaped",
		"a?b":                  "question mark",
		"100%":                 "percent",
		"empty":                "",
		"big":                  strings.Repeat("x", 2<<20),
	})
	for path, want := range map[string]string{
		"/pxelinux.cfg/default":             "DEFAULT linux\n",
		"//images/k":                        "absolute",
		"/a%20b%25%3Bc%3f%23d":              "escaped",
		"/a b%25%3Bc%3f%23d":                "escaped",
		"/a?b":                              "question mark",
		"/100%":                             "percent",
		"/empty":                            "",
		"/pxelinux.cfg/default;mode=octet":  "DEFAULT linux\n",
		"/pxelinux.cfg/default#fragment;#x": "DEFAULT linux\n",
	} {
		got, err := get(t, quick(), "tftp://"+addr+path)
		if err != nil || got != want {
			t.Errorf("%s: got %q, %v, want %q", path, got, err, want)
		}
	}
	for path, want := range map[string]error{"/images/k": ErrNotFound, "/a%00b": nil, "/big": ErrTooBig} {
		if got, err := get(t, quick(), "tftp://"+addr+path); err == nil || want != nil && !errors.Is(err, want) {
			t.Errorf("%s: got %q, %v, want %v", path, got, err, want)
		}
	}
	_, err := get(t, quick(), "tftp://"+addr+"/images/k")
	if got, want := err.Error(), "tftp://"+addr+"/images/k: file not found: "+addr+" said \"no   such file\" (code 1)"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestTFTPSilence(t *testing.T) {
	t.Parallel()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	url := "tftp://" + conn.LocalAddr().String() + "/x"
	_, err = get(t, &Client{TFTP: tftpget.Client{Timeout: 50 * time.Millisecond, Retries: 1}}, url)
	if !errors.Is(err, ErrTimeout) || err.Error() != url+": no answer ("+conn.LocalAddr().String()+")" {
		t.Errorf("got %v", err)
	}
}

func TestFile(t *testing.T) {
	addr := tftpServer(t, map[string]string{"x": strings.Repeat("x", 5000)})
	c := quick()
	c.MaxSize = 5000
	f, err := c.Open(t.Context(), "tftp://"+addr+"/x")
	if err != nil {
		t.Fatal(err)
	}
	if f.Size() != 5000 || f.URL() != "tftp://"+addr+"/x" {
		t.Errorf("got %s of %d bytes", f.URL(), f.Size())
	}
	var b bytes.Buffer
	if n, err := f.WriteTo(&b); n != 5000 || err != nil || b.Len() != 5000 {
		t.Errorf("got %d bytes, %v", n, err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	c.MaxSize = 4999
	if _, err := c.Open(t.Context(), "tftp://"+addr+"/x"); !errors.Is(err, ErrTooBig) {
		t.Errorf("got %v, want %v", err, ErrTooBig)
	}
}

type brokenWriter struct{ err error }

func (w brokenWriter) Write(p []byte) (int, error) { return 0, w.err }

// A writer's own timeout is not the server's silence.
func TestWriterError(t *testing.T) {
	addr := tftpServer(t, map[string]string{"x": strings.Repeat("x", 5000)})
	for _, tt := range []struct{ give, want error }{
		{nil, io.ErrShortWrite},
		{errors.New("no space left"), nil},
		{&net.DNSError{IsTimeout: true}, nil},
	} {
		f, err := quick().Open(t.Context(), "tftp://"+addr+"/x")
		if err != nil {
			t.Fatal(err)
		}
		want := tt.want
		if want == nil {
			want = tt.give
		}
		if n, err := f.WriteTo(brokenWriter{tt.give}); n != 0 || !errors.Is(err, want) || errors.Is(err, ErrTimeout) {
			t.Errorf("got %d, %v, want %v", n, err, want)
		}
		f.Close()
	}
}

func TestOutput(t *testing.T) {
	for _, tt := range []struct {
		size, limit int64
		want        error
		n           int64
	}{
		{-1, 0, nil, 12}, {12, 12, nil, 12}, {11, 0, ErrLong, 8}, {-1, 11, ErrTooBig, 8}, {4, 0, ErrLong, 4}, {0, 0, ErrLong, 0},
	} {
		o := &output{w: io.Discard, size: tt.size, limit: tt.limit, now: time.Now, since: time.Now()}
		for range 3 {
			o.Write([]byte("1234"))
		}
		if !errors.Is(o.err, tt.want) || o.n != tt.n {
			t.Errorf("size %d, limit %d: got %d bytes, %v, want %d, %v", tt.size, tt.limit, o.n, o.err, tt.n, tt.want)
		}
	}
}

func TestNotOurs(t *testing.T) {
	for url, want := range map[string]error{
		"smb://h/x":                             ErrUnsupported,
		"HTTP://h/x":                            ErrUnsupported, // PXELINUX knows lower case only
		"vmlinuz":                               nil,
		"://h/x":                                nil,
		"tftp:///x":                             nil, // and there is no Fallback
		"ftp://h/a%0d%0aDELE%20b":               nil,
		"http://h:0/":                           nil,
		"tftp://h/" + strings.Repeat("x", 5000): nil,
	} {
		if _, err := get(t, quick(), url); err == nil || want != nil && !errors.Is(err, want) {
			t.Errorf("%.40s: got %v, want %v", url, err, want)
		}
	}
}

// Every scheme ends at once when its context does, and says that.
func TestContext(t *testing.T) {
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	for _, url := range []string{
		"tftp://" + udp.LocalAddr().String() + "/x",
		"http://" + silent(t) + "/x",
		"https://" + silent(t) + "/x",
		"ftp://" + silent(t) + "/x",
		"nfs://" + silent(t) + "/x",
		"nfs://" + silent(t) + "/x.iso!/y",
		"http://name/x",
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		c := &Client{
			Timeout:  time.Hour, // only the context ends the wait
			DNS:      []netip.Addr{netip.MustParseAddr("127.0.0.1")},
			Fallback: netip.MustParseAddr("127.0.0.1"),
			Warn:     func(text string) { t.Errorf("%s: warned: %s", url, text) },
		}
		c.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			if network == "udp" {
				address = udp.LocalAddr().String()
			}
			return new(net.Dialer).DialContext(ctx, network, address)
		}
		_, err := c.Open(ctx, url)
		if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrTimeout) {
			t.Errorf("%s: got %v, want %v", url, err, context.DeadlineExceeded)
		}
		cancel()
	}
}

// Every scheme gives a silent server up, and that is no deadline of the
// caller's.
func TestSilence(t *testing.T) {
	t.Parallel()
	for _, scheme := range []string{"http", "https", "ftp", "nfs"} {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			url := scheme + "://" + silent(t) + "/x"
			if _, err := get(t, quick(), url); !errors.Is(err, ErrTimeout) || errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v, want %v", err, ErrTimeout)
			}
		})
	}
}

func TestNobodyThere(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	for _, scheme := range []string{"http", "https", "ftp", "nfs"} {
		url := scheme + "://" + l.Addr().String() + "/x"
		_, err := get(t, quick(), url)
		if err == nil || !strings.HasSuffix(err.Error(), "connection refused") || errors.Is(err, ErrRefused) {
			t.Errorf("%s: got %v", url, err)
		}
	}
}

// A file that is held goes on where its head ended, whatever its size, and is let go
// of without.
func TestHold(t *testing.T) {
	text := func(head []byte) bool { return !bytes.Contains(head, []byte{0}) }
	for _, size := range []int{0, 1, 99, 100, 101, 10000, 9 << 20} {
		content := bytes.Repeat([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, size/11+1)[:size]
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write(content) }))
		defer server.Close()
		for _, taken := range []bool{true, false} {
			f, err := new(Client).Open(t.Context(), server.URL+"/f")
			if err != nil {
				t.Fatal(err)
			}
			head, err := f.Hold(100, text, 1000)
			if err != nil || !bytes.Equal(head, content[:min(size, 100)]) {
				t.Errorf("%d bytes: %d of head, %v", size, len(head), err)
			}
			var all bytes.Buffer
			if taken {
				if n, err := f.WriteTo(&all); n != int64(size) || err != nil || !bytes.Equal(all.Bytes(), content) {
					t.Errorf("%d bytes: %d and %d written, %v", size, n, all.Len(), err)
				}
			}
			f.Close()
		}
	}
}

// A file that is text is read to its end, and to its limit. One that is held ends with
// its context.
func TestHoldEnds(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, strings.Repeat("x", 9<<20))
	}))
	defer server.Close()
	text := func(head []byte) bool { return !bytes.Contains(head, []byte{0}) }
	if _, _, err := new(Client).ReadHead(t.Context(), server.URL+"/f", 100, text, 999); !errors.Is(err, ErrTooBig) {
		t.Errorf("beyond the limit: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	f, err := new(Client).Open(ctx, server.URL+"/f")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Hold(100, nil, 0); err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := f.WriteTo(io.Discard); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	f.Close()
}
