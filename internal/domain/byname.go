package domain

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/gopxeboot/gopxeboot/xenout"
)

// Named returns what dom0 knows of the guest that somebody calls by its domain
// id, its uuid or its name. Of its interfaces the wanted one, counted from 0, is
// there. Its error is an *UnknownError, unless ctx is over.
func (h *Host) Named(ctx context.Context, called string, wanted int) (Info, error) {
	var guest Info
	domid, err := strconv.Atoi(called)
	switch {
	case err == nil:
		if domid, err = xenout.ParseDomid(called); err == nil {
			guest, err = h.fromXenstore(ctx, domid)
		}
		if err != nil {
			return guest, overOr(ctx, &UnknownError{Guest: called, Reasons: []string{"no such domain: " + err.Error()}})
		}
	case IsUUID(called):
		guest.UUID = strings.ToLower(called)
	default:
		guest.Name = called
	}
	unknown := &UnknownError{Guest: called}
	running := func(ctx context.Context, guest Info, wanted int) (Info, error) {
		return h.fromRunning(ctx, guest, domid, wanted)
	}
	return h.ask(ctx, guest, wanted, unknown, h.fromNamedVM, h.fromEtcXen, h.fromVirsh, h.fromLibvirtFile, running)
}

// fromNamedVM is fromXAPI for a VM of which perhaps only the name is known. XAPI
// lets several have the same one.
func (h *Host) fromNamedVM(ctx context.Context, guest Info, wanted int) (Info, error) {
	if guest.UUID == "" {
		out, err := h.Run(ctx, "xe", "vm-list", "name-label="+guest.Name, "params=uuid")
		if err != nil {
			return guest, err
		}
		switch vms := xeRecords(string(out)); {
		case len(vms) == 0:
			return guest, fmt.Errorf("xe vm-list: no VM is called %q", guest.Name)
		case len(vms) > 1:
			return guest, &conclusive{fmt.Sprintf("xe vm-list shows %d VMs that are called %q: say the uuid of one", len(vms), guest.Name)}
		default:
			guest.UUID = vms[0]["uuid"]
		}
	}
	guest.Type = h.xapiType(ctx, guest.UUID)
	return h.fromXAPI(ctx, guest, wanted)
}

// fromRunning takes the interfaces of a domain that runs, for a guest whose
// configuration is nowhere to be found any more. domid is 0 where xl has to say
// it.
func (h *Host) fromRunning(ctx context.Context, guest Info, domid, wanted int) (Info, error) {
	if domid == 0 {
		if guest.Name == "" {
			return guest, errors.New("xl: not asked, because the guest's name is not known")
		}
		out, err := h.Run(ctx, "xl", "domid", guest.Name)
		if err != nil {
			return guest, err
		}
		if domid, err = xenout.ParseDomid(strings.TrimSpace(string(out))); err != nil {
			return guest, fmt.Errorf("xl domid: %w", err)
		}
		if guest, err = h.fromXenstore(ctx, domid); err != nil {
			return guest, err
		}
	}
	vifs, err := h.Vifs(ctx)
	if err != nil {
		return guest, err
	}
	for _, v := range vifs {
		if v.Domid == domid {
			guest.VIFs = append(guest.VIFs, v.VIF)
		}
	}
	if wanted >= len(guest.VIFs) {
		return guest, fmt.Errorf("domain %d has %d vifs of dom0's, and --vif %d is none of them, counted from 0", domid, len(guest.VIFs), wanted)
	}
	guest.Source = fmt.Sprintf("xenstore of domain %d", domid)
	return guest, nil
}
