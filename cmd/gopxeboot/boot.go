package main

import (
	"path/filepath"

	"github.com/gopxeboot/gopxeboot/internal/boot"
	"github.com/gopxeboot/gopxeboot/internal/console"
	"github.com/gopxeboot/gopxeboot/internal/domain"
	"github.com/gopxeboot/gopxeboot/xenout"
	"github.com/urfave/cli/v2"
)

// bootFlags are those of the bootloader itself.
func bootFlags() []cli.Flag {
	return append(guestFlags(),
		&cli.StringFlag{Name: "output", Usage: "write the result to this `FILE` or FIFO (default: stdout)"},
		&cli.StringFlag{Name: "output-format", Usage: "`FORMAT` of the result: sxp, simple, simple0, xl, libvirt, json or shell"},
		&cli.StringFlag{Name: "output-directory", Usage: "`DIRECTORY` for the kernel and the initrd"},
		&cli.StringFlag{Name: "kernel", Usage: "boot this `FILE` of the server, or URL, instead of the label's kernel"},
		&cli.StringFlag{Name: "ramdisk", Usage: "with this `FILE` of the server, or URL, instead of the label's initrds"},
		&cli.StringFlag{Name: "pygrub", Usage: "the `PROGRAM` that boots from DISK for LOCALBOOT (default: Xen's pygrub)"},
		&cli.StringFlag{Name: "pygrub-image", Usage: "the `IMAGE` that it boots from (default: DISK)"},
		&cli.StringFlag{Name: "args", Usage: "`ARGUMENTS` to add to the kernel's command line"},
		&cli.StringFlag{Name: "vm", Usage: "the guest's `UUID`, as XAPI gives it to its eliloader"},
		&cli.StringFlag{Name: "default_args", Usage: "`ARGUMENTS` to add, as XenServer's eliloader takes them"},
		&cli.StringFlag{Name: "extra_args", Usage: "`ARGUMENTS` to add, as XenServer's eliloader takes them"},
		&cli.GenericFlag{Name: "max-kernel", Value: newSize(128 << 20), Usage: "the largest kernel to accept, in `BYTES`"},
		&cli.GenericFlag{Name: "max-initrd", Value: newSize(2 << 30), Usage: "the most of initrds to accept, in `BYTES`"},
		&cli.BoolFlag{Name: "version", Usage: "print the version"},
		&cli.BoolFlag{Name: "i", Aliases: []string{"interactive"}, Hidden: true},
		&cli.BoolFlag{Name: "isconfig", Aliases: []string{"debug", "logging"}, Hidden: true},
		&cli.StringFlag{Name: "udhcpc", Hidden: true},
	)
}

// bootAction is what the toolstack runs us for.
func bootAction(toolstack xenout.Toolstack, out *boot.Output) cli.ActionFunc {
	return func(c *cli.Context) error {
		if c.Bool("version") {
			cli.ShowVersion(c)
			return nil
		}
		return bootTo(c, toolstack, out)
	}
}

func bootTo(c *cli.Context, toolstack xenout.Toolstack, out *boot.Output) error {
	invocation, err := invocationOf(c, toolstack)
	if err != nil {
		return err
	}
	r, err := request(c, invocation.VIF)
	if err != nil {
		return err
	}
	con := console.New(c.App.ErrWriter, level(c))
	if err := boot.Identify(c.Context, &r, invocation, domain.ThisHost(), con); err != nil {
		return err
	}
	r.Kernel, r.Ramdisk, r.Args = invocation.Kernel, invocation.Ramdisk, invocation.Args
	r.Disk, r.Pygrub, r.Quiet = invocation.Disk, c.String("pygrub"), invocation.Quiet
	r.Format = invocation.Format
	r.OutputDirectory = invocation.OutputDirectory
	r.MaxKernel = c.Generic("max-kernel").(*size).value
	r.MaxInitrd = c.Generic("max-initrd").(*size).value
	if c.IsSet("udhcpc") {
		con.Warn("--udhcpc is not needed any more")
	}
	_, err = boot.Boot(c.Context, r, out, con)
	return err
}

// invocationOf is what the toolstack asks for.
func invocationOf(c *cli.Context, toolstack xenout.Toolstack) (xenout.Invocation, error) {
	vif, disk, _, err := xenout.Positionals(c.Args().Slice())
	if err != nil {
		return xenout.Invocation{}, usage(err, "")
	}
	i := xenout.Invocation{
		Toolstack:       toolstack,
		VIF:             vif,
		Disk:            disk,
		VM:              c.String("vm"),
		Domid:           xenout.DomidOf(c.String("output"), c.String("output-directory")),
		RunAs:           c.Int("runas"),
		Kernel:          c.String("kernel"),
		Ramdisk:         c.String("ramdisk"),
		Quiet:           c.Bool("q"),
		OutputDirectory: c.String("output-directory"),
		Format:          toolstack.DefaultFormat(),
	}
	if image := c.String("pygrub-image"); image != "" {
		i.Disk = image
	}
	for _, name := range []string{"args", "default_args", "extra_args"} {
		i.Args = xenout.MergeArgs(i.Args, c.String(name))
	}
	if i.OutputDirectory == "" {
		i.OutputDirectory = toolstack.DefaultDirectory()
	}
	if i.OutputDirectory, err = filepath.Abs(i.OutputDirectory); err != nil {
		return i, err
	}
	if f := c.String("output-format"); f != "" {
		if i.Format, err = xenout.ParseFormat(f); err != nil {
			return i, usage(err, "")
		}
	}
	return i, nil
}
