package fetch

import (
	"cmp"
	"compress/flate"
	"compress/gzip"
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
	"time"

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
	h := &httpFile{ctx: ctx, by: c, url: u, agent: c.UserAgent, form: c.Form, cookies: c.cookies(), silence: c.newSilence()}
	h.transport = &http.Transport{
		Proxy: c.Proxy,
		// Not with the Transport's own context, which outlives ours.
		DialContext: func(_ context.Context, network, address string) (net.Conn, error) {
			return c.connect(ctx, network, address, h.silence)
		},
		MaxResponseHeaderBytes: maxHeader,
		DisableKeepAlives:      true, // as PXELINUX; nothing to clean up
		DisableCompression:     true, // the file as it is, with its length
	}
	h.client = http.Client{Transport: roundTripper(h.roundTrip), CheckRedirect: h.checkRedirect}
	resp, err := h.get("")
	if err != nil {
		return nil, err
	}
	body, err := h.content(resp)
	if err != nil {
		resp.Body.Close()
		return nil, err
	}
	h.first, h.size = resp.Header, resp.ContentLength
	s := &stream{at: resp.Request.URL.String(), ctx: ctx, body: body, size: h.size, patient: c.Servers != nil, silence: h.silence, open: h.from, warn: c.warn}
	if h.packed {
		s.size = -1
	}
	return s, nil
}

// roundTrip is a request and its answer, for which a server that has answered
// before has all the time that there is.
func (h *httpFile) roundTrip(r *http.Request) (resp *http.Response, err error) {
	c, to := h.by, r.URL
	if c.Proxy != nil {
		proxy, err := c.Proxy(r)
		if err != nil {
			return nil, err
		}
		to = cmp.Or(proxy, to)
	}
	// TLS comes into play with the server, also after a redirect, or with a
	// proxy.
	if c.RootCAs != nil && h.transport.TLSClientConfig == nil && (r.URL.Scheme == "https" || to.Scheme == "https") {
		h.transport.TLSClientConfig = &tls.Config{RootCAs: c.RootCAs()}
	}
	// What a proxy answers says nothing of a server that has yet to answer.
	server, origin := hostPort(to), hostPort(r.URL)
	silence := h.silence.get()
	defer h.silence.set(silence)
	err = c.patiently(h.ctx, origin, func() (err error) {
		header := silence
		if c.Servers.know(origin) {
			header = 0
		}
		h.silence.set(header)
		if r.GetBody != nil { // it may have been read
			r.Body, _ = r.GetBody()
		}
		h.transport.ResponseHeaderTimeout, h.transport.TLSHandshakeTimeout = header, header
		if resp, err = h.transport.RoundTrip(r); err != nil {
			return inWordsOf(err, server) // that of a connection is in words
		}
		if server == origin || !gateway(resp) {
			c.Servers.note(origin)
		}
		if err = busy(resp, time.Now()); err != nil {
			resp.Body.Close()
			resp = nil
		}
		return err
	})
	return resp, err
}

func hostPort(u *url.URL) string {
	return net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), map[string]string{"http": "80", "https": "443"}[u.Scheme]))
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

type httpFile struct {
	ctx       context.Context
	by        *Client
	client    http.Client
	transport *http.Transport
	silence   *silence
	url       *url.URL
	agent     string // "" is PXELINUX's
	form      string // "" is to GET
	cookies   string

	first  http.Header // of the first answer
	size   int64       // of what it brings, -1 when not known
	packed bool        // it is unpacked on the way
}

// get sends a request, with a Range where it is to be resumed.
func (h *httpFile) get(bytes string) (*http.Response, error) {
	req := (&http.Request{Method: http.MethodGet, URL: h.url, Header: http.Header{}}).WithContext(h.ctx)
	h.setHeader(req)
	if h.form != "" {
		req.Method, req.ContentLength = http.MethodPost, int64(len(h.form))
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(h.form)), nil }
		req.Body, _ = req.GetBody()
	}
	if bytes != "" {
		req.Header.Set("Range", bytes)
		req.Header.Set("If-Range", version(h.first))
	}
	resp, err := h.client.Do(req)
	to := req.URL.String()
	if e, ok := errors.AsType[*url.Error](err); ok {
		err, to = e.Err, e.URL // without the URL once more
	}
	if err == nil && bytes == "" && resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		err, to = statusError(resp), resp.Request.URL.String()
	}
	if to = printable.Redacted(to); err != nil && to != printable.Redacted(req.URL.String()) {
		err = &Redirected{to, err}
	}
	return resp, err
}

func (h *httpFile) setHeader(r *http.Request) {
	r.Header.Set("User-Agent", cmp.Or(h.agent, userAgent))
	if h.cookies != "" {
		r.Header.Set("Cookie", h.cookies)
	}
}

func (h *httpFile) checkRedirect(r *http.Request, via []*http.Request) error {
	to := printable.Redacted(r.URL.String())
	switch {
	case len(via) > maxRedirects:
		return fmt.Errorf("%w: more than %d redirects", ErrRedirect, maxRedirects)
	case r.URL.Scheme != "http" && r.URL.Scheme != "https":
		return fmt.Errorf("%w: redirect to %s", ErrRedirect, to)
	case r.URL.Scheme == "http" && via[len(via)-1].URL.Scheme == "https":
		return fmt.Errorf("%w: redirect from https to %s", ErrRedirect, to)
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

// changed says whether an answer is of another version than the first one, as
// far as both say which.
func (h *httpFile) changed(now http.Header) bool {
	for _, name := range []string{"ETag", "Last-Modified"} {
		if a, b := h.first.Get(name), now.Get(name); a != "" && b != "" && a != b {
			return true
		}
	}
	return false
}

// from is the rest of the file, beginning there, or all of it where ranges or
// what tells versions apart are not known.
func (h *httpFile) from(offset int64) (body io.ReadCloser, begin int64, err error) {
	if h.form != "" {
		return nil, 0, &permanent{fmt.Errorf("%w: the answer to a form broke off", ErrShort)}
	}
	bytes := ""
	if version(h.first) != "" && !h.packed && offset > 0 {
		bytes, begin = fmt.Sprintf("bytes=%d-", offset), offset
	}
	resp, err := h.get(bytes)
	if err != nil {
		if _, refused := errors.AsType[*busyError](err); !refused && errors.Is(err, ErrRefused) || errors.Is(err, ErrNotFound) {
			err = &permanent{err}
		}
		return nil, 0, err
	}
	if resp.StatusCode == http.StatusOK {
		begin = 0
	}
	if err = h.fits(resp, begin); err == nil {
		body, err = h.content(resp)
	}
	if err != nil {
		resp.Body.Close()
		return nil, 0, &permanent{err}
	}
	return body, begin, nil
}

// fits says whether an answer is the rest of the file from there on, or the
// whole of it.
func (h *httpFile) fits(resp *http.Response, begin int64) error {
	switch resp.StatusCode {
	case http.StatusOK:
		if h.changed(resp.Header) || h.size >= 0 && resp.ContentLength >= 0 && resp.ContentLength != h.size {
			return ErrChanged
		}
		return nil
	case http.StatusRequestedRangeNotSatisfiable, http.StatusPreconditionFailed:
		return ErrChanged
	case http.StatusPartialContent:
	default:
		return statusError(resp)
	}
	from, end := fmt.Sprintf("bytes %d-", begin), "/*"
	if h.size >= 0 {
		end = fmt.Sprintf("/%d", h.size)
	}
	switch got := resp.Header.Get("Content-Range"); {
	case h.changed(resp.Header):
		return ErrChanged
	case !strings.HasPrefix(got, from), h.size >= 0 && !strings.HasSuffix(got, end):
		return fmt.Errorf("%w: asked for %s it sent %s", ErrRefused, from, printable.Line(got, maxMessage))
	}
	return nil
}

// content is what an answer brings. It is asked for as it is; a server that
// packs it all the same has to say so.
func (h *httpFile) content(resp *http.Response) (io.ReadCloser, error) {
	var packed []string
	for said := range strings.SplitSeq(strings.ToLower(strings.Join(resp.Header.Values("Content-Encoding"), ",")), ",") {
		switch said = strings.TrimSpace(said); said {
		case "gzip", "x-gzip", "br", "zstd", "deflate", "compress", "x-compress":
			packed = append(packed, said)
		}
	}
	switch how := strings.Join(packed, ", "); how {
	case "":
		return resp.Body, nil
	case "gzip", "x-gzip":
		// Apache's AddEncoding says so of every file.gz, as it is.
		if h.packed = !strings.HasSuffix(h.url.Path, ".gz"); h.packed {
			return &gunzip{packed: resp.Body}, nil
		}
		return resp.Body, nil
	default:
		return nil, fmt.Errorf("%w: it comes packed with %s, which was not asked for", ErrEncoding, how)
	}
}

type gunzip struct {
	packed io.ReadCloser
	reader *gzip.Reader
}

func (g *gunzip) Read(p []byte) (n int, err error) {
	if g.reader == nil {
		g.reader, err = gzip.NewReader(g.packed)
	}
	if err == nil {
		n, err = g.reader.Read(p)
	}
	if _, corrupt := errors.AsType[flate.CorruptInputError](err); corrupt || errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum) {
		err = &permanent{fmt.Errorf("%w: it says Content-Encoding: gzip, and what it sends is not packed so", ErrEncoding)}
	}
	return n, err
}

func (g *gunzip) Close() error { return g.packed.Close() }

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
	switch code := resp.StatusCode; {
	case code == http.StatusNotFound, code == http.StatusGone:
		kind = ErrNotFound
	case code == http.StatusUnauthorized, code == http.StatusProxyAuthRequired:
		kind = ErrLogin
	case code >= http.StatusInternalServerError:
		kind = ErrFails
	}
	return fmt.Errorf("%w: %s", kind, printable.Line(resp.Status, maxMessage))
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
