package guest

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gopxeboot/gopxeboot/internal/wire"
	"golang.org/x/sys/unix"
)

var (
	relayMAC = net.HardwareAddr{0x00, 0x16, 0x3e, 0x72, 0x79, 0xe3}
	strange  = net.HardwareAddr{0x00, 0x16, 0x3e, 1, 2, 3}
)

// dhcpFrame is a DISCOVER as a client sends it, with that much behind its header.
func dhcpFrame(mac net.HardwareAddr, more int) []byte {
	message := make([]byte, wire.DHCPHeader+more)
	copy(message, []byte{1, 1, 6})
	copy(message[28:], mac)
	return wire.Datagram{
		Source: netip.MustParseAddrPort("0.0.0.0:68"), Destination: netip.MustParseAddrPort("255.255.255.255:67"), Payload: message,
	}.Frame(mac, wire.Broadcast)
}

func arpFrame(mac net.HardwareAddr) []byte {
	return wire.WhoHas(netip.IPv4Unspecified(), mac, netip.IPv4Unspecified()).Frame()
}

func changed(frame []byte, at int, to ...byte) []byte {
	frame = bytes.Clone(frame)
	copy(frame[at:], to)
	return frame
}

// forged are frames that a child must not send, by what is wrong with them.
func forged() map[string][]byte {
	dhcp, arp := dhcpFrame(relayMAC, 0), arpFrame(relayMAC)
	options := slices.Concat(dhcp[:34], make([]byte, 4), dhcp[34:])
	options[14] = 0x46
	tagged := slices.Concat(dhcp[:12], []byte{0x81, 0, 0, 30}, dhcp[12:])
	return map[string][]byte{
		"nothing":                 {},
		"another's MAC":           dhcpFrame(strange, 0),
		"another's MAC in ARP":    arpFrame(strange),
		"dom0's MAC":              changed(dhcp, 6, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff),
		"a broadcast as source":   changed(dhcp, 6, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
		"another's lease":         changed(dhcp, 42+28, strange...),
		"a relay's":               changed(dhcp, 42+24, 192, 168, 1, 1),
		"a server's":              changed(dhcp, 42, 2),
		"from port 67":            changed(dhcp, 34, 0, 67),
		"to port 68":              changed(dhcp, 36, 0, 68),
		"to DNS":                  changed(dhcp, 36, 0, 53),
		"TCP":                     changed(dhcp, 14+9, unix.IPPROTO_TCP),
		"a fragment":              changed(dhcp, 14+6, 0x20, 0),
		"IPv6":                    changed(dhcp, 12, 0x86, 0xdd),
		"no IPv4":                 changed(dhcp, 14, 0x65),
		"a header too short":      changed(dhcp, 14, 0x44),
		"a header past its end":   changed(dhcp, 14, 0x4f),
		"another port behind it":  options[:len(options)-5],
		"a tag":                   tagged,
		"a tag before ARP":        slices.Concat(arp[:12], []byte{0x81, 0, 0, 30}, arp[12:]),
		"cut DHCP":                dhcp[:len(dhcp)-1],
		"cut ARP":                 arp[:41],
		"ARP in another's name":   changed(arp, 22, strange...),
		"ARP of another protocol": changed(arp, 16, 0x86, 0xdd),
		"reverse ARP's question":  changed(arp, 20, 0, 3),
		"spanning tree":           changed(dhcp, 12, 0, 38),
		"too long":                dhcpFrame(relayMAC, maxFrame),
	}
}

// A child that looks with a port of its own may ask for files past dom0's filters,
// and nothing else more than any.
func TestRelayOfFiles(t *testing.T) {
	request := func(mac net.HardwareAddr, from, to uint16, payload string) []byte {
		return wire.Datagram{
			Source: netip.AddrPortFrom(netip.MustParseAddr("192.168.1.199"), from), Destination: netip.AddrPortFrom(netip.MustParseAddr("192.168.1.166"), to), Payload: []byte(payload),
		}.Frame(mac, strange)
	}
	asks := request(relayMAC, 68, 69, "\x00\x01pxelinux.0\x00octet\x00")
	for _, files := range []bool{false, true} {
		r := &relay{macs: map[[6]byte]bool{[6]byte(relayMAC): true}, files: files}
		if r.allowed(asks) != files {
			t.Errorf("asks for a file where that is %v", files)
		}
		for name, frame := range forged() {
			if len(frame) <= maxFrame && r.allowed(frame) { // others are never looked at
				t.Errorf("%s is sent", name)
			}
		}
		for name, frame := range map[string][]byte{
			"another's request":     request(strange, 68, 69, "\x00\x01pxelinux.0\x00octet\x00"),
			"from another port":     request(relayMAC, 1234, 69, "\x00\x01pxelinux.0\x00octet\x00"),
			"to another port":       request(relayMAC, 68, 1234, "\x00\x01pxelinux.0\x00octet\x00"),
			"a request to write":    request(relayMAC, 68, 69, "\x00\x02pxelinux.0\x00octet\x00"),
			"nothing is asked for":  request(relayMAC, 68, 69, ""),
			"with a tag":            slices.Concat(asks[:12], []byte{0x81, 0, 0, 30}, asks[12:]),
			"in a frame that's cut": asks[:40],
		} {
			if r.allowed(frame) {
				t.Errorf("%s is sent", name)
			}
		}
	}
}

// cable is a Conn whose other end is the test.
type cable struct {
	in     chan []byte
	out    chan []byte
	closed chan struct{}
	fails  error
}

func newCable() *cable {
	return &cable{make(chan []byte), make(chan []byte, 100), make(chan struct{}), nil}
}

func (c *cable) Read(b []byte) (int, error) {
	select {
	case frame := <-c.in:
		return copy(b, frame), nil
	case <-c.closed:
		return 0, net.ErrClosed
	}
}

func (c *cable) Write(frame []byte) (int, error) {
	c.out <- bytes.Clone(frame)
	return len(frame), c.fails
}

func (c *cable) Close() error                    { close(c.closed); return nil }
func (c *cable) SetReadDeadline(time.Time) error { return nil }
func (c *cable) String() string                  { return "cable" }

// relayTo is a relay to a cable, and the child's end.
func relayTo(t *testing.T, c *cable, macs ...net.HardwareAddr) (*relay, Conn) {
	t.Helper()
	r, theirs, err := newRelay(c, false, macs...)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := unixConn(theirs)
	if err != nil {
		t.Fatal(err)
	}
	child := &relayedConn{conn, r.name}
	t.Cleanup(func() { child.Close(); r.stop() })
	return r, child
}

// What the child may send arrives, and in its order; the rest does not.
func TestRelay(t *testing.T) {
	c := newCable()
	_, child := relayTo(t, c, relayMAC, net.HardwareAddr{1})
	send := func(frame []byte) {
		t.Helper()
		if _, err := child.Write(frame); err != nil {
			t.Fatal(err)
		}
	}
	for what, frame := range forged() {
		if what == "nothing" { // is the end
			continue
		}
		send(frame)
	}
	options := slices.Concat(dhcpFrame(relayMAC, 0)[:34], make([]byte, 4), dhcpFrame(relayMAC, 0)[34:])
	options[14], options[17] = 0x46, options[17]+4
	honest := [][]byte{
		dhcpFrame(relayMAC, 0), dhcpFrame(relayMAC, 1232), arpFrame(relayMAC), options,
		changed(dhcpFrame(relayMAC, 0), 36, 4011>>8, 4011&0xff), // PXE 2.1 §2.2
		changed(dhcpFrame(relayMAC, 0), 0, strange...),
	}
	var got [][]byte
	for _, frame := range honest {
		send(frame)
		got = append(got, <-c.out)
	}
	if diff := cmp.Diff(honest, got); diff != "" {
		t.Errorf("sent (-want +got):\n%s", diff)
	}
	c.in <- []byte("an answer")
	buffer := make([]byte, 100)
	if n, err := child.Read(buffer); err != nil || string(buffer[:n]) != "an answer" {
		t.Errorf("read %q, %v", buffer[:n], err)
	}
	child.SetReadDeadline(time.Unix(1, 0))
	if _, err := child.Read(buffer); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read past the deadline: %v", err)
	}
}

// A relay ends with either side, and leaves no goroutine. What the child sent
// before is still sent.
func TestRelayEnds(t *testing.T) {
	t.Run("child", func(t *testing.T) {
		c := newCable()
		r, child := relayTo(t, c, relayMAC)
		c.in <- []byte("unread, which makes the parent's next read fail")
		for range 20 {
			if _, err := child.Write(arpFrame(relayMAC)); err != nil {
				t.Fatal(err)
			}
		}
		child.Close()
		r.done.Wait()
		<-c.closed
		if len(c.out) != 20 {
			t.Errorf("%d frames were sent, want 20", len(c.out))
		}
	})
	t.Run("interface", func(t *testing.T) {
		c := newCable()
		c.fails = unix.ENETDOWN
		r, child := relayTo(t, c, relayMAC)
		if _, err := child.Write(arpFrame(relayMAC)); err != nil {
			t.Fatal(err)
		}
		r.done.Wait()
		for name, err := range map[string]error{
			"read":  func() error { _, err := child.Read(make([]byte, 10)); return err }(),
			"write": func() error { _, err := child.Write(arpFrame(relayMAC)); return err }(),
		} {
			if err == nil || err.Error() != "cable is down, or gone" {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
	t.Run("full queue", func(t *testing.T) {
		c := newCable()
		c.fails = unix.ENOBUFS
		_, child := relayTo(t, c, relayMAC)
		for range 2 {
			if _, err := child.Write(arpFrame(relayMAC)); err != nil {
				t.Fatal(err)
			}
			<-c.out
		}
	})
	t.Run("a child that does not read", func(t *testing.T) {
		c := newCable()
		r, child := relayTo(t, c, relayMAC)
		frame := make([]byte, 1500)
		for range 4 * relayBuffer / len(frame) {
			c.in <- frame // is lost, and holds nothing up
		}
		if _, err := child.Write(arpFrame(relayMAC)); err != nil {
			t.Fatal(err)
		}
		<-c.out
		child.Close()
		r.done.Wait()
	})
	t.Run("stop", func(t *testing.T) {
		c := newCable()
		r, child := relayTo(t, c, relayMAC)
		child.Close()
		r.stop()
		r.stop()
		if _, err := child.Read(nil); errors.Is(err, io.EOF) {
			t.Error("it is open")
		}
	})
}

// However fast the child sends, the interface gets so many frames a second.
func TestRelayRate(t *testing.T) {
	c := newCable()
	c.out = make(chan []byte, 3*maxRate)
	r, child := relayTo(t, c, relayMAC)
	begin := time.Now()
	const frames = maxRate + maxRate/4
	for range frames {
		if _, err := child.Write(arpFrame(relayMAC)); err != nil {
			t.Fatal(err)
		}
	}
	child.Close()
	r.done.Wait()
	if took := time.Since(begin); took < time.Second/4 || len(c.out) != frames {
		t.Errorf("%d frames in %v", len(c.out), took)
	}
}
