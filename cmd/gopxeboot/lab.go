package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/fault"
	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/urfave/cli/v2"
)

func labCommand() *cli.Command {
	return withHelp(&cli.Command{
		Name:      "lab",
		Usage:     "a bridge with DHCP, TFTP and HTTP servers, in private namespaces",
		UsageText: "gopxeboot lab [OPTIONS] [-- COMMAND [ARGUMENT...]]",
		Description: "Makes a dom0 with the bridge xenbr0 and servers behind it, in namespaces of its own, and runs COMMAND in that dom0, " +
			"or else a shell. It needs no root, and ends with the command.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "tree", Usage: "serve this `DIR` by TFTP and HTTP", DefaultText: "the howto's tree"},
			&cli.StringFlag{Name: "bootfile", Value: "pxelinux.0", Usage: "the boot file `NAME` that DHCP gives"},
			&cli.BoolFlag{Name: "q", Aliases: []string{"quiet"}, Usage: "do not print what is asked of the servers"},
		},
		Action: labAction,
	}, example("gopxeboot lab --tree /tftpboot -- gopxeboot plan mac=00:16:3e:72:79:e3"),
		"Exit status:\n  that of COMMAND; 1 where namespaces can't be made")
}

func labAction(c *cli.Context) error {
	if err := lab.Enter(); err != nil {
		return fault.New(fault.Own, "lab", err, "")
	}
	config := lab.Config{}
	if !c.Bool("q") {
		config.OnRequest = func(r lab.Request) { fmt.Fprintf(c.App.ErrWriter, "lab: %s\n", r) }
	}
	tree := c.String("tree")
	if tree == "" {
		var err error
		if tree, err = os.MkdirTemp("", "gopxeboot-lab-"); err != nil {
			return err
		}
		defer os.RemoveAll(tree)
		if err := lab.SampleTree(tree); err != nil {
			return err
		}
	}
	l, err := newLab(c.Context, config, tree, c.String("bootfile"))
	if err != nil {
		return err
	}
	defer l.Close()
	command := c.Args().Slice()
	if len(command) == 0 {
		command = []string{"sh"}
		fmt.Fprintf(c.App.ErrWriter, "lab: this shell is in a dom0 with the bridge %s; DHCP, TFTP and HTTP are at %s.\n"+
			"lab: try: gopxeboot plan mac=%s,bridge=%s\n", l.Bridge(), l.Servers.Address.Addr(), lab.SampleMAC, l.Bridge())
	}
	if err := ownPath(); err != nil {
		return err
	}
	run := exec.CommandContext(c.Context, command[0], command[1:]...)
	run.Stdin, run.Stdout, run.Stderr = os.Stdin, os.Stdout, os.Stderr
	run.Cancel = func() error { return run.Process.Signal(syscall.SIGTERM) }
	run.WaitDelay = 10 * time.Second
	err = l.Dom0.Run(run)
	return statusOf(command[0], err)
}

// ownPath lets a lab's commands call this program by its name where it is not
// installed.
func ownPath() error {
	self, err := exec.LookPath(os.Args[0])
	if err != nil {
		return nil // it was started by another name, and can be again
	}
	if self, err = filepath.Abs(self); err != nil {
		return err
	}
	return os.Setenv("PATH", filepath.Dir(self)+string(os.PathListSeparator)+os.Getenv("PATH"))
}

// statusOf is how a shell tells the end of a command.
func statusOf(command string, err error) error {
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && exit.ExitCode() > 0:
		return exitStatus(exit.ExitCode())
	case errors.Is(err, exec.ErrNotFound):
		return fault.New(fault.Own, "lab", fmt.Errorf("there is no program %s", command), "")
	case errors.As(err, &exit):
		return exitStatus(128 + int(exit.Sys().(syscall.WaitStatus).Signal()))
	}
	return err
}

// newLab is a lab whose servers are the howto's, with the tree in dir.
func newLab(ctx context.Context, config lab.Config, dir, bootFile string) (*lab.Lab, error) {
	l, err := lab.New(ctx, config)
	if err != nil {
		return nil, err
	}
	dhcp := lab.SampleDHCP()
	dhcp.BootFile = bootFile
	if err := errors.Join(l.Servers.ServeDHCP(dhcp), l.Servers.ServeTFTP(dir), l.Servers.ServeHTTP(dir)); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}
