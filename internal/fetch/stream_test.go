package fetch

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
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
	const each = 20 << 10
	content := make([]byte, 3*each)
	rand.NewChaCha8([32]byte{}).Read(content)
	other := bytes.Clone(content)
	other[each-1]++ // the last byte of those that came first
	tagged := map[string]string{"ETag": `"v1"`, "Last-Modified": "Sat, 21 Nov 2026 10:00:00 GMT"}
	second := func(answer func(w http.ResponseWriter)) func(http.ResponseWriter, *http.Request, int) bool {
		return func(w http.ResponseWriter, r *http.Request, nth int) bool {
			if nth == 1 {
				answer(w)
			}
			return nth == 1
		}
	}
	whole := func(w http.ResponseWriter) { w.Write(content) }
	again := fmt.Sprintf(`bytes=%d- "v1"`, each-overlap)
	partial := func(contentRange string, header ...string) func(w http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			w.Header().Set("Content-Range", contentRange)
			for i := 0; i < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(206)
			w.Write(other[each-overlap:])
		}
	}
	right := fmt.Sprintf("bytes %d-%d/%d", each-overlap, len(content)-1, len(content))
	for _, tt := range []struct {
		name  string
		b     *breaking
		err   error
		text  string
		asked []string
	}{
		{name: "once", b: &breaking{each: 2*each + overlap, header: tagged}, asked: []string{"", fmt.Sprintf(`bytes=%d- "v1"`, 2*each)}},
		{name: "twice", b: &breaking{each: each + overlap, header: tagged}, asked: []string{"", fmt.Sprintf(`bytes=%d- "v1"`, each), fmt.Sprintf(`bytes=%d- "v1"`, 2*each)}},
		{name: "by date", b: &breaking{each: 2*each + overlap, header: map[string]string{"ETag": `W/"v1"`, "Last-Modified": "Sat, 21 Nov 2026 10:00:00 GMT"}},
			asked: []string{"", fmt.Sprintf("bytes=%d- Sat, 21 Nov 2026 10:00:00 GMT", 2*each)}},
		{name: "nothing to tell versions apart", b: &breaking{each: each, change: second(whole)}, asked: []string{"", ""}},
		{name: "nothing to tell versions apart, and another one", b: &breaking{each: each, change: second(func(w http.ResponseWriter) { w.Write(other) })}, err: ErrChanged},
		{name: "shorter", b: &breaking{each: each, change: second(func(w http.ResponseWriter) { w.Write(content[:100]) })}, err: ErrChanged},
		{name: "breaks there each time", b: &breaking{each: each}, err: ErrShort, text: fmt.Sprintf("%d of %d bytes", each, len(content))},
		{name: "server comes back", b: &breaking{each: 2 * each, header: tagged, change: second(func(w http.ResponseWriter) { panic(http.ErrAbortHandler) })}},
		{name: "server stays away", b: &breaking{each: each, header: tagged, change: func(_ http.ResponseWriter, _ *http.Request, nth int) bool {
			if nth > 0 {
				panic(http.ErrAbortHandler)
			}
			return false
		}}, err: ErrShort, text: fmt.Sprintf("%d of %d bytes", each, len(content))},
		{name: "changed", b: &breaking{each: each, header: tagged, change: second(func(w http.ResponseWriter) {
			w.Header().Set("ETag", `"v2"`)
			w.Write(content)
		})}, err: ErrChanged},
		{name: "no ranges", b: &breaking{each: each, header: tagged, change: second(whole)}, asked: []string{"", again}},
		{name: "no ranges, and another file", b: &breaking{each: each, header: tagged, change: second(func(w http.ResponseWriter) { w.Write(other) })}, err: ErrChanged},
		{name: "gone", b: &breaking{each: each, header: tagged, change: second(func(w http.ResponseWriter) { w.WriteHeader(404) })}, err: ErrNotFound},
		{name: "the range of another file", b: &breaking{each: each, header: tagged, change: second(partial(right))}, err: ErrChanged},
		{name: "the range of another version", b: &breaking{each: each, header: tagged, change: second(partial(right, "ETag", `"v2"`))}, err: ErrChanged},
		{name: "another range", b: &breaking{each: each, header: tagged, change: second(partial("bytes 100-299/61440"))}, err: ErrRefused, text: "it sent bytes 100-299/61440"},
		{name: "another size", b: &breaking{each: each, header: tagged, change: second(partial(right + "0"))}, err: ErrRefused},
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

// A server that is waited for, and ends each time at the same byte, is given up
// after a few: it announces more than it has.
func TestEndsAtTheSameByte(t *testing.T) {
	t.Parallel()
	for name, header := range map[string]map[string]string{"ranges": {"ETag": `"v1"`}, "no ranges": nil} {
		b := &breaking{content: make([]byte, 100_000), each: 50_000, header: header}
		b.change = func(w http.ResponseWriter, r *http.Request, nth int) bool {
			var from int
			fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from)
			w.Header().Set("Content-Length", strconv.Itoa(len(b.content)-from))
			if from > 0 {
				w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(b.content)-1, len(b.content)))
				w.WriteHeader(206)
			}
			w.Write(b.content[from:b.each])
			return true
		}
		server := httptest.NewServer(b)
		defer server.Close()
		began := time.Now()
		_, err := get(t, patient(), server.URL+"/x")
		server.Close() // and wait
		if !errors.Is(err, ErrShort) || !strings.HasSuffix(err.Error(), "50000 of 100000 bytes") || len(b.asked) > 4 {
			t.Errorf("%s: %v after %d requests and %v", name, err, len(b.asked), time.Since(began))
		}
	}
}

// So is one that breaks HTTP's rules there each time.
func TestGarbageEachTime(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1); r.URL.Path == "/first" {
			return
		}
		conn, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			io.WriteString(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\nzz\r\n")
			conn.Close()
		}
	}))
	defer server.Close()
	c := patient()
	if _, err := get(t, c, server.URL+"/first"); err != nil {
		t.Fatal(err)
	}
	_, err := get(t, c, server.URL+"/x")
	if err == nil || !strings.HasSuffix(err.Error(), "invalid byte in chunk length") || asked.Load() > 5 {
		t.Errorf("%v after %d requests", err, asked.Load())
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
	content := strings.Repeat("0123456789", overlap)
	for _, tt := range []struct {
		name string
		s    *ftpServer
		err  error
	}{
		{name: "resumed", s: &ftpServer{content: content, each: 2 * overlap}},
		{name: "changed", s: &ftpServer{content: content, each: 2 * overlap, grows: true}, err: ErrChanged},
		{name: "without SIZE", s: &ftpServer{content: content, each: 2 * overlap, breaks: 1, answers: map[string]string{"SIZE": "502 what?"}}},
		{name: "without REST", s: &ftpServer{content: content, each: 2 * overlap, breaks: 1, answers: map[string]string{"REST": "502 what?"}}},
		{name: "breaks there each time", s: &ftpServer{content: content, each: 2 * overlap, answers: map[string]string{"REST": "502 what?"}}, err: ErrShort},
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
