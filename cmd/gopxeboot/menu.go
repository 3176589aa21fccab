package main

import (
	"errors"
	"os"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/console"
	"github.com/gopxeboot/gopxeboot/internal/domain"
	"github.com/gopxeboot/gopxeboot/internal/session"
	"github.com/gopxeboot/gopxeboot/xenout"
	"github.com/urfave/cli/v2"
	"golang.org/x/term"
)

// attendedWait is how long a key is waited for where somebody looks on.
const attendedWait = 3 * time.Second

// menuFlags say whether a user is asked.
func menuFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "menu", Usage: "show the lab's menu at once"},
		&cli.GenericFlag{Name: "menu-timeout", Value: &waitTime{value: 10 * time.Second}, Usage: "the most `TIME` that the menu waits for a key; 0 for no menu"},
	}
}

// noMenuFlag is for the bootloader only: other commands ask with --menu only.
func noMenuFlag() cli.Flag {
	return &cli.BoolFlag{Name: "no-menu", Usage: "boot the default entry, without a menu"}
}

// personOf is who may be asked what boots; nil for no one. libxl gives a terminal
// always, also when no one looks at it.
func personOf(c *cli.Context, call *xenout.Call, con *console.Console) (*session.Person, error) {
	limit, ok := c.Generic("menu-timeout").(*waitTime)
	if !ok {
		return nil, nil
	}
	if c.Bool("menu") && c.Bool("no-menu") {
		return nil, usage(errors.New("--menu and --no-menu exclude each other"), "")
	}
	out, _ := c.App.ErrWriter.(*os.File)
	why := ""
	switch {
	case c.Bool("no-menu"), limit.value == 0:
	case call.Toolstack == xenout.XAPI:
		why = "XAPI shows it to no one"
	case call.RunAs != 0, c.Int("runas") != 0:
		why = "--runas shows none"
	case call.Quiet, level(c) == console.Quiet:
		why = "-q shows none"
	case out == nil || !term.IsTerminal(int(out.Fd())) || !term.IsTerminal(int(os.Stdin.Fd())):
		why = "standard input and standard error are no terminal"
	default:
		name := os.Getenv("TERM")
		p := &session.Person{In: os.Stdin, Out: out, Dumb: name == "" || name == "dumb", Menu: c.Bool("menu"), Limit: limit.value}
		if domain.ThisHost().Attended() {
			p.Wait = attendedWait
		}
		return p, nil
	}
	if why != "" && c.Bool("menu") {
		con.Warn("--menu has no effect: " + why)
	}
	return nil, nil
}
