package boot

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/gopxeboot/gopxeboot/internal/console"
	"github.com/gopxeboot/gopxeboot/internal/domain"
	"github.com/gopxeboot/gopxeboot/xenout"
)

// Identify completes a request with what the toolstack knows about the guest
// that it is creating: the MAC and bridge when nobody wrote them down, and the
// uuid, for which PXELINUX has a file name.
func Identify(ctx context.Context, r *Request, invocation xenout.Invocation, host *domain.Host, con *console.Console) error {
	if r.MAC != nil && (r.UUID != "" || (invocation.Domid == 0 && invocation.VM == "")) {
		return nil
	}
	if r.MAC != nil {
		guest, err := host.Identity(ctx, invocation)
		if err != nil {
			con.Detail(err.Error()) // a name of the search path less, no more
			return nil
		}
		r.UUID = guest.UUID
		return nil
	}
	guest, err := host.Find(ctx, invocation)
	if r.UUID == "" {
		r.UUID = guest.UUID
	}
	if unknown, ok := errors.AsType[*domain.UnknownError](err); ok {
		return &Error{Usage, "usage", unknown, ""}
	}
	if err != nil {
		return fail(ctx, OwnFault, "usage", err, "")
	}
	vif := guest.VIFs[0]
	con.Detail(fmt.Sprintf("guest: %s is the first of %d interfaces, says %s", vif.MAC, len(guest.VIFs), guest.Source))
	r.MAC = bytes.Clone(vif.MAC)
	if r.Bridge == "" {
		r.Bridge = vif.Bridge
	}
	return nil
}
