//go:build !portable

package tftpget

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"runtime"
	"testing"
	"time"
)

// pair is a socket and the server that it is connected to.
func pair(t *testing.T) (*udpSocket, *net.UDPConn, context.CancelFunc) {
	t.Helper()
	server, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	ctx, cancel := context.WithCancel(t.Context())
	s, err := dial(ctx, server.LocalAddr().(*net.UDPAddr).AddrPort(), netip.Addr{})
	if err == nil {
		err = s.connect()
	}
	if err == nil {
		err = s.send([]byte("hello"))
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	return s, server, cancel
}

// A socket that watches for packets sees all that one sees which sleeps.
func TestWatch(t *testing.T) {
	for _, watching := range []bool{true, false} {
		t.Run(map[bool]string{true: "watching", false: "sleeping"}[watching], func(t *testing.T) {
			s, server, _ := pair(t)
			hello := make([]byte, 10)
			_, client, err := server.ReadFrom(hello)
			if err != nil {
				t.Fatal(err)
			}
			receive := func() (int, error) {
				s.watching = watching
				return s.receive(make([]byte, 4), time.Minute)
			}
			if _, err := server.WriteTo([]byte("ab"), client); err != nil {
				t.Fatal(err)
			}
			if n, err := receive(); n != 2 || err != nil {
				t.Errorf("a packet of 2 bytes: %d, %v", n, err)
			}
			if _, err := server.WriteTo([]byte("longer"), client); err != nil {
				t.Fatal(err)
			}
			if n, err := receive(); n != 6 || err != nil {
				t.Errorf("one that does not fit in: %d, %v", n, err)
			}

			// One that comes while nobody watches any more.
			time.AfterFunc(4*watchTime, func() { server.WriteTo([]byte("late"), client) })
			if n, err := receive(); n != 4 || err != nil {
				t.Errorf("a late packet: %d, %v", n, err)
			}
			s.watching = watching
			if n, err := s.receive(make([]byte, 4), time.Millisecond); !errors.Is(err, errQuiet) || s.watching {
				t.Errorf("silence: %d, %v, watching %v", n, err, s.watching)
			}

			// An empty one is none, and must not make the wait any longer.
			if _, err := server.WriteTo(nil, client); err != nil {
				t.Fatal(err)
			}
			s.watching = watching
			if n, err := s.receive(make([]byte, 4), time.Millisecond); !errors.Is(err, errQuiet) {
				t.Errorf("an empty packet: %d, %v", n, err)
			}

			server.Close()
			if err := s.send([]byte("anybody?")); err != nil {
				t.Fatal(err)
			}
			if _, err := receive(); !errors.Is(err, ErrNoServer) {
				t.Errorf("a server that is gone: %v", err)
			}
		})
		t.Run("and the context ends", func(t *testing.T) {
			s, server, cancel := pair(t)
			_, client, err := server.ReadFrom(make([]byte, 10))
			if err != nil {
				t.Fatal(err)
			}
			if watching { // also while there is always something to read
				for range 10 {
					if _, err := server.WriteTo([]byte("more"), client); err != nil {
						t.Fatal(err)
					}
				}
				s.watching = true
				cancel()
				for !s.ended.Load() {
					runtime.Gosched()
				}
			} else {
				time.AfterFunc(time.Millisecond, cancel)
			}
			for range 10 {
				if _, err = s.receive(make([]byte, 4), time.Minute); err != nil {
					break
				}
			}
			if !errors.Is(err, errHungUp) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestRepeat(t *testing.T) {
	s, server, _ := pair(t)
	server.SetReadDeadline(time.Now().Add(10 * time.Second))
	stop := s.repeat([]byte("again"), time.Millisecond)
	got := make([]byte, 10)
	for range 4 { // with the first packet, which was something else
		if _, err := server.Read(got); err != nil {
			t.Fatal(err)
		}
	}
	if string(got[:5]) != "again" {
		t.Errorf("got %q", got)
	}
	stop()
	if err := s.send([]byte("end")); err != nil {
		t.Fatal(err)
	}
	for string(got[:3]) != "end" {
		if _, err := server.Read(got); err != nil {
			t.Fatal(err)
		}
	}
	server.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	if n, err := server.Read(got); err == nil {
		t.Errorf("after stop %q", got[:n])
	}
}
