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
	if err := noWords(c, 0); err != nil {
		return err
	}
	if err := lab.Enter(); err != nil {
		return fault.New(fault.Own, "demo", err, "")
	}
	w := c.App.Writer
	fmt.Fprintf(w, before, lab.ServersAddress.Addr(), lab.SampleMAC)
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
	if err := show(w, result); err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, after, lab.SampleMAC)
	return err
}

const before = `This is a lab in private namespaces: a dom0 with the bridge xenbr0, and behind
it a server at %s with the DHCP and TFTP of the Xen PXE howto.
Nothing of this machine's network is touched.

gopxeboot now runs as the bootloader= of a guest does: on the bridge, with the
guest's MAC, %s, it asks for a lease. The lease names a server
and a boot file. In that file's directory it looks for the guest's
configuration, which says what to download. "gopxeboot:" is what the guest's
console shows, "server:" what the server was asked.

`

const after = `
The lab and its files are gone now. With xl the two lines for a guest are

  bootloader      = "gopxeboot"
  bootloader_args = ["mac=%s,bridge=xenbr0"]

What next:

  gopxeboot check --bridge xenbr0    does your lab boot a guest? (root, in dom0)
  gopxeboot lab                      a shell in this lab, to try things
  gopxeboot help                     what else there is
`

// show prints what each toolstack would read.
func show(w io.Writer, result xenout.Result) error {
	fmt.Fprint(w, "\nThe guest boots these files with this command line, which each toolstack reads\nin a form of its own:\n\n")
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
