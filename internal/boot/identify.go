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
	"github.com/gopxeboot/gopxeboot/xenout"
)

// Identify completes a request with what the toolstack knows about the guest
// that it is creating: the MAC and the bridge when nobody wrote them down, and
// the uuid, for which PXELINUX has a file name. Without the MAC there is no
// boot, without the others there may be one.
func Identify(ctx context.Context, r *Request, invocation xenout.Invocation, host *domain.Host, con *console.Console) error {
	// Who calls by hand names a guest by its MAC, and nothing else is known.
	known := invocation.Domid != 0 || invocation.VM != "" || invocation.Toolstack == xenout.XAPI
	switch {
	case r.LocalBoot || !r.NeedsVIF():
	case r.MAC == nil:
		err := find(ctx, r, invocation, host, con)
		if fault.CodeOf(err) == fault.Usage && r.AsDom0(con) {
			con.Detail(err.Error())
			return nil
		}
		return err
	case r.Bridge == "" && r.Elsewhere == nil && known:
		findBridge(ctx, r, invocation, host, con)
	case (r.UUID == "" || r.Type == "") && known:
		guest, err := host.Identity(ctx, invocation)
		if err != nil {
			con.Detail(err.Error()) // a name of the search path less, no more
		}
		r.know(guest)
	}
	return nil
}

// find looks for the one of the guest's interfaces that boots.
func find(ctx context.Context, r *Request, invocation xenout.Invocation, host *domain.Host, con *console.Console) error {
	guest, err := host.Find(ctx, invocation)
	r.know(guest)
	if unknown, ok := errors.AsType[*domain.UnknownError](err); ok {
		return fault.New(fault.Usage, "usage", unknown, "")
	}
	if err != nil {
		return fault.In(ctx, fault.Own, "usage", err, "")
	}
	vif := guest.VIFs[invocation.Interface]
	con.Detail(fmt.Sprintf("guest: %s is interface %d of %d, says %s", vif.MAC, invocation.Interface, len(guest.VIFs), guest.Source))
	r.MAC = bytes.Clone(vif.MAC)
	if r.Elsewhere == nil {
		r.Put(vif.On(r.Bridge, r.VLAN), con)
	}
	return nil
}

// know takes what was found out about the guest, as far as it was not said.
func (r *Request) know(guest domain.Info) {
	r.UUID = cmp.Or(r.UUID, guest.UUID)
	r.Type = cmp.Or(r.Type, guest.Type)
}

// Put puts the guest where its vif says that it is.
func (r *Request) Put(vif xenout.VIF, con *console.Console) {
	bridge, vlan, err := vif.Place()
	r.Bridge, r.VLAN, r.Elsewhere = bridge, vlan, nil
	errors.As(err, &r.Elsewhere)
	for _, key := range vif.Unknown {
		con.Warn(key.String())
	}
}

// findBridge looks for the interface with the MAC that is known. Where none is
// found the default bridge has to do, as for a vif without one.
func findBridge(ctx context.Context, r *Request, invocation xenout.Invocation, host *domain.Host, con *console.Console) {
	guest, err := host.Find(ctx, invocation)
	r.know(guest)
	if err != nil {
		con.Detail(err.Error())
	}
	for _, vif := range guest.VIFs {
		if bytes.Equal(vif.MAC, r.MAC) {
			con.Detail(fmt.Sprintf("guest: %s is on %s, says %s", vif.MAC, cmp.Or(vif.Bridge, "the default bridge"), guest.Source))
			r.Put(vif.On("", r.VLAN), con)
			return
		}
	}
}

// reachable says why the guest's network can't be reached from here.
func (r *Request) reachable() error {
	if r.Elsewhere == nil || !r.leases() {
		return nil
	}
	return fault.New(fault.Usage, "network", r.Elsewhere, r.Elsewhere.Try)
}

// NeedsVIF says whether the guest's interface is of any use: not for dom0's own
// files, and not to download them as dom0.
func (r *Request) NeedsVIF() bool {
	return r.Repository == nil || r.Net != guest.Dom0 && r.Repository.OnNetwork()
}

// AsDom0 makes the downloads dom0's own, if a location may be downloaded so.
// xenpvnetboot knew no interface of any guest, so that one that is not known
// must not keep it from working.
func (r *Request) AsDom0(con *console.Console) bool {
	if r.Repository == nil || r.Net != guest.Auto {
		return false
	}
	con.Stage("network: no interface of the guest's is known, so dom0 downloads by itself")
	r.Net = guest.Dom0
	return true
}
