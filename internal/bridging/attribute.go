package bridging

import (
	"net"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// VIFMAC is what Xen gives the dom0 end of a vif: the highest address there
// is, so that the bridge never takes it as its own (a Linux bridge takes the
// lowest MAC of its ports).
var VIFMAC = net.HardwareAddr{0xfe, 0xff, 0xff, 0xff, 0xff, 0xff}

// State is a port's, of linux/if_bridge.h.
type State uint8

// The states. A port without a carrier is Disabled.
const (
	Disabled State = iota
	Listening
	Learning
	Forwarding
	Blocking
)

func (s State) String() string {
	names := [...]string{"disabled", "listening", "learning", "forwarding", "blocking"}
	if int(s) < len(names) {
		return names[s]
	}
	return "unknown"
}

// PortState is the state of the port with that interface index. Open vSwitch
// shows none to the kernel.
func PortState(index int) (State, error) {
	n, err := Attribute(index, nl.IFLA_INFO_SLAVE_DATA, nl.IFLA_BRPORT_STATE)
	return State(n), err
}

// STP says whether a bridge runs the spanning tree protocol.
func STP(index int) (bool, error) {
	n, err := Attribute(index, nl.IFLA_INFO_DATA, nl.IFLA_BR_STP_STATE)
	return n != 0, err
}

// ForwardDelay is how long a new port of the bridge listens, and then learns,
// in seconds.
func ForwardDelay(index int) (float64, error) {
	// In USER_HZ, which is 100 wherever Xen runs.
	n, err := Attribute(index, nl.IFLA_INFO_DATA, nl.IFLA_BR_FORWARD_DELAY)
	return float64(n) / 100, err
}

// Filters says whether the bridge itself keeps VLANs apart.
func Filters(index int) bool {
	n, err := Attribute(index, nl.IFLA_INFO_DATA, nl.IFLA_BR_VLAN_FILTERING)
	return err == nil && n != 0
}

// DefaultPVID is the VLAN of a new port's untagged frames, where the bridge
// filters.
func DefaultPVID(index int) uint16 {
	n, _ := Attribute(index, nl.IFLA_INFO_DATA, nl.IFLA_BR_VLAN_DEFAULT_PVID)
	return uint16(n)
}

// Attribute reads one number from a link's own (IFLA_INFO_DATA) or its bridge
// port's (IFLA_INFO_SLAVE_DATA) attributes, which the netlink package does not
// decode.
func Attribute(index, block, attribute int) (uint64, error) {
	request := nl.NewNetlinkRequest(unix.RTM_GETLINK, 0)
	info := nl.NewIfInfomsg(unix.AF_UNSPEC)
	info.Index = int32(index)
	request.AddData(info)
	replies, err := request.Execute(unix.NETLINK_ROUTE, unix.RTM_NEWLINK)
	if err != nil {
		return 0, err
	}
	for _, reply := range replies {
		if len(reply) < unix.SizeofIfInfomsg {
			continue
		}
		data := reply[unix.SizeofIfInfomsg:]
		for _, kind := range []int{unix.IFLA_LINKINFO, block, attribute} {
			if data, err = find(data, kind); err != nil {
				return 0, err
			}
		}
		switch len(data) {
		case 1:
			return uint64(data[0]), nil
		case 2:
			return uint64(nl.NativeEndian().Uint16(data)), nil
		case 4:
			return uint64(nl.NativeEndian().Uint32(data)), nil
		}
	}
	return 0, unix.ENODATA
}

func find(data []byte, kind int) ([]byte, error) {
	attributes, err := nl.ParseRouteAttr(data)
	if err != nil {
		return nil, err
	}
	for _, a := range attributes {
		if int(a.Attr.Type&^unix.NLA_F_NESTED) == kind {
			return a.Value, nil
		}
	}
	return nil, unix.ENODATA
}

// Quiet keeps the kernel from speaking IPv6 by itself on a link: a router
// solicitation with the guest's MAC is not ours to send. It is best effort, as
// a kernel without IPv6 does not know the attribute. handle is that of the
// link's namespace.
func Quiet(handle *netlink.Handle, link netlink.Link) {
	_ = handle.LinkSetIP6AddrGenMode(link, nl.IN6_ADDR_GEN_MODE_NONE)
}
