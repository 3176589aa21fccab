package main

import (
	"errors"
	"fmt"

	"github.com/gopxeboot/gopxeboot/internal/arch"
	"github.com/gopxeboot/gopxeboot/internal/install"
	"github.com/gopxeboot/gopxeboot/internal/printable"
	"github.com/urfave/cli/v2"
)

// locationFlags name what boots where no PXELINUX configuration does.
func locationFlags() []cli.Flag {
	return append(imageFlags("the lab or of the location"),
		&cli.StringFlag{Name: "location", Usage: "boot the installer of this repository: a `URL`, nfs:HOST:/PATH, nfs+iso:HOST:/PATH, or dom0's directory, image or device; --arch may say amd64 or i386"},
		&cli.StringFlag{Name: "distro", Usage: "look for this `KIND` of installer, and tell it where the location is: rhlike, sleslike, debianlike or pygrub"},
		&cli.StringFlag{Name: "release", Usage: "look for this `RELEASE` of Debian or Ubuntu"},
	)
}

// imageFlags name files in the place of those that are found where it says.
func imageFlags(where string) []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "kernel", Usage: "boot this `FILE` of " + where + ", or this URL, instead of what is found there"},
		&cli.StringFlag{Name: "ramdisk", Usage: "use this `FILE` of " + where + ", or this URL, as initrd"},
	}
}

// repository is what the flags name, nil when a configuration is to be looked
// for. A kernel by its full URL needs none, as in xenpvnetboot, unless a label
// is named or the ramdisk is one of the lab's.
func repository(c *cli.Context, where string) (*install.Repository, error) {
	w := install.Wanted{Kernel: c.String("kernel"), Ramdisk: c.String("ramdisk"), Release: c.String("release")}
	if machine := c.Generic("arch").(*archFlag).machine; machine != "" {
		w.Archs = []arch.Machine{machine}
	}
	if named := c.String("location"); c.IsSet("location") {
		if named == "" { // a variable of a script that was not set: the lab is not what was meant
			return nil, usage(errors.New("--location is empty"), "")
		}
		if where != "" {
			return nil, usage(fmt.Errorf("two locations: %s and %s", printable.WithoutPassword(where), printable.WithoutPassword(named)), "")
		}
		where = named
	}
	var err error
	if w.Distro, err = install.ParseDistro(c.String("distro")); err != nil {
		return nil, usage(fmt.Errorf("--distro: %w", err), "")
	}
	direct := install.IsFullURL(w.Kernel) && (w.Ramdisk == "" || install.IsFullURL(w.Ramdisk)) && c.String("label") == ""
	switch {
	case where == "" && direct:
	case where == "" && (w.Distro != install.Any || w.Release != ""):
		return nil, usage(errors.New("--distro and --release say what to look for at a --location, and there is none"), "")
	case where == "":
		return nil, nil
	case c.String("label") != "":
		return nil, usage(errors.New("--label is of a configuration, and --location needs none"), "")
	}
	r, err := install.NewRepository(where, w)
	if err != nil {
		return nil, usage(err, "")
	}
	return r, nil
}
