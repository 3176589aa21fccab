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
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/boot"
	"github.com/gopxeboot/gopxeboot/internal/conf"
	"github.com/gopxeboot/gopxeboot/internal/console"
	"github.com/gopxeboot/gopxeboot/internal/deadline"
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
	// SIGHUP, a user SIGINT. Each leaves nothing behind.
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
	for _, c := range app.Commands {
		if c.OnUsageError == nil {
			c.OnUsageError = usageError("see gopxeboot help " + c.Name)
		}
	}
	call := new(xenout.Call)
	err := runApp(ctx, app, call, argv, environ)
	var status exitStatus
	switch {
	case errors.As(err, &status):
		return int(status)
	case err != nil:
		con := console.New(stderr, console.Normal)
		con.GoOn()
		con.Error(err)
		if a, _ := app.Metadata[adviceKey].(*advice); ctx.Err() == nil && a.of(err) != "" {
			con.Stage("try: " + a.of(err))
		}
		con.Failure(call.Toolstack, err)
	}
	return int(fault.CodeOf(err))
}

// runApp runs the command that argv names, or else the bootloader. Options are
// put before positionals, as package cli wants them.
//
// A toolstack never names one of our commands, but its disk may be called like
// one, and it always says --output, unless it is XAPI.
func runApp(ctx context.Context, app *cli.App, call *xenout.Call, argv, environ []string) (err error) {
	*call, err = xenout.ParseCall(argv, environ, takesValue(app.Flags))
	if len(argv) < 2 {
		argv = []string{argv[0], "help"}
	}
	if _, refused := errors.AsType[*xenout.RefusedError](err); refused {
		return usage(err, "xe vm-param-set uuid=UUID PV-bootloader-args=... changes it, and docs/toolstacks.md lists what it may say")
	}
	name, flags := argv[:1], app.Flags
	command := app.Command(argv[1])
	switch {
	case call.Toolstack == xenout.XAPI || call.Output != "":
		command = nil
	case command != nil:
		name, flags = argv[:2], command.Flags
		*call, err = xenout.ParseCall(argv[1:], environ, takesValue(flags))
	case misspelt(argv[1], app):
		return noCommand(app, argv[1])
	}
	app.Metadata = map[string]any{"call": call, "error": err}
	words, err := oneForm(call.Words, flags)
	switch {
	case command == nil:
		return bootApp(ctx, app, call, argv[0], words, err)
	case err != nil:
		return command.OnUsageError(cli.NewContext(app, nil, nil), err, true)
	case asksHelp(words):
		_, err = fmt.Fprint(app.Writer, helpOf(command))
		return err
	}
	return app.RunContext(ctx, slices.Concat(name, words))
}

// asksHelp says whether --help is among the options.
func asksHelp(words []string) bool {
	options := words
	if i := slices.Index(words, "--"); i >= 0 {
		options = words[:i]
	}
	return slices.Contains(options, "--help") || slices.Contains(options, "-help")
}

// callOf is how the command was called.
func callOf(c *cli.Context) (*xenout.Call, error) {
	call := c.App.Metadata["call"].(*xenout.Call)
	switch err := c.App.Metadata["error"].(type) {
	case nil:
		return call, nil
	case *xenout.CallError:
		return call, usage(err, err.Try)
	case error:
		return call, usage(err, "")
	}
	return call, nil
}

// bootApp runs the bootloader. wrong is what is wrong with its words.
func bootApp(ctx context.Context, app *cli.App, call *xenout.Call, name string, words []string, wrong error) error {
	ctx, stop := whileParentLives(ctx)
	defer stop()
	names := append([]string{""}, valuesOf(call.Words, "conf")...)
	file := readSettings(cmp.Or(names[len(names)-1], conf.Name))
	ctx, cancel := deadline.With(ctx, file.timeoutOf(call.Words))
	defer cancel()
	// Before anything else can go wrong: see OpenOutput.
	out, err := handover.OpenOutput(ctx, call.Output)
	if err != nil {
		return err
	}
	if wrong != nil {
		out.Discard()
		return app.OnUsageError(nil, wrong, false)
	}
	if slices.Contains(words, "--") {
		app.Commands = nil // what follows is no command's name
	}
	app.Action = func(c *cli.Context) error {
		if c.Bool("version") {
			cli.ShowVersion(c)
			return nil
		}
		call, err := callOf(c)
		if err != nil {
			return err
		}
		return bootTo(c, call, out, file)
	}
	if asksHelp(words) {
		_, err = fmt.Fprint(app.Writer, bootHelp(app.Flags))
	} else {
		app.Flags = named(app.Flags)
		err = app.RunContext(ctx, slices.Concat([]string{name}, words))
	}
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
	timeout := &duration{defaultTimeout}
	if given := valuesOf(words, "timeout"); len(given) > 0 {
		for _, value := range given {
			_ = timeout.Set(value)
		}
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

// valuesOf are those of an option, in the order in which the parser takes them.
func valuesOf(words []string, option string) (values []string) {
	for _, word := range words {
		if word == "--" {
			break
		}
		if name, value, _ := strings.Cut(strings.TrimLeft(word, "-"), "="); name == option {
			values = append(values, value)
		}
	}
	return values
}

// exitStatus is the error of a command that ran another program, and ends as
// that one did.
type exitStatus int

func (s exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

func usageError(try string) cli.OnUsageErrorFunc {
	return func(_ *cli.Context, err error, _ bool) error { return usage(plainly(err), try) }
}

// wrongValue is what package flag says, which has no type for it.
var wrongValue = regexp.MustCompile(`^invalid (boolean )?value (".*") for (?:flag )?-([a-z0-9-]+): (.*)$`)

// plainly says in a command line's words what package flag says in Go's.
func plainly(err error) error {
	m := wrongValue.FindStringSubmatch(err.Error())
	switch option, missing := strings.CutPrefix(err.Error(), "flag needs an argument: -"); {
	case missing:
		return fmt.Errorf("%s needs a value", dashed(option))
	case m == nil:
		return err
	case m[1] != "":
		return fmt.Errorf("%s: %s is neither true nor false", dashed(m[3]), m[2])
	case m[4] == "parse error", m[4] == "value out of range":
		return fmt.Errorf("%s: %s is no number that it takes", dashed(m[3]), m[2])
	default:
		return fmt.Errorf("%s: %s", dashed(m[3]), m[4])
	}
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
