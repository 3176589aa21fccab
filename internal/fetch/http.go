package fetch

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/gopxeboot/gopxeboot/internal/percent"
	"github.com/gopxeboot/gopxeboot/internal/printable"
)

// userAgent begins as lpxelinux.0's, for servers that look for it.
const userAgent = "Syslinux/6.04 gopxeboot"

const (
	maxRedirects = 5        // PXELINUX, http.c
	maxHeader    = 64 << 10 // bytes of a response's header
)

func (c *Client) openHTTP(ctx context.Context, l location) (source, error) {
	u, err := l.httpURL()
	if err != nil {
		return nil, err
	}
	h := &httpFile{ctx: ctx, url: u, cookies: c.cookies()}
	h.client = http.Client{
		Transport: c.believing(&http.Transport{
			Proxy: c.Proxy,
			// Not with the Transport's own context, which outlives ours.
			DialContext: func(_ context.Context, network, address string) (net.Conn, error) {
				return c.connect(ctx, network, address)
			},
			TLSHandshakeTimeout:    c.timeout(),
			ResponseHeaderTimeout:  c.timeout(),
			MaxResponseHeaderBytes: maxHeader,
			DisableKeepAlives:      true, // as PXELINUX; nothing to clean up
			DisableCompression:     true, // the file as it is, with its length
		}),
		CheckRedirect: h.checkRedirect,
	}
	resp, err := h.get("", "")
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		return nil, statusError(resp)
	}
	s := &stream{ctx: ctx, body: resp.Body, size: resp.ContentLength, warn: c.warn}
	if h.version = version(resp.Header); h.version != "" {
		h.size = resp.ContentLength
		s.resume = h.from
	}
	return s, nil
}

// believing gives a Transport the roots when TLS comes into play: with the
// server, also after a redirect, or with a proxy.
func (c *Client) believing(t *http.Transport) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		if c.RootCAs != nil && t.TLSClientConfig == nil && (r.URL.Scheme == "https" || c.proxy(r) == "https") {
			t.TLSClientConfig = &tls.Config{RootCAs: c.RootCAs()}
		}
		return t.RoundTrip(r)
	})
}

// proxy is the scheme of a request's proxy, "" for none.
func (c *Client) proxy(r *http.Request) string {
	if c.Proxy == nil {
		return ""
	}
	u, err := c.Proxy(r)
	if err != nil || u == nil {
		return ""
	}
	return u.Scheme
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// httpFile is a file on an HTTP server.
type httpFile struct {
	ctx     context.Context
	client  http.Client
	url     *url.URL
	cookies string
	version string // ETag or Last-Modified, "" when not known
	size    int64  // -1 when not known
}

// get sends a request, with a Range when it is to be resumed.
func (h *httpFile) get(bytes, version string) (*http.Response, error) {
	req := (&http.Request{Method: http.MethodGet, URL: h.url, Header: http.Header{}}).WithContext(h.ctx)
	h.setHeader(req)
	if bytes != "" {
		req.Header.Set("Range", bytes)
		req.Header.Set("If-Range", version)
	}
	resp, err := h.client.Do(req)
	var e *url.Error // repeats the URL
	if errors.As(err, &e) {
		err = e.Err
	}
	return resp, err
}

func (h *httpFile) setHeader(r *http.Request) {
	r.Header.Set("User-Agent", userAgent)
	if h.cookies != "" {
		r.Header.Set("Cookie", h.cookies)
	}
}

func (h *httpFile) checkRedirect(r *http.Request, via []*http.Request) error {
	to := printable.Redacted(r.URL.String())
	switch {
	case len(via) > maxRedirects:
		return fmt.Errorf("%w: more than %d redirects", ErrRefused, maxRedirects)
	case r.URL.Scheme != "http" && r.URL.Scheme != "https":
		return fmt.Errorf("%w: redirect to %s", ErrRefused, to)
	case r.URL.Scheme == "http" && via[len(via)-1].URL.Scheme == "https":
		return fmt.Errorf("%w: redirect from https to %s", ErrRefused, to)
	}
	// The password is for the server that it was given for, and for that one
	// also when it sends us on to another file.
	if first := via[0].URL; r.URL.User == nil && r.URL.Scheme == first.Scheme && r.URL.Host == first.Host {
		r.URL.User = first.User
	}
	// PXELINUX says who it is to each server; net/http only to the first.
	h.setHeader(r)
	return nil
}

// version is what tells two versions of a file apart (RFC 9110, section
// 13.1.5): a weak ETag does not.
func version(h http.Header) string {
	if tag := h.Get("ETag"); strings.HasPrefix(tag, `"`) {
		return tag
	}
	return h.Get("Last-Modified")
}

// from is the rest of the file, beginning there.
func (h *httpFile) from(offset int64) (io.ReadCloser, error) {
	resp, err := h.get(fmt.Sprintf("bytes=%d-", offset), h.version)
	if err != nil {
		return nil, err
	}
	begin := fmt.Sprintf("bytes %d-", offset)
	end := "/*"
	if h.size >= 0 {
		end = fmt.Sprintf("/%d", h.size)
	}
	got := resp.Header.Get("Content-Range")
	switch {
	case resp.StatusCode == http.StatusPartialContent && strings.HasPrefix(got, begin) && (h.size < 0 || strings.HasSuffix(got, end)):
		return resp.Body, nil
	case resp.StatusCode == http.StatusPartialContent:
		err = fmt.Errorf("%w: asked for %s it sent %s", ErrRefused, begin, printable.Line(got, maxMessage))
	case resp.StatusCode == http.StatusOK, resp.StatusCode == http.StatusRequestedRangeNotSatisfiable, resp.StatusCode == http.StatusPreconditionFailed:
		// The whole file once more is another version, or a server without
		// ranges: what is written can't be taken back.
		if err = ErrChanged; resp.StatusCode == http.StatusOK && version(resp.Header) == h.version {
			err = errNoRanges
		}
	default:
		err = statusError(resp)
	}
	resp.Body.Close()
	return nil, &final{err}
}

// httpURL is the URL as net/http wants it. The path stays as it was written,
// but for bytes that can't stand in a URL.
func (l location) httpURL() (*url.URL, error) {
	path, query, hasQuery := strings.Cut(l.path, "?")
	raw := "/" + escapePath(path)
	decoded, err := url.PathUnescape(raw)
	if err != nil {
		return nil, err
	}
	u := &url.URL{Scheme: l.scheme, Host: l.host, Path: decoded, RawPath: raw, RawQuery: percent.Escape(query, ""), ForceQuery: hasQuery}
	switch {
	case l.port != 0:
		u.Host = net.JoinHostPort(l.host, strconv.Itoa(int(l.port)))
	case strings.Contains(l.host, ":"):
		u.Host = "[" + l.host + "]"
	}
	if l.user != "" {
		u.User = url.UserPassword(l.user, l.password)
	}
	return u, nil
}

// escapePath escapes what PXELINUX does (url_escape_unsafe), and what net/url
// would not pass on as it is: a few characters, and a % that begins no escape.
func escapePath(s string) string {
	var b strings.Builder
	for i, c := range []byte(s) {
		_, err := url.PathUnescape(s[i:min(i+3, len(s))])
		if c <= ' ' || c > '~' || strings.IndexByte("\"<>\\^`{|}", c) >= 0 || c == '%' && err != nil {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

func statusError(resp *http.Response) error {
	kind := ErrRefused
	switch resp.StatusCode {
	case http.StatusNotFound, http.StatusGone:
		kind = ErrNotFound
	case http.StatusUnauthorized, http.StatusProxyAuthRequired:
		kind = ErrLogin
	}
	where := ""
	if resp.Request.Response != nil { // we were redirected
		where = " from " + printable.Redacted(resp.Request.URL.String())
	}
	return fmt.Errorf("%w: %s%s", kind, printable.Line(resp.Status, maxMessage), where)
}

// cookies is what lpxelinux.0 tells a server about the machine, for scripts
// that make a configuration of it: all parameters, joined by a semicolon.
func (c *Client) cookies() string {
	var list []string
	for _, s := range c.SysAppend {
		name, value, _ := strings.Cut(s, "=")
		list = append(list, "_Syslinux_"+escapeCookie(name)+"="+escapeCookie(value))
	}
	return strings.Join(list, ";")
}

// escapeCookie leaves the characters of an RFC 2616 token as they are, but for
// the % and + that escapes are made of; a space becomes a plus.
func escapeCookie(s string) string {
	return strings.ReplaceAll(percent.Escape(s, `()<>@,;:\"/[]?={}%+`), "%20", "+")
}
