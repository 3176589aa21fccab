package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// hostInterface is what a host's only interface is called in its namespace.
const hostInterface = "eth0"

// vifMAC is what Xen gives the dom0 end of a vif: the bridge, which takes the
// lowest address of its ports, then keeps the one it has.
var vifMAC = net.HardwareAddr{0xfe, 0xff, 0xff, 0xff, 0xff, 0xff}

// HostConfig says what AddHost plugs into the bridge.
type HostConfig struct {
	Name    string           // for messages
	MAC     net.HardwareAddr // random when nil
	Address netip.Prefix     // none when zero
}

// Host is a machine on the bridge: a network namespace with one interface,
// eth0, and the loopback. Lab.Dom0 is one too, with the bridge itself.
type Host struct {
	Name    string
	MAC     net.HardwareAddr // nil for dom0
	Address netip.Prefix

	lab    *Lab
	ns     netns.NsHandle
	handle *netlink.Handle
	eth0   netlink.Link
	vif    netlink.Link // the bridge's end

	mu      sync.Mutex
	closed  bool
	closers []func() // stop what runs here, and wait for it
}

// AddHost plugs one more host into the bridge, and returns when the bridge
// forwards its frames. Close removes it.
func (l *Lab) AddHost(ctx context.Context, config HostConfig) (*Host, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, fmt.Errorf("add host %s: %w", config.Name, os.ErrClosed)
	}
	h := &Host{Name: config.Name, MAC: config.MAC, Address: config.Address, lab: l, ns: netns.None()}
	if err := h.plugIn(ctx, len(l.hosts)); err != nil {
		return nil, errors.Join(fmt.Errorf("add host %s: %w", config.Name, err), h.close())
	}
	l.hosts = append(l.hosts, h)
	return h, nil
}

func (h *Host) plugIn(ctx context.Context, number int) error {
	err := <-onThread(netns.None(), func() (err error) {
		h.ns, err = netns.New()
		return err
	})
	if err != nil {
		return err
	}
	if h.handle, err = netlink.NewHandleAt(h.ns, unix.NETLINK_ROUTE); err != nil {
		return err
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name = fmt.Sprintf("lab%d.%d", h.lab.bridge.Index, number)
	attrs.MasterIndex = h.lab.bridge.Index
	// The servers' port is to the bridge what dom0's network card is, whose
	// MAC it takes.
	if number > 1 {
		attrs.HardwareAddr = vifMAC
	}
	veth := netlink.NewVeth(attrs)
	veth.PeerName = hostInterface
	veth.PeerHardwareAddr = h.MAC
	veth.PeerNamespace = netlink.NsFd(h.ns)
	if err := netlink.LinkAdd(veth); err != nil {
		return err
	}
	h.vif = veth
	if h.eth0, err = h.handle.LinkByName(hostInterface); err != nil {
		return err
	}
	h.MAC = h.eth0.Attrs().HardwareAddr
	// Best effort: a kernel without IPv6 does not know the attribute.
	_ = netlink.LinkSetIP6AddrGenMode(h.vif, nl.IN6_ADDR_GEN_MODE_NONE)
	_ = h.handle.LinkSetIP6AddrGenMode(h.eth0, nl.IN6_ADDR_GEN_MODE_NONE)
	lo, err := h.handle.LinkByName("lo")
	if err != nil {
		return err
	}
	if h.Address.IsValid() {
		if err := h.handle.AddrAdd(h.eth0, address(h.Address)); err != nil {
			return err
		}
	}
	for _, link := range []netlink.Link{lo, h.eth0} {
		if err := h.handle.LinkSetUp(link); err != nil {
			return err
		}
	}
	if err := netlink.LinkSetUp(h.vif); err != nil {
		return err
	}
	return h.waitForwarding(ctx)
}

// waitForwarding returns when frames pass between the host and the bridge.
// Until the kernel has noticed that both ends of a veth are up it drops what
// is sent, and with spanning tree a port takes twice the forward delay.
func (h *Host) waitForwarding(ctx context.Context) error {
	for {
		eth0, err := h.handle.LinkByIndex(h.eth0.Attrs().Index)
		if err != nil {
			return err
		}
		bridge, err := netlink.LinkByIndex(h.lab.bridge.Index)
		if err != nil {
			return err
		}
		state, err := portState(h.vif.Attrs().Index)
		if err != nil {
			return err
		}
		if eth0.Attrs().OperState == netlink.OperUp && bridge.Attrs().OperState == netlink.OperUp && state == forwarding {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for its port to forward: %w", context.Cause(ctx))
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// forwarding is BR_STATE_FORWARDING of linux/if_bridge.h.
const forwarding = 3

// portState reads a bridge port's state, which the netlink package does not
// decode.
func portState(index int) (byte, error) {
	request := nl.NewNetlinkRequest(unix.RTM_GETLINK, 0)
	message := nl.NewIfInfomsg(unix.AF_UNSPEC)
	message.Index = int32(index)
	request.AddData(message)
	replies, err := request.Execute(unix.NETLINK_ROUTE, unix.RTM_NEWLINK)
	if err != nil {
		return 0, err
	}
	for _, reply := range replies {
		data := reply[unix.SizeofIfInfomsg:]
		for _, kind := range []uint16{unix.IFLA_LINKINFO, nl.IFLA_INFO_SLAVE_DATA, nl.IFLA_BRPORT_STATE} {
			if data, err = attribute(data, kind); err != nil {
				return 0, err
			}
		}
		if len(data) == 1 {
			return data[0], nil
		}
	}
	return 0, unix.ENODATA
}

func attribute(data []byte, kind uint16) ([]byte, error) {
	attributes, err := nl.ParseRouteAttr(data)
	if err != nil {
		return nil, err
	}
	for _, a := range attributes {
		if a.Attr.Type&^unix.NLA_F_NESTED == kind {
			return a.Value, nil
		}
	}
	return nil, unix.ENODATA
}

// Do runs f in the host's network namespace, on an OS thread of its own, and
// returns f's error. Sockets that f itself opens belong to the host for good;
// goroutines that f starts, and so what a net.Dialer or an http.Client opens,
// do not.
func (h *Host) Do(f func() error) error {
	return <-onThread(h.ns, f)
}

// onThread runs f on an OS thread that is in the namespace ns and ends with f.
func onThread(ns netns.NsHandle, f func() error) <-chan error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() == os.Getpid() {
			// Not the main thread: /proc/self/ns is its namespaces, and the
			// runtime can't end it. While this holds it, f gets another.
			done <- <-onThread(ns, f)
			runtime.UnlockOSThread()
			return
		}
		// Never unlocked, so the thread ends with this goroutine and nothing
		// else ever runs in this namespace by accident.
		if ns.IsOpen() {
			if err := netns.Set(ns); err != nil {
				done <- fmt.Errorf("enter network namespace: %w", err)
				return
			}
		}
		done <- f()
	}()
	return done
}

// onClose has the host call stop when it is closed, at once if it is already.
func (h *Host) onClose(stop func()) {
	h.mu.Lock()
	closed := h.closed
	if !closed {
		h.closers = append(h.closers, stop)
	}
	h.mu.Unlock()
	if closed {
		stop()
	}
}

func (h *Host) close() error {
	h.mu.Lock()
	h.closed = true
	closers := h.closers
	h.closers = nil
	h.mu.Unlock()

	var err error
	if h.vif != nil {
		// First, as a transfer under way then fails and need not be waited for.
		err = netlink.LinkDel(h.vif)
	}
	var stopped sync.WaitGroup
	for _, stop := range closers {
		stopped.Go(stop)
	}
	stopped.Wait()
	if h.handle != nil {
		h.handle.Close()
	}
	if h.ns.IsOpen() {
		err = errors.Join(err, h.ns.Close())
	}
	return err
}

// macOf is the MAC that the host knows for an address, nil when none.
func (h *Host) macOf(address netip.Addr) net.HardwareAddr {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed || h.eth0 == nil {
		return nil
	}
	neighbours, err := h.handle.NeighList(h.eth0.Attrs().Index, unix.AF_INET)
	if err != nil {
		return nil
	}
	for _, n := range neighbours {
		if bytes.Equal(n.IP.To4(), address.AsSlice()) {
			return n.HardwareAddr
		}
	}
	return nil
}
