package boot

import (
	"context"
	"errors"
	"fmt"

	"github.com/gopxeboot/gopxeboot/internal/console"
	"github.com/gopxeboot/gopxeboot/internal/fault"
	"github.com/gopxeboot/gopxeboot/internal/once"
	"github.com/gopxeboot/gopxeboot/xenout"
)

// BootOnce makes the boot one of the guest's disk if the guest has booted from
// the network before, and has that remembered otherwise. o.UUID is one that the
// caller said, or "".
func (o *Options) BootOnce(ctx context.Context, dir string, call *xenout.Call, con *console.Console) error {
	uuid, name := o.UUID, ""
	if uuid == "" {
		var err error
		if uuid, name, err = o.Host.Lasting(ctx, *call); err != nil {
			return fault.In(ctx, fault.Usage, "usage", fmt.Errorf("--once: %w", err), "say --uuid with a uuid of the guest's own")
		}
	}
	mark := once.ByUUID(dir, uuid)
	if uuid == "" {
		if o.MAC == nil {
			if err := o.find(ctx, *call, con); err != nil {
				return err
			}
		}
		mark = once.ByName(dir, name, o.MAC)
	}
	booted, err := mark.IsSet()
	switch {
	case err != nil:
		return noMark(err)
	case booted && o.Disk == "":
		return fault.New(fault.NotBootable, "localboot", errors.New("the guest has booted from the network once, and there is no disk"), "name the guest's disk as the last argument; gopxeboot --again forgets the boot")
	case booted:
		con.Stage(fmt.Sprintf("once: from the guest's own disk, as it has booted from the network before (%s)", mark))
		o.LocalBoot, o.Repository = true, nil
	default:
		o.Once = &mark
	}
	return nil
}

// noMark is the error of a mark that can't be written.
func noMark(err error) error {
	return fault.New(fault.NoOutput, "once", fmt.Errorf("that the guest has booted can't be remembered, so it does not boot from the network: %w", err),
		"see that root can write there, or name another directory with --once-dir")
}
