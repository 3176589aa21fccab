package fetch

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// ftpServer is a server of one session at a time with scripted answers.
type ftpServer struct {
	addr    string
	answers map[string]string // by command; replaces the good answer
	content string
	done    string // what follows the content
	each    int    // bytes that a connection brings before it breaks; 0: all
	breaks  int    // how many do; 0: all
	grows   bool   // the file, with each connection

	mu    sync.Mutex
	got   []string
	broke int
}

func (s *ftpServer) asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.got
}

// broken says whether one more connection is to break.
func (s *ftpServer) broken() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broke++
	return s.breaks == 0 || s.broke <= s.breaks
}

func serveFTP(t testing.TB, s *ftpServer) *ftpServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = l.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	var sessions sync.WaitGroup
	sessions.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			context.AfterFunc(ctx, func() { conn.Close() })
			sessions.Go(func() { s.session(ctx, conn) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		cancel()
		sessions.Wait()
	})
	return s
}

func (s *ftpServer) session(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	var data net.Listener // of the last EPSV
	good := map[string]string{
		"":     "220 hello",
		"USER": "331 password?",
		"PASS": "230 welcome",
		"FEAT": "211-here\r\n SIZE\r\n UTF8\r\n211 end",
		"TYPE": "200 binary",
		"SIZE": fmt.Sprintf("213 %d", len(s.content)),
		"RETR": "150 here it comes",
		"QUIT": "221 bye",
		"REST": "350 go on",
	}
	if s.grows {
		s.mu.Lock()
		good["SIZE"] = fmt.Sprintf("213 %d", len(s.content)+len(s.got))
		s.mu.Unlock()
	}
	offset := 0
	say := func(verb string) bool {
		text, ok := s.answers[verb]
		if !ok {
			text = good[verb]
		}
		if text == "" {
			text = "500 what?"
		}
		if text == "hang" {
			<-ctx.Done()
		}
		_, err := io.WriteString(conn, text+"\r\n")
		return err == nil && strings.HasPrefix(text, "150")
	}
	say("")
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		s.mu.Lock()
		s.got = append(s.got, lines.Text())
		s.mu.Unlock()
		verb, argument, _ := strings.Cut(lines.Text(), " ")
		if verb == "EPSV" {
			var err error
			if data, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
				return
			}
			defer data.Close()
			context.AfterFunc(ctx, func() { data.Close() })
			good[verb] = fmt.Sprintf("229 here (|||%d|)", data.Addr().(*net.TCPAddr).Port)
		}
		if verb == "REST" && s.answers[verb] == "" {
			offset, _ = strconv.Atoi(argument)
		}
		if !say(verb) {
			continue
		}
		d, err := data.Accept()
		if err != nil {
			return
		}
		content := s.content[offset:]
		if s.each > 0 && s.each < len(content) && s.broken() {
			io.WriteString(d, content[:s.each])
			d.Close()
			io.WriteString(conn, "426 aborted\r\n")
			return
		}
		io.WriteString(d, content)
		if s.done == "stall" {
			<-ctx.Done()
		}
		d.Close()
		switch s.done {
		case "hang up":
			return
		case "":
			io.WriteString(conn, "226 done\r\n")
		default:
			io.WriteString(conn, s.done+"\r\n")
		}
	}
}

func TestFTP(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		answers map[string]string
		content string
		done    string
		err     error
		text    string // what the error ends with
	}{
		{name: "good", content: "content"},
		{name: "empty"},
		{name: "no SIZE", answers: map[string]string{"SIZE": "502 what?"}, content: "content"},
		{name: "garbled SIZE", answers: map[string]string{"SIZE": "213 -7"}, content: "content"},
		{name: "no password wanted", answers: map[string]string{"USER": "230 welcome"}, content: "content"},
		{name: "not found", answers: map[string]string{"SIZE": "550 no", "RETR": "550 no \x1b such file"}, err: ErrNotFound, text: "550 no   such file"},
		{name: "not now", answers: map[string]string{"RETR": "450 busy"}, err: ErrRefused, text: "450 busy"},
		{name: "user refused", answers: map[string]string{"USER": "530 no"}, err: ErrRefused, text: "log in as anonymous: login refused: no"},
		{name: "password refused", answers: map[string]string{"PASS": "530 no"}, err: ErrRefused, text: "log in as anonymous: login refused: 530 no"},
		{name: "full house", answers: map[string]string{"": "421 too many users"}, err: ErrRefused, text: "421 too many users"},
		{name: "garbage", answers: map[string]string{"": "garbage"}, text: "short response: \"garbage\""},
		{name: "short", answers: map[string]string{"SIZE": "213 8"}, content: "content", err: ErrShort, text: "7 of 8 bytes"},
		{name: "long", answers: map[string]string{"SIZE": "213 6"}, content: "content", err: ErrLong, text: "more than 6 bytes"},
		{name: "too big", answers: map[string]string{"SIZE": "213 1048577"}, content: "content", err: ErrTooBig, text: "1048577 bytes of 1048576"},
		{name: "aborted without SIZE", answers: map[string]string{"SIZE": "502 what?"}, content: "con", done: "426 aborted", err: ErrShort, text: "426 aborted"},
		{name: "hung up without SIZE", answers: map[string]string{"SIZE": "502 what?"}, content: "con", done: "hang up", err: ErrShort, text: "broke off after 3 bytes"},
		{name: "silence at login", answers: map[string]string{"PASS": "hang"}, err: ErrTimeout},
		{name: "silence at RETR", answers: map[string]string{"RETR": "hang"}, err: ErrTimeout},
		{name: "stall", answers: map[string]string{"SIZE": "213 8"}, content: "content", done: "stall", err: ErrTimeout},
		{name: "endless greeting", answers: map[string]string{"": "220-" + strings.Repeat("x\r\n", maxControl)}, err: errTalkative, text: "the server says too much"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := serveFTP(t, &ftpServer{answers: tt.answers, content: tt.content, done: tt.done})
			got, err := get(t, quick(), "ftp://"+s.addr+"/x")
			if tt.err == nil && tt.text == "" {
				if err != nil || got != tt.content {
					t.Errorf("got %q, %v, want %q", got, err, tt.content)
				}
				return
			}
			if err == nil || tt.err != nil && !errors.Is(err, tt.err) || !strings.HasSuffix(err.Error(), tt.text) {
				t.Errorf("got %q, %v, want %v, %s", got, err, tt.err, tt.text)
			}
		})
	}
}

func TestFTPRequest(t *testing.T) {
	login := func(user, pass, name string) []string {
		return []string{"USER " + user, "PASS " + pass, "FEAT", "TYPE I", "SIZE " + name, "EPSV", "RETR " + name}
	}
	for path, want := range map[string][]string{
		"@/a%20b":           login("anonymous", "syslinux@", "a b"),
		"@//x;type=i":       login("anonymous", "syslinux@", "/x;type=i"),
		"u%40v:p%3A@/x%25y": login("u@v", "p:", "x%y"),
	} {
		s := serveFTP(t, &ftpServer{content: "content"})
		user, path, _ := strings.Cut(path, "@")
		url := "ftp://" + user + "@" + s.addr + path
		if _, err := get(t, &Client{}, url); err != nil {
			t.Errorf("%s: %v", url, err)
		}
		got := s.asked()
		if diff := cmp.Diff(want, got[:min(len(got), len(want))]); diff != "" {
			t.Errorf("%s (-want +got)\n%s", url, diff)
		}
	}
}

// Close in the middle leaves no connection behind.
func TestFTPClose(t *testing.T) {
	s := serveFTP(t, &ftpServer{content: "content", done: "stall"})
	var open sync.WaitGroup
	c := &Client{Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		open.Add(1)
		return &countedConn{conn, sync.OnceFunc(open.Done)}, nil
	}}
	f, err := c.Open(t.Context(), "ftp://"+s.addr+"/x")
	if err != nil {
		t.Fatal(err)
	}
	if f.Size() != 7 {
		t.Errorf("got %d bytes", f.Size())
	}
	f.Close()
	open.Wait()
}

type countedConn struct {
	net.Conn
	closed func()
}

func (c *countedConn) Close() error {
	c.closed()
	return c.Conn.Close()
}
