package domain

import (
	"cmp"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"strings"

	"github.com/gopxeboot/gopxeboot/xenout"
)

// libvirtDomain is what counts of libvirt's description of a guest.
type libvirtDomain struct {
	XMLName    xml.Name `xml:"domain"`
	Name       string   `xml:"name"`
	UUID       string   `xml:"uuid"`
	Type       string   `xml:"os>type"`
	Interfaces []struct {
		MAC struct {
			Address string `xml:"address,attr"`
		} `xml:"mac"`
		Source struct {
			Bridge    string `xml:"bridge,attr"`
			Network   string `xml:"network,attr"`
			PortGroup string `xml:"portgroup,attr"`
		} `xml:"source"`
		VLAN   *libvirtVLAN `xml:"vlan"`
		Script struct {
			Path string `xml:"path,attr"`
		} `xml:"script"`
		Backend struct {
			Name string `xml:"name,attr"`
		} `xml:"backenddomain"`
		IPs []struct {
			Address string `xml:"address,attr"`
		} `xml:"ip"`
	} `xml:"devices>interface"`
}

// typeOfOS is what the text of <type> in <os> means (domaincaps of libvirt's
// libxl driver); linux is an older word for xen.
var typeOfOS = map[string]xenout.GuestType{"xen": xenout.PV, "linux": xenout.PV, "xenpvh": xenout.PVH, "hvm": xenout.HVM}

// libvirtVLAN is a <vlan> of an interface, a network, or one of its port groups.
type libvirtVLAN struct {
	Trunk string `xml:"trunk,attr"`
	Tags  []struct {
		ID         string `xml:"id,attr"`
		NativeMode string `xml:"nativeMode,attr"` // with "tagged" the guest's frames have no tag, but those to it do
	} `xml:"tag"`
}

// terms are a vif's vlan= that says the same; "" for no VLAN. A single tag is
// an access port's, unless trunk says otherwise (virNetDevVlanParse).
func (v *libvirtVLAN) terms() string {
	if v == nil {
		return ""
	}
	var terms []string
	for _, tag := range v.Tags {
		term := tag.ID
		if tag.NativeMode == "untagged" {
			term += "p"
		}
		terms = append(terms, term)
	}
	if len(terms) == 1 && v.Trunk == "yes" && v.Tags[0].NativeMode != "untagged" {
		return terms[0] + "-" + terms[0] // one VLAN, and not that of frames without a tag
	}
	return strings.Join(terms, "/")
}

// libvirtNetwork is what counts of libvirt's description of a network.
type libvirtNetwork struct {
	Bridge struct {
		Name string `xml:"name,attr"`
	} `xml:"bridge"`
	VLAN       *libvirtVLAN `xml:"vlan"`
	PortGroups []struct {
		Name    string       `xml:"name,attr"`
		Default string       `xml:"default,attr"`
		VLAN    *libvirtVLAN `xml:"vlan"`
	} `xml:"portgroup"`
}

// fromVirsh asks libvirt, which does not hold the guest's lock while it is
// being created (libxl_domain.c, libxlDomainStart).
func (h *Host) fromVirsh(ctx context.Context, guest Info, wanted int) (Info, error) {
	which := cmp.Or(guest.UUID, guest.Name)
	if which == "" {
		return guest, errors.New("virsh: not asked, because neither the guest's name nor its uuid is known")
	}
	out, err := h.virsh(ctx, "dumpxml", "--domain="+which)
	if err != nil {
		return guest, err
	}
	return h.libvirtGuest(ctx, guest, wanted, "virsh dumpxml "+which, string(out))
}

// fromLibvirtFile reads what libvirt has on disk, for when virsh is not
// installed or gets no answer.
func (h *Host) fromLibvirtFile(ctx context.Context, guest Info, wanted int) (Info, error) {
	file, text, err := h.libvirtFile(guest.Name)
	if err != nil {
		return guest, err
	}
	return h.libvirtGuest(ctx, guest, wanted, file, text)
}

// libvirtFile reads libvirt's own file of a guest.
func (h *Host) libvirtFile(name string) (file, text string, err error) {
	if name == "" || strings.Contains(name, "/") {
		return "", "", fmt.Errorf("/etc/libvirt/libxl: it can have no file for a guest called %q", name)
	}
	file = "/etc/libvirt/libxl/" + name + ".xml"
	text, err = h.read(file)
	return file, text, err
}

func (h *Host) libvirtGuest(ctx context.Context, guest Info, wanted int, source, text string) (Info, error) {
	var d libvirtDomain
	if err := xml.Unmarshal([]byte(text), &d); err != nil {
		return guest, fmt.Errorf("%s: %w", source, err)
	}
	uuid := ""
	if IsUUID(d.UUID) {
		uuid = strings.ToLower(d.UUID)
	}
	if err := guest.mustBe(d.Name, uuid); err != nil {
		return guest, fmt.Errorf("%s: %w", source, err)
	}
	if len(d.Interfaces) == 0 {
		return guest, &conclusive{source + " has no <interface>: give the guest one"}
	}
	if wanted >= len(d.Interfaces) {
		return guest, &conclusive{fmt.Sprintf("%s has %d of <interface>, and --vif %d is none of them, counted from 0", source, len(d.Interfaces), wanted)}
	}
	found := Info{Name: d.Name, UUID: uuid, Type: cmp.Or(guest.Type, typeOfOS[d.Type]), Source: source}
	for i, nic := range d.Interfaces {
		mac, err := xenout.ParseMAC(nic.MAC.Address)
		if err != nil && i == wanted {
			return guest, &conclusive{fmt.Sprintf("<interface> %d of %s: %v", i, source, err)}
		}
		vif := xenout.VIF{MAC: mac, Bridge: nic.Source.Bridge, VLAN: nic.VLAN.terms(), Script: nic.Script.Path, Backend: nic.Backend.Name}
		for _, ip := range nic.IPs { // libvirt writes ip= (xenMakeIPList)
			vif.IP = strings.TrimSpace(vif.IP + " " + ip.Address)
		}
		if vif.Bridge == "" && nic.Source.Network != "" && i == wanted {
			bridge, vlan := h.networkOfLibvirt(ctx, nic.Source.Network, nic.Source.PortGroup)
			vif.Bridge, vif.VLAN = bridge, cmp.Or(vif.VLAN, vlan)
		}
		found.VIFs = append(found.VIFs, vif)
	}
	return found, nil
}

// networkOfLibvirt is the bridge of one of libvirt's own networks, "" when
// libvirt does not tell, and the VLAN of a port group on it: of the default one
// where none is named, or else the network's (virDomainNetGetActualVlan).
func (h *Host) networkOfLibvirt(ctx context.Context, network, group string) (bridge, vlan string) {
	out, err := h.virsh(ctx, "net-dumpxml", "--network="+network)
	if err != nil {
		return "", ""
	}
	var n libvirtNetwork
	if xml.Unmarshal(out, &n) != nil {
		return "", ""
	}
	for _, g := range n.PortGroups {
		if g.Name == group && group != "" || g.Default == "yes" && group == "" {
			vlan = g.VLAN.terms()
		}
	}
	return n.Bridge.Name, cmp.Or(vlan, n.VLAN.terms())
}

// virsh takes the value of an option after "=" as it is, so that no name can
// be an option itself.
func (h *Host) virsh(ctx context.Context, args ...string) ([]byte, error) {
	return h.Run(ctx, "virsh", append([]string{"--connect=xen:///system", "--quiet"}, args...)...)
}
