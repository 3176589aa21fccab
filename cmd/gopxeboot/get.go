package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gopxeboot/gopxeboot/internal/boot"
	"github.com/gopxeboot/gopxeboot/internal/console"
	"github.com/gopxeboot/gopxeboot/internal/deadline"
	"github.com/gopxeboot/gopxeboot/internal/fault"
	"github.com/gopxeboot/gopxeboot/internal/handover"
	"github.com/gopxeboot/gopxeboot/internal/session"
	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"
)

func getCommand() *cli.Command {
	return withHelp(&cli.Command{
		Name:      "get",
		Usage:     "download as the guest or as dom0, with figures",
		UsageText: "gopxeboot get [OPTIONS] [VIF] URL...",
		Description: "Downloads files as the guest, or without a VIF as dom0, and says how fast that was. " +
			"A URL begins with tftp://, http://, https://, ftp:// or nfs://.",
		Flags: append(slices.Concat(guestFlags(), transferFlags(), verifyFlags()),
			&cli.StringFlag{Name: "o", Usage: "write to this `FILE`, or - for standard output", DefaultText: "the URL's last part, in the current directory"},
			&cli.GenericFlag{Name: "max-size", Value: &size{2 << 30}, Usage: "the largest file to accept, in `BYTES`"},
			&cli.BoolFlag{Name: "json", Usage: "print the figures as JSON"},
		),
		Action: getAction,
	}, example("gopxeboot get mac=00:16:3e:72:79:e3,bridge=xenbr0 tftp://192.168.1.166/vmlinuz"),
		exits(0, 1, 2, 3, 5, 6, 7, 8))
}

// transferFlags say how to download.
func transferFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "ca", Usage: "trust the certificates in this PEM `FILE`, too, for https"},
		&cli.StringFlag{Name: "proxy", Usage: "the `URL` of a proxy for http and https", DefaultText: "as dom0 the environment's, as the guest none"},
	}
}

// verifyFlags say what files have to be.
func verifyFlags() []cli.Flag {
	return []cli.Flag{
		&cli.GenericFlag{Name: "sha256", Value: &texts{}, Usage: "take only files with these digests: `FILE=HEX`, once for each file; FILE is a name below the boot file's directory or the location, or a URL"},
		&cli.StringFlag{Name: "sums", Usage: "take only files with the digests in this `FILE`, as sha256sum writes it"},
		&cli.StringFlag{Name: "key", Usage: "take only what a signed SHA256SUMS of the lab lists; this `FILE` has the public key, of minisign or OpenPGP"},
	}
}

func getAction(c *cli.Context) error {
	call, err := callOf(c)
	if err != nil {
		return err
	}
	var urls []string
	for _, word := range c.Args().Slice() {
		if strings.Contains(word, "://") {
			urls = append(urls, word)
		}
	}
	if call.VIF.MAC == nil && c.String("mac") == "" {
		if err := onlyThese(c, "without a VIF", "o max-size json ca proxy sha256 sums key timeout v q"); err != nil {
			return err
		}
	}
	con := console.New(c.App.ErrWriter, level(c))
	call.Location = ""
	o, err := options(c, call, con)
	if err != nil {
		return err
	}
	o.Transfer.Digests = c.Bool("json") // which has them
	output := c.String("o")
	switch {
	case len(urls) == 0 && c.NArg() > 0 && call.VIF.MAC == nil:
		return usage(fmt.Errorf("%q is no URL", c.Args().First()), "gopxeboot get tftp://SERVER/FILE")
	case len(urls) == 0:
		return usage(errors.New("which URL?"), "gopxeboot get tftp://SERVER/FILE")
	case output != "" && len(urls) > 1:
		return usage(errors.New("-o is for one URL"), "")
	case output == "-" && c.Bool("json"):
		return usage(errors.New("--json and -o - both want standard output"), "")
	}
	ctx, cancel := deadline.With(c.Context, o.Timeout)
	defer cancel()
	targets, err := openTargets(ctx, output, urls)
	defer func() {
		for _, t := range targets {
			t.discard()
		}
	}()
	if err != nil {
		try := otherFile
		if errors.Is(err, handover.ErrClosed) {
			try += ", and -o /dev/null keeps nothing"
		}
		return fault.In(ctx, fault.NoOutput, "get", err, try)
	}
	files := make([]*os.File, len(targets))
	for i, t := range targets {
		files[i] = t.File
	}
	downloads, failure := boot.Get(ctx, o, urls, files, con)
	for i := range downloads {
		if downloads[i].Error != "" {
			continue // nothing came
		}
		if err := targets[i].publish(); err != nil {
			downloads[i].Error = err.Error()
			failure = cmp.Or(failure, fault.New(fault.NoOutput, "get", err, otherFile))
		}
	}
	if c.Bool("json") {
		if err := console.WriteJSON(c.App.Writer, append([]session.Download{}, downloads...)); err != nil { // [], not null
			return err
		}
	}
	return failure
}

// otherFile is what to do about a file that can't be written to.
const otherFile = "-o names another file"

// target is where a URL's content goes. A file that get makes has no name until all of
// it is there, and is what it has to be, where the file system can do that.
type target struct {
	*os.File
	name  string // of the file that get makes; "" for what was there
	named bool   // it has its name already
}

// openTargets opens where the URLs' contents go; also with an error, those that it
// could open.
func openTargets(ctx context.Context, output string, urls []string) (list []*target, err error) {
	for _, url := range urls {
		t, err := openTarget(ctx, output, url)
		if err != nil {
			return list, err
		}
		if t.name != "" && slices.ContainsFunc(list, func(o *target) bool { return o.name == t.name }) {
			t.discard()
			return list, fmt.Errorf("two URLs name a file %s", t.name)
		}
		list = append(list, t)
	}
	return list, nil
}

// openTarget opens where a URL's content goes. A file that -o did not name must not
// be there yet.
func openTarget(ctx context.Context, output, url string) (*target, error) {
	switch output {
	case "-":
		return &target{File: os.Stdout}, handover.Closed(os.Stdout)
	case "":
		name, _, _ := strings.Cut(url, "?")
		_, name, _ = strings.Cut(name, "://")
		if !strings.Contains(name, "/") || strings.HasSuffix(name, "/") {
			return nil, fmt.Errorf("%s names no file", url)
		}
		return makeTarget(path.Base(name))
	}
	info, err := os.Stat(output)
	if stdout, other := os.Stdout.Stat(); err == nil && other == nil && os.SameFile(info, stdout) {
		if err := handover.Closed(os.Stdout); err != nil && output != os.DevNull {
			return nil, err
		}
		return &target{File: os.Stdout}, nil // /dev/stdout: opened again it would begin anew
	}
	if _, err := os.Lstat(output); errors.Is(err, fs.ErrNotExist) {
		return makeTarget(output)
	}
	f, err := openExisting(ctx, output) // also where a link leads nowhere
	return &target{File: f}, err
}

func makeTarget(name string) (*target, error) {
	if _, err := os.Lstat(name); err == nil {
		return nil, fmt.Errorf("there is a file %s already", name)
	}
	if fd, err := unix.Open(filepath.Dir(name), unix.O_TMPFILE|unix.O_WRONLY|unix.O_CLOEXEC, 0o644); err == nil {
		return &target{os.NewFile(uintptr(fd), name), name, false}, nil
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	return &target{f, name, true}, err
}

// publish gives it its name, and keeps it. It fails when the name is taken.
func (t *target) publish() error {
	if t.name != "" && !t.named {
		// By way of /proc: a bare descriptor needs CAP_DAC_READ_SEARCH (open(2)).
		if err := unix.Linkat(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", t.Fd()), unix.AT_FDCWD, t.name, unix.AT_SYMLINK_FOLLOW); err != nil {
			return &fs.PathError{Op: "name the file", Path: t.name, Err: err}
		}
	}
	t.named = false // it stays
	return nil
}

// discard closes it, and removes what was not published.
func (t *target) discard() {
	t.Close()
	if t.named {
		os.Remove(t.name)
	}
}

// openExisting opens what was there. A FIFO waits for a process that reads it.
func openExisting(ctx context.Context, name string) (*os.File, error) {
	type opened struct {
		*os.File
		error
	}
	done := make(chan opened, 1)
	go func() {
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
		done <- opened{f, err}
	}()
	select {
	case o := <-done:
		return o.File, o.error
	case <-ctx.Done():
		return nil, fmt.Errorf("no process reads %s: %w", name, context.Cause(ctx))
	}
}
