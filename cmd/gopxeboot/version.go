package main

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/urfave/cli/v2"
)

// version is set by who builds from an archive; the go command knows that of a
// checkout, and of a module.
var version = ""

// versionText is the version, with the commit and its date where they are
// known: not after go install, where the version says it all.
func versionText() string {
	info, _ := debug.ReadBuildInfo()
	return versionOf(version, info)
}

func versionOf(version string, info *debug.BuildInfo) string {
	if info == nil {
		info = &debug.BuildInfo{}
	}
	built := make(map[string]string)
	for _, s := range info.Settings {
		built[s.Key] = s.Value
	}
	text := cmp.Or(version, info.Main.Version, "devel")
	// Without a tag the go command makes the version of the commit.
	if commit := fmt.Sprintf("%.12s", built["vcs.revision"]); commit != "" && !strings.Contains(text, commit) {
		text += fmt.Sprintf(" (commit %s of %s)", commit, built["vcs.time"])
	}
	return text + fmt.Sprintf(", %s, %s/%s", runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

func versionCommand() *cli.Command {
	return withHelp(&cli.Command{
		Name:        "version",
		Usage:       "the version, its commit and date",
		UsageText:   "gopxeboot version",
		Description: "Prints the version, its commit and date, and what built it.",
		Action: func(c *cli.Context) error {
			if err := noWords(c, 0); err != nil {
				return err
			}
			cli.ShowVersion(c)
			return nil
		},
	})
}
