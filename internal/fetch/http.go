package fetch

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
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
	req := (&http.Request{Method: http.MethodGet, URL: u, Header: http.Header{}}).WithContext(ctx)
	cookies := c.cookies()
	setHeader := func(r *http.Request) {
		r.Header.Set("User-Agent", userAgent)
		if cookies != "" {
			r.Header.Set("Cookie", cookies)
		}
	}
	setHeader(req)
	client := http.Client{
		Transport: &http.Transport{
			DialContext:            c.connect,
			TLSClientConfig:        &tls.Config{RootCAs: c.RootCAs},
			TLSHandshakeTimeout:    c.timeout(),
			ResponseHeaderTimeout:  c.timeout(),
			MaxResponseHeaderBytes: maxHeader,
			DisableKeepAlives:      true, // as PXELINUX; nothing to clean up
			DisableCompression:     true, // the file as it is, with its length
		},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) > maxRedirects {
				return fmt.Errorf("%w: more than %d redirects", ErrRefused, maxRedirects)
			}
			if r.URL.Scheme != "http" && r.URL.Scheme != "https" {
				return fmt.Errorf("%w: redirect to %s", ErrRefused, printable(r.URL.Redacted()))
			}
			// PXELINUX says who it is to each server; net/http only to the first.
			setHeader(r)
			return nil
		},
	}
	resp, err := client.Do(req)
	if err != nil {
		var e *url.Error // repeats the URL
		if errors.As(err, &e) {
			err = e.Err
		}
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		return nil, statusError(resp)
	}
	return &stream{resp.Body, resp.ContentLength}, nil
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
	u := &url.URL{Scheme: l.scheme, Host: l.host, Path: decoded, RawPath: raw, RawQuery: escape(query), ForceQuery: hasQuery}
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
	if resp.StatusCode == http.StatusNotFound || resp.StatusCode == http.StatusGone {
		kind = ErrNotFound
	}
	where := ""
	if resp.Request.Response != nil { // we were redirected
		where = " from " + printable(resp.Request.URL.Redacted())
	}
	return fmt.Errorf("%w: %s%s", kind, printable(resp.Status), where)
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
	var b strings.Builder
	for _, c := range []byte(s) {
		switch {
		case c == ' ':
			b.WriteByte('+')
		case c <= ' ' || c > '~' || strings.IndexByte(`()<>@,;:\"/[]?={}%+`, c) >= 0:
			fmt.Fprintf(&b, "%%%02X", c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}
