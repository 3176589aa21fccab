package pxelinux

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// A Config is what was read of the configuration that PXELINUX found for a
// machine. It does not change: what Boot reads further is in Boot.Config.
type Config struct {
	URL   string
	Lines int   // of the file at URL; a last one without a newline counts
	Tried []Try // in order, up to and with the one that was found

	// Default is the one of the configuration that PXELINUX came to last: the
	// one at URL, or one that CONFIG led to.
	Default Default

	// Labels are the entries that can be called by name, in the order of the
	// configuration.
	Labels []Label

	// Warnings say, one line each, where this package and PXELINUX differ,
	// and what will not work in a guest.
	Warnings []string
	Findings []Finding // those of Warnings that are about a line; their File is a URL

	start  *machine
	scopes []scope
	named  map[string]bool
}

// Default is the line that says what runs without a key pressed: the last UI,
// or else the last DEFAULT, in the order in which PXELINUX reads lines.
type Default struct {
	Command string // a label or a file, and more words; "" when there is no such line
	UI      bool
	File    string // its URL
	Line    int    // from 1
}

// A scope is a configuration or a menu whose labels can be called by name.
type scope struct {
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
		text, url, err := m.read(ctx, name)
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
		m.config.URL, m.config.Lines = url, countLines(text)
		m.configName = name
		if err := m.load(ctx, text, url); err != nil {
			return fmt.Errorf("reading the configuration: %w", err)
		}
		return nil
	}
	return fmt.Errorf("%w: %d names tried, none found", ErrNoConfig, len(names))
}

// Boot returns what boots without a key pressed. It asks the Opener for further
// files as PXELINUX does. The error is one of the Opener, or wraps ErrTooLarge:
// then the Boot has its Config only. That nothing can boot is no error but a
// Boot that says so.
func (c *Config) Boot(ctx context.Context) (*Boot, error) {
	if c.start.core == nil {
		return nil, ErrNoConfig
	}
	return c.run(c.start, func(m *machine) (*Boot, error) { return m.main(ctx) })
}

// BootLabel returns what boots when a label is chosen by name, or a whole
// command line is typed at the boot: prompt. A label that only a menu or
// another configuration has is found where Boot comes to it. Errors are as
// Boot's.
func (c *Config) BootLabel(ctx context.Context, label string) (*Boot, error) {
	if c.start.core == nil {
		return nil, ErrNoConfig
	}
	label = chomp(label)
	if c.start.core.find(label) == nil {
		b, err := c.Boot(ctx)
		if err != nil {
			return b, err
		}
		c = b.Config
	}
	for _, s := range c.scopes {
		e := s.parser.labels[label]
		switch {
		case e != nil && s.parser.forMenu:
			return c.run(s.machine, func(m *machine) (*Boot, error) { return m.runEntry(ctx, s.parser, e) })
		case s.parser.find(label) == nil:
		case s.parser.forMenu:
			return c.run(s.machine, func(m *machine) (*Boot, error) { return m.runLine(ctx, s.parser, label) })
		default:
			return c.run(s.machine, func(m *machine) (*Boot, error) { return m.loadKernel(ctx, label) })
		}
	}
	return c.run(c.start, func(m *machine) (*Boot, error) {
		m.note("no label is called %q: it is taken for a kernel's name", firstWord(label))
		return m.loadKernel(ctx, label)
	})
}

// Protected says whether a menu asks for a password before it boots
// that label, or before it opens the submenu that the label is in. BootLabel asks
// for none.
func (c *Config) Protected(label string) bool {
	return slices.ContainsFunc(c.scopes, func(s scope) bool { return s.parser.labels[label].protected() })
}

// protected says whether an entry needs a password, its own or a submenu's.
func (e *entry) protected() bool {
	for ; e != nil; e = e.menu.entry {
		if e.password != nil {
			return true
		}
	}
	return false
}

// run lets a copy of a machine go on, and its Boot tell what it read.
func (c *Config) run(m *machine, boot func(*machine) (*Boot, error)) (*Boot, error) {
	m = m.clone()
	m.config, m.asked = c.clone(), nil
	b, err := boot(m)
	if err != nil {
		b = &Boot{}
	}
	b.Config, b.asked = m.config, m.asked
	return b, err
}

// clone returns a Config that can grow without a change of c. What grows must
// be copied first: add does so with named.
func (c *Config) clone() *Config {
	grows := *c
	grows.Tried = slices.Clip(c.Tried)
	grows.Labels = slices.Clip(c.Labels)
	grows.Warnings = slices.Clip(c.Warnings)
	grows.Findings = slices.Clip(c.Findings)
	grows.scopes = slices.Clip(c.scopes)
	return &grows
}

// add makes the labels of a parser known.
func (c *Config) add(m *machine, p *parser) {
	m = m.clone()
	m.fallbacks, m.config = nil, nil
	c.scopes = append(c.scopes, scope{m, p})
	c.named = maps.Clone(c.named)
	for _, e := range p.entries {
		if !e.named || e.action != command || p.labels[e.name] != e || c.named[e.name] {
			continue
		}
		// menu.c32 takes the whole line for the name where the core took the
		// first word: that is the same label.
		if known := c.scopes[0].parser.labels[firstWord(e.name)]; p.forMenu && known != nil && known.position == e.position {
			continue
		}
		c.named[e.name] = true
		c.Labels = append(c.Labels, e.label())
	}
}

func (e *entry) label() Label {
	l := Label{Name: e.name, Type: e.outcome(), Kernel: e.kernel, Append: e.append}
	if e.display != e.name {
		l.Display = withoutMark(e.display)
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
