package probe

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gopxeboot/gopxeboot/internal/wire"
	"github.com/insomniacslk/dhcp/dhcpv4"
)

// cable is a FrameConn whose other end is the test.
type cable struct {
	frames  chan []byte
	written chan []byte
}

var mac = net.HardwareAddr{0x00, 0x16, 0x3e, 0x72, 0x79, 0xe3}

func newCable() *cable { return &cable{make(chan []byte), make(chan []byte, 100)} }

func (c *cable) Read(b []byte) (int, error) {
	frame, ok := <-c.frames
	if !ok {
		return 0, io.EOF
	}
	return copy(b, frame), nil
}

func (c *cable) Write(frame []byte) (int, error) {
	c.written <- bytes.Clone(frame)
	return len(frame), nil
}

func (c *cable) SetReadDeadline(time.Time) error { return nil }
func (c *cable) String() string                  { return "cable" }

func TestSharedConn(t *testing.T) {
	c := newCable()
	w := shareConn(c)
	all := w.end(nil)
	some := w.end(func(frame []byte) bool { return frame[0] == 'b' })
	gone := w.end(nil)
	gone.stop()

	for _, frame := range []string{"a", "b", "c"} {
		c.frames <- []byte(frame)
	}
	read := func(e *sharedEnd) string {
		e.SetReadDeadline(time.Now().Add(10 * time.Second))
		b := make([]byte, 10)
		n, err := e.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		return string(b[:n])
	}
	if got := []string{read(all), read(all), read(all), read(some)}; !cmp.Equal(got, []string{"a", "b", "c", "b"}) {
		t.Errorf("got %q", got)
	}
	if len(gone.frames) > 0 {
		t.Error("who has stopped gets frames")
	}

	// A deadline that is moved ends the Read that is under way.
	ended := make(chan error)
	some.SetReadDeadline(time.Time{})
	go func() {
		_, err := some.Read(make([]byte, 10))
		ended <- err
	}()
	some.SetReadDeadline(time.Unix(1, 0))
	if err := <-ended; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v", err)
	}

	close(c.frames)
	all.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := all.Read(make([]byte, 10)); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("after the interface: %v", err)
	}
	if _, err := w.end(nil).Read(make([]byte, 10)); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("who comes after the interface: %v", err)
	}
}

// Who does not listen does not hold up the others.
func TestSharedConnOverrun(t *testing.T) {
	c := newCable()
	w := shareConn(c)
	idle := w.end(nil)
	for range 2 * cap(idle.frames) {
		c.frames <- []byte("x")
	}
	close(c.frames)
	for ended := false; !ended; runtime.Gosched() {
		w.mu.Lock()
		ended = w.ended
		w.mu.Unlock()
	}
	n := 0
	for range idle.frames {
		n++
	}
	if n != cap(idle.frames) {
		t.Errorf("%d frames of %d that there is room for", n, cap(idle.frames))
	}
}

func TestForMAC(t *testing.T) {
	mine := forMAC(mac)
	other := net.HardwareAddr{2, 0, 0, 0, 0, 9}
	offer := func(to net.HardwareAddr) []byte {
		return wire.Datagram{
			Source: netip.MustParseAddrPort("192.0.2.1:67"), Destination: netip.MustParseAddrPort("255.255.255.255:68"),
			Payload: (&dhcpv4.DHCPv4{OpCode: dhcpv4.OpcodeBootReply, HWType: 1, ClientHWAddr: to}).ToBytes(),
		}.Frame(other, wire.Broadcast)
	}
	for name, test := range map[string]struct {
		frame []byte
		want  bool
	}{
		"own":   {offer(mac), true},
		"other": {offer(other), false},
		"ARP":   {wire.WhoHas(netip.IPv4Unspecified(), other, netip.IPv4Unspecified()).Frame(), true},
		"short": {[]byte("short"), false},
	} {
		if got := mine(test.frame); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
		if got := isARP(test.frame); got != (name == "ARP") {
			t.Errorf("%s is ARP: %v", name, got)
		}
	}
}

func TestRandomMAC(t *testing.T) {
	for range 100 {
		if m := RandomMAC(); len(m) != 6 || m[0] != 0 || m[1] != 0x16 || m[2] != 0x3e || m[3] > 0x7f {
			t.Fatalf("%s is none of Xen's", m)
		}
	}
}

func TestLastOf(t *testing.T) {
	for in, want := range map[string]string{
		"192.168.1.10/24": "192.168.1.254", "192.168.1.254/24": "192.168.1.253", "10.0.0.1/8": "10.255.255.254", "192.168.1.5/29": "192.168.1.6",
	} {
		if got := lastOf(netip.MustParsePrefix(in)).String(); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

func TestIsGeneral(t *testing.T) {
	for name, want := range map[string]bool{
		"default": true, "C0A8": true, "C": true, "C0A801C7": false, "01-00-16-3e-72-79-e3": false, "564d1c4f-0a1b-4c3d-8e5f-a0b1c2d3e4f5": false,
	} {
		if got := isGeneral("tftp://192.0.2.1/pxelinux.cfg/" + name); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
