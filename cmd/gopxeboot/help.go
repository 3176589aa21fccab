package main

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/gopxeboot/gopxeboot/internal/nearest"
	"github.com/urfave/cli/v2"
)

// helpWidth is that of a terminal of which nothing is known: a serial line, or
// the screen of a machine in a rack.
const helpWidth = 80

// section is a heading of help and of the manual pages, with its options in the
// order in which they are shown.
type section struct{ title, options string }

// sections have every option of every command.
func sections() []section {
	return []section{
		{"Guest", "mac bridge vlan vif uuid guest-type conf"},
		{"Network", "net server timeout runas pcap ca proxy"},
		{"DHCP", "address router arch client-id user-class vendor-class option dhcp-timeout retransmit proxy-wait arp-probe"},
		{"What boots", "bootfile program config-dir label menu menu-timeout no-menu set kernel ramdisk args once again once-dir pygrub pygrub-image max-kernel max-initrd force"},
		{"Location", "location distro release"},
		{"Verification", "sha256 sums key cache cache-size"},
		{"What is looked at", "wait request quick watch count rate replay tree config ip netmask"},
		{"Output", "output output-format output-directory apply unapply report json o max-size l n v q version help"},
		{"Toolstack compatibility", "vm domid offset i"},
	}
}

// in is the section's part of a command's flags, without those that are hidden.
func (s section) in(flags []cli.Flag) (found []cli.Flag) {
	for _, name := range strings.Fields(s.options) {
		if i := slices.IndexFunc(flags, func(f cli.Flag) bool { return f.Names()[0] == name && f.(cli.VisibleFlag).IsVisible() }); i >= 0 {
			found = append(found, flags[i])
		}
	}
	return found
}

// option is what people are told of a flag.
type option struct {
	names []string // -q, --quiet
	value string   // what stands for its value; "" when it takes none
	usage string
}

func optionOf(f cli.Flag) (o option) {
	d := f.(cli.DocGenerationFlag)
	for _, name := range f.Names() {
		o.names = append(o.names, dashed(name))
	}
	slices.SortStableFunc(o.names, func(a, b string) int { return cmp.Compare(min(len(a), 3), min(len(b), 3)) }) // -h first
	o.usage = d.GetUsage()
	if before, rest, ok := strings.Cut(o.usage, "`"); ok {
		value, after, _ := strings.Cut(rest, "`")
		o.value, o.usage = value, before+value+after
	}
	text := d.GetDefaultText()
	switch f := f.(type) {
	case *cli.StringFlag:
		text = cmp.Or(f.DefaultText, f.Value) // without quotes
	case *cli.UintFlag:
		text = f.DefaultText // a 0 is none
	case *cli.IntFlag:
		text = f.DefaultText
	case *cli.BoolFlag:
		text = ""
	}
	if text != "" {
		o.usage += " (default: " + text + ")"
	}
	return o
}

func dashed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

// withHelp gives a command its option --help, and what helpOf says beside its
// options, as it stands.
func withHelp(c *cli.Command, notes ...string) *cli.Command {
	c.Flags = append(c.Flags, cli.HelpFlag)
	c.ArgsUsage = strings.Join(notes, "\n\n")
	return c
}

// helpOf is the help of a command: how it is called, what it does, its options,
// and its notes. It is made only where somebody asks: it costs as much as a boot's
// DHCP does.
func helpOf(c *cli.Command) string {
	return helpText(c.UsageText, c.Description, c.Flags, c.ArgsUsage)
}

func helpText(calls, description string, flags []cli.Flag, notes ...string) string {
	parts := []string{indented(calls), wrapped(description, 0)}
	for _, s := range sections() {
		lines := []string{s.title + ":"}
		for _, f := range s.in(flags) {
			lines = append(lines, optionOf(f).help())
		}
		if len(lines) > 1 {
			parts = append(parts, strings.Join(lines, "\n"))
		}
	}
	return strings.Join(append(parts, notes...), "\n\n") + "\n"
}

// help is an option's line, and those that it goes on with.
func (o option) help() string {
	const column = 24
	head := strings.TrimSpace(strings.Join(o.names, ", ") + " " + o.value)
	text := wrapped(o.usage, column)
	if len(head)+4 > column {
		return "  " + head + "\n" + text
	}
	return "  " + head + text[2+len(head):]
}

// wrapped breaks text into lines that begin in this column.
func wrapped(text string, column int) string {
	margin := strings.Repeat(" ", column)
	var lines []string
	line := margin
	for _, word := range strings.Fields(text) {
		if len(line)+1+len(word) > helpWidth {
			lines, line = append(lines, line), margin
		}
		if line != margin {
			line += " "
		}
		line += word
	}
	return strings.Join(append(lines, line), "\n")
}

func indented(text string) string {
	return "  " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n  ")
}

func example(calls string) string { return "Example:\n" + indented(calls) }

// exits says what the exit statuses of a command mean.
func exits(statuses ...int) string {
	meanings := []string{
		"done", "our own fault, or no privileges", "wrong usage", "no lease, or one without a boot file", "no configuration",
		"nothing that could boot, or not verified", "a download failed", "the output can't be written, or no space", "out of time, or cancelled",
	}
	text := "Exit status:"
	for _, s := range statuses {
		text += fmt.Sprintf("\n  %d  %s", s, meanings[s])
	}
	return text
}

func commands() []*cli.Command {
	return []*cli.Command{
		demoCommand(), checkCommand(), planCommand(), lintCommand(), getCommand(), labCommand(), helpCommand(), versionCommand(),
	}
}

// bootHelp is the help of the bootloader itself.
func bootHelp(flags []cli.Flag) string {
	return helpText("gopxeboot [OPTIONS] [VIF] [DISK]\ngopxeboot COMMAND [OPTIONS] ...",
		"Boots a guest as its PXE ROM would, and answers as the toolstack wants it. VIF is the guest's vif= as xl writes it, "+
			"DISK its first disk. What a toolstack does not say is looked for where it has it. COMMAND is one of "+
			strings.Join(commandNames(commands()), ", ")+".",
		flags,
		example("gopxeboot --output-format=shell --output-directory=/var/tmp \\\n  mac=00:16:3e:72:79:e3,bridge=xenbr0"),
		exits(0, 1, 2, 3, 4, 5, 6, 7, 8))
}

// onlyThese is the error of an option that has no effect in this use of a
// command: all but those named.
func onlyThese(c *cli.Context, use, options string) error {
	return noEffect(c, use, func(name string) bool { return !slices.Contains(strings.Fields(options), name) })
}

// notThese is that error for those named.
func notThese(c *cli.Context, use, options string) error {
	return noEffect(c, use, func(name string) bool { return slices.Contains(strings.Fields(options), name) })
}

func noEffect(c *cli.Context, use string, without func(name string) bool) error {
	for _, f := range c.Command.Flags {
		if name := f.Names()[0]; c.IsSet(name) && without(name) {
			return usage(fmt.Errorf("%s has no effect %s", dashed(name), use), "see gopxeboot help "+c.Command.Name)
		}
	}
	return nil
}

// noWords is the error of a word that comes after the first n.
func noWords(c *cli.Context, n int) error {
	if c.NArg() <= n {
		return nil
	}
	return usage(fmt.Errorf("%q has no effect", c.Args().Get(n)), "see gopxeboot help "+c.Command.Name)
}

// summary is what there is to see at first, without the bootloader's options.
func summary(commands []*cli.Command) string {
	text := `gopxeboot lets a Xen guest without firmware PXE boot.

  gopxeboot [OPTIONS] [VIF] [DISK]     what a toolstack runs as bootloader=
  gopxeboot COMMAND [OPTIONS] ...

Commands:
`
	for _, c := range commands {
		if !c.Hidden {
			text += fmt.Sprintf("  %-9s%s\n", c.Name, c.Usage)
		}
	}
	return text + `
Begin with one of these:
  gopxeboot demo
  gopxeboot check mac=00:16:3e:72:79:e3,bridge=xenbr0

gopxeboot help COMMAND lists a command's options, gopxeboot --help those of the
bootloader; gopxeboot(8) is the manual.
`
}

func helpCommand() *cli.Command {
	return withHelp(&cli.Command{
		Name:        "help",
		Usage:       "what there is, or the options of a command",
		UsageText:   "gopxeboot help [COMMAND]",
		Description: "Says what there is, or what a command does and which options it has.",
		Action: func(c *cli.Context) error {
			if err := noWords(c, 1); err != nil {
				return err
			}
			name := c.Args().First()
			text := summary(c.App.Commands)
			if name != "" {
				command := c.App.Command(name)
				if command == nil {
					return noCommand(c.App, name)
				}
				text = helpOf(command)
			}
			_, err := fmt.Fprint(c.App.Writer, text)
			return err
		},
	})
}

// noCommand is the error of a command that there is not.
func noCommand(app *cli.App, name string) error {
	return usage(fmt.Errorf("there is no command %s%s", name, didYouMean(name, commandNames(app.Commands))), "see gopxeboot help")
}

// misspelt says whether a word is a command's name but for a letter or two, and
// is no disk.
func misspelt(word string, app *cli.App) bool {
	_, err := os.Stat(word)
	return err != nil && word[0] != '-' && nearest.Word(word, commandNames(app.Commands)) != ""
}

func commandNames(commands []*cli.Command) (names []string) {
	for _, c := range commands {
		names = append(names, c.Name)
	}
	return names
}

// didYouMean asks for the nearest of the words; "" when none is near.
func didYouMean(word string, words []string) string {
	if near := nearest.Word(word, words); near != "" {
		return ": did you mean " + near + "?"
	}
	return ""
}
