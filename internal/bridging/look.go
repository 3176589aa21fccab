package bridging

import (
	"bytes"
	"errors"
	"net"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Port is one port of a bridge.
type Port struct {
	Name    string
	MAC     net.HardwareAddr
	MTU     int
	Carrier bool
	State   State
	VLANs   []uint16 // that it lets through, where the bridge filters
	PVID    uint16   // the VLAN of untagged frames there; 0 is none
}

// Guest says whether the port is a guest's, or made for one: it does not lead
// out of this host.
func (p Port) Guest() bool {
	if bytes.Equal(p.MAC, VIFMAC) {
		return true
	}
	return slices.ContainsFunc([]string{"vif", "tap", "vnet", "veth", "gpx"}, func(prefix string) bool { return strings.HasPrefix(p.Name, prefix) })
}

// Ports are the ports of the bridge with that interface index.
func Ports(index int) ([]Port, error) {
	links, err := Links()
	if err != nil {
		return nil, err
	}
	vlans, _ := netlink.BridgeVlanList() // nil where the kernel knows none
	var ports []Port
	for _, l := range links {
		a := l.Attrs()
		if a.MasterIndex != index {
			continue
		}
		p := Port{Name: a.Name, MAC: a.HardwareAddr, MTU: a.MTU, Carrier: a.RawFlags&unix.IFF_LOWER_UP != 0}
		p.State, _ = PortState(a.Index)
		for _, v := range vlans[int32(a.Index)] {
			p.VLANs = append(p.VLANs, v.Vid)
			if v.PortVID() {
				p.PVID = v.Vid
			}
		}
		ports = append(ports, p)
	}
	return ports, nil
}

// OwnEnd is how the bridge's own end is in a VLAN: by untagged frames, which is 0, or by
// that tag; ok is false where it is not.
func OwnEnd(index int, vlan uint16) (tag uint16, ok bool) {
	all, _ := netlink.BridgeVlanList()
	return tagOf(all[int32(index)], vlan)
}

func tagOf(vlans []*nl.BridgeVlanInfo, vlan uint16) (tag uint16, ok bool) {
	for _, v := range vlans {
		switch untagged := v.EngressUntag(); {
		case v.Vid != vlan:
		case v.PortVID() && untagged:
			return 0, true
		case !v.PortVID() && !untagged:
			return vlan, true
		}
	}
	return 0, false
}

// Tagged are the VLANs that have a device of their own on the bridge with that
// interface index, or on one of its ports.
func Tagged(index int) []uint16 {
	links, err := Links()
	if err != nil {
		return nil
	}
	under := map[int]bool{index: true}
	for _, l := range links {
		if l.Attrs().MasterIndex == index {
			under[l.Attrs().Index] = true
		}
	}
	var vlans []uint16
	for _, l := range links {
		if v, ok := l.(*netlink.Vlan); ok && under[v.ParentIndex] && !slices.Contains(vlans, uint16(v.VlanId)) {
			vlans = append(vlans, uint16(v.VlanId))
		}
	}
	slices.Sort(vlans)
	return vlans
}

// VLANDevices are the indexes of the devices of a VLAN on the bridge with that
// interface index.
func VLANDevices(index int, vlan uint16) (indexes []int) {
	links, err := Links()
	if err != nil {
		return nil
	}
	for _, l := range links {
		if v, ok := l.(*netlink.Vlan); ok && v.ParentIndex == index && v.VlanId == int(vlan) {
			indexes = append(indexes, v.Index)
		}
	}
	return indexes
}

// PortOf names the port behind which the bridge knows the MAC, "" when none.
func PortOf(index int, mac net.HardwareAddr) string {
	entries, err := netlink.NeighList(0, unix.AF_BRIDGE)
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) { // what was seen counts
		return ""
	}
	for _, e := range entries {
		if e.MasterIndex == index && e.LinkIndex != index && bytes.Equal(e.HardwareAddr, mac) {
			if link, err := netlink.LinkByIndex(e.LinkIndex); err == nil {
				return link.Attrs().Name
			}
		}
	}
	return ""
}

// Kind is what a device is: bridge, openvswitch, vlan, ...; "" when it is not
// there.
func Kind(name string) string {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return ""
	}
	return link.Type()
}

// Names are the host's bridges, sorted.
func Names() []string {
	links, err := Links()
	if err != nil {
		return nil
	}
	var names []string
	for _, l := range links {
		if l.Type() == "bridge" {
			names = append(names, l.Attrs().Name)
		}
	}
	slices.Sort(names)
	return names
}

// Links are all the interfaces of the thread's network namespace.
func Links() (all []netlink.Link, err error) {
	err = Whole(func() (err error) { all, err = netlink.LinkList(); return err })
	return all, err
}

// Whole gets a list of the kernel's in one piece: it is asked for again, ten times,
// when something of it came or went meanwhile.
func Whole(list func() error) (err error) {
	for range 11 {
		if err = list(); !errors.Is(err, netlink.ErrDumpInterrupted) {
			break
		}
	}
	return err
}
