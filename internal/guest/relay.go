package guest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/gopxeboot/gopxeboot/dhcpclient"
	"golang.org/x/sys/unix"
)

// Wire is an Ethernet interface on which the child does DHCP.
type Wire interface {
	dhcpclient.FrameConn
	io.Closer
}

// Survey is what the child may do on the guest's bridge beside being the guest.
type Survey struct {
	MACs  []net.HardwareAddr // of made-up guests that it may speak as
	VLANs []uint16           // that it may ask in, too; 0 is to send without a tag
}

// The wires of a child that has dom0's network, by name. Another VLAN's is
// wireOf.
const (
	guestWire     = "guest"
	elsewhereWire = "elsewhere"
)

func wireOf(vlan uint16) string { return "vlan " + strconv.Itoa(int(vlan)) }

// wireEnd is the child's end of a relay.
type wireEnd struct {
	FD   int
	Name string // of the interface, for messages
}

const (
	// maxFrame is the longest frame that is relayed, in bytes, as package
	// dhcpclient reads it.
	maxFrame = 2048
	// maxRate is how many frames a second a child can send, after a burst of as
	// many as in a second. Its own traffic is a handful; check --count has more.
	maxRate = 4000
	// relayBuffer is how many bytes of frames may wait for the child.
	relayBuffer = 1 << 20
)

// relay stands between the child and a packet socket on dom0's bridge. With a
// packet socket of its own the child could send anything from any interface of
// dom0's: a destination's index overrides what the socket is bound to
// (packet(7)), and a filter is for what comes in only.
type relay struct {
	wire   Wire
	child  *net.UnixConn
	name   string
	macs   map[[6]byte]bool // that the child may speak as
	ending sync.Once
	done   sync.WaitGroup
}

// newRelay begins to relay; theirs is the child's end. The wire is closed with
// the relay.
func newRelay(wire Wire, macs ...net.HardwareAddr) (r *relay, theirs *os.File, err error) {
	r = &relay{wire: wire, name: wire.String(), macs: map[[6]byte]bool{}}
	for _, mac := range macs {
		if len(mac) == 6 {
			r.macs[[6]byte(mac)] = true
		}
	}
	if r.child, theirs, err = socketPair(r.name); err != nil {
		wire.Close()
		return nil, nil, err
	}
	_ = r.child.SetWriteBuffer(relayBuffer) // what the kernel gives will do
	r.done.Go(r.toChild)
	r.done.Go(r.fromChild)
	return r, theirs, nil
}

// stop ends the relay of a child that is gone, when what that has sent is out.
func (r *relay) stop() {
	r.child.SetReadDeadline(time.Now().Add(time.Second))
	r.done.Wait()
}

func (r *relay) end() {
	r.ending.Do(func() {
		r.child.Close()
		r.wire.Close()
	})
}

// toChild passes on what arrives. A child that does not read loses it.
func (r *relay) toChild() {
	socket, err := r.child.SyscallConn()
	if err != nil {
		r.end()
		return
	}
	frame := make([]byte, maxFrame)
	for {
		n, err := r.wire.Read(frame)
		if err != nil {
			r.end()
			return
		}
		err = socket.Write(func(fd uintptr) bool {
			_, _ = unix.Write(int(fd), frame[:n])
			return true // also when there is no room
		})
		if err != nil {
			return
		}
	}
}

// fromChild sends what the child may say, and drops the rest.
func (r *relay) fromChild() {
	defer r.end()
	frame := make([]byte, maxFrame+1)
	const interval = time.Second / maxRate
	for next := time.Now(); ; {
		n, err := r.child.Read(frame) // without room for descriptors: those that it sends are gone
		switch {
		case errors.Is(err, syscall.ECONNRESET): // it ended with frames unread; its own are still there
			continue
		case err != nil:
			return
		}
		if least := time.Now().Add(-time.Second); next.Before(least) {
			next = least
		}
		next = next.Add(interval)
		time.Sleep(time.Until(next))
		if n > maxFrame || !r.allowed(frame[:n]) {
			continue
		}
		// A full queue (ENOBUFS) is a lost frame, and DHCP repeats those.
		if _, err := r.wire.Write(frame[:n]); err != nil && !errors.Is(err, unix.ENOBUFS) {
			return
		}
	}
}

// allowed says whether a frame is ARP or a DHCP client's, without a VLAN tag, of
// a machine that the child may be. Else a child that was taken over could give
// other machines' leases back, or be taken for them by the bridge.
func (r *relay) allowed(frame []byte) bool {
	const (
		ethernet, arp, udp = 14, 28, 8
		chaddr             = 28 // in a BOOTP message (RFC 951)
	)
	if len(frame) < ethernet+arp {
		return false
	}
	from := [6]byte(frame[6:12])
	if !r.macs[from] {
		return false
	}
	packet := frame[ethernet:]
	switch binary.BigEndian.Uint16(frame[12:]) {
	case unix.ETH_P_ARP: // a question or an answer for IPv4 on Ethernet (RFC 826)
		operation := binary.BigEndian.Uint16(packet[6:])
		return [6]byte(packet[:6]) == [6]byte{0, 1, 8, 0, 6, 4} && (operation == 1 || operation == 2) && [6]byte(packet[8:14]) == from
	case unix.ETH_P_IP:
		const fragment = 0x3fff // more fragments, or an offset
		header := int(packet[0]&0xf) * 4
		if packet[0]>>4 != 4 || header < 20 || packet[9] != unix.IPPROTO_UDP ||
			binary.BigEndian.Uint16(packet[6:])&fragment != 0 || len(packet) < header+udp+chaddr+6 {
			return false
		}
		datagram := packet[header:]
		source, destination := binary.BigEndian.Uint16(datagram), binary.BigEndian.Uint16(datagram[2:])
		message := datagram[udp:]
		relayed := [4]byte(message[24:28]) != [4]byte{} // giaddr: its answer goes to another machine
		return source == 68 && (destination == 67 || destination == 4011) &&
			message[0] == 1 && !relayed && [6]byte(message[chaddr:chaddr+6]) == from
	}
	return false
}

// openWires opens what the child may hear on dom0's bridge. What a survey wants
// beside the guest's own is left out where it can't be had.
func (g *Guest) openWires(b *bridge, spec Spec) (ends map[string]wireEnd, files []*os.File, err error) {
	macs := []net.HardwareAddr{spec.MAC}
	if spec.Survey != nil {
		macs = append(macs, spec.Survey.MACs...)
	}
	ends = make(map[string]wireEnd)
	add := func(key string, wire Wire, err error) error {
		if err != nil {
			return err
		}
		r, theirs, err := newRelay(wire, macs...)
		if err != nil {
			return err
		}
		g.relays = append(g.relays, r)
		ends[key] = wireEnd{len(files), r.name}
		files = append(files, theirs)
		return nil
	}
	wire, err := listenOn(b.name, b.vlan)
	if err := add(guestWire, wire, err); err != nil || spec.Survey == nil {
		return ends, files, err
	}
	elsewhere, err := dhcpclient.ListenElsewhere(b.name, b.vlan, true)
	_ = add(elsewhereWire, elsewhere, err)
	for _, vlan := range spec.Survey.VLANs {
		wire, err := listenOn(b.name, vlan)
		_ = add(wireOf(vlan), wire, err)
	}
	return ends, files, nil
}

// listenOn opens dom0's end of a bridge, whose MAC is not the guest's.
func listenOn(bridge string, vlan uint16) (Wire, error) {
	if vlan != 0 {
		return dhcpclient.ListenVLAN(bridge, vlan, true)
	}
	return dhcpclient.Listen(bridge, true)
}

// Listen opens the guest's wire. It has to be called before Confine, as the
// other two.
func (c *Child) Listen() (Wire, error) {
	if c.OwnNet {
		return dhcpclient.Listen(c.Interface, false)
	}
	return c.relayed(guestWire)
}

// ListenVLAN is Listen for another VLAN than the guest's; 0 is untagged frames.
func (c *Child) ListenVLAN(vlan uint16) (Wire, error) {
	switch {
	case !c.OwnNet:
		return c.relayed(wireOf(vlan))
	case vlan == 0: // what is untagged on a port of our own is in the guest's VLAN
		return nil, errNoWire
	}
	return dhcpclient.ListenVLAN(c.Interface, vlan, false)
}

// ListenElsewhere hears what DHCP servers say in all other VLANs.
func (c *Child) ListenElsewhere() (Wire, error) {
	if c.OwnNet {
		return dhcpclient.ListenElsewhere(c.Interface, 0, false)
	}
	return c.relayed(elsewhereWire)
}

var errNoWire = errors.New("it can't be listened to")

// relayed is the child's end of a relay.
func (c *Child) relayed(key string) (Wire, error) {
	end, ok := c.setup.Wires[key]
	if !ok {
		return nil, errNoWire
	}
	conn, err := unixConn(os.NewFile(uintptr(end.FD), end.Name))
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", end.Name, err)
	}
	delete(c.setup.Wires, key)
	return &relayedWire{conn, end.Name}, nil
}

type relayedWire struct {
	*net.UnixConn
	name string
}

func (w *relayedWire) String() string { return w.name }

func (w *relayedWire) Read(b []byte) (int, error) {
	n, err := w.UnixConn.Read(b)
	return n, w.ended(err)
}

func (w *relayedWire) Write(b []byte) (int, error) {
	n, err := w.UnixConn.Write(b)
	return n, w.ended(err)
}

// ended says why the parent relays no more.
func (w *relayedWire) ended(err error) error {
	if err == io.EOF || errors.Is(err, syscall.EPIPE) {
		return fmt.Errorf("%s is down, or gone", w.name)
	}
	return err
}

// lockFilters keeps a taken-over child from taking other frames by a packet
// socket that is open (socket(7), SO_LOCK_FILTER), whoever opened it.
func lockFilters() error {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}
	for _, e := range entries {
		fd, err := strconv.Atoi(e.Name())
		if err != nil {
			return err
		}
		// What is no socket has no domain, and the directory is closed by now.
		if domain, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN); err != nil || domain != unix.AF_PACKET {
			continue
		}
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_LOCK_FILTER, 1); err != nil {
			return err
		}
	}
	return nil
}
