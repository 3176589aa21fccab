package pxelinux

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// A Config is the configuration that PXELINUX found for a machine. Its methods
// ask the Opener for further files as PXELINUX does; they are not for several
// goroutines at once.
type Config struct {
	URL   string
	Tried []Try // in order, up to and with the one that was found

	// Labels are the entries that can be called by name, in the order of the
	// configuration. Entries of the menus and the other configurations that
	// Boot comes to are added to them.
	Labels []Label

	// Warnings are what a person should know, one line each: where this
	// package and PXELINUX differ, and what will not work in a guest. Boot
	// adds to them.
	Warnings []string

	start  *machine
	scenes []scene
	named  map[string]bool
}

// A scene is a set of labels that a person could choose from: a
// configuration's or a menu's.
type scene struct {
	machine *machine
	parser  *parser
}

// Find looks for the configuration of h as PXELINUX does, name by name, and
// reads it with its includes. The Config is returned with an error, too: it
// tells what was tried.
//
// The error wraps ErrNoConfig when every name was not found or empty. An
// error of the Opener that is not ErrNotFound ends the search at once and is
// returned wrapped: a server that is silent for one name is so for all.
func Find(ctx context.Context, h Host, open Opener) (*Config, error) {
	c := &Config{named: map[string]bool{}}
	c.start = newMachine(h, open)
	c.start.config = c
	if err := c.start.search(ctx); err != nil {
		return c, err
	}
	return c, nil
}

// search is pxe_open_config and the parsing of what it finds.
func (m *machine) search(ctx context.Context) error {
	names := searchNames(m.host)
	for _, name := range names {
		began := time.Now()
		text := ""
		url, err := m.ask(ctx, name, func(r io.Reader) (err error) {
			text, err = m.text(r)
			return err
		})
		try := Try{URL: url, Result: "found", Took: time.Since(began)}
		switch {
		case errors.Is(err, errEmpty):
			try.Result = "empty"
		case errors.Is(err, ErrNotFound):
			try.Result = "not found"
		case err != nil:
			try.Result = "error"
		}
		m.config.Tried = append(m.config.Tried, try)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		m.config.URL = url
		m.configName = name
		if err := m.load(ctx, text, url); err != nil {
			return fmt.Errorf("reading the configuration: %w", err)
		}
		return nil
	}
	return fmt.Errorf("%w: %d names tried, none found", ErrNoConfig, len(names))
}

// Boot returns what boots if nobody touches the machine. The error is one of
// the Opener, or wraps ErrTooLarge; that nothing can boot is no error but a
// Boot that says so.
func (c *Config) Boot(ctx context.Context) (*Boot, error) {
	if c.start.core == nil {
		return nil, ErrNoConfig
	}
	c.scenes = c.scenes[:1]
	return c.start.clone().main(ctx)
}

// BootLabel returns what boots if a person asks for a label by name, or types
// a whole command line at the boot: prompt. A label that only a menu or
// another configuration has is found where Boot comes to it.
func (c *Config) BootLabel(ctx context.Context, label string) (*Boot, error) {
	if c.start.core == nil {
		return nil, ErrNoConfig
	}
	label = chomp(label)
	if c.start.core.find(label) == nil {
		if _, err := c.Boot(ctx); err != nil {
			return nil, err
		}
	}
	for _, s := range c.scenes {
		m := s.machine.clone()
		if e := s.parser.labels[label]; e != nil && s.parser.forMenu {
			return m.runEntry(ctx, s.parser, e)
		}
		if s.parser.find(label) == nil {
			continue
		}
		if s.parser.forMenu {
			return m.runLine(ctx, s.parser, label)
		}
		return m.loadKernel(ctx, label)
	}
	c.start.note("no label is called %q: it is taken for a kernel's name", firstWord(label))
	return c.start.clone().loadKernel(ctx, label)
}

// add makes the labels of a parser known.
func (c *Config) add(m *machine, p *parser) {
	m = m.clone()
	m.fallbacks = nil
	c.scenes = append(c.scenes, scene{m, p})
	for _, e := range p.entries {
		if !e.named || e.action != command || p.labels[e.name] != e || c.named[e.name] {
			continue
		}
		// menu.c32 takes the whole line for the name where the core took the
		// first word: that is the same label.
		if known := c.scenes[0].parser.labels[firstWord(e.name)]; p.forMenu && known != nil && known.position == e.position {
			continue
		}
		c.named[e.name] = true
		c.Labels = append(c.Labels, e.label())
	}
}

func (e *entry) label() Label {
	l := Label{Name: e.name, Type: e.outcome(), Kernel: e.kernel, Append: e.append}
	if e.display != e.name {
		l.Display = strings.ReplaceAll(e.display, "^", "")
	}
	line := e.append
	if e.initrd != nil {
		line += " initrd=" + *e.initrd
	}
	if l.Type == Linux {
		l.Initrds, _ = initrds(line)
	}
	return l
}

// outcome is what an entry comes to as far as its own lines tell.
func (e *entry) outcome() Outcome {
	name, kind := firstWord(e.kernel), e.kind
	if kind == "kernel" {
		kind = kindOfFile(name)
	}
	switch kind {
	case "com32":
		switch moduleName(name) {
		case "mboot":
			return Multiboot
		case "linux":
			return Linux
		case "config":
			return SubConfig
		case "chain":
			return LocalBoot
		}
		return COM32
	case "config":
		return SubConfig
	case "localboot":
		return LocalBoot
	case "pxe", "boot", "bss":
		return ChainBoot
	}
	return Linux
}
