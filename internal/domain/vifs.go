package domain

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/gopxeboot/gopxeboot/xenout"
)

// Vif is an interface of a domain that dom0 serves.
type Vif struct {
	xenout.VIF // as the toolstack wrote it
	Domid      int
	Interface  string // dom0's end: vif5.0, or what vifname= says
	Closed     bool   // its driver has let go of it (XenbusStateClosed)
}

// vifs is where the backends are of what dom0 serves. Those of a driver domain
// are on no bridge of dom0's.
const vifs = "/local/domain/0/backend/vif"

// Vifs lists the interfaces of all domains, as far as their MAC is known, in
// xenstore's order. It is empty where there is no Xen.
func (h *Host) Vifs(ctx context.Context) ([]Vif, error) {
	out, err := h.Run(ctx, "xenstore-ls", "-f", vifs)
	switch {
	case err == nil:
	case errors.Is(err, errNotInstalled), strings.Contains(err.Error(), "No such file or directory"): // no Xen, or no vif yet
		return nil, nil
	default:
		return nil, err
	}
	var list []Vif
	found := make(map[string]int) // by domid/devid
	for line := range strings.Lines(string(out)) {
		// /local/domain/0/backend/vif/5/0/mac = "00:16:3e:72:79:e3"
		key, value, _ := strings.Cut(strings.TrimSpace(line), " = ")
		path := strings.Split(strings.TrimPrefix(key, vifs+"/"), "/")
		if len(path) != 3 {
			continue
		}
		domid, err := strconv.Atoi(path[0])
		device, err2 := strconv.Atoi(path[1])
		if err != nil || err2 != nil {
			continue
		}
		id := path[0] + "/" + path[1]
		at, known := found[id]
		if !known {
			at = len(list)
			found[id] = at
			list = append(list, Vif{Domid: domid, Interface: fmt.Sprintf("vif%d.%d", domid, device)})
		}
		v := &list[at]
		switch value = unsanitise(strings.Trim(value, `"`)); path[2] {
		case "mac":
			v.MAC, _ = xenout.ParseMAC(value)
		case "bridge":
			v.Bridge = value
		case "vlan": // since Xen 4.19
			v.VLAN = value
		case "script":
			v.Script = value
		case "ip":
			v.IP = value
		case "vifname":
			v.Interface = value
		case "state":
			v.Closed = value == "6"
		}
	}
	known := list[:0]
	for _, v := range list {
		if v.MAC != nil {
			known = append(known, v)
		}
	}
	return known, nil
}
