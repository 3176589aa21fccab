package fetch

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"
)

// goWords are what packages of Go say, and no administrator does.
var goWords = regexp.MustCompile(`x509|tls: |net/http|dial |i/o timeout|deadline exceeded|unexpected EOF|: EOF|read tcp|lookup `)

// certificateOf makes a certificate that signs itself.
func certificateOf(t *testing.T, change func(*x509.Certificate)) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "the lab"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	change(c)
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// What goes wrong with a web server is told apart, in words.
func TestWords(t *testing.T) {
	t.Parallel()
	secure := func(trusted bool, change func(*x509.Certificate)) func(*testing.T) (string, *x509.CertPool) {
		return func(t *testing.T) (string, *x509.CertPool) {
			s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
			s.Config.ErrorLog = log.New(io.Discard, "", 0)
			s.TLS = &tls.Config{Certificates: []tls.Certificate{certificateOf(t, change)}}
			s.StartTLS()
			t.Cleanup(s.Close)
			pool := x509.NewCertPool()
			if trusted {
				pool.AddCert(s.Certificate())
			}
			return s.URL, pool
		}
	}
	// says is a server that says so much and hangs up.
	says := func(scheme, text string) func(*testing.T) (string, *x509.CertPool) {
		return func(t *testing.T) (string, *x509.CertPool) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { l.Close() })
			go func() {
				for {
					conn, err := l.Accept()
					if err != nil {
						return
					}
					conn.Read(make([]byte, 1000))
					io.WriteString(conn, text)
					conn.Close()
				}
			}()
			return scheme + "://" + l.Addr().String(), nil
		}
	}
	for _, test := range []struct {
		name string
		make func(*testing.T) (url string, roots *x509.CertPool)
		kind error
		want string // a pattern
	}{
		{"expired", secure(true, func(c *x509.Certificate) {
			c.NotAfter = time.Date(2020, 2, 29, 12, 0, 0, 0, time.UTC)
			c.NotBefore = c.NotAfter.Add(-time.Hour)
		}), ErrCertExpired,
			`127\.0\.0\.1:\d+: its certificate expired on 29 February 2020, 12:00 UTC, and dom0's clock says \d+ \w+ \d+, \d\d:\d\d UTC$`},
		{"not yet valid", secure(true, func(c *x509.Certificate) {
			c.NotBefore = time.Now().Add(time.Hour)
			c.NotAfter = time.Now().Add(2 * time.Hour)
		}), ErrCertExpired, `is not valid before`},
		{"unknown", secure(false, func(*x509.Certificate) {}), ErrUnknownCA, `its certificate, the lab, is signed by itself`},
		{"another server's", secure(true, func(c *x509.Certificate) {
			c.IPAddresses, c.DNSNames = []net.IP{net.IPv4(192, 0, 2, 1)}, []string{"pxe.example"}
		}), ErrCertName, `its certificate is for pxe\.example, 192\.0\.2\.1, and not for 127\.0\.0\.1$`},
		{"without a name", secure(true, func(c *x509.Certificate) { c.IPAddresses = nil }), ErrCertName, `no subjectAltName`},
		{"no TLS", func(t *testing.T) (string, *x509.CertPool) {
			s := httptest.NewServer(http.NotFoundHandler())
			t.Cleanup(s.Close)
			return "https" + s.URL[len("http"):], nil
		}, ErrNoTLS, `does not speak TLS on that port`},
		{"no HTTP", says("http", "220 mail.example ESMTP\r\n"), nil, `answers what is no HTTP: malformed HTTP status code "mail\.example"`},
		{"half a header", says("http", "HTTP/1.1 200"), nil, `hung up in the middle of its answer`},
		{"hangs up", says("http", ""), nil, `hung up without an answer`},
		{"hangs up on TLS", says("https", ""), nil, `hung up without an answer|connection reset by peer`},
		{"half of a file", says("http", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"), ErrShort, `4 of 100 bytes$`},
		{"a chunk of a file", says("http", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhal"), ErrShort, `broke off after 3 bytes$`},
		{"silence", func(t *testing.T) (string, *x509.CertPool) { return "http://" + silent(t), nil }, ErrHangs, `127\.0\.0\.1:\d+ takes the connection, and then says nothing$`},
		{"silence of TLS", func(t *testing.T) (string, *x509.CertPool) { return "https://" + silent(t), nil }, ErrHangs, `127\.0\.0\.1:\d+ takes the connection, and then says nothing$`},
		{"closed", func(t *testing.T) (string, *x509.CertPool) { return "http://127.0.0.1:1", nil }, ErrPortClosed, `127\.0\.0\.1:1: connection refused$`},
		{"no network", func(t *testing.T) (string, *x509.CertPool) { return "http://255.255.255.255", nil }, nil, `255\.255\.255\.255:80: `},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			url, roots := test.make(t)
			c := quick()
			c.RootCAs = func() *x509.CertPool { return roots }
			_, err := get(t, c, url+"/x")
			if err == nil || test.kind != nil && !errors.Is(err, test.kind) || !regexp.MustCompile(test.want).MatchString(err.Error()) || goWords.MatchString(err.Error()) {
				t.Errorf("got %v, want %v, %q", err, test.kind, test.want)
			}
		})
	}
}

// Of a TFTP download that has no time left, the blocks that came count, also where they
// are not written yet; and where many got lost, that is why.
func TestUnfinishedBlocks(t *testing.T) {
	begin := time.Unix(0, 0)
	for name, c := range map[string]struct {
		written int64
		stats   Stats
		want    string
		lossy   bool
	}{
		"nothing came":           {0, Stats{BlockSize: 1468}, "no time is left: 0 of 5000 bytes had come, and none for the last 30 s", false},
		"blocks are not written": {0, Stats{BlockSize: 1468, Blocks: 2, Lost: 2, Last: begin.Add(29500 * time.Millisecond)}, "no time is left: 2936 of 5000 bytes had come", false},
		"blocks get lost":        {0, Stats{BlockSize: 1468, Blocks: 4, Lost: 3, Last: begin.Add(29500 * time.Millisecond)}, "no time is left: 5000 of 5000 bytes had come, and 3 blocks of 4 had to be asked for again", true},
		"few of many get lost":   {4000, Stats{BlockSize: 1, Blocks: 4000, Lost: 30}, "no time is left: 4000 of 5000 bytes had come, and none for the last 30 s", false},
		"the server has died":    {0, Stats{BlockSize: 1000, Blocks: 3, Last: begin.Add(10 * time.Second)}, "no time is left: 3000 of 5000 bytes had come, and none for the last 20 s", false},
		"it has after losses":    {0, Stats{BlockSize: 1000, Blocks: 4, Lost: 3, Last: begin.Add(10 * time.Second)}, "no time is left: 4000 of 5000 bytes had come, and none for the last 20 s", false},
	} {
		o := &output{size: 5000, n: c.written, came: begin, now: func() time.Time { return begin.Add(30 * time.Second) }}
		if err := o.unfinished(c.stats); err.Error() != c.want || errors.Is(err, ErrLossy) != c.lossy {
			t.Errorf("%s: %v (lossy %v), want %s", name, err, errors.Is(err, ErrLossy), c.want)
		}
	}
}

// A download whose time is over says how far it was.
func TestUnfinished(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100")
		io.WriteString(w, "a part of it")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}))
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	c := quick()
	c.Timeout = time.Minute
	f, err := c.Open(ctx, server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	_, err = f.WriteTo(io.Discard)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.HasSuffix(err.Error(), ": no time is left: 12 of 100 bytes had come") {
		t.Errorf("got %v", err)
	}
}
