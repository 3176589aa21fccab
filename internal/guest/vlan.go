package guest

import (
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"

	"github.com/gopxeboot/gopxeboot/internal/bridging"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// splitVLAN takes "xenbr0.20" for VLAN 20 on xenbr0: that is what the VLAN
// device of a bridge is usually called, and what Xen's vif-openvswitch takes.
func splitVLAN(name string) (bridge string, vlan uint16, ok bool) {
	i := strings.LastIndexByte(name, '.')
	if i <= 0 {
		return "", 0, false
	}
	n, err := strconv.ParseUint(name[i+1:], 10, 16)
	if err != nil || n < 1 || n > 4094 {
		return "", 0, false
	}
	return name[:i], uint16(n), true
}

// vlanDevices says whether the kernel has VLAN devices, or a module for them.
// It asks for one that can't be, and looks at the reason of the refusal.
func vlanDevices() bool {
	request := nl.NewNetlinkRequest(unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL|unix.NLM_F_ACK)
	request.AddData(nl.NewIfInfomsg(unix.AF_UNSPEC))
	info := nl.NewRtAttr(unix.IFLA_LINKINFO, nil)
	info.AddRtAttr(nl.IFLA_INFO_KIND, nl.NonZeroTerminated("vlan"))
	request.AddData(info)
	_, err := request.Execute(unix.NETLINK_ROUTE, 0)
	return !errors.Is(err, unix.EOPNOTSUPP)
}

// trunkInterface is the veth's end in a trunk's namespace.
const trunkInterface = "trunk"

// trunk is a network namespace between a bridge that keeps no VLANs apart and
// the child: who has the veth's end reaches every VLAN, so the child gets only a
// VLAN device on it. Nothing but the parent's descriptor keeps the namespace, and
// with it go the veth and the device in the child.
type trunk struct {
	ns     netns.NsHandle
	handle *netlink.Handle
}

func newTrunk() (*trunk, error) {
	t := &trunk{}
	made := make(chan error)
	go func() {
		runtime.LockOSThread()
		here, err := netns.Get()
		if err != nil {
			made <- err
			return
		}
		defer here.Close()
		t.ns, err = netns.New()
		if netns.Set(here) == nil {
			runtime.UnlockOSThread() // else the thread ends with this goroutine
		}
		made <- err
	}()
	err := <-made
	if err != nil {
		return nil, fmt.Errorf("make a network namespace: %w", err)
	}
	if t.handle, err = netlink.NewHandleAt(t.ns, unix.NETLINK_ROUTE); err != nil {
		t.ns.Close()
		return nil, err
	}
	return t, nil
}

// tag gives the child of that pid a device of the VLAN, with the MAC of the
// veth's end. It does nothing where there is no trunk.
func (t *trunk) tag(pid int, vlan uint16) error {
	if t == nil {
		return nil
	}
	end, err := t.handle.LinkByName(trunkInterface)
	if err != nil {
		return err
	}
	bridging.Quiet(t.handle, end)
	if err := t.handle.LinkSetUp(end); err != nil {
		return err
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name = guestInterface
	attrs.ParentIndex = end.Attrs().Index
	attrs.HardwareAddr = end.Attrs().HardwareAddr
	attrs.Namespace = netlink.NsPid(pid)
	err = t.handle.LinkAdd(&netlink.Vlan{LinkAttrs: attrs, VlanId: int(vlan), VlanProtocol: netlink.VLAN_PROTOCOL_8021Q})
	if errors.Is(err, unix.EOPNOTSUPP) {
		return fmt.Errorf("VLAN %d: this kernel has no VLAN devices (8021q): use --net dom0", vlan)
	}
	if err != nil {
		return fmt.Errorf("make a device for VLAN %d: %w", vlan, err)
	}
	return nil
}

// close lets the namespace go, when the kernel gets round to it.
func (t *trunk) close() {
	if t != nil {
		t.handle.Close()
		t.ns.Close()
	}
}

// accessPort makes the port a member of one VLAN, and of no other.
func (p *port) accessPort(vlan uint16) error {
	var all map[int32][]*nl.BridgeVlanInfo
	err := bridging.Whole(func() (err error) { all, err = netlink.BridgeVlanList(); return err })
	if err != nil {
		return fmt.Errorf("list the VLANs of %s: %w", p.host.Attrs().Name, err)
	}
	for _, v := range all[int32(p.host.Attrs().Index)] {
		if err := netlink.BridgeVlanDel(p.host, v.Vid, false, false, false, true); err != nil {
			return fmt.Errorf("take %s out of VLAN %d: %w", p.host.Attrs().Name, v.Vid, err)
		}
	}
	if err := netlink.BridgeVlanAdd(p.host, vlan, true, true, false, true); err != nil {
		return fmt.Errorf("put %s into VLAN %d: %w", p.host.Attrs().Name, vlan, err)
	}
	return nil
}
