package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/boot"
	"github.com/gopxeboot/gopxeboot/internal/console"
	"github.com/gopxeboot/gopxeboot/internal/deadline"
	"github.com/gopxeboot/gopxeboot/internal/domain"
	"github.com/gopxeboot/gopxeboot/internal/fault"
	"github.com/gopxeboot/gopxeboot/internal/handover"
	"github.com/gopxeboot/gopxeboot/internal/once"
	"github.com/gopxeboot/gopxeboot/internal/printable"
	"github.com/gopxeboot/gopxeboot/pxelinux"
	"github.com/gopxeboot/gopxeboot/xenout"
	"github.com/urfave/cli/v2"
)

// bootFlags are those of the bootloader itself.
func bootFlags() []cli.Flag {
	return append(slices.Concat(guestFlags(), leaseFlags(), programFlags(), menuFlags(), transferFlags(), verifyFlags(), locationFlags(), limitFlags()),
		typeFlag("the toolstack's"),
		noMenuFlag(),
		&cli.StringFlag{Name: "output", Usage: "write the result to this `FILE` or FIFO", DefaultText: "standard output"},
		&cli.StringFlag{Name: "output-format", Usage: "the `FORMAT` of the result: sxp, simple, simple0, xl, libvirt, json, shell or xe", DefaultText: "the toolstack's, else sxp"},
		&cli.StringFlag{Name: "output-directory", Usage: "the `DIRECTORY` for the kernel and the initrd", DefaultText: xenout.Xen.DefaultDirectory() + ", under XAPI " + xenout.XAPI.DefaultDirectory()},
		&cli.StringFlag{Name: "pygrub", Usage: "the `PROGRAM` that boots from DISK for LOCALBOOT", DefaultText: "Xen's pygrub"},
		&cli.StringFlag{Name: "pygrub-image", Usage: "the `IMAGE` that pygrub boots from", DefaultText: "DISK"},
		&cli.StringFlag{Name: "args", Usage: "add these `ARGUMENTS` to the command line"},
		&cli.BoolFlag{Name: "l", Aliases: []string{"list-entries"}, Usage: "list the labels, and boot nothing"},
		&cli.BoolFlag{Name: "n", Aliases: []string{"not-really"}, Usage: "say what would boot, and boot nothing"},
		vifFlag(), confFlag(),
		&cli.BoolFlag{Name: "apply", Usage: "with --output-format=xe: set it in XAPI, too"},
		&cli.BoolFlag{Name: "unapply", Usage: "have the VM of --uuid boot as before the first --apply, and remove the files"},
		&cli.BoolFlag{Name: "once", Usage: "boot from the network the first time, and from DISK after that"},
		&cli.BoolFlag{Name: "again", Usage: "forget that the guest has booted once: gopxeboot --again GUEST"},
		&cli.StringFlag{Name: "once-dir", Value: once.Dir, Usage: "the `DIRECTORY` that remembers who has booted"},
		&cli.StringFlag{Name: "vm", Usage: "the guest's `UUID`, as XAPI gives it to its eliloader"},
		&cli.StringFlag{Name: "domid", Usage: "the guest's domain `ID`, as XAPI gives it to its pygrub"},
		&cli.StringFlag{Name: "offset", Usage: "where the partition to boot from begins on DISK, in `BYTES`, for pygrub"},
		&cli.StringFlag{Name: "cache", Usage: "keep files whose digest is known in this `DIR`, and take them from there for all guests; it has to be root's alone"},
		&cli.GenericFlag{Name: "cache-size", Value: &size{4 << 30}, Usage: "the cache's largest size, in `BYTES`; the least recently used files go first"},
		&cli.BoolFlag{Name: "force", Usage: "hand over files that this guest can't boot, too, with a warning"},
		&cli.BoolFlag{Name: "version", Usage: "print the version"},
		&cli.BoolFlag{Name: "i", Aliases: []string{"interactive"}, Usage: "let pygrub ask, also with -q, and read DISK as root"},
		// What those before us took, and what is not needed or not there.
		&cli.StringFlag{Name: "default_args", Hidden: true},
		&cli.StringFlag{Name: "extra_args", Hidden: true},
		&cli.BoolFlag{Name: "debug", Aliases: []string{"logging"}, Hidden: true},
		&cli.BoolFlag{Name: "isconfig", Hidden: true},
		&cli.StringFlag{Name: "udhcpc", Hidden: true},
	)
}

// limitFlags are the limits of a boot, besides its time.
func limitFlags() []cli.Flag {
	return []cli.Flag{
		&cli.GenericFlag{Name: "max-kernel", Value: &size{128 << 20}, Usage: "the largest kernel to accept, in `BYTES`"},
		&cli.GenericFlag{Name: "max-initrd", Value: &size{2 << 30}, Usage: "the largest initrds to accept, all together, in `BYTES`"},
	}
}

// bootTo is what the toolstack runs us for.
func bootTo(c *cli.Context, call *xenout.Call, out *handover.Output, file *settings) error {
	if c.Bool("again") {
		return again(c, call)
	}
	named := c.IsSet("label")
	if err := file.apply(c, call, func() ([]string, error) { return sectionsOfCall(c, call) }); err != nil {
		return err
	}
	con := console.New(c.App.ErrWriter, level(c))
	con.GoOn()
	if call.Domid != 0 {
		con.Keep()
		con.Stage(fmt.Sprintf("%s: domain %d, gopxeboot %s", time.Now().UTC().Format("2006-01-02 15:04:05 UTC"), call.Domid, c.App.Version))
	}
	o, err := options(c, call, con)
	if err != nil {
		return err
	}
	o.Wanted.OfVM = o.Network.OfVM && named
	if c.Bool("unapply") {
		return unapply(c.Context, &o, con)
	}
	for _, word := range call.Unknown {
		text := fmt.Sprintf("%q is neither an option, nor a vif, nor a location with a scheme, nor the last word, which is the disk: it is ignored", word)
		if filepath.IsAbs(word) {
			text += "; --location=" + word + " names a directory or an image"
		}
		con.Warn(text)
	}
	if c.IsSet("udhcpc") {
		con.Warn("--udhcpc is not needed any more")
	}
	inTime(&o, call, con)
	// One deadline for everything, the search for the guest included; libxl's
	// may be nearer than the one that counts since runApp.
	ctx, cancel := deadline.With(c.Context, o.Timeout)
	defer cancel()
	if c.Bool("once") {
		if err := o.BootOnce(ctx, c.String("once-dir"), call, con); err != nil {
			return err
		}
	}
	if err := o.Complete(ctx, call, con); err != nil {
		return err
	}
	advise(c, call, &o)
	if c.Bool("l") || c.Bool("n") {
		o.Person = nil
		return say(ctx, c, o, con)
	}
	_, err = boot.Boot(ctx, o, out, con)
	return err
}

// unapply is --unapply.
func unapply(ctx context.Context, o *boot.Options, con *console.Console) error {
	did, err := o.Unapply(ctx)
	switch {
	case err != nil:
		return err
	case did:
		con.Stage(fmt.Sprintf("output: VM %s boots as before the first --apply", o.UUID))
	default:
		con.Stage(fmt.Sprintf("output: nothing was applied to VM %s", o.UUID))
	}
	return nil
}

// again is --again: it forgets a guest by its name or uuid, and boots nothing. A
// toolstack that said it would do so at each boot, and install at each.
func again(c *cli.Context, call *xenout.Call) error {
	called := cmp.Or(call.Disk, c.String("uuid"))
	switch {
	case call.Output != "":
		return usage(errors.New("--again in a guest's configuration would boot it from the network each time"), "run gopxeboot --again GUEST by hand")
	case called == "":
		return usage(errors.New("--again: which guest?"), "gopxeboot --again GUEST, by its name or uuid")
	}
	names := []string{called}
	// Of libvirt's and XAPI's guests the uuid is remembered.
	if guest, err := domain.ThisHost().Named(c.Context, called, 0); err == nil && guest.UUID != "" {
		names = append(names, guest.UUID)
	}
	con := console.New(c.App.ErrWriter, level(c))
	var gone []string
	for _, name := range names {
		files, err := once.Forget(c.String("once-dir"), name)
		if err != nil {
			return fault.New(fault.NoOutput, "once", err, "")
		}
		gone = append(gone, files...)
	}
	if gone == nil {
		con.Stage(fmt.Sprintf("once: %q has not booted with --once", called))
		return nil
	}
	con.Stage(fmt.Sprintf("once: forgot %q (%s): the next boot is from the network", called, strings.Join(gone, ", ")))
	return nil
}

// inTime keeps the time within what libxl gives a restricted bootloader, with
// some left to say why it failed.
func inTime(o *boot.Options, call *xenout.Call, con *console.Console) {
	if call.Domid == 0 || call.RunAs == 0 {
		return
	}
	limit := xenout.RestrictedTime(os.Getenv("LIBXL_BOOTLOADER_TIMEOUT"))
	if margin := min(limit/10, 5*time.Second); limit > 0 && o.Timeout > limit-margin {
		o.Timeout = limit - margin
		con.Warn(fmt.Sprintf("libxl gives a restricted bootloader %v: all has to be done in %v; LIBXL_BOOTLOADER_TIMEOUT raises that", limit, o.Timeout))
	}
}

// say is pygrub's -l and -n: what there is, and what would boot.
func say(ctx context.Context, c *cli.Context, o boot.Options, con *console.Console) error {
	plan, err := boot.Preview(ctx, o, con)
	w := c.App.Writer
	if c.Bool("l") {
		for _, label := range plan.Labels {
			fmt.Fprintln(w, printable.Redacted(label.Name))
		}
		if len(plan.Labels) > 0 {
			return nil // also when none of them boots by itself
		}
	}
	if err != nil || c.Bool("l") {
		return err
	}
	if plan.Outcome == pxelinux.LocalBoot {
		fmt.Fprintf(w, "disk: %s\n", printable.Redacted(o.Disk))
		return nil
	}
	fmt.Fprintf(w, "kernel: %s\n", printable.Redacted(plan.Kernel))
	for _, initrd := range plan.Initrds {
		fmt.Fprintf(w, "initrd: %s\n", printable.Redacted(initrd))
	}
	fmt.Fprintf(w, "args: %s\n", printable.Redacted(xenout.MergeArgs(plan.Args, o.Args)))
	return nil
}

// whileParentLives ends when the process that started us does: no one would
// read the answer, or delete the files. A terminal would tell, too, by SIGHUP,
// but XAPI gives none. PR_SET_PDEATHSIG would tell also when only the thread
// ends that started us, and libvirt has threads that come and go.
func whileParentLives(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	parent := os.Getppid()
	go func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				if os.Getppid() != parent {
					cancel(errors.New("the process that started this one is gone"))
				}
			}
		}
	}()
	return ctx, func() { cancel(nil) }
}
