package guest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/bridging"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// ErrNoBridge is what Start's error wraps when the bridge is not there, or
// was not named and can't be guessed.
var ErrNoBridge = errors.New("no such bridge")

// DownError is that the bridge is down: no frame would get through, ever.
type DownError struct{ Name string }

func (e *DownError) Error() string { return e.Name + " is down" }

const (
	// defaultBridge is what libxl gives a vif without bridge= (libxl_nic.c,
	// libxl__device_nic_setdefault).
	defaultBridge = "xenbr0"
	// portPrefix and the child's pid are the name of its port on the bridge.
	portPrefix = "gpx"
	// guestInterface is the child's end of the veth, in its own namespace.
	guestInterface = "eth0"
)

// PortError is that the bridge which was named is a port of one: its frames are that
// one's, and it can't have ports itself. It is an ErrNoBridge.
type PortError struct {
	Name, Of string
	Try      string // what to name instead; "" where that is not known
}

func (e *PortError) Error() string {
	text := fmt.Sprintf("%v: %s is a port of %s", ErrNoBridge, e.Name, e.Of)
	if e.Try != "" {
		text += ": " + e.Try
	}
	return text
}

func (e *PortError) Unwrap() error { return ErrNoBridge }

type bridge struct {
	name  string
	index int
	mtu   int
	kind  string
	up    bool
	linux bool         // a Linux bridge, not Open vSwitch or something else
	vlan  uint16       // where the guest is on it; 0 for no VLAN
	ovs   *openVSwitch // set when it is to be plugged in there
}

// findBridge looks the bridge up, or chooses one when name is empty. A name like
// xenbr0.20 is a device's or, when there is none, VLAN 20 on xenbr0.
func findBridge(name string, vlan uint16) (*bridge, error) {
	if vlan > 4094 {
		return nil, fmt.Errorf("VLAN %d is not between 1 and 4094", vlan)
	}
	if name == "" {
		return guessBridge(vlan)
	}
	link, err := netlink.LinkByName(name)
	if err != nil {
		if _, missing := errors.AsType[netlink.LinkNotFoundError](err); missing {
			if trunk, n, ok := splitVLAN(name); ok {
				if vlan != 0 && vlan != n {
					return nil, fmt.Errorf("%w: there is no device %s, and VLAN %d is not in its name", ErrNoBridge, name, vlan)
				}
				if b, err := findBridge(trunk, n); err == nil {
					return b, nil
				}
			}
			return nil, fmt.Errorf("%w: %s (there are: %s)", ErrNoBridge, name, listBridges())
		}
		return nil, fmt.Errorf("look up bridge %s: %w", name, err)
	}
	attrs := link.Attrs()
	if err := portOf(link); err != nil {
		return nil, err
	}
	return &bridge{name: attrs.Name, up: attrs.Flags&net.FlagUp != 0, index: attrs.Index, mtu: attrs.MTU, kind: link.Type(), linux: link.Type() == "bridge", vlan: vlan}, nil
}

// portOf is what a device is a port of, and what to write instead; nil for none.
func portOf(link netlink.Link) error {
	master := link
	for range 4 { // a port of a bond of a bridge
		index := master.Attrs().MasterIndex
		if index == 0 {
			break
		}
		above, err := netlink.LinkByIndex(index)
		if err != nil || above.Type() == "vrf" { // which a bridge may be in
			break
		}
		master = above
	}
	port, name := link.Attrs().Name, master.Attrs().Name
	switch {
	case name == port:
		return nil
	case master.Type() == "bridge":
		return &PortError{port, name, "say bridge=" + name}
	case master.Type() == "openvswitch": // ovs-system, which is all of its bridges
		return &PortError{port, "a bridge of Open vSwitch", "ovs-vsctl port-to-br " + port + " says which"}
	default:
		return &PortError{port, name + ", which is no bridge", ""}
	}
}

func guessBridge(vlan uint16) (*bridge, error) {
	names := bridging.Names()
	for _, name := range names {
		if name == defaultBridge {
			return findBridge(name, vlan)
		}
	}
	if len(names) == 1 {
		return findBridge(names[0], vlan)
	}
	return nil, fmt.Errorf("%w: name the guest's one as bridge=NAME in the vif or with --bridge (there are: %s)", ErrNoBridge, listBridges())
}

func listBridges() string {
	if names := bridging.Names(); len(names) > 0 {
		return strings.Join(names, ", ")
	}
	return "none"
}

// choose decides for Auto, and says why.
func (b *bridge) choose() (Net, string) {
	if b.ovs != nil {
		return Own, fmt.Sprintf("%s is a bridge of Open vSwitch", b.name)
	}
	if stp, err := bridging.STP(b.index); err == nil && stp {
		if delay, err := bridging.ForwardDelay(b.index); err != nil || delay != 0 {
			return Dom0, fmt.Sprintf("%s runs STP: a new port would not forward at once", b.name)
		}
	}
	if b.vlan != 0 && !bridging.Filters(b.index) && !vlanDevices() {
		return Dom0, fmt.Sprintf("VLAN %d on %s: this kernel has no VLAN devices (8021q)", b.vlan, b.name)
	}
	return Own, fmt.Sprintf("%s is a Linux bridge that forwards at once", b.name)
}

// livePortOf names the port behind which the bridge knows the MAC, but for the
// port of a child that was just killed: that one is on its way out, and goes
// soon after the child.
func (b *bridge) livePortOf(ctx context.Context, mac net.HardwareAddr) string {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	for {
		port := bridging.PortOf(b.index, mac)
		if !strings.HasPrefix(port, portPrefix) {
			return port
		}
		select {
		case <-ctx.Done():
			return port
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// port is a veth with one end in the bridge and the other in the child, or in a
// trunk's namespace.
type port struct {
	bridge *bridge
	host   netlink.Link
	trunk  *trunk // nil for none
	child  *netlink.Handle
	eth0   netlink.Link // the child's
}

// addPort gives the child of that pid an interface with the guest's MAC on the
// bridge, and returns when the bridge forwards its frames.
func (b *bridge) addPort(ctx context.Context, pid int, mac net.HardwareAddr) (*port, error) {
	wrap := func(err error) error {
		if errors.Is(err, os.ErrPermission) {
			return errors.New("not enough privileges to plug into " + b.name + ": run as root")
		}
		return fmt.Errorf("plug into bridge %s: %w", b.name, err)
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name = fmt.Sprintf("%s%d", portPrefix, pid)
	attrs.MTU = b.mtu
	if b.ovs == nil {
		attrs.MasterIndex = b.index
	}
	attrs.HardwareAddr = bridging.VIFMAC
	veth := netlink.NewVeth(attrs)
	veth.PeerName = guestInterface
	veth.PeerHardwareAddr = mac
	veth.PeerNamespace = netlink.NsPid(pid)
	p := &port{host: veth, bridge: b}
	access := b.vlan != 0 && b.ovs == nil && bridging.Filters(b.index)
	if b.vlan != 0 && b.ovs == nil && !access {
		var err error
		if p.trunk, err = newTrunk(); err != nil {
			return nil, wrap(err)
		}
		veth.PeerName, veth.PeerNamespace = trunkInterface, netlink.NsFd(p.trunk.ns)
	}
	if err := netlink.LinkAdd(veth); err != nil {
		p.trunk.close()
		return nil, wrap(err)
	}
	err := p.trunk.tag(pid, b.vlan)
	if err == nil {
		err = p.raise(pid)
	}
	switch {
	case err != nil:
	case b.ovs != nil:
		err = b.ovs.addPort(ctx, b.name, attrs.Name, b.vlan)
	case access:
		err = p.accessPort(b.vlan)
	}
	if err == nil {
		err = p.veth().WaitForwarding(ctx, p.portState)
	}
	if err != nil {
		p.remove(false)
		return nil, wrap(err)
	}
	return p, nil
}

func (p *port) raise(pid int) error {
	ns, err := netns.GetFromPid(pid)
	if err != nil {
		return err
	}
	defer ns.Close()
	if p.child, err = handleIn(ns); err != nil {
		return err
	}
	if p.eth0, err = p.child.LinkByName(guestInterface); err != nil {
		return err
	}
	return p.veth().Raise()
}

// handleIn is a netlink socket in a namespace, made by a thread that goes there and
// back. netlink.NewHandleAt does the same by way of /proc/PID/task/TID. What was
// looked up there a thread that ends has to forget, and whoever waits for this
// process spins until it has (release_task, d_invalidate): where many end at once, on
// few CPUs, for longer than all the rest takes.
func handleIn(ns netns.NsHandle) (h *netlink.Handle, err error) {
	here, err := netns.GetFromPath("/proc/self/ns/net")
	if err != nil {
		return nil, err
	}
	defer here.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		if err = netns.Set(ns); err == nil {
			h, err = netlink.NewHandle(unix.NETLINK_ROUTE)
		}
		if netns.Set(here) == nil {
			runtime.UnlockOSThread() // else the thread ends with this goroutine
		}
	}()
	<-done
	return h, err
}

func (p *port) veth() bridging.Veth {
	return bridging.Veth{Host: p.host, Inside: p.child, Guest: p.eth0}
}

// portState is the state of the bridge's port. Open vSwitch shows none to the
// kernel; there ovs-vsctl returned when the port was in use.
func (p *port) portState() (bridging.State, error) {
	if p.bridge.ovs != nil {
		return bridging.Forwarding, nil
	}
	return bridging.PortState(p.host.Attrs().Index)
}

// minMTU is the length of packets that every host must take (RFC 791 §3.1).
const minMTU = 576

func (p *port) configure(address netip.Prefix, router netip.Addr, mtu int) error {
	if mtu >= minMTU && mtu <= p.bridge.mtu {
		if err := p.child.LinkSetMTU(p.eth0, mtu); err != nil {
			return fmt.Errorf("set the leased MTU %d: %w", mtu, err)
		}
	}
	ip := address.Addr().AsSlice()
	mask := net.CIDRMask(address.Bits(), address.Addr().BitLen())
	if err := p.child.AddrAdd(p.eth0, &netlink.Addr{IPNet: &net.IPNet{IP: ip, Mask: mask}}); err != nil {
		return fmt.Errorf("set the leased address %s: %w", address, err)
	}
	switch {
	case !router.IsValid():
		return nil
	case router == address.Addr():
		return &RouterError{router, errors.New("it is the leased address itself")}
	}
	// Onlink: a router outside the leased network is legal where the netmask
	// is 255.255.255.255.
	route := &netlink.Route{LinkIndex: p.eth0.Attrs().Index, Gw: router.AsSlice(), Flags: int(netlink.FLAG_ONLINK)}
	if err := p.child.RouteAdd(route); err != nil {
		return &RouterError{router, err}
	}
	return nil
}

// A RouterError says why a router is of no use. The leased network can be
// reached all the same.
type RouterError struct {
	Router netip.Addr
	Err    error
}

func (e *RouterError) Error() string {
	return fmt.Sprintf("the router %s can't be used: %v", e.Router, e.Err)
}

func (e *RouterError) Unwrap() error { return e.Err }

// remove unplugs. The veth goes with its namespace by itself, but later than
// the child, and minutes later where a TCP connection is left; a toolstack that
// looks at the bridge next should not see it.
//
// To leave it means that it is taken off the bridge only, and that somebody
// else removes it: the kernel takes 10 ms of RCU grace periods for that.
func (p *port) remove(leave bool) error {
	if p.child != nil {
		p.child.Close()
	}
	defer p.trunk.close()
	name := p.host.Attrs().Name
	var left error
	if ovs := p.bridge.ovs; ovs != nil {
		// Also when the boot was cancelled; ovs-vsctl ends by itself.
		left = ovs.unplug(context.Background(), p.bridge.name, name)
	}
	if leave && p.bridge.linux && netlink.LinkSetNoMaster(p.host) == nil {
		return nil
	}
	err := netlink.LinkDel(p.host)
	if err == nil || gone(err) {
		return left
	}
	return errors.Join(left, fmt.Errorf("unplug %s: %w", name, err))
}

// gone tells of the error that there is no such interface.
func gone(err error) bool {
	_, missing := errors.AsType[netlink.LinkNotFoundError](err)
	return missing || errors.Is(err, unix.ENODEV) || errors.Is(err, unix.EINVAL)
}

// FindBridge is the bridge and the VLAN that Start takes for these: the name of
// an existing device, and 0 for no VLAN. The error wraps ErrNoBridge when there
// is none.
func FindBridge(name string, vlan uint16) (string, uint16, error) {
	b, err := findBridge(name, vlan)
	if err != nil {
		return "", 0, err
	}
	return b.name, b.vlan, nil
}
