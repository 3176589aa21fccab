package oracle

import (
	"bufio"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"
)

// serveFTP serves root to everybody who logs in, as far as a client needs it
// that only fetches: RFC 959, passive.
func (r *recorder) serveFTP(l net.Listener, root string) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			s := ftpSession{r: r, root: root, control: conn}
			defer s.endData()
			s.say("220 the oracle")
			for lines := bufio.NewScanner(conn); lines.Scan(); {
				verb, argument, _ := strings.Cut(strings.TrimRight(lines.Text(), "\r"), " ")
				if !s.obey(strings.ToUpper(verb), argument) {
					return
				}
			}
		}()
	}
}

// ftpSession is one control connection.
type ftpSession struct {
	r       *recorder
	root    string
	control net.Conn
	data    net.Listener // where the client is expected for the next file
}

func (s *ftpSession) say(format string, args ...any) {
	fmt.Fprintf(s.control, format+"\r\n", args...)
}

// obey does what the client says, and reports whether it may say more.
func (s *ftpSession) obey(verb, argument string) bool {
	switch verb {
	case "USER":
		s.say("331 and the password?")
	case "PASS":
		s.say("230 welcome")
	case "TYPE":
		s.say("200 as you like")
	case "PASV":
		s.passive()
	case "RETR":
		s.retrieve(argument)
	case "QUIT":
		s.say("221 farewell")
		return false
	default:
		s.say("502 not here")
	}
	return true
}

// passive says where to come for the data.
func (s *ftpSession) passive() {
	s.endData()
	here := netip.MustParseAddrPort(s.control.LocalAddr().String()).Addr()
	var err error
	if s.data, err = net.Listen("tcp4", net.JoinHostPort(here.String(), "0")); err != nil {
		s.say("425 no port")
		return
	}
	port := netip.MustParseAddrPort(s.data.Addr().String()).Port()
	s.say("227 Entering Passive Mode (%s,%d,%d)", strings.ReplaceAll(here.String(), ".", ","), port>>8, port&0xff)
}

func (s *ftpSession) endData() {
	if s.data != nil {
		s.data.Close()
		s.data = nil
	}
}

// retrieve sends a file, and records that it was asked for.
func (s *ftpSession) retrieve(name string) {
	here := netip.MustParseAddrPort(s.control.LocalAddr().String()).Addr()
	request := Request{File: "ftp://" + here.String() + "/" + name, Result: Absent}
	content, err := os.ReadFile(s.root + "/" + name)
	if err == nil {
		request.Result = foundOf(content)
	}
	s.r.note(request)
	switch {
	case err != nil:
		s.say("550 not here")
		return
	case s.data == nil:
		s.say("425 say PASV first")
		return
	}
	defer s.endData()
	s.data.(*net.TCPListener).SetDeadline(time.Now().Add(10 * time.Second))
	s.say("150 here it comes")
	conn, err := s.data.Accept()
	if err != nil {
		s.say("425 nobody came")
		return
	}
	_, err = conn.Write(content)
	conn.Close()
	if err != nil {
		s.say("426 broken off")
		return
	}
	s.say("226 that was it")
}
