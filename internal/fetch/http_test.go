package fetch

import (
	"compress/gzip"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestHTTP(t *testing.T) {
	t.Parallel()
	type want struct {
		content string
		err     error
		text    string // what the error ends with
	}
	hang := make(chan struct{})
	// By request URI, as sent.
	pages := map[string]func(w http.ResponseWriter){
		"/ok":                                func(w http.ResponseWriter) { io.WriteString(w, "content") },
		"//ok":                               func(w http.ResponseWriter) { io.WriteString(w, "two slashes") },
		"/..%2Fa%20b%25zz%22/./%C3%BC?q=%zz": func(w http.ResponseWriter) { io.WriteString(w, "exact") },
		"/?":                                 func(w http.ResponseWriter) { io.WriteString(w, "root") },
		"/chunked": func(w http.ResponseWriter) {
			io.WriteString(w, "con")
			w.(http.Flusher).Flush()
			io.WriteString(w, "tent")
		},
		"/gzip":       encoded("gzip", packed),
		"/kernel.gz":  encoded("x-gzip", packed),
		"/undeclared": encoded("", packed),
		"/nogzip":     encoded("gzip", "some more content"),
		"/damaged":    encoded("gzip", packed[:12]+"xxxxxxxxx"+packed[21:]),
		"/shortgzip":  encoded("gzip", packed[:len(packed)-4]),
		"/br":         encoded("br", "content"),
		"/twice":      encoded("gzip, gzip", packed),
		"/lines": func(w http.ResponseWriter) {
			w.Header().Add("Content-Encoding", "identity")
			w.Header().Add("Content-Encoding", "br")
		},
		"/identity":  encoded("identity, ", "content"),
		"/charset":   encoded("utf-8", "content"),
		"/empty":     func(w http.ResponseWriter) {},
		"/404":       func(w http.ResponseWriter) { w.WriteHeader(404) },
		"/410":       func(w http.ResponseWriter) { w.WriteHeader(410) },
		"/401":       func(w http.ResponseWriter) { w.WriteHeader(401) },
		"/403":       func(w http.ResponseWriter) { w.WriteHeader(403) },
		"/500":       func(w http.ResponseWriter) { w.WriteHeader(500) },
		"/204":       func(w http.ResponseWriter) { w.WriteHeader(204) },
		"/redirect5": redirect("/redirect4"), "/redirect4": redirect("/redirect3"), "/redirect3": redirect("/redirect2"), "/redirect2": redirect("/redirect1"),
		"/redirect1": redirect("/ok"),
		"/redirect6": redirect("/redirect5"),
		"/loop":      redirect("/loop"),
		"/file":      redirect("file:///etc/passwd"),
		"/tftp":      redirect("tftp://127.0.0.1/x"),
		"/gone":      redirect("/404"),
		"/nowhere":   func(w http.ResponseWriter) { w.WriteHeader(302) },
		"/big": func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "1048577")
			w.Write(make([]byte, 1<<20+1))
		},
		"/bigchunks": func(w http.ResponseWriter) {
			for range 1000 {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return
				}
			}
		},
		"/short":      breakOff("Content-Length: 1000"),
		"/shortchunk": breakOff("Transfer-Encoding: chunked"),
		"/header":     breakOff("X: " + strings.Repeat("x", maxHeader)),
		"/stall": func(w http.ResponseWriter) {
			io.WriteString(w, "con")
			w.(http.Flusher).Flush()
			<-hang
		},
		"/garbage": func(w http.ResponseWriter) {
			conn, _, _ := w.(http.Hijacker).Hijack()
			io.WriteString(conn, "\x1b[2Jgarbage\r\n\r\n")
			conn.Close()
		},
		"/reason": func(w http.ResponseWriter) {
			conn, _, _ := w.(http.Hijacker).Hijack()
			io.WriteString(conn, "HTTP/1.0 403 go \x1b away\r\n\r\n")
			conn.Close()
		},
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if page := pages[r.RequestURI]; page != nil {
			page(w)
		} else {
			w.WriteHeader(418)
		}
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(hang) })
	for path, want := range map[string]want{
		"/ok":                             {content: "content"},
		"/ok#frag":                        {content: "content"},
		"//ok":                            {content: "two slashes"},
		"/..%2Fa b%zz\"/./\xc3\xbc?q=%zz": {content: "exact"},
		"/?":                              {content: "root"},
		"/chunked":                        {content: "content"},
		"/gzip":                           {content: "content"},
		"/kernel.gz":                      {content: packed},
		"/undeclared":                     {content: packed},
		"/nogzip":                         {err: ErrRefused, text: "it says Content-Encoding: gzip, and what it sends is not packed so"},
		"/damaged":                        {err: ErrRefused, text: "it says Content-Encoding: gzip, and what it sends is not packed so"},
		"/shortgzip":                      {err: ErrShort},
		"/br":                             {err: ErrRefused, text: "it comes packed with br, which was not asked for"},
		"/twice":                          {err: ErrRefused, text: "it comes packed with gzip, gzip, which was not asked for"},
		"/lines":                          {err: ErrRefused, text: "it comes packed with br, which was not asked for"},
		"/identity":                       {content: "content"},
		"/charset":                        {content: "content"},
		"/empty":                          {},
		"/404":                            {err: ErrNotFound, text: "404 Not Found"},
		"/410":                            {err: ErrNotFound, text: "410 Gone"},
		"/401":                            {err: ErrRefused, text: "401 Unauthorized"},
		"/403":                            {err: ErrRefused, text: "403 Forbidden"},
		"/500":                            {err: ErrRefused, text: "500 Internal Server Error"},
		"/204":                            {err: ErrRefused, text: "204 No Content"},
		"/teapot":                         {err: ErrRefused, text: "418 I'm a teapot"},
		"/redirect5":                      {content: "content"},
		"/redirect6":                      {err: ErrRefused, text: "more than 5 redirects"},
		"/loop":                           {err: ErrRefused, text: "more than 5 redirects"},
		"/file":                           {err: ErrRefused, text: "redirect to file:///etc/passwd"},
		"/tftp":                           {err: ErrRefused, text: "redirect to tftp://127.0.0.1/x"},
		"/gone":                           {err: ErrNotFound, text: "it redirects to " + server.URL + "/404: file not found: 404 Not Found"},
		"/nowhere":                        {err: ErrRefused, text: "302 Found"},
		"/big":                            {err: ErrTooBig, text: "1048577 bytes of 1048576"},
		"/bigchunks":                      {err: ErrTooBig, text: "more than 1048576 bytes"},
		"/short":                          {err: ErrShort, text: "2 of 1000 bytes"},
		"/shortchunk":                     {err: ErrShort, text: "broke off after 2 bytes"},
		"/header":                         {text: "exceeded 65536 bytes; aborted"},
		"/stall":                          {err: ErrTimeout},
		"/garbage":                        {text: `garbage"`},
		"/reason":                         {err: ErrRefused, text: "403 go   away"},
	} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			got, err := get(t, quick(), server.URL+path)
			switch {
			case want.err == nil && want.text == "":
				if err != nil || got != want.content {
					t.Errorf("got %q, %v, want %q", got, err, want.content)
				}
			case err == nil, want.err != nil && !errors.Is(err, want.err), !strings.HasSuffix(err.Error(), want.text):
				t.Errorf("got %q, %v, want %v, %s", got, err, want.err, want.text)
			case got != "":
				t.Errorf("%q came with an error", got)
			}
		})
	}
}

// packed is "content".
var packed = func() string {
	var b strings.Builder
	w := gzip.NewWriter(&b)
	io.WriteString(w, "content")
	w.Close()
	return b.String()
}()

// encoded is an answer that says how it is packed.
func encoded(how, content string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		if how != "" {
			w.Header().Set("Content-Encoding", how)
		}
		io.WriteString(w, content)
	}
}

func redirect(to string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.Header().Set("Location", to)
		w.WriteHeader(http.StatusFound)
	}
}

// breakOff sends a header and hangs up after two bytes.
func breakOff(header string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\n%s\r\n\r\n", header)
		if strings.HasPrefix(header, "Transfer") {
			io.WriteString(conn, "5\r\n")
		}
		io.WriteString(conn, "ab")
	}
}

// Who we say we are, also after a redirect to another server.
func TestHTTPRequest(t *testing.T) {
	requests := make(chan *http.Request, 2)
	second := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { requests <- r }))
	defer second.Close()
	elsewhere := strings.Replace(second.URL, "127.0.0.1", "127.0.0.2", 1)
	first := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests <- r
		http.Redirect(w, r, second.URL+"/"+elsewhere, http.StatusSeeOther)
	}))
	defer first.Close()

	c := quick()
	c.SysAppend = []string{"ip=192.0.2.7:192.0.2.1:0.0.0.0:255.255.255.0", "BOOTIF=01-00-16-3e-72-79-e3", "SYSVENDOR=A B;\r\nX: y\xff100%"}
	if _, err := get(t, c, strings.Replace(first.URL, "//", "//user:pass@", 1)); err != nil {
		t.Fatal(err)
	}
	const cookies = "_Syslinux_ip=192.0.2.7%3A192.0.2.1%3A0.0.0.0%3A255.255.255.0;" +
		"_Syslinux_BOOTIF=01-00-16-3e-72-79-e3;_Syslinux_SYSVENDOR=A+B%3B%0D%0AX%3A+y%FF100%25"
	r := <-requests
	got := map[string]string{"method": r.Method, "proto": r.Proto, "authorization": r.Header.Get("Authorization"), "encoding": r.Header.Get("Accept-Encoding")}
	want := map[string]string{"method": "GET", "proto": "HTTP/1.1", "authorization": "Basic dXNlcjpwYXNz", "encoding": ""}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error("request (-want +got)\n", diff)
	}
	for i := range 2 {
		if i > 0 {
			r = <-requests
		}
		got := []string{r.Header.Get("User-Agent"), r.Header.Get("Cookie"), r.Header.Get("Connection")}
		if diff := cmp.Diff([]string{"Syslinux/6.04 gopxeboot", cookies, "close"}, got); diff != "" {
			t.Errorf("request %d (-want +got)\n%s", i, diff)
		}
	}
}

// The password goes on to the same server, and to no other.
func TestPasswordAfterRedirect(t *testing.T) {
	var said []string
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		said = append(said, "other "+r.Header.Get("Authorization"))
	}))
	defer other.Close()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		said = append(said, r.URL.Path+" "+r.Header.Get("Authorization"))
		switch r.URL.Path {
		case "/first":
			http.Redirect(w, r, "/second", http.StatusFound)
		case "/second":
			http.Redirect(w, r, other.URL, http.StatusFound)
		}
	}))
	defer server.Close()
	if _, err := get(t, quick(), strings.Replace(server.URL, "//", "//user:pass@", 1)+"/first"); err != nil {
		t.Error(err)
	}
	want := []string{"/first Basic dXNlcjpwYXNz", "/second Basic dXNlcjpwYXNz", "other "}
	if diff := cmp.Diff(want, said); diff != "" {
		t.Error("requests (-want +got)\n", diff)
	}
}

func TestHTTPS(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "secret") }))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // of the handshake that fails
	server.StartTLS()
	defer server.Close()
	c := quick()
	roots := x509.NewCertPool()
	c.RootCAs = func() *x509.CertPool { return roots }
	var unknown x509.UnknownAuthorityError
	if _, err := get(t, c, server.URL); !errors.As(err, &unknown) {
		t.Errorf("got %v, want %T", err, unknown)
	}
	roots.AddCert(server.Certificate())
	if got, err := get(t, c, server.URL); err != nil || got != "secret" {
		t.Errorf("got %q, %v", got, err)
	}
}

// A form goes out by POST, again where the server was busy, and a redirect is
// followed by GET.
func TestForm(t *testing.T) {
	t.Parallel()
	var asked []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		form, _ := io.ReadAll(r.Body)
		asked = append(asked, fmt.Sprintf("%s %s %s %q %d", r.Method, r.URL, r.Header.Get("Content-Type"), form, r.ContentLength))
		switch {
		case len(asked) == 2:
			w.WriteHeader(503)
		case r.URL.Path == "/moved":
			http.Redirect(w, r, "/ok", http.StatusFound)
		default:
			io.WriteString(w, "content")
		}
	}))
	defer s.Close()
	c := Client{Form: "a=b%20c&d=", Servers: new(Servers)}
	for range 2 {
		if got, err := c.ReadAll(t.Context(), s.URL+"/moved", 100); err != nil || string(got) != "content" {
			t.Errorf("%q, %v", got, err)
		}
	}
	const post, get = `POST /moved application/x-www-form-urlencoded "a=b%20c&d=" 10`, `GET /ok  "" 0`
	if diff := cmp.Diff([]string{post, get, get, post, get}, asked); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
