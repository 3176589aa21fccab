package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/boot"
	"github.com/gopxeboot/gopxeboot/internal/console"
	"github.com/gopxeboot/gopxeboot/internal/fault"
	"github.com/gopxeboot/gopxeboot/internal/guest"
	"github.com/gopxeboot/gopxeboot/internal/handover"
	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/program"
	"github.com/gopxeboot/gopxeboot/internal/session"
	"github.com/gopxeboot/gopxeboot/xenout"
	"github.com/urfave/cli/v2"
)

func demoCommand() *cli.Command {
	return withHelp(&cli.Command{
		Name:        "demo",
		Usage:       "the whole job in a lab of its own: no root, no server, no Xen needed",
		UsageText:   "gopxeboot demo [OPTIONS]",
		Description: "Boots the guest of the Xen PXE howto in a lab of its own, and shows what the toolstack gets.",
		Flags:       []cli.Flag{&cli.BoolFlag{Name: "v", Aliases: []string{"verbose"}, Usage: "say why each thing is done"}},
		Action:      demoAction,
	}, example("gopxeboot demo"), exits(0, 1))
}

func demoAction(c *cli.Context) error {
	if err := lab.Enter(); err != nil {
		return fault.New(fault.Own, "demo", err, "")
	}
	w := c.App.Writer
	fmt.Fprintf(w, "A lab: the bridge xenbr0 of a dom0 without an address, and behind it a server at %s\n"+
		"with the DHCP and TFTP of the Xen PXE boot howto. What the server is asked:\n\n", lab.ServersAddress.Addr())
	dir, err := os.MkdirTemp("", "gopxeboot-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	tree := filepath.Join(dir, "tftpboot")
	if err := lab.SampleTree(tree); err != nil {
		return err
	}
	l, err := newLab(c.Context, lab.Config{OnRequest: func(r lab.Request) { fmt.Fprintf(w, "  server: %s\n", r) }}, tree, "pxelinux.0")
	if err != nil {
		return err
	}
	defer l.Close()

	vif, err := xenout.ParseVIF("mac=" + lab.SampleMAC + ",bridge=xenbr0")
	if err != nil {
		return err
	}
	out, err := handover.OpenOutput(c.Context, filepath.Join(dir, "answer"))
	if err != nil {
		return err
	}
	result, err := boot.Boot(c.Context, boot.Options{
		Network: session.Network{MAC: vif.MAC, Bridge: vif.Bridge, Net: guest.Auto}, Wanted: program.Wanted{ConfigDir: "pxelinux.cfg"},
		Spec:    handover.Spec{OutputDirectory: dir, Format: xenout.JSON, MaxKernel: 128 << 20, MaxInitrd: 2 << 30},
		Timeout: 30 * time.Second,
	}, out, console.New(w, level(c)))
	out.Close()
	if err != nil {
		return err
	}
	return show(w, result)
}

// show prints the triple, and what each toolstack would read.
func show(w io.Writer, result xenout.Result) error {
	fmt.Fprintf(w, "\nThe guest boots:\n\n  kernel   %s\n  ramdisk  %s\n  args     %s\n\nwhich the toolstacks read as\n\n", result.Kernel, result.Ramdisk, result.Args)
	for _, f := range []struct {
		format xenout.Format
		who    string
	}{{xenout.SXP, "xm"}, {xenout.Simple, "XAPI"}, {xenout.Simple0, "xl, libvirt"}} {
		var b bytes.Buffer
		if err := xenout.Write(&b, f.format, result); err != nil {
			return err
		}
		shown := strings.ReplaceAll(strings.TrimSuffix(b.String(), "\n"), "\x00", `\0`)
		fmt.Fprintf(w, "  %s (%s):\n    %s\n", f.format, f.who, strings.ReplaceAll(shown, "\n", "\n    "))
	}
	return nil
}
