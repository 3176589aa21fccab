package nfs3

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func tree() *fake {
	return &fake{
		port:    2049,
		exports: []string{"/srv", "/other"},
		listed:  true,
		files: map[string]string{
			"/srv/pxe/boot/kernel": "KERNEL", "/srv/pxe/boot/empty": "", "/srv/top": "TOP", "/other/x": "OTHER", "/etc/passwd": "SECRET",
			"/srv/pxe/boot/locked": "LOCKED",
		},
		locked: map[string]bool{"/srv/pxe/boot/locked": true},
		links: map[string]string{
			"/srv/pxe/link":      "boot/./kernel",
			"/srv/pxe/dir":       "boot",
			"/srv/pxe/twice":     "dir/../link",
			"/srv/pxe/boot/up":   "../../top",
			"/srv/pxe/absolute":  "/srv/pxe/boot/kernel",
			"/srv/pxe/above":     "/srv/top",
			"/srv/pxe/other":     "/other/x",
			"/srv/pxe/system":    "/etc/passwd",
			"/srv/pxe/escape":    "../../../../../../etc/passwd",
			"/srv/pxe/sideways":  "../../other/x",
			"/srv/pxe/loop":      "boot/loop",
			"/srv/pxe/boot/loop": "../loop",
			"/srv/pxe/self":      "self",
			"/srv/pxe/dangling":  "nothing",
			"/srv/pxe/root":      "/",
			"/srv/pxe/through":   "link/x",
		},
	}
}

func TestOpen(t *testing.T) {
	for _, change := range []func(*fake){
		func(*fake) {},
		func(f *fake) { f.noAttr = true },
		func(f *fake) { f.refuses = true },
		func(f *fake) { f.port = 4711 },
	} {
		for name, want := range map[string]any{
			"/srv/pxe/boot/kernel":             "KERNEL",
			"//srv/./pxe//boot/kernel":         "KERNEL",
			"/srv/pxe/boot/empty":              "",
			"/srv/top":                         "TOP",
			"/srv/pxe/link":                    "KERNEL",
			"/srv/pxe/dir/kernel":              "KERNEL",
			"/srv/pxe/twice":                   "KERNEL",
			"/srv/pxe/boot/../link":            "KERNEL",
			"/srv/pxe/boot/up":                 "TOP",
			"/srv/pxe/dir/up":                  "TOP",
			"/srv/pxe/absolute":                "KERNEL",
			"/srv/pxe/above":                   "TOP",
			"/other/x":                         "OTHER",
			"/srv/pxe/other":                   ErrOutside,
			"/srv/pxe/system":                  ErrOutside,
			"/srv/pxe/escape":                  ErrOutside,
			"/srv/pxe/sideways":                ErrOutside,
			"/srv/pxe/root":                    ErrOutside,
			"/srv/pxe/loop":                    NotFound,
			"/srv/pxe/self":                    NotFound,
			"/srv/pxe/dangling":                NotFound,
			"/srv/pxe/through":                 NotDirectory,
			"/srv/pxe/boot/missing":            NotFound,
			"/srv/missing/kernel":              NotFound,
			"/missing/x":                       NoAccess, // which is true of /
			"/srv/pxe/boot":                    IsDirectory,
			"/srv/pxe/boot/":                   IsDirectory,
			"/srv":                             NoAccess,
			"/":                                NoAccess,
			"":                                 NoAccess,
			"/srv/pxe/boot/kernel/x":           NotDirectory,
			"/srv/pxe/boot/locked":             NoAccess,
			"/etc/passwd":                      NoAccess,
			"/" + strings.Repeat("x", maxPath): NameTooLong,
		} {
			f := tree()
			change(f)
			got, err := readFile(t, f.server(), name)
			if wantErr, ok := want.(error); ok {
				if !errors.Is(err, wantErr) {
					t.Errorf("%.40s: got %q, %v, want %v", name, got, err, wantErr)
				}
			} else if err != nil || got != want {
				t.Errorf("%s: got %q, %v, want %q", name, got, err, want)
			}
		}
	}
}

// A server that keeps its exports to itself lets links lead about in what was
// mounted, and no further.
func TestUnlisted(t *testing.T) {
	f := tree()
	f.listed = false
	for name, want := range map[string]error{"/srv/pxe/link": nil, "/srv/pxe/boot/up": ErrOutside, "/srv/pxe/above": ErrOutside} {
		if _, err := readFile(t, f.server(), name); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", name, err, want)
		}
	}
}

// The usual file costs few calls, and leaves nothing in the server's list.
func TestCalls(t *testing.T) {
	f := tree()
	if _, err := readFile(t, f.server(), "/srv/pxe/boot/kernel"); err != nil {
		t.Fatal(err)
	}
	want := map[string]int{"GETPORT": 2, "MNT": 1, "LOOKUP": 1, "ACCESS": 1, "UMNT": 1, "READ": 1}
	if diff := cmp.Diff(want, f.calls); diff != "" {
		t.Errorf("calls (-want +got)\n%s", diff)
	}
}

func random(n int) string {
	content := make([]byte, n)
	rand.NewChaCha8([32]byte{}).Read(content)
	return string(content)
}

func TestReadAt(t *testing.T) {
	content := random(3*readSize*window + 777)
	for _, change := range []func(*fake){
		func(*fake) {},
		func(f *fake) { f.backward = true },
		func(f *fake) { f.rsize = 32 << 10 },
		func(f *fake) { f.rsize = 5000; f.backward = true },
	} {
		s := tree()
		change(s)
		s.files["/srv/big"] = content
		got, err := readFile(t, s.server(), "/srv/big")
		if err != nil || got != content {
			t.Errorf("got %d bytes, %v", len(got), err)
		}
		f, err := s.server().Open(t.Context(), "/srv/big")
		if err != nil {
			t.Fatal(err)
		}
		if want := time.Unix(1_000_000_000, 5); !f.Modified().Equal(want) {
			t.Errorf("modified %v, want %v", f.Modified(), want)
		}
		for _, tt := range []struct{ offset, length, want int }{
			{0, 1, 1}, {100, readSize + 1, readSize + 1}, {len(content) - 5, 5, 5}, {len(content) - 5, 6, 5}, {len(content), 1, 0}, {len(content) + 9, 1, 0}, {-1, 1, 0}, {7, 0, 0},
		} {
			p := make([]byte, tt.length)
			n, err := f.ReadAt(p, int64(tt.offset))
			if n != tt.want || n < tt.length && err != io.EOF || n == tt.length && err != nil || n > 0 && string(p[:n]) != content[tt.offset:tt.offset+n] {
				t.Errorf("%+v: %d bytes, %v", tt, n, err)
			}
		}
		f.Close()
	}
}

// A file that became shorter is no shorter file, whatever the server tells of
// it.
func TestTruncated(t *testing.T) {
	for silent, want := range map[bool]error{true: io.ErrUnexpectedEOF, false: ErrChanged} {
		s := tree()
		s.noAttr = silent
		s.files["/srv/big"] = random(1 << 20)
		f, err := s.server().Open(t.Context(), "/srv/big")
		if err != nil {
			t.Fatal(err)
		}
		s.files["/srv/big"] = s.files["/srv/big"][:600_000]
		if n, err := f.ReadAt(make([]byte, 1<<20), 0); n != 0 || !errors.Is(err, want) {
			t.Errorf("%d bytes, %v, want %v", n, err, want)
		}
		if _, err := f.ReadAt(make([]byte, 1), 0); !errors.Is(err, want) {
			t.Errorf("once more: %v, want %v", err, want)
		}
	}
}

// headerSize is that of an answer's record mark, and of what RPC puts before
// the results.
const headerSize = 4 + 6*4

func word(v uint32) []byte { return binary.BigEndian.AppendUint32(nil, v) }

// record puts a record mark before an answer.
func record(parts ...[]byte) []byte {
	body := slices.Concat(parts...)
	return append(word(lastFragment|uint32(len(body))), body...)
}

// A server that lies gets an error, and neither memory nor time.
func TestHostile(t *testing.T) {
	huge := word(0xfffffff0)
	set := func(at int, value []byte) func([]byte) []byte {
		return func(b []byte) []byte { return append(append(b[:at:at], value...), b[at+len(value):]...) }
	}
	status := func(s Status) func([]byte) []byte {
		return func(b []byte) []byte { return record(b[4:headerSize], word(uint32(s))) }
	}
	header := func(words ...uint32) func([]byte) []byte {
		return func(b []byte) []byte {
			var all [][]byte
			for _, w := range words {
				all = append(all, word(w))
			}
			return record(append([][]byte{b[4:8]}, all...)...)
		}
	}
	for _, tt := range []struct {
		name, call string
		mangle     func(answer []byte) []byte
		want       error
	}{
		{"nothing", "*", func([]byte) []byte { return nil }, os.ErrDeadlineExceeded},
		{"half an answer", "*", func(b []byte) []byte { return b[:len(b)/2] }, os.ErrDeadlineExceeded},
		{"another xid", "*", func(b []byte) []byte { b[7]++; return b }, ErrGarbled},
		{"a call", "*", set(8, word(messageCall)), ErrGarbled},
		{"a record of 2 GiB", "*", set(0, word(0xffffffff)), ErrGarbled},
		{"fragments of 2 GiB", "*", set(0, word(0x7fffffff)), ErrGarbled},
		{"empty fragments", "*", func(b []byte) []byte { return append(make([]byte, 4), b...) }, ErrGarbled},
		{"an empty record", "*", func(b []byte) []byte { return word(lastFragment) }, ErrGarbled},
		{"a short record", "*", func(b []byte) []byte { return record(b[4:20]) }, ErrGarbled},
		{"a long verifier", "*", set(20, huge), ErrGarbled},
		{"another accept_stat", "*", header(messageReply, 0, 0, 0, 77), ErrGarbled},
		{"no such program", "*", header(messageReply, 0, 0, 0, 1), ErrDenied},
		{"another RPC version", "*", header(messageReply, 1, 0, 2, 2), ErrDenied},
		{"no AUTH_SYS", "*", header(messageReply, 1, 1, 5), ErrDenied},
		{"no results", "*", header(messageReply, 0, 0, 0, 0), ErrGarbled},
		{"an odd status", "MNT", status(4711), Status(4711)},
		{"a file that went", "LOOKUP", status(Stale), Stale},
		{"a bad disk", "READ", status(5), Status(5)},
		{"not registered", "GETPORT", status(0), ErrDenied},
		{"a port of 32 bits", "GETPORT", set(headerSize, huge), ErrGarbled},
		{"a handle of 4 GiB", "MNT", set(headerSize+4, huge), ErrGarbled},
		{"a handle of 65 bytes", "MNT", func(b []byte) []byte {
			return record(b[4:headerSize], word(0), word(65), make([]byte, 68), word(0))
		}, ErrGarbled},
		{"an empty handle", "LOOKUP", func(b []byte) []byte { return record(b[4:headerSize], word(0), word(0), word(0), word(0)) }, ErrGarbled},
		{"Kerberos only", "MNT", func(b []byte) []byte {
			return record(b[4:headerSize], word(0), word(4), []byte("root"), word(1), word(390003))
		}, ErrDenied},
		{"4 billion flavors", "MNT", func(b []byte) []byte {
			return record(b[4:headerSize], word(0), word(4), []byte("root"), huge, word(1))
		}, ErrGarbled},
		{"a file of 16 EiB", "LOOKUP", func(b []byte) []byte {
			return bytes.Replace(b, append(make([]byte, 7), 6), bytes.Repeat([]byte{0xff}, 8), 1)
		}, ErrGarbled},
		{"a short ACCESS", "ACCESS", status(0), ErrGarbled},
		{"a READ of 4 GiB", "READ", set(headerSize+16, huge), ErrGarbled},
		{"a READ that contradicts itself", "READ", set(headerSize+8, word(5)), ErrGarbled},
		{"a READ of more than was asked for", "READ", func(b []byte) []byte {
			return record(b[4:headerSize], word(0), word(0), word(8), word(0), word(8), make([]byte, 8))
		}, ErrGarbled},
		{"a READ of nothing", "READ", func(b []byte) []byte {
			return record(b[4:headerSize], word(0), word(0), word(0), word(0), word(0))
		}, io.ErrUnexpectedEOF},
		{"answered twice", "READ", func(b []byte) []byte { return slices.Concat(b, b) }, nil}, // too late to matter
		{"answered before", "MNT", func(b []byte) []byte { return slices.Concat(b, b) }, ErrGarbled},
	} {
		t.Run(tt.name, func(t *testing.T) {
			calls := []string{tt.call}
			if tt.call == "*" {
				calls = []string{"GETPORT", "MNT", "LOOKUP", "ACCESS", "READ"}
			}
			for _, call := range calls {
				f := tree()
				f.noAttr = call == "READ"
				f.mangle = func(name string, answer []byte) []byte {
					if name == call {
						return tt.mangle(answer)
					}
					return answer
				}
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				_, err := readFile(t, f.server(), "/srv/pxe/boot/kernel")
				runtime.ReadMemStats(&after)
				if !errors.Is(err, tt.want) || tt.want == nil && err != nil {
					t.Errorf("%s: got %v, want %v", call, err, tt.want)
				}
				if used := after.TotalAlloc - before.TotalAlloc; used > 2<<20 {
					t.Errorf("%s: %d bytes allocated", call, used)
				}
			}
		})
	}
}

func TestHostileLinks(t *testing.T) {
	for name, target := range map[string]string{"empty": "", "with a NUL": "a\x00b", "too long": strings.Repeat("a/", 4096)} {
		f := tree()
		f.links["/srv/pxe/link"] = target
		if _, err := readFile(t, f.server(), "/srv/pxe/link"); !errors.Is(err, ErrGarbled) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	// Each link makes the rest of the way longer: that too has an end.
	f := tree()
	f.links["/srv/pxe/grows"] = strings.Repeat("./", 2000) + "grows/grows"
	if _, err := readFile(t, f.server(), "/srv/pxe/grows"); !errors.Is(err, NotFound) || f.calls["READLINK"] != maxLinks {
		t.Errorf("got %v after %d links", err, f.calls["READLINK"])
	}
	// An endless list of exports is no list.
	f = tree()
	f.mangle = func(call string, answer []byte) []byte {
		if call == "EXPORT" {
			return record(answer[4:headerSize], bytes.Repeat(word(1), 20_000))
		}
		return answer
	}
	if _, err := readFile(t, f.server(), "/srv/pxe/boot/up"); !errors.Is(err, ErrOutside) {
		t.Errorf("got %v", err)
	}
}

// A server that sends a byte now and then never comes to an end by itself.
func TestSlow(t *testing.T) {
	f := tree()
	f.port = 0
	f.refuses = true
	s := f.server()
	s.Patience = 0
	if _, err := s.Open(t.Context(), "/srv/top"); !errors.Is(err, ErrSlow) {
		t.Errorf("got %v", err)
	}
}

func TestContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := tree()
	f, err := s.server().Open(ctx, "/srv/top")
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	for err == nil { // until AfterFunc's goroutine has closed the connection
		_, err = f.ReadAt(make([]byte, 3), 0)
	}
	f.Close()
}

// FuzzAnswers has a server answer every call with the next piece of the data.
func FuzzAnswers(f *testing.F) {
	f.Add([]byte{})
	mnt := slices.Concat([]byte{16}, word(0), word(4), []byte("root"), word(0))
	lookup := func(kind byte, size byte) []byte {
		attr := make([]byte, 84)
		attr[3], attr[27] = kind, size
		return slices.Concat([]byte{4 + 8 + 4 + 84 + 4}, word(0), word(4), []byte("file"), word(1), attr, word(0))
	}
	access := slices.Concat([]byte{12}, word(0), word(0), word(1))
	readlink := slices.Concat([]byte{16}, word(0), word(0), word(4), []byte("../k"))
	read := slices.Concat([]byte{24}, word(0), word(0), word(4), word(1), word(4), []byte("KERN"))
	f.Add(slices.Concat(mnt, lookup(1, 4), access, []byte{0}, read))
	f.Add(slices.Concat(mnt, lookup(5, 0), readlink, lookup(1, 4), access, []byte{0}, read))
	f.Add(slices.Concat(mnt, lookup(1, 200), access, []byte{0}, read, read))
	f.Fuzz(func(t *testing.T, data []byte) {
		s := &fake{refuses: true}
		s.mangle = func(_ string, answer []byte) []byte {
			if len(data) == 0 {
				return nil
			}
			n := min(int(data[0]), len(data)-1)
			results := data[1 : 1+n]
			data = data[1+n:]
			return record(answer[4:headerSize], results)
		}
		file, err := s.server().Open(t.Context(), "/srv/kernel")
		if err != nil {
			return
		}
		defer file.Close()
		p := make([]byte, 300)
		n, err := file.ReadAt(p, 0)
		if n > 300 || int64(n) > file.Size() || err == nil && n < 300 || err == io.EOF && int64(n) != file.Size() {
			t.Errorf("%d bytes of %d, %v", n, file.Size(), err)
		}
	})
}
