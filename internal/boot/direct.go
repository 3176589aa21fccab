package boot

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/gopxeboot/gopxeboot/internal/console"
	"github.com/gopxeboot/gopxeboot/internal/domain"
	"github.com/gopxeboot/gopxeboot/internal/fault"
	"github.com/gopxeboot/gopxeboot/internal/handover"
	"github.com/gopxeboot/gopxeboot/xenout"
)

// pvhUnderXAPI says why no bootloader boots such a VM: xenopsd hands over the
// kernel once more, as the first module, which Linux takes for its initrd
// (xenops_server_xen.ml).
func pvhUnderXAPI(uuid string) error {
	return fault.New(fault.NotBootable, "boot", errors.New("the VM's domain-type is pvh, and XAPI gives a PVH guest that has a bootloader the kernel in place of its initrd"),
		fmt.Sprintf("let gopxeboot set PV-kernel before the VM starts: gopxeboot --output-format=xe --apply --uuid=%s --output-directory=%s", uuid, xenout.XEDirectory))
}

// DirectoryOfVM is where the files of a VM go that boots without a bootloader,
// below the directory that was named: as XAPI deletes none, we do, and only
// those of the same VM.
func DirectoryOfVM(named, uuid string) (string, error) {
	named = filepath.Clean(named)
	switch {
	case !domain.IsUUID(uuid):
		return "", fault.New(fault.Usage, "usage", fmt.Errorf("--uuid has to say which VM it is for, and %q is no uuid", uuid), "xe vm-list shows the uuids")
	case named != xenout.XEDirectory && !strings.HasPrefix(named, xenout.XEDirectory+"/"):
		return "", fault.New(fault.Usage, "usage", fmt.Errorf("XAPI boots no kernel from %s", named), "say --output-directory="+xenout.XEDirectory)
	}
	return filepath.Join(named, strings.ToLower(uuid)), nil
}

// addPVArgs adds the VM's own PV-args to the command line, as they were before
// ours took their place.
func (o *Options) addPVArgs(ctx context.Context) error {
	args, err := o.Host.ArgsBefore(ctx, o.UUID)
	if err != nil {
		return fault.In(ctx, fault.Usage, "usage", err, "")
	}
	o.Args = xenout.MergeArgs(o.Args, args)
	return nil
}

// apply has XAPI boot the result from now on.
func (o *Options) apply(ctx context.Context, r xenout.Result) error {
	if err := o.Host.SetDirect(ctx, r); err != nil {
		return fault.In(ctx, fault.NoOutput, "output", err, "")
	}
	return nil
}

// removeEarlier removes the files of the VM's earlier boots.
func (o *Options) removeEarlier(r xenout.Result, con *console.Console) {
	if err := handover.RemoveEarlier(o.OutputDirectory, r); err != nil {
		con.Warn(fmt.Sprintf("output: files of an earlier boot stay in %s: %v", o.OutputDirectory, err))
	}
}

// Unapply makes a VM boot as it did before it was first applied to, and removes
// its files. It says whether it did not already.
func (o *Options) Unapply(ctx context.Context) (bool, error) {
	did, err := o.Host.Restore(ctx, o.UUID)
	if err == nil {
		err = handover.RemoveEarlier(o.OutputDirectory, xenout.Result{})
	}
	if err != nil {
		return did, fault.In(ctx, fault.NoOutput, "output", err, "")
	}
	return did, nil
}
