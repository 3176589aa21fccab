package guest

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/domain"
	"github.com/vishvananda/netlink"
)

// openVSwitch plugs into bridges of Open vSwitch, which no netlink message
// does: its ports are rows of a database, and stay there when their interface
// is gone. Reference: ovs-vsctl(8).
type openVSwitch struct {
	// vsctl runs ovs-vsctl and returns what it prints.
	vsctl func(ctx context.Context, args ...string) (string, error)
	// exists says whether there is such a network interface.
	exists func(name string) bool
}

func newOpenVSwitch() *openVSwitch {
	return &openVSwitch{vsctl, func(name string) bool {
		_, err := netlink.LinkByName(name)
		return err == nil
	}}
}

// vsctl gives a busy host the time that Xen's vif-openvswitch gives it. Without a
// database ovs-vsctl fails at once: it connects no second time (--retry).
func vsctl(ctx context.Context, args ...string) (string, error) {
	const limit = 30 * time.Second
	out, err := domain.RunFor(ctx, limit, "ovs-vsctl", append([]string{fmt.Sprintf("--timeout=%.0f", limit.Seconds())}, args...)...)
	return string(out), err
}

// check says why the bridge is not one of Open vSwitch's, nil when it is.
func (o *openVSwitch) check(ctx context.Context, bridge string) error {
	if _, err := o.vsctl(ctx, "br-exists", bridge); err != nil {
		return fmt.Errorf("br-exists: %w", err)
	}
	return nil
}

// allows says why the bridge has no such VLAN, nil when it has: a fake bridge,
// which is one VLAN of another bridge, has only that.
func (o *openVSwitch) allows(ctx context.Context, bridge string, vlan uint16) error {
	if vlan == 0 {
		return nil
	}
	out, err := o.vsctl(ctx, "br-to-vlan", bridge)
	if err != nil {
		return fmt.Errorf("br-to-vlan: %w", err)
	}
	if of := strings.TrimSpace(out); of != "0" && of != "" && of != strconv.Itoa(int(vlan)) {
		return fmt.Errorf("%w: %s is VLAN %s of another bridge, and VLAN %d is not on it", ErrNoBridge, bridge, of, vlan)
	}
	return nil
}

// addPort makes an interface a port of the bridge, in a VLAN unless that is 0: its
// frames then come and go without the tag. It returns when the switch has done
// it. Ports that a killed gopxeboot left are removed first.
func (o *openVSwitch) addPort(ctx context.Context, bridge, port string, vlan uint16) error {
	if err := o.sweep(ctx, bridge); err != nil {
		return err
	}
	args := []string{"--may-exist", "add-port", bridge, port}
	if vlan != 0 {
		args = append(args, fmt.Sprintf("tag=%d", vlan))
	}
	if _, err := o.vsctl(ctx, args...); err != nil {
		return fmt.Errorf("add-port: %w", err)
	}
	return nil
}

func (o *openVSwitch) unplug(ctx context.Context, bridge, port string) error {
	if _, err := o.vsctl(ctx, "--if-exists", "del-port", bridge, port); err != nil {
		return fmt.Errorf("del-port: %w", err)
	}
	return nil
}

// sweep removes our ports whose interface is gone.
func (o *openVSwitch) sweep(ctx context.Context, bridge string) error {
	list, err := o.vsctl(ctx, "list-ports", bridge)
	if err != nil {
		return fmt.Errorf("list-ports: %w", err)
	}
	for _, port := range strings.Fields(list) {
		pid, ours := strings.CutPrefix(port, portPrefix)
		if ours && pid != "" && strings.Trim(pid, "0123456789") == "" && !o.exists(port) {
			if err := o.unplug(ctx, bridge, port); err != nil {
				return err
			}
		}
	}
	return nil
}
