package guest

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/gopxeboot/gopxeboot/internal/bridging"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
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

// enterVLAN puts the child into the bridge's VLAN. On a bridge that filters,
// its port is an access port. Else the bridge is a trunk, and the child gets a
// VLAN device on its end.
func (p *plug) enterVLAN(b *bridge) error {
	if bridging.Filters(b.index) {
		return p.accessPort(b.vlan)
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name = fmt.Sprintf("vlan%d", b.vlan)
	attrs.ParentIndex = p.eth0.Attrs().Index
	attrs.HardwareAddr = p.eth0.Attrs().HardwareAddr
	err := p.child.LinkAdd(&netlink.Vlan{LinkAttrs: attrs, VlanId: int(b.vlan), VlanProtocol: netlink.VLAN_PROTOCOL_8021Q})
	if errors.Is(err, unix.EOPNOTSUPP) {
		return fmt.Errorf("VLAN %d: this kernel has no VLAN devices (8021q): use --net dom0", b.vlan)
	}
	if err != nil {
		return fmt.Errorf("make a device for VLAN %d: %w", b.vlan, err)
	}
	if p.eth0, err = p.child.LinkByName(attrs.Name); err != nil {
		return err
	}
	bridging.Quiet(p.child, p.eth0)
	return p.child.LinkSetUp(p.eth0)
}

// accessPort makes the port a member of one VLAN, and of no other.
func (p *plug) accessPort(vlan uint16) error {
	all, err := netlink.BridgeVlanList()
	for range 3 {
		if !errors.Is(err, netlink.ErrDumpInterrupted) { // a port came or went meanwhile
			break
		}
		all, err = netlink.BridgeVlanList()
	}
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
