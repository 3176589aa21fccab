package program

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/pxelinux"
	"github.com/gopxeboot/gopxeboot/xenout"
)

// Host is the machine as PXELINUX sees it.
func (m *Machine) Host() pxelinux.Host {
	l := &m.Lease
	h := pxelinux.Host{
		MAC: m.MAC, UUID: m.UUID, Address: l.Address, Server: l.NextServer,
		BootFile: l.BootFile, ConfigFile: l.ConfigFile, PathPrefix: l.PathPrefix, ConfigDir: m.ConfigDir,
		MaxArgs: xenout.PV.MaxArgs(""), // a lab serves PV guests, too
	}
	if len(l.Routers) == 1 { // PXELINUX takes option 3 only when it is 4 bytes long
		h.Router = l.Router
	}
	return h
}

// PXELINUX is pxelinux.0 and lpxelinux.0.
func PXELINUX(ctx context.Context, m Machine, open Opener) (*Decision, error) {
	read := newReader(open)
	x := &pxe{machine: m, open: open, wanted: m.Wanted, host: m.Host(), read: read}
	found, err := pxelinux.Find(ctx, x.host, read.file)
	x.config = config(found, read)
	if found.URL != "" && !m.NoLint {
		lint(ctx, x.host, &x.config, read)
	}
	if err != nil {
		if found.URL != "" {
			x.config.Error = err.Error()
		}
		return x.decision(found), &Error{Stage: plan.StageConfig, Err: err}
	}
	x.pick = found.BootLabel
	if m.Label != "" {
		return x.entry(ctx, m.Label)
	}
	boot, err := found.Boot(ctx)
	return x.finish(ctx, boot, err)
}

// pxe is PXELINUX with the configuration that it found.
type pxe struct {
	machine Machine
	open    Opener
	wanted  Wanted
	host    pxelinux.Host
	read    *reader
	config  plan.Config
	pick    func(context.Context, string) (*pxelinux.Boot, error)
}

// config is the record of a configuration.
func config(c *pxelinux.Config, read *reader) plan.Config {
	r := plan.Config{URL: c.URL, Tried: []plan.Try{}, Bytes: int64(len(read.texts[c.URL])), Lines: c.Lines}
	for _, t := range c.Tried {
		r.Tried = append(r.Tried, plan.Try{URL: t.URL, Result: plan.Result(t.Result), Message: read.errors[t.URL], Millis: plan.Millis(t.Took)})
	}
	return r
}

// lint adds what is wrong in a configuration.
func lint(ctx context.Context, h pxelinux.Host, c *plan.Config, read *reader) {
	// An error of the opener is one that Find had, too.
	findings, _ := pxelinux.Lint(ctx, h, c.URL[strings.LastIndexByte(c.URL, '/')+1:], read.texts[c.URL], read.again)
	for _, f := range findings {
		// Foreman and others write TIMEOUT with a DEFAULT that boots at once,
		// and it does no harm.
		if f.Code != pxelinux.TimeoutUnused {
			addFinding(c, f)
		}
	}
}

// entry is what boots when somebody picks a label. PXELINUX would take another
// name for a kernel's; who picks one means a label.
func (x *pxe) entry(ctx context.Context, label string) (*Decision, error) {
	boot, err := x.pick(ctx, label)
	if err == nil && boot.Label == "" {
		var names []string
		for _, l := range boot.Config.Labels {
			names = append(names, l.Name)
		}
		err = fmt.Errorf("no label is called %q in %s: its labels are %s", label, x.config.URL, strings.Join(names, ", "))
	}
	if err == nil && x.wanted.OfVM && boot.Config.Protected(boot.Label) {
		boot, err = &pxelinux.Boot{Config: boot.Config}, fmt.Errorf("label %s in %s has a password (MENU PASSWD), and %w", boot.Label, x.config.URL, errOfVM)
	}
	return x.finish(ctx, boot, err)
}

// errOfVM is why a label boots for dom0's root only.
var errOfVM error = ofVM{}

type ofVM struct{}

func (ofVM) Error() string {
	return "a VM's fields, which others than dom0's root may write, can't name it"
}

// Try is for package fault.
func (ofVM) Try() string {
	return "dom0's root can, with label = \"NAME\" in the VM's section of /etc/gopxeboot.conf"
}

// finish puts in what is wanted, and says why nothing boots. With an error the
// Boot has its Config only.
func (x *pxe) finish(ctx context.Context, boot *pxelinux.Boot, err error) (*Decision, error) {
	d := x.decision(boot.Config)
	d.Entry = x.entry
	wanted := false
	if x.wanted.Person && x.wanted.Label == "" && err == nil {
		d.Asks = x.asks(boot.Offer())
	}
	if err == nil {
		err = x.wanted.override(x.host.Resolve, func(url string) { boot.Outcome, boot.Kernel, boot.Err = pxelinux.Linux, url, nil },
			func(url string) { boot.Initrds = []string{url} })
		wanted = err != nil
	}
	if err == nil {
		d.setBoot(boot)
		d.NotFound = func(ctx context.Context, _ string) (*Decision, error) {
			next, err := boot.NotFound(ctx)
			return x.next(ctx, next, err)
		}
		if err = unbootable(boot); err != nil {
			err = fmt.Errorf("%s: %w", x.config.URL, err)
		}
	}
	if err == nil && boot.Outcome == pxelinux.Linux && namesLKRN(boot.Kernel) {
		err = x.lkrn(ctx, d)
	}
	if err == nil {
		return d, nil
	}
	d.Boot.Error = err.Error()
	return d, &Error{plan.StageBoot, err, wanted}
}

// next is finish for what PXELINUX goes on with: what is wanted does not count
// for it.
func (x *pxe) next(ctx context.Context, boot *pxelinux.Boot, err error) (*Decision, error) {
	other := *x
	other.wanted.Kernel, other.wanted.Ramdisk = "", ""
	return other.finish(ctx, boot, err)
}

// decision is one that has no more than its configuration.
func (x *pxe) decision(c *pxelinux.Config) *Decision {
	d := &Decision{Config: x.config, Boot: plan.New().Boot}
	d.Boot.Named = x.wanted.Label
	if x.config.URL != "" {
		d.Boot.Program = plan.PXELINUX
	}
	if x.config.URL != "" && x.wanted.NoLint {
		d.Lint = func(ctx context.Context) plan.Config {
			c := d.Config
			lint(ctx, x.host, &c, x.read)
			return c
		}
	}
	d.Boot.Warnings = append(d.Boot.Warnings, c.Warnings...)
	d.Boot.Findings = c.Findings
	if at := c.Default; at.Command != "" {
		d.Config.Default, d.Config.DefaultAt = strings.Join(strings.Fields(at.Command), " "), fmt.Sprintf("%s:%d", at.File, at.Line)
	}
	for _, l := range c.Labels {
		l.Initrds = append([]string{}, l.Initrds...)
		d.addLabel(l)
	}
	return d
}

func (d *Decision) setBoot(b *pxelinux.Boot) {
	d.Boot.Outcome, d.Boot.Label, d.Boot.Waits, d.Boot.Kernel = b.Outcome, b.Label, b.Waits, b.Kernel
	d.Boot.SetArgs(b.Args)
	d.Boot.Initrds = append(d.Boot.Initrds, b.Initrds...)
	d.Boot.Modules = append(d.Boot.Modules, b.Modules...)
}

// unbootable says why a guest without firmware can't boot what PXELINUX would.
func unbootable(boot *pxelinux.Boot) error {
	switch {
	case boot.Err != nil:
		return boot.Err
	case boot.Outcome == pxelinux.LocalBoot:
		return nil
	case boot.Outcome == pxelinux.ChainBoot:
		return fmt.Errorf("%s%s is a boot program, which a guest without firmware can't run", plan.LabelText(boot.Label), boot.Kernel)
	case boot.Kernel == "":
		return errors.New("nothing that a guest could boot")
	}
	return nil
}

// reader remembers what it has read, so that nothing is asked for twice, and
// what errors said.
type reader struct {
	open   Opener
	mu     sync.Mutex // a user may choose while a detour is looked for
	texts  map[string][]byte
	errors map[string]string
}

func newReader(open Opener) *reader {
	return &reader{open: open, texts: map[string][]byte{}, errors: map[string]string{}}
}

func (r *reader) file(ctx context.Context, url string) (io.ReadCloser, error) {
	f, err := r.open(ctx, url)
	if err != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.errors[url] = strings.TrimPrefix(err.Error(), pxelinux.ErrNotFound.Error()+": ")
		return nil, err
	}
	return &tee{ReadCloser: f, r: r, url: url}, nil
}

// again opens a file that has been read.
func (r *reader) again(_ context.Context, url string) (io.ReadCloser, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if text, found := r.texts[url]; found {
		return io.NopCloser(bytes.NewReader(text)), nil
	}
	return nil, pxelinux.ErrNotFound
}

// tee keeps what is read of a file.
type tee struct {
	io.ReadCloser
	r    *reader
	url  string
	text []byte
}

func (t *tee) Read(p []byte) (int, error) {
	n, err := t.ReadCloser.Read(p)
	t.text = append(t.text, p[:n]...)
	return n, err
}

// Close keeps the longest text: of a file whose contents do not matter one byte
// is read.
func (t *tee) Close() error {
	t.r.mu.Lock()
	defer t.r.mu.Unlock()
	if len(t.text) > len(t.r.texts[t.url]) {
		t.r.texts[t.url] = t.text
	}
	return t.ReadCloser.Close()
}
