package main

import (
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
)

// TestLyingServer has a web server lie about length, ranges, validators and
// encodings: each is one line and exit status 6, and nothing is left.
func TestLyingServer(t *testing.T) {
	kernel := kernelOf(strings.Repeat("x", 100_000))
	half := len(kernel) / 2
	type answer func(w http.ResponseWriter, r *http.Request)
	whole := func(header ...string) answer {
		return func(w http.ResponseWriter, r *http.Request) {
			for i := 0; i < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.Write(kernel)
		}
	}
	// broken sends half of it, and closes the connection.
	broken := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"1"`)
		w.Header().Set("Content-Length", strconv.Itoa(len(kernel)))
		w.Write(kernel[:half])
	}
	// rest is what is asked for then, said to be that range of so many bytes.
	rest := func(content string, ahead, size int, etag string) answer {
		return func(w http.ResponseWriter, r *http.Request) {
			var from int
			fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from)
			w.Header().Set("ETag", etag)
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from+ahead, len(kernel)-1, size))
			w.WriteHeader(http.StatusPartialContent)
			w.Write([]byte(content)[from:])
		}
	}
	other := string(kernel[:half-1]) + strings.Repeat("y", len(kernel)-half+1)
	for _, c := range []struct {
		name          string
		first, second answer // nil is the first again
		code          int
		says          string
	}{
		{"honest", whole(), nil, 0, ""},
		{"honest, and broke off", broken, rest(string(kernel), 0, len(kernel), `"1"`), 0, ""},
		{"knows no ranges", broken, whole("ETag", `"1"`), 0, ""},
		{"knows no ranges, and another file", broken, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("ETag", `"1"`)
			w.Write([]byte(other))
		}, 6, "the file changed during the download"},
		{"a shorter length", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", strconv.Itoa(half))
			w.Write(kernel[:half])
		}, nil, 6, fmt.Sprintf("it is cut short: it has %d bytes, and by its own header %d", half, len(kernel))},
		{"a longer length", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", strconv.Itoa(len(kernel)+1000))
			w.Write(kernel)
		}, nil, 6, fmt.Sprintf("%d of %d bytes", len(kernel), len(kernel)+1000)},
		{"a length that can't be", func(w http.ResponseWriter, r *http.Request) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n")
				conn.Close()
			}
		}, nil, 6, `bad Content-Length "-5"`},
		{"a range that was not asked for", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes 10-%d/%d", len(kernel)-1, len(kernel)))
			w.WriteHeader(http.StatusPartialContent)
			w.Write(kernel[10:])
		}, nil, 6, "206 Partial Content"},
		{"a range of another file", broken, rest(other, 0, len(kernel), `"1"`), 6, "the file changed during the download"},
		{"another range", broken, rest(string(kernel), 7, len(kernel), `"1"`), 6, "it sent bytes "},
		{"a range of another size", broken, rest(string(kernel), 0, len(kernel)+1, `"1"`), 6, "it sent bytes "},
		{"a range of another version", broken, rest(string(kernel), 0, len(kernel), `"2"`), 6, "the file changed during the download"},
		{"br", whole("Content-Encoding", "br"), nil, 6, "it comes packed with br, which was not asked for"},
		{"gzip that is none", whole("Content-Encoding", "gzip"), nil, 6, "it says Content-Encoding: gzip, and what it sends is not packed so"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := labtest.New(t, lab.Config{})
			tree := sampleTree(t)
			writeFile(t, filepath.Join(tree, "pxelinux.cfg/01-00-16-3e-72-79-e3"), "default linux\nlabel linux\n kernel http://192.168.1.166/vmlinuz\n initrd "+lab.SampleInitrd+"\n")
			labtest.Check(t, servers["embedded"](t.Context(), l.Servers, tree))
			var listener net.Listener
			labtest.Check(t, l.Servers.Do(func() (err error) {
				listener, err = net.Listen("tcp4", "192.168.1.166:80")
				return err
			}))
			asked := 0
			web := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if asked++; asked == 1 || c.second == nil {
					c.first(w, r)
				} else {
					c.second(w, r)
				}
			})}
			web.SetKeepAlivesEnabled(false)
			go web.Serve(listener)
			t.Cleanup(func() { web.Close() })
			says := []string{"gopxeboot: kernel: http://192.168.1.166/vmlinuz: ", c.says}
			if c.code == 0 {
				says = nil
			}
			bootsKind(t, c.name, "kernel", []string{"--timeout=6"}, kernel, c.code, says...)
		})
	}
}
