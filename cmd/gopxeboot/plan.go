package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/gopxeboot/gopxeboot/internal/boot"
	"github.com/gopxeboot/gopxeboot/internal/check/render"
	"github.com/gopxeboot/gopxeboot/internal/console"
	"github.com/gopxeboot/gopxeboot/internal/fault"
	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/urfave/cli/v2"
	"golang.org/x/term"
)

func planCommand() *cli.Command {
	return withHelp(&cli.Command{
		Name:      "plan",
		Usage:     "what would boot: everything but the download",
		UsageText: "gopxeboot plan [OPTIONS] [VIF|GUEST]\ngopxeboot plan --tree DIR [OPTIONS] [VIF|GUEST]",
		Description: "Finds out what would boot, as the guest on its network or offline from a directory, and prints it, on a terminal for people and else as JSON: " +
			"the lease, each name that was asked for, what boots with which command line, all labels, warnings. " +
			"GUEST is a guest's name, uuid or domain id.",
		Flags: append(slices.Concat(guestFlags(), leaseFlags(), programFlags(), menuFlags(), transferFlags(), verifyFlags(), locationFlags()),
			typeFlag(""), vifFlag(), confFlag(),
			&cli.BoolFlag{Name: "json", Usage: "print JSON on a terminal, too"},
			&cli.StringFlag{Name: "tree", Usage: "ask no network: this `DIR` is the root of the TFTP and of the web server, and --ip, --netmask, --server, --bootfile and --option 209 and 210 are the lease"},
			&cli.StringFlag{Name: "config", Usage: "take this `FILE` as the configuration"},
			&cli.StringFlag{Name: "ip", Usage: "the leased `ADDRESS`"},
			&cli.StringFlag{Name: "netmask", Value: "255.255.255.0", Usage: "its `NETMASK`"},
		),
		Action: planAction,
	}, example("gopxeboot plan mac=00:16:3e:72:79:e3,bridge=xenbr0\n"+
		"gopxeboot plan --tree /tftpboot --mac 00:16:3e:72:79:e3 --ip 192.168.1.199"),
		exits(0, 1, 2, 3, 4, 5, 6, 8))
}

func planAction(c *cli.Context) error {
	if err := planUse(c); err != nil {
		return err
	}
	call, err := callOf(c)
	if err != nil {
		return err
	}
	o, err := namedOptions(c, call)
	if err != nil {
		return err
	}
	con := console.New(c.App.ErrWriter, level(c))
	switch {
	case o.Repository != nil && c.String("tree") != "":
		return usage(errors.New("--tree is of a configuration, and --location needs none"), "")
	case o.MAC == nil && o.NeedsVIF() && !o.AsDom0(con):
		return usage(errors.New("the guest's MAC is not known"), noMAC)
	}
	var p *plan.Plan
	var failure error
	if tree := c.String("tree"); tree != "" {
		if info, err := os.Stat(tree); err != nil || !info.IsDir() {
			return usage(fmt.Errorf("--tree: %s is no directory", tree), "")
		}
		lease, err := leaseOf(c, o)
		if err != nil {
			return usage(err, "")
		}
		p, failure = boot.Offline(c.Context, o, lease, tree, c.String("config"), con)
	} else {
		if !c.Bool("menu") {
			o.Person = nil
		}
		advise(c, call, &o)
		p, failure = boot.Preview(c.Context, o, con)
	}
	if failure != nil && (fault.CodeOf(failure) == fault.Own || fault.CodeOf(failure) == fault.Usage) && asksNothing(p) {
		return failure
	}
	if c.Bool("json") || !onTerminal(c.App.Writer) {
		err = console.WriteJSON(c.App.Writer, p)
	} else {
		err = render.Plan(c.App.Writer, p, c.Bool("v"))
	}
	if err != nil {
		return err
	}
	return failure
}

// asksNothing says that nothing is known of the lab, or of what would boot.
func asksNothing(p *plan.Plan) bool {
	return !p.Lease.Address.IsValid() && len(p.Config.Tried) == 0 && p.Config.URL == "" && p.Boot.Kernel == "" && p.Outcome == ""
}

// onTerminal says whether people read what is written there.
func onTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// planUse is the error of an option that has no effect.
func planUse(c *cli.Context) error {
	if c.String("tree") == "" {
		return notThese(c, "without --tree", "config ip netmask")
	}
	return onlyThese(c, "with --tree", "tree config ip netmask address router server bootfile option arch mac uuid guest-type "+
		"config-dir label program set kernel ramdisk location json vif v q")
}
