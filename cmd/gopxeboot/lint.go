package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/gopxeboot/gopxeboot/internal/console"
	"github.com/gopxeboot/gopxeboot/internal/grub"
	"github.com/gopxeboot/gopxeboot/internal/ipxe"
	"github.com/gopxeboot/gopxeboot/internal/program"
	"github.com/gopxeboot/gopxeboot/pxelinux"
	"github.com/gopxeboot/gopxeboot/xenout"
	"github.com/urfave/cli/v2"
)

func lintCommand() *cli.Command {
	return withHelp(&cli.Command{
		Name:        "lint",
		Usage:       "problems in configurations and scripts, with line numbers",
		UsageText:   "gopxeboot lint [OPTIONS] FILE...",
		Description: "Reads configurations of PXELINUX, iPXE scripts (#!ipxe), and what is a grub.cfg by its name or content, as those programs do, and prints each line that does something else than it seems to.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "tree", Usage: "where INCLUDE looks for files: the `DIR` of the boot file", DefaultText: "the parent of pxelinux.cfg"},
			&cli.BoolFlag{Name: "json", Usage: "print a JSON array of {file, line, message, code, severity, fix}"},
		},
		Action: lintAction,
	}, example("gopxeboot lint /tftpboot/pxelinux.cfg/default"),
		"Exit status:\n  0  no problem\n  1  problems were found\n  2  wrong usage, or a file that can't be read")
}

// lintAction exits with 1 when there is a problem, as linters do.
func lintAction(c *cli.Context) error {
	if !c.Args().Present() {
		return usage(fmt.Errorf("no file to read"), "name one, or more")
	}
	found := []pxelinux.Finding{}
	for _, name := range c.Args().Slice() {
		text, err := os.ReadFile(name)
		if err != nil {
			return usage(err, "")
		}
		findings, err := lint(c, name, text)
		if err != nil {
			return err
		}
		found = append(found, findings...)
		if !c.Bool("json") {
			for _, f := range findings {
				fmt.Fprintln(c.App.Writer, f)
			}
		}
	}
	if c.Bool("json") {
		if err := console.WriteJSON(c.App.Writer, found); err != nil {
			return err
		}
	}
	if len(found) > 0 {
		return exitStatus(1)
	}
	return nil
}

// lint reads one configuration, in the language that it is in.
func lint(c *cli.Context, name string, text []byte) ([]pxelinux.Finding, error) {
	if ipxe.IsScript(text) {
		return ipxe.Lint(name, string(text)), nil
	}
	if program.IsGRUBConfig(name, text) {
		return grub.Lint(name, text), nil
	}
	host := pxelinux.Host{MaxArgs: xenout.PV.MaxArgs("")} // INCLUDE's names are relative to the tree
	return pxelinux.Lint(c.Context, host, name, text, pxelinux.OpenFS(os.DirFS(treeOf(c.String("tree"), name)), host.Server))
}

// treeOf is the directory below which PXELINUX looks for what a configuration
// includes: the boot file's, which is the one that has pxelinux.cfg in it.
func treeOf(tree, config string) string {
	if tree != "" {
		return tree
	}
	dir := filepath.Dir(config)
	if filepath.Base(dir) == "pxelinux.cfg" {
		return filepath.Dir(dir)
	}
	return dir
}
