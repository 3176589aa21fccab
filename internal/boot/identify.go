package boot

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/gopxeboot/gopxeboot/internal/console"
	"github.com/gopxeboot/gopxeboot/internal/domain"
	"github.com/gopxeboot/gopxeboot/internal/fault"
	"github.com/gopxeboot/gopxeboot/internal/guest"
	"github.com/gopxeboot/gopxeboot/internal/install"
	"github.com/gopxeboot/gopxeboot/xenout"
)

// Complete adds to the options what the toolstack knows about the guest that it is
// creating, as far as the call did not say it. A PVH VM of XAPI's can't boot by a
// bootloader at all.
func (o *Options) Complete(ctx context.Context, call *xenout.Call, con *console.Console) error {
	if call.Toolstack == xenout.XAPI && call.VM != "" && o.Repository == nil && !o.LocalBoot {
		round, err := install.NextRound(ctx, o.Host, call.VM, o.Disk, con)
		if err != nil {
			return err
		}
		if round != nil {
			o.Repository, o.LocalBoot, o.Commit = round.Repository, round.Repository == nil, round.Commit
			o.Transfer.Proxy = cmp.Or(o.Transfer.Proxy, round.Proxy)
		}
	}
	o.Domid = o.Host.Domid(*call)
	if err := o.identify(ctx, *call, con); err != nil {
		return err
	}
	switch {
	case call.Toolstack == xenout.XAPI && o.Type == xenout.PVH:
		return pvhUnderXAPI(o.UUID)
	case o.Format == xenout.XE:
		return o.addPVArgs(ctx)
	}
	return nil
}

// identify finds the MAC and the bridge where they are not written down, and the
// uuid, for which PXELINUX has a file name. Without the MAC there is no boot,
// without the others there may be one.
func (o *Options) identify(ctx context.Context, call xenout.Call, con *console.Console) error {
	// Who calls by hand names a guest by its MAC, and nothing else is known.
	known := call.Domid != 0 || call.VM != "" || call.Toolstack == xenout.XAPI
	needed := !o.LocalBoot && o.NeedsVIF()
	switch {
	case needed && o.MAC == nil:
		err := o.find(ctx, call, con)
		if fault.CodeOf(err) == fault.Usage && o.AsDom0(con) {
			con.Detail(err.Error())
			return nil
		}
		return err
	case needed && o.Bridge == "" && o.Unreachable == nil && known:
		o.findBridge(ctx, call, con)
	case (needed || call.Toolstack == xenout.XAPI) && (o.UUID == "" || o.Type == "") && known:
		guest, err := o.Host.Identity(ctx, call)
		if err != nil {
			con.Detail(err.Error()) // a name of the search path less, no more
		}
		o.know(guest)
	}
	return nil
}

// find looks for the one of the guest's interfaces that boots.
func (o *Options) find(ctx context.Context, call xenout.Call, con *console.Console) error {
	guest, err := o.Host.Find(ctx, call)
	if err == nil {
		o.Take(guest, call.Interface, con)
		return nil
	}
	o.know(guest)
	if unknown, ok := errors.AsType[*domain.UnknownError](err); ok {
		return fault.New(fault.Usage, "usage", unknown, "")
	}
	return fault.In(ctx, fault.Own, "usage", err, "")
}

// Take makes the options those of a guest that was found. wanted is the interface
// that boots, counted from 0.
func (o *Options) Take(guest domain.Info, wanted int, con *console.Console) {
	o.know(guest)
	vif := guest.VIFs[wanted]
	con.Detail(fmt.Sprintf("guest: %s is interface %d of %d, says %s", vif.MAC, wanted, len(guest.VIFs), guest.Source))
	o.MAC = bytes.Clone(vif.MAC)
	if o.Unreachable == nil {
		o.Put(vif, o.Bridge, o.VLAN, con)
	}
}

// know takes what was found out about the guest, as far as it was not said.
func (o *Options) know(guest domain.Info) {
	o.UUID = cmp.Or(o.UUID, guest.UUID)
	o.Type = cmp.Or(o.Type, guest.Type)
}

// Put puts the guest where its vif says that it is; a bridge and a VLAN that were
// said beside it count more, "" and 0 say nothing.
func (o *Options) Put(vif xenout.VIF, bridge string, vlan uint16, con *console.Console) {
	if bridge == "" && vlan == 0 && o.Host.IgnoresVLAN(vif) {
		con.Warn(fmt.Sprintf("vlan=%s: Xen's vif-bridge here does not look at it, and puts the guest into no VLAN: the hook in docs/toolstacks.md does", vif.VLAN))
	}
	var err error
	o.Bridge, o.VLAN, err = vif.On(bridge, vlan).Place()
	o.IP, o.Unreachable = vif.IP, nil
	errors.As(err, &o.Unreachable)
	for _, key := range vif.Unknown {
		con.Warn(key.String())
	}
}

// findBridge looks for the interface with the MAC that is known. Where none is
// found the default bridge has to do, as for a vif without one.
func (o *Options) findBridge(ctx context.Context, call xenout.Call, con *console.Console) {
	guest, err := o.Host.Find(ctx, call)
	o.know(guest)
	if err != nil {
		con.Detail(err.Error())
	}
	for _, vif := range guest.VIFs {
		if bytes.Equal(vif.MAC, o.MAC) {
			con.Detail(fmt.Sprintf("guest: %s is on %s, says %s", vif.MAC, cmp.Or(vif.Bridge, "the default bridge"), guest.Source))
			o.Put(vif, "", o.VLAN, con)
			return
		}
	}
}

// NeedsVIF says whether the guest's interface is of any use: not for dom0's own
// files, and not to download them as dom0.
func (o *Options) NeedsVIF() bool {
	return o.Repository == nil || o.Net != guest.Dom0 && o.Repository.OnNetwork()
}

// AsDom0 makes the downloads dom0's own, if a location may be downloaded so.
// xenpvnetboot knew no interface of any guest, so that one that is not known
// must not keep it from working.
func (o *Options) AsDom0(con *console.Console) bool {
	if o.Repository == nil || o.Net != guest.Auto {
		return false
	}
	con.Stage("network: no interface of the guest's is known, so dom0 downloads by itself")
	o.Net = guest.Dom0
	return true
}
