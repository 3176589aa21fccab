package guest

import (
	"bytes"
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
	"github.com/gopxeboot/gopxeboot/internal/bridging"
	"github.com/gopxeboot/gopxeboot/internal/wire"
	"golang.org/x/sys/unix"
)

// Conn is an Ethernet interface on which the child does DHCP.
type Conn interface {
	dhcpclient.FrameConn
	io.Closer
}

// Survey is what the child may do on the guest's bridge besides being the guest.
type Survey struct {
	MACs  []net.HardwareAddr // of made-up guests that it may speak as
	VLANs []uint16           // that it may ask in, too; 0 is to send without a tag
}

// The interfaces of a child that has dom0's network, by name. Another VLAN's is
// inVLAN.
const (
	guestConn  = "guest"
	otherVLANs = "other VLANs"
	bridgeConn = "bridge" // to ask past dom0's filters
)

func inVLAN(vlan uint16) string { return "vlan " + strconv.Itoa(int(vlan)) }

type relayEnd struct {
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
	conn   Conn
	child  *net.UnixConn
	name   string
	macs   map[[6]byte]bool // that the child may speak as
	files  bool             // it may ask for files, too
	ending sync.Once
	done   sync.WaitGroup
}

// newRelay begins to relay; theirs is the child's end. The conn is closed with
// the relay.
func newRelay(conn Conn, files bool, macs ...net.HardwareAddr) (r *relay, theirs *os.File, err error) {
	r = &relay{conn: conn, name: conn.String(), macs: map[[6]byte]bool{}, files: files}
	for _, mac := range macs {
		if len(mac) == 6 {
			r.macs[[6]byte(mac)] = true
		}
	}
	if r.child, theirs, err = socketPair(r.name); err != nil {
		conn.Close()
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
		r.conn.Close()
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
		n, err := r.conn.Read(frame)
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
		if _, err := r.conn.Write(frame[:n]); err != nil && !errors.Is(err, unix.ENOBUFS) {
			return
		}
	}
}

// allowed says whether a frame is ARP or a DHCP client's, without a VLAN tag, of
// a machine that the child may be. Else a child that was taken over could give
// other machines' leases back, or be taken for them by the bridge.
//
// Where it may ask for files: a request by TFTP from the DHCP client's port, so
// that the answers pass the filter for that one.
func (r *relay) allowed(frame []byte) bool {
	f, ok := wire.ParseFrame(frame)
	if !ok || len(f.Tags) > 0 || !r.macs[[6]byte(f.From)] {
		return false
	}
	if p, ok := wire.ParseARP(f); ok {
		return bytes.Equal(p.SenderMAC, f.From)
	}
	d, ok := wire.ParseDatagram(f)
	if !ok || d.Source.Port() != wire.PortDHCPClient {
		return false
	}
	if d.Destination.Port() == wire.PortTFTP {
		return r.files && bytes.HasPrefix(d.Payload, []byte{0, 1}) // RRQ
	}
	if d.Destination.Port() != wire.PortDHCPServer && d.Destination.Port() != wire.PortPXE {
		return false
	}
	m, ok := wire.ParseDHCP(d.Payload)
	relayed := ok && !m.GIAddr.IsUnspecified() // its answer goes to another machine
	return ok && m.Op == 1 && !relayed && bytes.Equal(m.CHAddr, f.From)
}

// openRelays opens what the child may receive on dom0's bridge. What a survey wants
// besides the guest's own is left out where it can't be had. What passes by here is
// not forwarded by the bridge and does not go through dom0's IP, so that dom0's
// firewall does not see it.
func (g *Guest) openRelays(b *bridge, spec Spec) (ends map[string]relayEnd, files []*os.File, err error) {
	macs := []net.HardwareAddr{spec.MAC}
	if spec.Survey != nil {
		macs = append(macs, spec.Survey.MACs...)
	}
	ends = make(map[string]relayEnd)
	add := func(key string, conn Conn, err error) error {
		if err != nil {
			return err
		}
		r, theirs, err := newRelay(conn, key == bridgeConn, macs...)
		if err != nil {
			return err
		}
		g.relays = append(g.relays, r)
		ends[key] = relayEnd{len(files), r.name}
		files = append(files, theirs)
		return nil
	}
	if vlan, ok := b.ownEnd(); ok && spec.Survey != nil {
		conn, err := listenOn(b.name, vlan)
		_ = add(bridgeConn, conn, err)
	}
	if g.Net == Own {
		return ends, files, nil
	}
	conn, err := listenOn(b.name, b.vlan)
	if err := add(guestConn, conn, err); err != nil || spec.Survey == nil {
		return ends, files, err
	}
	others, err := dhcpclient.Listen(b.name, dhcpclient.Config{VLAN: b.vlan, Promiscuous: true, OtherVLANs: true})
	_ = add(otherVLANs, others, err)
	for _, vlan := range spec.Survey.VLANs {
		conn, err := listenOn(b.name, vlan)
		_ = add(inVLAN(vlan), conn, err)
	}
	return ends, files, nil
}

// ownEnd is the tag by which dom0's end is in the guest's VLAN, 0 for none. Where the
// bridge filters VLANs, it may be in another one than a port that is new.
func (b *bridge) ownEnd() (tag uint16, ok bool) {
	if b.vlan != 0 || !bridging.Filters(b.index) {
		return b.vlan, true
	}
	return bridging.OwnEnd(b.index, bridging.DefaultPVID(b.index))
}

// listenOn opens dom0's end of a bridge, whose MAC is not the guest's.
func listenOn(bridge string, vlan uint16) (Conn, error) {
	return dhcpclient.Listen(bridge, dhcpclient.Config{VLAN: vlan, Promiscuous: true})
}

// Listen opens the guest's interface, in its own network for what is said to the
// client with that MAC, nil for all. It has to be called before Confine, as the others.
func (c *Child) Listen(client net.HardwareAddr) (Conn, error) {
	if c.OwnNet {
		return dhcpclient.Listen(c.Interface, dhcpclient.Config{Client: client})
	}
	return c.relayed(guestConn)
}

// ListenBridge opens dom0's end of the bridge, where a look may ask for files, too.
func (c *Child) ListenBridge() (Conn, error) { return c.relayed(bridgeConn) }

// ListenVLAN is Listen for another VLAN than the guest's; 0 is untagged frames.
func (c *Child) ListenVLAN(vlan uint16) (Conn, error) {
	switch {
	case !c.OwnNet:
		return c.relayed(inVLAN(vlan))
	case vlan == 0: // what is untagged on a port of our own is in the guest's VLAN
		return nil, errNotOpened
	}
	return dhcpclient.Listen(c.Interface, dhcpclient.Config{VLAN: vlan})
}

// ListenOthers listens to what DHCP servers say in all other VLANs.
func (c *Child) ListenOthers() (Conn, error) {
	if c.OwnNet {
		return dhcpclient.Listen(c.Interface, dhcpclient.Config{OtherVLANs: true})
	}
	return c.relayed(otherVLANs)
}

var errNotOpened = errors.New("it can't be listened to")

// relayed is the child's end of a relay.
func (c *Child) relayed(key string) (Conn, error) {
	end, ok := c.setup.Relays[key]
	if !ok {
		return nil, errNotOpened
	}
	conn, err := unixConn(os.NewFile(uintptr(end.FD), end.Name))
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", end.Name, err)
	}
	delete(c.setup.Relays, key)
	return &relayedConn{conn, end.Name}, nil
}

type relayedConn struct {
	*net.UnixConn
	name string
}

func (w *relayedConn) String() string { return w.name }

func (w *relayedConn) Read(b []byte) (int, error) {
	n, err := w.UnixConn.Read(b)
	return n, w.ended(err)
}

func (w *relayedConn) Write(b []byte) (int, error) {
	n, err := w.UnixConn.Write(b)
	return n, w.ended(err)
}

// ended says why the parent relays no more.
func (w *relayedConn) ended(err error) error {
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
