package domain

import (
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
	Interfaces []struct {
		MAC struct {
			Address string `xml:"address,attr"`
		} `xml:"mac"`
		Source struct {
			Bridge  string `xml:"bridge,attr"`
			Network string `xml:"network,attr"`
		} `xml:"source"`
	} `xml:"devices>interface"`
}

// fromVirsh asks libvirt, which does not hold the guest's lock while it is
// being created (libxl_domain.c, libxlDomainStart).
func (h *Host) fromVirsh(ctx context.Context, guest Info) (Info, error) {
	if guest.UUID == "" {
		return guest, errors.New("virsh: not asked, because the guest's uuid is not known")
	}
	out, err := h.virsh(ctx, "dumpxml", "--domain="+guest.UUID)
	if err != nil {
		return guest, err
	}
	return h.libvirtGuest(ctx, guest, "virsh dumpxml "+guest.UUID, string(out))
}

// fromLibvirtFile reads what libvirt has on disk, for when virsh is not
// installed or gets no answer.
func (h *Host) fromLibvirtFile(ctx context.Context, guest Info) (Info, error) {
	if guest.Name == "" || strings.Contains(guest.Name, "/") {
		return guest, fmt.Errorf("/etc/libvirt/libxl: it can have no file for a guest called %q", guest.Name)
	}
	file := "/etc/libvirt/libxl/" + guest.Name + ".xml"
	text, err := h.read(file)
	if err != nil {
		return guest, err
	}
	return h.libvirtGuest(ctx, guest, file, text)
}

func (h *Host) libvirtGuest(ctx context.Context, guest Info, source, text string) (Info, error) {
	var d libvirtDomain
	if err := xml.Unmarshal([]byte(text), &d); err != nil {
		return guest, fmt.Errorf("%s: %w", source, err)
	}
	uuid := ""
	if isUUID(d.UUID) {
		uuid = strings.ToLower(d.UUID)
	}
	if err := guest.mustBe(d.Name, uuid); err != nil {
		return guest, fmt.Errorf("%s: %w", source, err)
	}
	if len(d.Interfaces) == 0 {
		return guest, &conclusive{source + " has no <interface>: give the guest one"}
	}
	found := Info{Name: d.Name, UUID: uuid, Source: source}
	for i, nic := range d.Interfaces {
		mac, err := xenout.ParseMAC(nic.MAC.Address)
		if err != nil && i == 0 {
			return guest, &conclusive{fmt.Sprintf("the first <interface> of %s: %v", source, err)}
		}
		bridge := nic.Source.Bridge
		if bridge == "" && nic.Source.Network != "" && i == 0 {
			bridge = h.bridgeOfNetwork(ctx, nic.Source.Network)
		}
		found.VIFs = append(found.VIFs, xenout.VIF{MAC: mac, Bridge: bridge})
	}
	return found, nil
}

// bridgeOfNetwork is the bridge of one of libvirt's own networks, "" when
// libvirt does not tell.
func (h *Host) bridgeOfNetwork(ctx context.Context, network string) string {
	out, err := h.virsh(ctx, "net-dumpxml", "--network="+network)
	if err != nil {
		return ""
	}
	var n struct {
		Bridge struct {
			Name string `xml:"name,attr"`
		} `xml:"bridge"`
	}
	if xml.Unmarshal(out, &n) != nil {
		return ""
	}
	return n.Bridge.Name
}

// virsh takes the value of an option after "=" as it is, so that no name can
// be an option itself.
func (h *Host) virsh(ctx context.Context, args ...string) ([]byte, error) {
	return h.Run(ctx, "virsh", append([]string{"--connect=xen:///system", "--quiet"}, args...)...)
}
