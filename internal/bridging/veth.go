package bridging

import (
	"context"
	"fmt"
	"time"

	"github.com/vishvananda/netlink"
)

// Veth is a veth with one end in a bridge and the other in a namespace of
// somebody who is to be on it.
type Veth struct {
	Host   netlink.Link    // the end in the bridge
	Inside *netlink.Handle // of the other end's namespace
	Guest  netlink.Link    // what is spoken on there: the other end, or a VLAN device on it
}

// Raise brings both ends up, and the loopback beside the guest's. Neither end
// speaks IPv6 by itself.
func (v Veth) Raise() error {
	Quiet(&netlink.Handle{}, v.Host)
	Quiet(v.Inside, v.Guest)
	lo, err := v.Inside.LinkByName("lo")
	if err != nil {
		return err
	}
	if err := v.Inside.LinkSetUp(lo); err != nil {
		return err
	}
	if err := v.Inside.LinkSetUp(v.Guest); err != nil {
		return err
	}
	return netlink.LinkSetUp(v.Host)
}

// WaitForwarding waits until a frame of the guest would get through: until the
// kernel has seen, a moment after the veth came up, that both ends have a
// carrier (before that it drops what is sent, without an error), and until
// spanning tree lets the port through, after twice the forward delay. port is
// the state of the bridge's port.
func (v Veth) WaitForwarding(ctx context.Context, port func() (State, error)) error {
	for wait := time.Millisecond / 4; ; wait = min(2*wait, 100*time.Millisecond) {
		state, err := port()
		if err != nil {
			return err
		}
		guest, err := v.Inside.LinkByIndex(v.Guest.Attrs().Index)
		if err != nil {
			return err
		}
		if state == Forwarding && guest.Attrs().OperState == netlink.OperUp {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("its new port does not forward yet (spanning tree?): %w", context.Cause(ctx))
		case <-time.After(wait):
		}
	}
}
