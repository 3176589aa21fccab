package tftpget

import (
	"errors"
	"io"
	"net"
	"os"
	"strconv"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/pin/tftp/v3"
)

func TestTyped(t *testing.T) {
	other := errors.New("unknown opcode: 9")
	refused := &net.OpError{Op: "write", Err: errors.New("network is unreachable")}
	for _, tt := range []struct{ in, want error }{
		{nil, nil},
		{other, other},
		{refused, refused},
		{&net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}, ErrTimeout},
		{errors.New("code: 1, message: File not found\x00"), &serverError{1, "File not found"}},
		{errors.New("code: 65535, message: "), &serverError{65535, ""}},
		{errors.New("code: 0, message: a, message: b\x00c"), &serverError{0, "a, message: b"}},
	} {
		got := typed(tt.in)
		var reply *serverError
		if errors.As(tt.want, &reply) {
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(serverError{})); diff != "" {
				t.Errorf("%v (-want +got)\n%s", tt.in, diff)
			}
		} else if !cmp.Equal(tt.want, got, cmpopts.EquateErrors()) {
			t.Errorf("%v: got %v, want %v", tt.in, got, tt.want)
		}
	}
}

// TestPinErrors pins what typed relies on, with pin/tftp alone: the text of an
// ERROR packet, the type of a timeout, and how tsize tells an OACK without one
// from no OACK at all.
func TestPinErrors(t *testing.T) {
	receive := func(script func(*session)) (io.WriterTo, error) {
		c, err := tftp.NewClient(serve(t, script).addr.String())
		if err != nil {
			t.Fatal(err)
		}
		c.SetTimeout(200 * time.Millisecond)
		c.SetRetries(0)
		c.SetBlockSize(1468)
		c.RequestTSize(true)
		return c.Receive("x", "octet")
	}
	if _, err := receive(func(s *session) { s.error(2, "no") }); err == nil || err.Error() != "code: 2, message: no\x00" {
		t.Errorf("an ERROR packet gave %q", err)
	}
	_, err := receive(func(s *session) {})
	if e, ok := err.(net.Error); !ok || !e.Timeout() {
		t.Errorf("silence gave %T %v", err, err)
	}
	for _, tt := range []struct {
		script func(*session)
		size   int64
		known  bool
	}{
		{func(s *session) { s.data(1, nil) }, 0, true},
		{func(s *session) { s.oack("tsize", "0") }, 0, true},
		{func(s *session) { s.oack("tsize", "7") }, 7, true},
		{func(s *session) { s.oack("TSIZE", "7") }, 0, false},
		{func(s *session) { s.oack("blksize", "512") }, 0, false},
	} {
		w, err := receive(tt.script)
		if err != nil {
			t.Fatal(err)
		}
		if size, known := w.(tftp.IncomingTransfer).Size(); size != tt.size || known != tt.known {
			t.Errorf("got %d, %v, want %d, %v", size, known, tt.size, tt.known)
		}
		go w.WriteTo(new(gate))
	}
}

func FuzzTyped(f *testing.F) {
	f.Add("code: 1, message: File not found\x00")
	f.Add("code: 99999, message: x")
	f.Add("code: -1, message: \x1b[2J")
	f.Add("code: 0, message: \xc3\x28\xe2\x80")
	f.Fuzz(func(t *testing.T, text string) {
		err := typed(errors.New(text))
		if err == nil {
			t.Fatal("the error got lost")
		}
		var reply *serverError
		if !errors.As(err, &reply) {
			return
		}
		if reply.code < 0 || reply.code > 65535 || len(reply.message) > maxMessage || !utf8.ValidString(reply.message) {
			t.Errorf("%q became code %d, %q", text, reply.code, reply.message)
		}
		for _, r := range reply.message {
			if !unicode.IsPrint(r) {
				t.Errorf("%q is not printable", reply.message)
			}
		}
	})
}

// FuzzServer lets a server say anything: after one byte for its length each, a
// packet whenever the client sent one.
func FuzzServer(f *testing.F) {
	join := func(packets ...string) []byte {
		var b []byte
		for _, p := range packets {
			b = append(append(b, byte(len(p))), p...)
		}
		return b
	}
	f.Add(join("\x00\x03\x00\x01abc"))
	f.Add(join("\x00\x06tsize\x003\x00blksize\x00512\x00", "\x00\x03\x00\x01abc"))
	f.Add(join("\x00\x06tsize\x003\x00blksize\x008\x00", "\x00\x03\x00\x01abc"))
	f.Add(join("\x00\x06blksize\x00512\x00", "\x00\x06blksize\x00512\x00", "\x00\x06blksize\x0000512", "\x00\x03\x00\x01"))
	f.Add(join("\x00\x05\x00\x01gone\x00"))
	f.Add(join("\x00\x06tsize\x00-3\x00", "\x00\x06", "\x00"))
	f.Fuzz(func(t *testing.T, script []byte) {
		packets := make(chan []byte, len(script)+1)
		for len(script) > 0 {
			n := min(int(script[0]), len(script)-1)
			packets <- script[1 : 1+n]
			script = script[1+n:]
		}
		close(packets)
		got, file, err := get(t, Client{Timeout: time.Millisecond, Retries: -1, MaxSize: 1000}, func(s *session) {
			for p := range packets {
				s.send(p)
				if _, err := s.next(); err != nil {
					return
				}
			}
		})
		switch {
		case len(got) > 1000:
			t.Errorf("%d bytes written, 1000 allowed", len(got))
		case err == nil && file.Size() >= 0 && file.Size() != int64(len(got)):
			t.Errorf("%d bytes called success, %d announced", len(got), file.Size())
		}
	})
}

// A long OACK made pin/tftp panic when blksize was not asked for.
func TestLongOACK(t *testing.T) {
	zeros := strconv.Itoa(512)
	for len(zeros) < 505 {
		zeros = "0" + zeros
	}
	for _, first := range []string{"blksize", "tsize", "BLKSIZE"} {
		_, _, err := get(t, Client{Timeout: 10 * time.Millisecond, Retries: -1}, func(s *session) {
			s.send([]byte("\x00\x06" + first + "\x00" + zeros))
		})
		if !errors.Is(err, ErrTimeout) {
			t.Errorf("%s: got %v", first, err)
		}
	}
}
