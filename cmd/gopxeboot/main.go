// Command gopxeboot lets a Xen guest without firmware PXE boot: it is what a
// toolstack runs as bootloader=.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/boot"
	"github.com/gopxeboot/gopxeboot/internal/conf"
	"github.com/gopxeboot/gopxeboot/internal/console"
	"github.com/gopxeboot/gopxeboot/internal/fault"
	"github.com/gopxeboot/gopxeboot/internal/guest"
	"github.com/gopxeboot/gopxeboot/internal/handover"
	"github.com/gopxeboot/gopxeboot/xenout"
	"github.com/urfave/cli/v2"
)

func main() {
	if status, ours := boot.Helper(); ours {
		os.Exit(status)
	}
	// libxl leaves the descriptor of its log open (libxl_bootloader.c).
	if err := guest.CloseOnExec(); err != nil {
		fmt.Fprintln(os.Stderr, "gopxeboot:", err)
		os.Exit(int(fault.Own))
	}
	// What a toolstack sends to stop us: libxl SIGTERM, a closed terminal
	// SIGHUP, a person SIGINT. Each leaves nothing behind.
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	// Also when what we say is not read, and a line of it blocks: the cleanup
	// process does the rest.
	context.AfterFunc(ctx, func() {
		time.AfterFunc(5*time.Second, func() { os.Exit(int(fault.OutOfTime)) })
	})
	// Who does not read our result gets an error from us, and no files; a
	// signal would kill us with the files made. Whoever we start gets the
	// signal as usual.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	code := run(ctx, os.Args, os.Environ(), os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is main with its surroundings as arguments.
func run(ctx context.Context, argv, environ []string, stdout, stderr io.Writer) int {
	app := &cli.App{
		Name:      "gopxeboot",
		Version:   versionText(),
		Commands:  commands(),
		Flags:     append(bootFlags(), cli.HelpFlag),
		Writer:    stdout,
		ErrWriter: stderr,

		HideHelpCommand:           true,
		HideVersion:               true, // its -v is --verbose to us
		DisableSliceFlagSeparator: true,
		ExitErrHandler:            func(*cli.Context, error) {}, // main decides
		OnUsageError:              usageError("see gopxeboot --help"),
	}
	app.CustomAppHelpTemplate = bootHelp(app.Flags)
	for _, c := range app.Commands {
		if c.OnUsageError == nil {
			c.OnUsageError = usageError("see gopxeboot help " + c.Name)
		}
	}
	toolstack := xenout.ToolstackOf(argv, environ)
	err := runApp(ctx, app, toolstack, argv)
	var status exitStatus
	switch {
	case errors.As(err, &status):
		return int(status)
	case err != nil:
		con := console.New(stderr, console.Normal)
		con.Error(err)
		con.Failure(toolstack, err)
	}
	return int(fault.CodeOf(err))
}

// runApp runs the command that argv names, or else the bootloader. Options are
// put before positionals, as package cli wants them.
//
// A toolstack never names one of our commands, but its disk may be called like
// one, and it always says --output, unless it is XAPI.
func runApp(ctx context.Context, app *cli.App, toolstack xenout.Toolstack, argv []string) error {
	if len(argv) < 2 {
		argv = []string{argv[0], "help"}
	}
	words, ours := argv[1:], takesValue(app.Flags)
	if toolstack == xenout.XAPI {
		words, err := xenout.XAPIArguments(words, ours)
		if err != nil {
			return usage(err, "xe vm-param-set uuid=UUID PV-bootloader-args=... changes it, and docs/toolstacks.md lists what it may say")
		}
		return bootApp(ctx, app, toolstack, argv[0], words, "")
	}
	output := xenout.OutputOf(words, ours)
	if command := app.Command(words[0]); command != nil && output == "" {
		rest, err := oneForm(xenout.Arguments(words[1:], takesValue(command.Flags)), command.Flags)
		if err != nil {
			return command.OnUsageError(cli.NewContext(app, nil, nil), err, true)
		}
		return app.RunContext(ctx, slices.Concat(argv[:1], words[:1], rest))
	}
	if output == "" && toolstack == xenout.Xen && misspelt(words[0], app) {
		return noCommand(app, words[0])
	}
	return bootApp(ctx, app, toolstack, argv[0], xenout.Arguments(words, ours), output)
}

// bootApp runs the bootloader.
func bootApp(ctx context.Context, app *cli.App, toolstack xenout.Toolstack, name string, words []string, output string) error {
	ctx, stop := whileParentLives(ctx)
	defer stop()
	file := readSettings(cmp.Or(lastValue(words, "conf"), conf.Name))
	ctx, cancel := context.WithTimeoutCause(ctx, file.timeoutOf(words), context.DeadlineExceeded)
	defer cancel()
	// Before anything else can go wrong: see OpenOutput.
	out, err := handover.OpenOutput(ctx, output)
	if err != nil {
		return err
	}
	if words, err = oneForm(words, app.Flags); err != nil {
		out.Discard()
		return app.OnUsageError(nil, err, false)
	}
	if slices.Contains(words, "--") {
		app.Commands = nil // what follows is no command's name
	}
	app.Action = bootAction(toolstack, out, file)
	err = app.RunContext(ctx, slices.Concat([]string{name}, words))
	if err == nil && out.Unanswered() {
		err = usage(errors.New("nothing was booted: --help, --version, --list-entries and --not-really have no answer for a toolstack"), "")
	}
	if err != nil {
		out.Discard()
		return err
	}
	return out.Close()
}

// timeoutOf is the longest that a boot may take. The parser, which comes later,
// knows it better, but the opening of --output is within it. Of a wrong one the
// parser complains.
func (s *settings) timeoutOf(words []string) time.Duration {
	timeout := newDuration(defaultTimeout)
	if said := lastValue(words, "timeout"); said != "" {
		_ = timeout.Set(said)
		return timeout.value
	}
	longest := timeout.value
	for _, o := range s.file.All() {
		for _, value := range o.Values {
			if o.Name == "timeout" && timeout.Set(value) == nil {
				longest = max(longest, timeout.value)
			}
		}
	}
	return longest
}

// lastValue finds the value of an option that the parser would; "" for none.
func lastValue(words []string, option string) (last string) {
	for _, word := range words {
		if word == "--" {
			break
		}
		if name, value, _ := strings.Cut(strings.TrimLeft(word, "-"), "="); name == option {
			last = value
		}
	}
	return last
}

// exitStatus is the error of a command that ran another program, and ends as
// that one did.
type exitStatus int

func (s exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

func usageError(try string) cli.OnUsageErrorFunc {
	return func(_ *cli.Context, err error, _ bool) error { return usage(err, try) }
}

// takesValue says which of the flags have a value.
func takesValue(flags []cli.Flag) func(string) bool {
	return func(name string) bool {
		for _, f := range flags {
			if slices.Contains(f.Names(), name) {
				d, ok := f.(cli.DocGenerationFlag)
				return ok && d.TakesValue()
			}
		}
		return false
	}
}
