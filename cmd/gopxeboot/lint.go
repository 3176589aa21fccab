package main

import (
	"fmt"
	"os"
	"path"
	"path/filepath"

	"github.com/gopxeboot/gopxeboot/pxelinux"
	"github.com/urfave/cli/v2"
)

func lintCommand() *cli.Command {
	return &cli.Command{
		Name:      "lint",
		Usage:     "find problems in PXELINUX configurations",
		ArgsUsage: "FILE...",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "tree", Usage: "where INCLUDE looks for files: the `DIR` of the boot file (default: the parent of pxelinux.cfg)"},
			&cli.BoolFlag{Name: "json", Usage: "print a JSON array of {file, line, message}"},
		},
		Action: lintAction,
	}
}

// lintAction exits with 1 when there is a problem, as linters do.
func lintAction(c *cli.Context) error {
	if !c.Args().Present() {
		return usage(fmt.Errorf("no file to read"), "name one, or more")
	}
	type problem struct {
		File    string `json:"file"`
		Line    int    `json:"line"`
		Message string `json:"message"`
	}
	problems := []problem{}
	for _, name := range c.Args().Slice() {
		text, err := os.ReadFile(name)
		if err != nil {
			return usage(err, "")
		}
		for _, p := range pxelinux.Lint(name, text, includer(c.String("tree"), name)) {
			problems = append(problems, problem{p.File, p.Line, p.Message})
			if !c.Bool("json") {
				fmt.Fprintln(c.App.Writer, p)
			}
		}
	}
	if c.Bool("json") {
		if err := printJSON(c.App.Writer, problems); err != nil {
			return err
		}
	}
	if len(problems) > 0 {
		return exitStatus(1)
	}
	return nil
}

// includer opens what a configuration includes. PXELINUX looks below the boot
// file's directory, which is the one that has pxelinux.cfg in it.
func includer(tree, config string) func(string) ([]byte, error) {
	if tree == "" {
		tree = filepath.Dir(config)
		if filepath.Base(tree) == "pxelinux.cfg" {
			tree = filepath.Dir(tree)
		}
	}
	return func(name string) ([]byte, error) {
		return os.ReadFile(filepath.Join(tree, path.Clean("/"+name)))
	}
}
