package tftpget

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"strings"
	"testing"
	"testing/iotest"
)

func TestRead(t *testing.T) {
	for kind, window := range kinds {
		t.Run(kind, func(t *testing.T) {
			s := serve(t, file(pattern(5000)))
			c := Client{BlockSize: 1468, WindowSize: window}
			f, err := c.Open(t.Context(), s.addr, "x")
			if err != nil {
				t.Fatal(err)
			}
			if err := iotest.TestReader(f, pattern(5000)); err != nil {
				t.Error(err)
			}
			if s := f.Stats(); s.Bytes != 5000 || s.BlockSize != 1468 || s.Duration == 0 {
				t.Errorf("figures %+v", s)
			}
			if err := f.Close(); err != nil {
				t.Error(err)
			}
			if n, err := f.WriteTo(io.Discard); n != 0 || err == nil {
				t.Errorf("WriteTo after Read: %d, %v", n, err)
			}
		})
	}
}

// A file that ends early ends in the error that WriteTo would return.
func TestReadShort(t *testing.T) {
	for kind, window := range kinds {
		t.Run(kind, func(t *testing.T) {
			s := serve(t, func(s *session) {
				s.agree(5000)
				s.data(1, pattern(1468))
				s.expect(1)
				s.error(3, "disk full")
			})
			c := Client{BlockSize: 1468, WindowSize: window}
			f, err := c.Open(t.Context(), s.addr, "x")
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			got, err := io.ReadAll(f)
			var e *Error
			if !errors.As(err, &e) || !errors.Is(err, ErrRefused) || !bytes.HasPrefix(pattern(1468), got) {
				t.Errorf("%d bytes, %v", len(got), err)
			}
		})
	}
}

// Who reads no further closes, and the server is told; so it is when the
// context ends, and a Read that waits then returns.
func TestReadStopped(t *testing.T) {
	for kind, window := range kinds {
		for _, how := range []string{"Close", "context"} {
			t.Run(kind+"/"+how, func(t *testing.T) {
				told := make(chan []byte, 1)
				s := serve(t, func(s *session) {
					s.agree(1 << 20)
					for n := 1; ; {
						s.data(n, pattern(1468))
						p, err := s.next()
						switch {
						case err != nil || p[1] == opERROR:
							told <- p
							return
						case bytes.Equal(p, packet(opACK, uint16(n), "")):
							n++
						}
					}
				})
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				c := Client{BlockSize: 1468, WindowSize: window}
				f, err := c.Open(ctx, s.addr, "x")
				if err != nil {
					t.Fatal(err)
				}
				if _, err := io.ReadFull(f, make([]byte, 10)); err != nil {
					t.Fatal(err)
				}
				if how == "context" {
					cancel()
					if _, err := io.Copy(io.Discard, struct{ io.Reader }{f}); !errors.Is(err, context.Canceled) {
						t.Errorf("Read: %v", err)
					}
				}
				if err := f.Close(); err != nil {
					t.Error(err)
				}
				if p := <-told; !strings.Contains(string(p), "transfer cancelled") {
					t.Errorf("the server was told %q", p)
				}
				if n, err := f.Read(make([]byte, 1)); err == nil {
					t.Errorf("Read after the end: %d", n)
				}
			})
		}
	}
}

func TestGet(t *testing.T) {
	s := serve(t, func(s *session) {
		if s.file == "here" {
			file(pattern(5000))(s)
		} else {
			s.error(1, "")
		}
	})
	var b bytes.Buffer
	stats, err := new(Client).Get(t.Context(), s.addr, "here", &b)
	if err != nil || stats.Bytes != 5000 || !bytes.Equal(b.Bytes(), pattern(5000)) {
		t.Errorf("%+v, %v", stats, err)
	}
	if stats, err := new(Client).Get(t.Context(), s.addr, "away", &b); !errors.Is(err, ErrNotFound) || stats != (Stats{}) {
		t.Errorf("%+v, %v", stats, err)
	}
}

func TestOpenURL(t *testing.T) {
	s := serve(t, func(s *session) {
		if code, found := map[string]uint16{"missing": 1, "secret": 2}[s.file]; found {
			s.error(code, "")
			return
		}
		file([]byte(s.file))(s)
	})
	var c Client
	for url, want := range map[string]string{
		"tftp://" + s.addr.String() + "/a/b":               "a/b",
		"TFTP://" + s.addr.String() + "//a%20b;mode=octet": "/a b",
		"tftp://" + s.addr.String() + "/100%#part":         "100%",
	} {
		r, err := c.OpenURL(t.Context(), url)
		if err != nil {
			t.Errorf("%s: %v", url, err)
			continue
		}
		if got, err := io.ReadAll(r); string(got) != want || err != nil {
			t.Errorf("%s: asked for %q, %v; want %q", url, got, err, want)
		}
		r.Close()
	}
	for _, name := range []string{"missing", "secret"} {
		if r, err := c.OpenURL(t.Context(), "tftp://"+s.addr.String()+"/"+name); r != nil || !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v, %v", name, r, err)
		}
	}
	for _, url := range []string{"", "x", "http://127.0.0.1/x", "tftp:///x", "tftp://127.0.0.1:70000/x", "tftp://[::1/x"} {
		if r, err := c.OpenURL(t.Context(), url); r != nil || err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: %v, %v", url, r, err)
		}
	}
}
