package labtest

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/bridging"
	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/mdlayher/packet"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Effect says what becomes of a frame on a cable: nothing, itself, several. It
// is called for one frame at a time.
type Effect func(frame []byte, toServer bool) [][]byte

// Cable unplugs what is on the lab's bridge, the servers' host, and plugs it in
// again with a cable that is a program: each frame goes through e.
//
//	server eth0 ── vif  (e)  end ── port of the bridge
func Cable(t testing.TB, l *lab.Lab, e Effect) {
	t.Helper()
	bridge, err := netlink.LinkByName(l.Bridge())
	Check(t, err)
	var vif string
	for _, link := range Ports(t, l) {
		Check(t, netlink.LinkSetNoMaster(link))
		vif = link.Attrs().Name
	}
	// Several labs may be in one namespace.
	port, end := fmt.Sprintf("port%d", bridge.Attrs().Index), fmt.Sprintf("end%d", bridge.Attrs().Index)
	attributes := netlink.NewLinkAttrs()
	attributes.Name, attributes.MasterIndex = port, bridge.Attrs().Index
	veth := &netlink.Veth{LinkAttrs: attributes, PeerName: end}
	Check(t, netlink.LinkAdd(veth))
	t.Cleanup(func() { netlink.LinkDel(veth) })
	for _, name := range []string{port, end} {
		link, err := netlink.LinkByName(name)
		Check(t, err)
		Check(t, netlink.LinkSetUp(link))
	}
	for _, name := range []string{port, end, vif, l.Bridge()} {
		Carrier(t, l.Dom0, name)
	}
	server, guests := Wire(t, vif), Wire(t, end)
	var one sync.Mutex
	pump := func(from, to *packet.Conn, toServer bool) {
		b := make([]byte, 4096)
		for {
			n, _, err := from.ReadFrom(b)
			if err != nil {
				return // closed
			}
			one.Lock()
			frames := e(summed(bytes.Clone(b[:n])), toServer)
			one.Unlock()
			for _, frame := range frames {
				if len(frame) >= 14 { // the kernel sends no less
					to.WriteTo(frame, &packet.Addr{HardwareAddr: frame[:6]})
				}
			}
		}
	}
	var pumps sync.WaitGroup
	pumps.Go(func() { pump(server, guests, false) })
	pumps.Go(func() { pump(guests, server, true) })
	t.Cleanup(func() {
		server.Close()
		guests.Close()
		pumps.Wait()
	})
}

// summed is a frame whose UDP checksum, which the kernel leaves to the network
// card that a veth has not, is the one that says that there is none (RFC 768).
func summed(frame []byte) []byte {
	const udp = 14 + 20
	if len(frame) >= udp+8 && frame[12] == 8 && frame[13] == 0 && frame[14] == 0x45 && frame[23] == unix.IPPROTO_UDP {
		frame[udp+6], frame[udp+7] = 0, 0
	}
	return frame
}

// SpanningTree switches the spanning tree protocol of the lab's bridge on, so
// that a new port forwards only after twice the delay, of 2 to 30 s.
func SpanningTree(t testing.TB, l *lab.Lab, delay time.Duration) {
	t.Helper()
	bridge := filepath.Join("/sys/class/net", l.Bridge(), "bridge")
	Check(t, os.WriteFile(filepath.Join(bridge, "forward_delay"), fmt.Append(nil, int(delay.Seconds()*100)), 0))
	Check(t, os.WriteFile(filepath.Join(bridge, "stp_state"), []byte("1"), 0))
}

// Ports are what is plugged into the lab's bridge.
func Ports(t testing.TB, l *lab.Lab) (ports []netlink.Link) {
	t.Helper()
	bridge, err := netlink.LinkByName(l.Bridge())
	Check(t, err)
	for _, link := range Links(t) {
		if link.Attrs().MasterIndex == bridge.Attrs().Index {
			ports = append(ports, link)
		}
	}
	return ports
}

// Links are all interfaces of this thread's namespace.
func Links(t testing.TB) []netlink.Link {
	t.Helper()
	list, err := bridging.Links()
	Check(t, err)
	return list
}

// Wire opens an interface of this thread's namespace for whole frames: those
// that arrive there, not those that are sent from there.
func Wire(t testing.TB, name string) *packet.Conn {
	t.Helper()
	ifi, err := net.InterfaceByName(name)
	Check(t, err)
	conn, err := packet.Listen(ifi, packet.Raw, unix.ETH_P_ALL, nil)
	Check(t, err)
	raw, err := conn.SyscallConn()
	Check(t, err)
	refused := raw.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1)
	})
	Check(t, errors.Join(refused, err))
	return conn
}

// AddAddress gives an interface of this thread's namespace an address more, and
// sets it up.
func AddAddress(name, cidr string) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	address, err := netlink.ParseAddr(cidr)
	if err != nil {
		return err
	}
	return errors.Join(netlink.AddrAdd(link, address), netlink.LinkSetUp(link))
}

// Carrier waits until an interface of the host has one.
func Carrier(t testing.TB, h *lab.Host, name string) {
	t.Helper()
	for begin := time.Now(); ; time.Sleep(time.Millisecond) {
		err := h.Do(func() error {
			link, err := netlink.LinkByName(name)
			if err == nil && link.Attrs().OperState != netlink.OperUp {
				err = fmt.Errorf("%s has no carrier", name)
			}
			return err
		})
		if err == nil {
			return
		}
		if time.Since(begin) > 10*time.Second {
			t.Fatal(err)
		}
	}
}
