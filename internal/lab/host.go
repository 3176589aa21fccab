package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/bridging"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// HostInterface is what a host's only interface is called in its namespace.
const HostInterface = "eth0"

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
		attrs.HardwareAddr = bridging.VIFMAC
	}
	pair := netlink.NewVeth(attrs)
	pair.PeerName = HostInterface
	pair.PeerHardwareAddr = h.MAC
	pair.PeerNamespace = netlink.NsFd(h.ns)
	if err := netlink.LinkAdd(pair); err != nil {
		return err
	}
	h.vif = pair
	if h.eth0, err = h.handle.LinkByName(HostInterface); err != nil {
		return err
	}
	h.MAC = h.eth0.Attrs().HardwareAddr
	if h.Address.IsValid() {
		if err := h.handle.AddrAdd(h.eth0, address(h.Address)); err != nil {
			return err
		}
	}
	veth := bridging.Veth{Host: h.vif, Inside: h.handle, Guest: h.eth0}
	if err := veth.Raise(); err != nil {
		return err
	}
	err = veth.WaitForwarding(ctx, func() (bridging.State, error) { return bridging.PortState(h.vif.Attrs().Index) })
	if err != nil {
		return err
	}
	return h.lab.waitCarrier(ctx)
}

// waitCarrier returns when frames pass between the bridge and dom0 itself: the
// kernel notices a moment later that it has a port.
func (l *Lab) waitCarrier(ctx context.Context) error {
	for {
		bridge, err := netlink.LinkByIndex(l.bridge.Index)
		if err != nil {
			return err
		}
		if bridge.Attrs().OperState == netlink.OperUp {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the bridge to be up: %w", context.Cause(ctx))
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// Do runs f in the host's network namespace, on an OS thread of its own, and
// returns f's error. Sockets that f itself opens belong to the host for good;
// goroutines that f starts, and so what a net.Dialer or an http.Client opens,
// do not.
func (h *Host) Do(f func() error) error {
	return <-onThread(h.ns, f)
}

// Run runs a command on the host, for instance a user's on Lab.Dom0, and
// returns what cmd.Wait returns. The command ends with this process.
func (h *Host) Run(cmd *exec.Cmd) error {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = new(syscall.SysProcAttr)
	}
	// It comes when the thread that forked ends, so that one waits, too.
	cmd.SysProcAttr.Pdeathsig = unix.SIGKILL
	return h.Do(func() error {
		if err := cmd.Start(); err != nil {
			return fmt.Errorf("run %s on %s: %w", cmd.Path, h.Name, err)
		}
		return cmd.Wait()
	})
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

// OnClose has the host call stop when the lab is closed, after what was told it
// later; at once if it is closed already.
func (h *Host) OnClose(stop func()) {
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
	for _, stop := range slices.Backward(closers) {
		stop()
	}
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
