package fetch

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// breaking is a web server whose connections break.
type breaking struct {
	content []byte
	each    int // bytes that a connection brings
	header  map[string]string
	change  func(w http.ResponseWriter, r *http.Request, nth int) bool // true: answered

	mu    sync.Mutex
	asked []string
}

func (b *breaking) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	nth := len(b.asked)
	b.asked = append(b.asked, strings.TrimSpace(r.Header.Get("Range")+" "+r.Header.Get("If-Range")))
	b.mu.Unlock()
	for k, v := range b.header {
		w.Header().Set(k, v)
	}
	if b.change != nil && b.change(w, r, nth) {
		return
	}
	from := 0
	status := http.StatusOK
	if rest, ok := strings.CutPrefix(r.Header.Get("Range"), "bytes="); ok {
		from, _ = strconv.Atoi(strings.TrimSuffix(rest, "-"))
		status = http.StatusPartialContent
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(b.content)-1, len(b.content)))
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(b.content)-from))
	w.WriteHeader(status)
	w.Write(b.content[from:min(from+b.each, len(b.content))])
	if from+b.each < len(b.content) {
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
}

func TestHTTPResume(t *testing.T) {
	t.Parallel()
	content := bytes.Repeat([]byte("0123456789"), 30)
	tagged := map[string]string{"ETag": `"v1"`, "Last-Modified": "Sat, 21 Nov 2026 10:00:00 GMT"}
	second := func(answer func(w http.ResponseWriter)) func(http.ResponseWriter, *http.Request, int) bool {
		return func(w http.ResponseWriter, r *http.Request, nth int) bool {
			if nth == 1 {
				answer(w)
			}
			return nth == 1
		}
	}
	for _, tt := range []struct {
		name  string
		b     *breaking
		err   error
		text  string
		asked []string
	}{
		{name: "once", b: &breaking{each: 200, header: tagged}, asked: []string{"", `bytes=200- "v1"`}},
		{name: "twice", b: &breaking{each: 100, header: tagged}, asked: []string{"", `bytes=100- "v1"`, `bytes=200- "v1"`}},
		{name: "by date", b: &breaking{each: 200, header: map[string]string{"ETag": `W/"v1"`, "Last-Modified": "Sat, 21 Nov 2026 10:00:00 GMT"}},
			asked: []string{"", "bytes=200- Sat, 21 Nov 2026 10:00:00 GMT"}},
		{name: "nothing to tell versions apart", b: &breaking{each: 200}, err: ErrShort, text: "200 of 300 bytes", asked: []string{""}},
		{name: "server comes back", b: &breaking{each: 200, header: tagged, change: second(func(w http.ResponseWriter) { panic(http.ErrAbortHandler) })},
			asked: []string{"", `bytes=200- "v1"`, `bytes=200- "v1"`}},
		{name: "server stays away", b: &breaking{each: 200, header: tagged, change: func(_ http.ResponseWriter, _ *http.Request, nth int) bool {
			if nth > 0 {
				panic(http.ErrAbortHandler)
			}
			return false
		}}, err: ErrShort, text: "200 of 300 bytes"},
		{name: "changed", b: &breaking{each: 200, header: tagged, change: second(func(w http.ResponseWriter) {
			w.Header().Set("ETag", `"v2"`)
			w.Write(content)
		})}, err: ErrChanged},
		{name: "no ranges", b: &breaking{each: 200, header: tagged, change: second(func(w http.ResponseWriter) { w.Write(content) })}, err: errNoRanges},
		{name: "gone", b: &breaking{each: 200, header: tagged, change: second(func(w http.ResponseWriter) { w.WriteHeader(404) })}, err: ErrNotFound},
		{name: "another range", b: &breaking{each: 200, header: tagged, change: second(func(w http.ResponseWriter) {
			w.Header().Set("Content-Range", "bytes 100-299/300")
			w.WriteHeader(206)
		})}, err: ErrRefused, text: "it sent bytes 100-299/300"},
		{name: "another size", b: &breaking{each: 200, header: tagged, change: second(func(w http.ResponseWriter) {
			w.Header().Set("Content-Range", "bytes 200-399/400")
			w.WriteHeader(206)
		})}, err: ErrRefused},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.b.content = content
			server := httptest.NewServer(tt.b)
			defer server.Close()
			got, err := get(t, quick(), server.URL+"/x")
			server.Close() // and wait
			if !errors.Is(err, tt.err) || err == nil && got != string(content) || err != nil && !strings.HasSuffix(err.Error(), tt.text) {
				t.Errorf("got %d bytes, %v, want %v %s", len(got), err, tt.err, tt.text)
			}
			if diff := cmp.Diff(tt.asked, tt.b.asked); tt.asked != nil && diff != "" {
				t.Error("requests (-want +got)\n", diff)
			}
		})
	}
}

// The writer's error is no reason to ask again.
func TestNoResumeForWriter(t *testing.T) {
	b := &breaking{content: make([]byte, 1000), each: 1000, header: map[string]string{"ETag": `"v1"`}}
	server := httptest.NewServer(b)
	defer server.Close()
	f, err := quick().Open(t.Context(), server.URL)
	if err != nil {
		t.Fatal(err)
	}
	full := errors.New("no space left")
	_, err = f.WriteTo(brokenWriter{full})
	f.Close()
	server.Close() // and wait
	if !errors.Is(err, full) || len(b.asked) != 1 {
		t.Errorf("got %v after %d requests", err, len(b.asked))
	}
}

func TestRedirectDown(t *testing.T) {
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "plain") }))
	defer plain.Close()
	secure := httptest.NewTLSServer(http.RedirectHandler(plain.URL, http.StatusFound))
	defer secure.Close()
	c := quick()
	roots := secure.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	c.RootCAs = func() *x509.CertPool { return roots }
	if _, err := get(t, c, secure.URL); !errors.Is(err, ErrRefused) {
		t.Errorf("got %v", err)
	}
}

func TestProxy(t *testing.T) {
	var asked []string
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.RequestURI)
		io.WriteString(w, "by way of the proxy")
	}))
	defer proxy.Close()
	c := quick()
	c.Proxy = func(*http.Request) (*url.URL, error) { return url.Parse(proxy.URL) }
	got, err := get(t, c, "http://pxe.example/x")
	if err != nil || got != "by way of the proxy" {
		t.Errorf("got %q, %v", got, err)
	}
	if diff := cmp.Diff([]string{"http://pxe.example/x"}, asked); diff != "" {
		t.Error("requests (-want +got)\n", diff)
	}
}

// A server that drips is given up, however often it sends something.
func TestTooSlow(t *testing.T) {
	for _, tt := range []struct {
		bytes int // a second
		err   error
	}{{1, ErrTooSlow}, {4000, ErrTooSlow}, {5000, nil}} {
		clock := time.Unix(0, 0)
		o := &output{w: io.Discard, size: -1, now: func() time.Time { return clock }, since: clock}
		for range 600 {
			clock = clock.Add(time.Second)
			o.Write(make([]byte, tt.bytes))
		}
		if !errors.Is(o.err, tt.err) || tt.err != nil && o.n > 31*int64(tt.bytes) {
			t.Errorf("%d bytes a second: %d bytes, %v", tt.bytes, o.n, o.err)
		}
	}
}

func TestFTPResume(t *testing.T) {
	t.Parallel()
	content := strings.Repeat("0123456789", 30)
	for _, tt := range []struct {
		name string
		s    *ftpServer
		err  error
	}{
		{name: "resumed", s: &ftpServer{content: content, each: 100}},
		{name: "changed", s: &ftpServer{content: content, each: 100, grows: true}, err: ErrChanged},
		{name: "without SIZE", s: &ftpServer{content: content, each: 100, answers: map[string]string{"SIZE": "502 what?"}}, err: ErrShort},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := serveFTP(t, tt.s)
			got, err := get(t, quick(), "ftp://"+s.addr+"/x")
			if !errors.Is(err, tt.err) || err == nil && got != content {
				t.Errorf("got %d bytes, %v, want %v", len(got), err, tt.err)
			}
		})
	}
}
