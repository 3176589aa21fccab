package fetch

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/pin/tftp/v3"
)

// patient is quick, but waits for servers that have answered.
func patient() *Client {
	c := quick()
	c.Servers = new(Servers)
	return c
}

// A server that is overloaded, or starts anew, is waited for when it has
// answered before.
func TestPatience(t *testing.T) {
	t.Parallel()
	for name, fails := range map[string]func(w http.ResponseWriter) bool{
		"429": func(w http.ResponseWriter) bool { w.WriteHeader(429); return true },
		"502": func(w http.ResponseWriter) bool { w.WriteHeader(502); return true },
		"503": func(w http.ResponseWriter) bool { w.WriteHeader(503); return true },
		"504": func(w http.ResponseWriter) bool { w.WriteHeader(504); return true },
		"503, to be asked again after a second": func(w http.ResponseWriter) bool {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(503)
			return true
		},
		"hangs up":       func(w http.ResponseWriter) bool { panic(http.ErrAbortHandler) },
		"takes its time": func(w http.ResponseWriter) bool { time.Sleep(quick().Timeout * 3 / 2); return false },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int64
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				n := asked.Add(1)
				if r.URL.Path == "/first" || n > 3 || !fails(w) {
					io.WriteString(w, "content")
				}
			}))
			defer server.Close()
			c := patient()
			if got, err := get(t, c, server.URL+"/first"); err != nil || got != "content" {
				t.Fatalf("got %q, %v", got, err)
			}
			if got, err := get(t, c, server.URL+"/x"); err != nil || got != "content" {
				t.Errorf("got %q, %v after %d requests", got, err, asked.Load())
			}
		})
	}
}

// Without time enough for another try the server's last word is the error.
func TestPatienceEnds(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		w.Header().Set("Retry-After", r.URL.Query().Get("after"))
		w.WriteHeader(503)
	}))
	defer server.Close()
	for i, after := range []string{"3600", "2147483647", "Fri, 31 Dec 9999 23:59:59 GMT"} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := patient().Open(ctx, server.URL+"/?after="+url.QueryEscape(after))
		if !errors.Is(err, ErrRefused) || !strings.HasSuffix(err.Error(), ": refused by server: 503 Service Unavailable") || asked.Load() != int64(i+1) {
			t.Errorf("%s: got %v after %d requests", after, err, asked.Load())
		}
	}
}

// One that never answered costs no more than ever.
func TestNoPatience(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	for _, scheme := range []string{"http", "ftp", "nfs"} {
		if _, err := get(t, patient(), scheme+"://"+l.Addr().String()+"/x"); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("%s: got %v", scheme, err)
		}
		if _, err := get(t, patient(), scheme+"://"+silent(t)+"/x"); !errors.Is(err, ErrTimeout) {
			t.Errorf("%s: got %v", scheme, err)
		}
	}
}

// What a proxy says of a server that never answered costs as much as that server
// would; what it says of one that has answered passes.
func TestNoPatienceBehindProxy(t *testing.T) {
	t.Parallel()
	for _, status := range []int{502, 503, 504} {
		up := false
		asked := make(map[string]int)
		proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked[r.RequestURI]++
			if n := asked[r.RequestURI]; r.URL.Host == "down.example" || r.URL.Path == "/later" && n < 3 {
				w.WriteHeader(status)
				return
			}
			up = true
			io.WriteString(w, "content")
		}))
		defer proxy.Close()
		c := patient()
		c.Proxy = func(*http.Request) (*url.URL, error) { return url.Parse(proxy.URL) }
		if _, err := get(t, c, "http://up.example/first"); err != nil || !up {
			t.Fatal(err)
		}
		if _, err := get(t, c, "http://down.example/x"); !errors.Is(err, ErrRefused) || asked["http://down.example/x"] != 1 {
			t.Errorf("%d: %v after %d requests", status, err, asked["http://down.example/x"])
		}
		if got, err := get(t, c, "http://up.example/later"); err != nil || got != "content" {
			t.Errorf("%d: got %q, %v", status, got, err)
		}
	}
	// A proxy that is silent about it.
	hang := make(chan struct{})
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Host == "down.example" {
			<-hang
		}
	}))
	defer proxy.Close()
	defer close(hang)
	c := patient()
	c.Proxy = func(*http.Request) (*url.URL, error) { return url.Parse(proxy.URL) }
	if _, err := get(t, c, "http://up.example/first"); err != nil {
		t.Fatal(err)
	}
	if _, err := get(t, c, "http://down.example/x"); !errors.Is(err, ErrTimeout) {
		t.Errorf("got %v", err)
	}
}

// TestRestart has servers start anew at their old ports.
func TestRestart(t *testing.T) {
	t.Parallel()
	t.Run("http", func(t *testing.T) {
		t.Parallel()
		restarted(t, "tcp", func(address string) func() {
			l, err := net.Listen("tcp", address)
			if err != nil {
				t.Error(err)
				return func() {}
			}
			s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "content") })}
			go s.Serve(l)
			return func() { s.Close() }
		}, "http://")
	})
	t.Run("tftp", func(t *testing.T) {
		t.Parallel()
		restarted(t, "udp", func(address string) func() {
			conn, err := net.ListenPacket("udp", address)
			if err != nil {
				t.Error(err)
				return func() {}
			}
			s := tftp.NewServer(func(name string, r io.ReaderFrom) error {
				_, err := r.ReadFrom(strings.NewReader("content"))
				return err
			}, nil)
			s.SetTimeout(100 * time.Millisecond)
			go s.Serve(conn.(*net.UDPConn))
			return s.Shutdown
		}, "tftp://")
	})
}

// restarted gets a file, stops the server, asks again, and starts the server as
// soon as the client says that it waits.
func restarted(t *testing.T, network string, start func(address string) (stop func()), scheme string) {
	address := freeAddress(t, network)
	stop := start(address)
	c := patient()
	if _, err := get(t, c, scheme+address+"/x"); err != nil {
		t.Fatal(err)
	}
	stop()
	waits := 0
	c.Warn = func(string) {
		if waits++; waits == 1 {
			stop = start(address)
		}
	}
	if got, err := get(t, c, scheme+address+"/x"); err != nil || got != "content" || waits == 0 {
		t.Errorf("got %q, %v, waited %d times", got, err, waits)
	}
	stop()
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "-1": 0, "soon": 0, "99999999999999999999": 0,
		"Sat, 28 Nov 2026 12:00:30 GMT": 30 * time.Second, "Sat, 28 Nov 2026 11:00:00 GMT": 0,
	} {
		if got := retryAfter(http.Header{"Retry-After": {text}}, now); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

// freeAddress is one on loopback at which nothing listens.
func freeAddress(t *testing.T, network string) string {
	t.Helper()
	if network == "udp" {
		conn, err := net.ListenPacket(network, "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return conn.LocalAddr().String()
	}
	l, err := net.Listen(network, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
