package fetch

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

// answers is a server that says this, whatever it is asked.
type answers string

func (a answers) RoundTrip(r *http.Request) (*http.Response, error) {
	return http.ReadResponse(bufio.NewReader(strings.NewReader(string(a))), r)
}

var folded = regexp.MustCompile(`[ \t]*\r?\n[ \t]+`)

// FuzzHTTPResume lets a server answer a resumed download with anything. What
// is taken for the rest of the file must say that it begins where we are, in a
// file of the same length.
func FuzzHTTPResume(f *testing.F) {
	for _, seed := range []string{
		"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 10-29/30\r\nContent-Length: 20\r\n\r\n01234567890123456789",
		"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 10-9/30\r\n\r\n",
		"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 10-29/*\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n",
		"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 1-29/30\r\n\r\n",
		"HTTP/1.1 200 OK\r\nETag: \"v1\"\r\nContent-Length: 3\r\n\r\nabc",
		"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\n\r\n",
		"HTTP/1.1 302 Found\r\nLocation: /again\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff\x01\x00\x00\xff\xff",
		"HTTP/1.1 416 Range Not Satisfiable\r\n\r\n",
		"HTTP/1.0 206 \r\n\r\n", "\x00", "",
	} {
		f.Add([]byte(seed), int64(30))
		f.Add([]byte(seed), int64(-1))
	}
	f.Fuzz(func(t *testing.T, answer []byte, size int64) {
		h := &httpFile{ctx: t.Context(), url: &url.URL{Scheme: "http", Host: "x"}, first: http.Header{"Etag": {`"v1"`}}, size: max(size, -1)}
		h.client = http.Client{Transport: answers(answer), CheckRedirect: h.checkRedirect}
		body, begin, err := h.from(10)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\x1b\x00") {
				t.Errorf("the error is not printable: %q", err)
			}
			return
		}
		defer body.Close()
		// A line that begins with a space goes on with the one before (RFC 9112,
		// section 5.2).
		said := folded.ReplaceAll(answer, []byte(" "))
		if begin > 0 && !bytes.Contains(said, []byte("bytes 10-")) || begin > 0 && size >= 0 && !bytes.Contains(said, fmt.Appendf(nil, "/%d", size)) {
			t.Errorf("%q was taken for the rest of %d bytes after 10", answer, size)
		}
		io.Copy(io.Discard, io.LimitReader(body, 1<<20))
	})
}

// ftpPipe has the kind of address that the FTP library wants.
type ftpPipe struct{ net.Conn }

func (ftpPipe) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 21} }

// FuzzFTP lets a server say anything on the control connection, and send any
// file. A success is as long as the server said.
func FuzzFTP(f *testing.F) {
	const hello = "220 hello\r\n331 password?\r\n230 welcome\r\n211-here\r\n SIZE\r\n211 end\r\n200 binary\r\n"
	for _, seed := range []string{
		hello + "213 5\r\n229 here (|||2000|)\r\n150 it comes\r\n226 done\r\n221 bye\r\n",
		hello + "213 6\r\n229 here (|||2000|)\r\n150 it comes\r\n226 done\r\n",
		hello + "213 5\r\n229 here (|||2000|)\r\n150 it comes\r\n426 aborted\r\n",
		hello + "213 99999999999999999999\r\n229 here (|||99999|)\r\n150\r\n",
		hello + "213 -5\r\n500 what?\r\n227 here (127,0,0,1,7,208)\r\n125 it comes\r\n250 done\r\n",
		hello + "550 not here\r\n229 here (||\r\n",
		hello + "213 5\r\n500 what?\r\n227 )(\r\n", // made the library panic
		"220-\r\n220-", "220 \x1b[2J\r\n530 no\r\n", "421 busy\r\n", "x\r\n", "",
	} {
		f.Add([]byte(seed), []byte("hello"))
	}
	f.Fuzz(func(t *testing.T, control, file []byte) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		says := control
		c := &Client{Timeout: 500 * time.Millisecond, Dial: func(context.Context, string, string) (net.Conn, error) {
			here, there := net.Pipe()
			text := says
			says = file // what is dialled next is for data
			go io.Copy(io.Discard, there)
			go func() {
				there.Write(text)
				there.Close()
			}()
			return ftpPipe{here}, nil
		}}
		opened, err := c.Open(ctx, "ftp://192.0.2.1/x")
		if err == nil {
			defer opened.Close()
			opened.src.(*stream).open = nil // which waits
			var n int64
			if n, err = opened.WriteTo(io.Discard); err == nil && opened.Size() >= 0 && n != opened.Size() {
				t.Errorf("%d bytes of %d were called a success", n, opened.Size())
			}
		}
		if err != nil && strings.ContainsAny(err.Error(), "\n\x1b\x00") {
			t.Errorf("the error is not printable: %q", err)
		}
		if ctx.Err() != nil {
			t.Error("it did not end")
		}
	})
}
