package pxelinux

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"time"
)

// A machine is PXELINUX while it runs: what a command or another
// configuration file changes. It is copied before every run, so that the same
// configuration can be asked twice.
type machine struct {
	host   Host
	open   Opener
	config *Config // what was read until now

	server     string   // of names that have none
	cwd        string   // the current directory: a prefix of relative names
	configName string   // of the configuration, as menu.c32 opens it again
	searchPath []string // PATH, in the order it is searched
	sysappend  uint32   // global SYSAPPEND: it outlives the configuration
	retries    int64    // PXERETRY, too
	used       usage

	core *parser // the configuration

	label                        string // the label that is being booted
	steps                        int    // commands run so far
	failure                      error  // of the last command
	triedDefault, triedOntimeout bool
	fallbacks                    []fallback // what happens when a command fails; the last one first

	asked *scope // where somebody could have chosen first; its parser is the core's for the prompt
}

// A fallback is where PXELINUX goes on after a command that failed.
type fallback func(m *machine, ctx context.Context) (*Boot, error)

type usage struct{ bytes, files int }

// maxSteps is how many commands may lead to the next one, by CONFIG, menus
// and modules.
const maxSteps = 64

const maxRetries = 8

func newMachine(h Host, open Opener) *machine {
	return &machine{host: h, open: open, server: ip4(h.Server).String(), cwd: prefixOf(h)}
}

func (m *machine) clone() *machine {
	c := *m
	c.fallbacks = slices.Clone(m.fallbacks)
	return &c
}

func (m *machine) resolve(name string) (string, error) { return resolve(m.server, m.cwd, name) }

// warn is a warning about a line of the configuration.
func (m *machine) warn(at position, code Code, format string, args ...any) {
	f := Finding{File: at.file, Line: at.line, Text: fmt.Sprintf(format, args...), Code: code, Severity: code.severity()}
	if m.note("%v", f) {
		m.config.Findings = append(m.config.Findings, f)
	}
}

// note is a warning about something else. It says whether it is a new one.
func (m *machine) note(format string, args ...any) bool {
	w := fmt.Sprintf(format, args...)
	if m.config == nil || len(m.config.Warnings) >= 1000 || slices.Contains(m.config.Warnings, w) {
		return false
	}
	m.config.Warnings = append(m.config.Warnings, w)
	return true
}

func (m *machine) retry(at position, times int64) {
	if times > maxRetries {
		m.note("%s:%d: PXERETRY %d: files are asked for %d times more only", at.file, at.line, times, maxRetries)
	}
	m.retries = min(max(times, 0), maxRetries)
}

// read returns the text of a configuration file.
func (m *machine) read(ctx context.Context, name string) (text, url string, err error) {
	url, err = m.ask(ctx, name, func(r io.Reader) (err error) {
		text, err = m.text(r)
		return err
	})
	return text, url, err
}

// exists asks for a file whose contents do not matter.
func (m *machine) exists(ctx context.Context, name string) (bool, error) {
	_, err := m.ask(ctx, name, func(r io.Reader) error {
		_, err := io.ReadFull(r, make([]byte, 1))
		if err == io.EOF {
			return errEmpty
		}
		return err
	})
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// errEmpty is a file of no bytes, which PXELINUX takes for none.
var errEmpty = fmt.Errorf("empty file: %w", ErrNotFound)

func (m *machine) text(r io.Reader) (string, error) {
	var b strings.Builder
	n, err := io.Copy(&b, io.LimitReader(r, int64(MaxBytes-m.used.bytes)+1))
	if err != nil {
		return "", err
	}
	if m.used.bytes += int(n); m.used.bytes > MaxBytes {
		return "", fmt.Errorf("more than %d bytes of configuration: %w", MaxBytes, ErrTooLarge)
	}
	if n == 0 {
		return "", errEmpty
	}
	return b.String(), nil
}

// ask opens a file, as often as PXERETRY says while it is not there. Its
// error wraps ErrNotFound when PXELINUX would go on without it.
func (m *machine) ask(ctx context.Context, name string, use func(io.Reader) error) (url string, err error) {
	url, err = m.resolve(name)
	if err != nil {
		m.note("%v", err)
		return name, err
	}
	for range m.retries + 1 {
		if err = m.askOnce(ctx, url, use); !errors.Is(err, ErrNotFound) {
			break
		}
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", url, err)
	}
	return url, err
}

func (m *machine) askOnce(ctx context.Context, url string, use func(io.Reader) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if m.used.files++; m.used.files > maxFiles {
		return fmt.Errorf("more than %d files asked for: %w", maxFiles, ErrTooLarge)
	}
	r, err := m.open(ctx, url)
	if errors.Is(err, fs.ErrNotExist) && !errors.Is(err, ErrNotFound) {
		err = fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	if err != nil {
		return err
	}
	defer r.Close()
	return use(r)
}

// show asks for what PXELINUX puts on the screen while it reads its
// configuration: the server sees these requests.
func (m *machine) show(ctx context.Context, word, name string) error {
	if word != "display" {
		_, err := m.exists(ctx, name)
		return err
	}
	text, _, err := m.read(ctx, name)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, image := range images(text) {
		if _, err := m.exists(ctx, image); err != nil {
			return err
		}
	}
	return nil
}

// images returns the names of the pictures that a DISPLAY file shows. A
// picture is ^X, its name and a line feed; PXELINUX stores the name's
// characters two bytes apart, and so asks for the first one only.
func images(text string) []string {
	var names []string
	for text != "" {
		c := text[0]
		text = text[1:]
		switch c {
		case 0x1a, 0xff: // the end, for DOS and for getc
			return names
		case 0x0f: // colour: background and, after a digit, foreground
			for n := 0; n < 2 && text != ""; n++ {
				digit := hexDigit(text[0]) >= 0
				text = text[1:]
				if !digit {
					break
				}
			}
		case 0x18:
			name, rest, found := strings.Cut(text, "\n")
			if !found {
				return names
			}
			text = rest
			if name = strings.TrimLeftFunc(name, func(r rune) bool { return r <= ' ' }); name != "" {
				names = append(names, name[:1])
			}
		}
	}
	return names
}

// load makes a configuration the one that PXELINUX runs.
func (m *machine) load(ctx context.Context, text, url string) error {
	p := newParser(m, false, m.sysappend)
	switch {
	case isUTF16(text):
		p.encoded = "is UTF-16, which PXELINUX does not read"
	case strings.HasPrefix(text, byteOrderMark):
		p.encoded = "begins with a byte order mark, which PXELINUX takes for a part of the first word"
	}
	if err := p.parse(ctx, text, url); err != nil {
		return err
	}
	p.finish()
	m.core = p
	m.sysappend = p.sysappend
	for _, dir := range p.path {
		m.searchPath = append([]string{dir}, m.searchPath...)
	}
	m.triedDefault, m.triedOntimeout, m.failure, m.label = false, false, nil, ""
	m.config.Default = Default{}
	if p.command != nil {
		m.config.Default = Default{*p.command, p.ui, p.commandAt.file, p.commandAt.line}
	}
	m.config.add(m, p)
	return nil
}

// tenths is a time of TIMEOUT and its like.
func tenths(n int64) time.Duration { return time.Duration(max(n, 0)) * 100 * time.Millisecond }
