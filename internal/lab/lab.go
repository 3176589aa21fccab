package lab

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"github.com/vishvananda/netns"
)

// ErrOutside is what New returns in a process that is not in namespaces made
// by Enter, where it would change the machine's own network.
var ErrOutside = errors.New("not in the lab's namespaces")

// ServersAddress is the address of the "servers" host when Config names none:
// the server's of the Xen PXE boot howto.
var ServersAddress = netip.MustParsePrefix("192.168.1.166/24")

// Config says what New builds. The zero value is the usual lab.
type Config struct {
	Bridge  string       // the bridge's name; xenbr0 when empty
	Dom0    netip.Prefix // dom0's own address on the bridge; none when zero
	Servers netip.Prefix // the servers' address; ServersAddress when zero

	// OnRequest, when not nil, is called for each request that an embedded
	// server has answered, from several goroutines.
	OnRequest func(Request)
}

// Lab is a bridge and the hosts on it. Its methods may be called from several
// goroutines.
type Lab struct {
	Dom0    *Host // this process's own namespace
	Servers *Host // where the servers are

	bridge  *netlink.Bridge
	journal journal

	mu     sync.Mutex
	closed bool
	hosts  []*Host
}

// New builds a lab in the current network namespace, which must be one that
// Enter made. Close removes it. ctx bounds the building only.
func New(ctx context.Context, config Config) (*Lab, error) {
	if !inside() {
		return nil, fmt.Errorf("%w: call lab.Enter first", ErrOutside)
	}
	config.Bridge = cmp.Or(config.Bridge, "xenbr0")
	if !config.Servers.IsValid() {
		config.Servers = ServersAddress
	}
	l := &Lab{journal: journal{onRequest: config.OnRequest}}
	if err := l.build(ctx, config); err != nil {
		return nil, errors.Join(fmt.Errorf("build the lab: %w", err), l.Close())
	}
	return l, nil
}

func (l *Lab) build(ctx context.Context, config Config) error {
	ns, err := netns.Get()
	if err != nil {
		return err
	}
	l.Dom0 = &Host{Name: "dom0", Address: config.Dom0, lab: l, ns: ns}
	l.hosts = append(l.hosts, l.Dom0)
	if err := l.addBridge(config); err != nil {
		return fmt.Errorf("bridge %s: %w", config.Bridge, err)
	}
	l.Servers, err = l.AddHost(ctx, HostConfig{Name: "servers", Address: config.Servers})
	return err
}

func (l *Lab) addBridge(config Config) error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name = config.Bridge
	bridge := &netlink.Bridge{LinkAttrs: attrs}
	if err := netlink.LinkAdd(bridge); err != nil {
		return err
	}
	l.bridge = bridge
	// Best effort: a kernel without IPv6 does not know the attribute.
	_ = netlink.LinkSetIP6AddrGenMode(bridge, nl.IN6_ADDR_GEN_MODE_NONE)
	if config.Dom0.IsValid() {
		if err := netlink.AddrAdd(bridge, address(config.Dom0)); err != nil {
			return err
		}
	}
	return netlink.LinkSetUp(bridge)
}

func address(p netip.Prefix) *netlink.Addr {
	return &netlink.Addr{IPNet: &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}}
}

// Bridge is the bridge's name.
func (l *Lab) Bridge() string { return l.bridge.Name }

// Close stops the servers, removes the hosts and the bridge, and returns when
// all are gone.
func (l *Lab) Close() error {
	l.mu.Lock()
	l.closed = true
	hosts := l.hosts
	l.hosts = nil
	l.mu.Unlock()

	var errs []error
	for _, h := range hosts {
		errs = append(errs, h.close())
	}
	if l.bridge != nil {
		errs = append(errs, netlink.LinkDel(l.bridge))
		l.bridge = nil
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close the lab: %w", err)
	}
	return nil
}
