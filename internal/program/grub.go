package program

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/gopxeboot/gopxeboot/internal/grub"
	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/pxelinux"
	"github.com/gopxeboot/gopxeboot/tftpget"
)

// GRUB is core.0 and grubx64.efi, also when shim loads it. The error wraps
// grub.ErrNoConfig where the server has no grub.cfg.
func GRUB(ctx context.Context, m Machine, open Opener) (*Decision, error) {
	return runGRUB(ctx, m, open, true)
}

// runGRUB is GRUB. Where that is not certain, and the boot file is none, there
// is no decision.
func runGRUB(ctx context.Context, m Machine, open Opener, certain bool) (*Decision, error) {
	x := &grubProgram{machine: m, read: newReader(open)}
	image, err := grub.Load(ctx, x.host(), x.open)
	switch {
	case !certain && !image.Known:
		return nil, nil
	case err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, grub.ErrTooLarge):
		d := &Decision{Config: plan.New().Config, Boot: plan.New().Boot}
		for url, message := range x.read.errors {
			d.Config.Tried = append(d.Config.Tried, plan.Try{URL: url, Result: plan.Failed, Message: message})
		}
		return d, &Error{Stage: plan.StageConfig, Err: fmt.Errorf("%s: %w", m.Lease.BootFile, err)}
	case !image.Known:
		x.warnings = append(x.warnings, fmt.Sprintf("the boot file %s does not tell where its GRUB looks for grub.cfg: the usual places are asked", m.Lease.BootFile))
	}
	x.grub = grub.New(x.host(), image, x.open)
	return x.decide(ctx, x.named(m.Label, nil))
}

// NamesGRUB says whether a boot file is GRUB, or shim, by its name.
func NamesGRUB(bootFile string) bool {
	return matches(bootFile, "core.0", "core.efi", "grub*.0", "grub*.efi", "grub*.efi.signed", "grub.pxe", "grub2-*", "shim*.efi", "shim*.efi.signed")
}

// namesEFI says whether a boot file has the name of UEFI's default: that is
// shim as a rule, but may be any program.
func namesEFI(bootFile string) bool { return matches(bootFile, "boot*.efi") }

func matches(bootFile string, patterns ...string) bool {
	name := strings.ToLower(path.Base(strings.ReplaceAll(bootFile, `\`, "/")))
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		matched, _ := path.Match(pattern, name)
		return matched
	})
}

// namesPXELINUX says whether a boot file is PXELINUX or a relative of it by its
// name, so that its content need not be asked for.
func namesPXELINUX(bootFile string) bool {
	return strings.Contains(strings.ToLower(path.Base(bootFile)), "linux")
}

type grubProgram struct {
	machine  Machine
	read     *reader
	grub     *grub.GRUB
	warnings []string
}

func (x *grubProgram) host() grub.Host {
	l := &x.machine.Lease
	return grub.Host{MAC: x.machine.MAC, UUID: x.machine.UUID, Address: l.Address.Addr(), Server: l.NextServer, BootFile: l.BootFile, Domain: l.Domain}
}

// open is the opener of package grub.
func (x *grubProgram) open(ctx context.Context, url string) (io.ReadCloser, error) {
	r, err := x.read.file(ctx, url)
	switch {
	case errors.Is(err, pxelinux.ErrNotFound):
		err = fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	case errors.Is(err, tftpget.ErrTooBig):
		err = fmt.Errorf("%w: %w", grub.ErrTooLarge, err)
	}
	return r, err
}

// named is an entry that somebody names, who needs no password where that is dom0's
// root.
func (x *grubProgram) named(entry string, missing []string) grub.Choice {
	return grub.Choice{Entry: entry, Open: entry != "" && !x.machine.OfVM, Missing: missing}
}

// decide runs GRUB and records what came of it.
func (x *grubProgram) decide(ctx context.Context, choice grub.Choice) (*Decision, error) {
	result, err := x.grub.Run(ctx, choice)
	d := &Decision{Config: x.config(result), Boot: plan.New().Boot}
	d.Boot.Named = x.machine.Label
	d.Boot.Warnings = append(d.Boot.Warnings, x.warnings...)
	for _, p := range result.Problems {
		d.Boot.Warnings = append(d.Boot.Warnings, p.String())
	}
	for _, e := range result.Entries {
		label := plan.Label{Name: e.ID, Display: e.Title, Type: outcomes[e.Type], Kernel: e.Kernel, Initrds: append([]string{}, e.Initrds...), Append: e.Args}
		if e.Submenu {
			label.Type = pxelinux.SubConfig
		}
		d.addLabel(label)
	}
	if result.Config == "" {
		return d, &Error{Stage: plan.StageConfig, Err: err}
	}
	d.Boot.Program = plan.GRUB
	d.Entry = func(ctx context.Context, name string) (*Decision, error) {
		return x.decide(ctx, x.named(name, choice.Missing))
	}
	d.Asks = x.asks(result)
	wanted := false
	if err == nil {
		x.setBoot(d, result.Boot)
	}
	if err == nil {
		d.NotFound = func(ctx context.Context, url string) (*Decision, error) {
			if url != result.Boot.Kernel { // GRUB would boot without it, to a panic
				return d, &Error{Stage: plan.StageBoot, Err: fmt.Errorf("%s is missing", url)}
			}
			other := *x
			other.machine.Kernel, other.machine.Ramdisk = "", ""
			return other.decide(ctx, grub.Choice{Entry: choice.Entry, Open: choice.Open, Missing: append(choice.Missing, url)})
		}
		err = x.machine.override(x.grub.URL, func(url string) { d.Boot.Outcome, d.Boot.Kernel = pxelinux.Linux, url },
			func(url string) { d.Boot.Initrds, d.Boot.InitrdFiles = []string{url}, nil })
		wanted = err != nil
	}
	if err != nil {
		d.Boot.Error = err.Error()
		return d, &Error{plan.StageBoot, err, wanted}
	}
	return d, nil
}

func (x *grubProgram) setBoot(d *Decision, b *grub.Boot) {
	d.Boot.Label, d.Boot.Waits, d.Boot.Kernel = b.Entry, b.Waits, b.Kernel
	d.Boot.SetArgs(b.Args)
	for _, i := range b.Initrds {
		d.Boot.Initrds = append(d.Boot.Initrds, i.URL)
	}
	if slices.ContainsFunc(b.Initrds, func(i grub.Initrd) bool { return i.Newc != "" }) {
		for _, i := range b.Initrds {
			file := plan.InitrdFile{Path: i.Newc}
			if i.Newc != "" {
				file.Mode = grub.NewcMode
			}
			d.Boot.InitrdFiles = append(d.Boot.InitrdFiles, file)
		}
	}
	for _, m := range b.Modules {
		d.Boot.Modules = append(d.Boot.Modules, plan.Module(m))
	}
	d.Boot.Outcome = outcomes[b.Outcome]
}

var outcomes = map[grub.Outcome]plan.Outcome{
	grub.Linux: pxelinux.Linux, grub.Multiboot: pxelinux.Multiboot, grub.LocalBoot: pxelinux.LocalBoot, grub.ChainBoot: pxelinux.ChainBoot,
}

// config is the record of a configuration.
func (x *grubProgram) config(r *grub.Result) plan.Config {
	c := plan.Config{URL: r.Config, Tried: []plan.Try{}, Bytes: int64(r.Bytes), Lines: r.Lines, Default: r.Default}
	for _, t := range x.grub.Tried {
		try := plan.Try{URL: t.URL, Result: plan.Found, Message: x.read.errors[t.URL], Millis: plan.Millis(t.Took)}
		switch {
		case errors.Is(t.Err, fs.ErrNotExist):
			try.Result = plan.NotFound
		case t.Err != nil:
			try.Result = plan.Failed
		}
		c.Tried = append(c.Tried, try)
	}
	if r.Config == "" || x.machine.NoLint {
		return c
	}
	for _, f := range grub.Lint(path.Base(r.Config), x.read.texts[r.Config]) {
		if f.Severity != pxelinux.SeverityNote {
			addFinding(&c, f)
		}
	}
	return c
}

// isGRUB is what lines of a grub.cfg begin with, and none of PXELINUX's.
var isGRUB = regexp.MustCompile(`(?m)^\x{feff}?\s*(menuentry|submenu|configfile|source|insmod|search|function|export|if \[)\s|^\x{feff}?\s*set \w+=`)

// IsGRUBConfig says whether a file is a grub.cfg, by its name or content.
func IsGRUBConfig(name string, text []byte) bool {
	return strings.HasPrefix(path.Base(name), "grub.cfg") || isGRUB.Match(text)
}
