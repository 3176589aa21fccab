package program

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"strings"
	"time"

	"github.com/gopxeboot/gopxeboot/dhcpclient"
	"github.com/gopxeboot/gopxeboot/internal/ipxe"
	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/pxelinux"
)

// iPXE runs the script that DHCP names to iPXE.
func iPXE(ctx context.Context, m Machine, open Opener) (*Decision, error) {
	return newScript(m, open).run(ctx, m.Label, nil)
}

// errLoop is what a real machine would do without end.
var errLoop = errors.New("DHCP names an iPXE program to iPXE, too: it does not look at the user class")

// script is iPXE with what it has read.
type script struct {
	machine Machine
	open    Opener
	kept    map[string]kept
	// unanswered is the last download that ended otherwise than by a server's
	// word; nil for none.
	unanswered error
}

type kept struct {
	content []byte
	at      string
}

func newScript(m Machine, open Opener) *script {
	return &script{machine: m, open: open, kept: map[string]kept{}}
}

// run runs the script, to boot that menu item, or the one that choose takes.
func (x *script) run(ctx context.Context, label string, choose func(ipxe.Menu) int) (*Decision, error) {
	m := &x.machine
	d := &Decision{Boot: plan.New().Boot, Entry: func(ctx context.Context, name string) (*Decision, error) { return x.run(ctx, name, nil) }}
	d.Boot.Named = label
	url, err := m.Script()
	if err != nil {
		return d, &Error{Stage: plan.StageConfig, Err: err}
	}
	d.NotFound = func(context.Context, string) (*Decision, error) {
		return d, &Error{Stage: plan.StageBoot, Err: fs.ErrNotExist}
	}
	var first *ipxe.Menu
	if choose == nil && m.Person && label == "" {
		choose = func(shown ipxe.Menu) int {
			first = cmp.Or(first, &shown)
			return shown.Default
		}
	}
	began := time.Now()
	env := x.env()
	env.Label, env.Choose = label, choose
	r, err := ipxe.Run(ctx, x.guest(), env, url)
	d.Asks = x.asks(first)
	d.Config = plan.Config{URL: url, Tried: []plan.Try{{URL: url, Result: plan.Found, Millis: plan.Millis(time.Since(began))}}}
	text, read := x.kept[url]
	if !read {
		d.Config.URL, d.Config.Tried[0].Result, d.Config.Tried[0].Message = "", plan.NotFound, err.Error()
		if x.unanswered != nil {
			d.Config.Tried[0].Result = plan.Failed
		}
		return d, &Error{Stage: plan.StageConfig, Err: err}
	}
	d.Boot.Program = plan.IPXE
	d.Config.Bytes, d.Config.Lines = int64(len(text.content)), bytes.Count(text.content, []byte("\n"))
	lint := func(context.Context) plan.Config {
		c := d.Config
		for _, found := range ipxe.Lint(url[strings.LastIndexByte(url, '/')+1:], string(text.content)) {
			addFinding(&c, found)
		}
		return c
	}
	if m.NoLint {
		d.Lint = lint
	} else {
		d.Config = lint(ctx)
	}
	x.take(d, r)
	if err == nil {
		err = m.override(m.Host().Resolve, func(url string) { d.Boot.Outcome, d.Boot.Kernel, d.Boot.KernelGunzip = pxelinux.Linux, url, false },
			func(url string) { d.Boot.Initrds, d.Boot.InitrdFiles = []string{url}, nil })
	}
	if err != nil {
		noItem, _ := errors.AsType[*ipxe.NoItemError](err)
		d.Boot.Error = err.Error()
		return d, &Error{Stage: plan.StageBoot, Err: err, Wanted: noItem != nil}
	}
	return d, nil
}

// take records what a script came to.
func (x *script) take(d *Decision, r *ipxe.Result) {
	b := &d.Boot
	b.Outcome, b.Kernel, b.KernelGunzip, b.Label, b.Waits = plan.Outcome(r.Outcome), r.Kernel, r.KernelGunzip, r.Chosen, r.Waits
	b.SetArgs(r.Args)
	b.Warnings = append(b.Warnings, r.Warnings...)
	for _, f := range r.Initrds {
		b.Initrds = append(b.Initrds, f.URL)
		b.InitrdFiles = append(b.InitrdFiles, plan.InitrdFile{Path: f.Path, Mode: f.Mode, Parents: f.Parents, Gunzip: f.Gunzip})
	}
	for _, f := range r.Modules {
		b.Modules = append(b.Modules, plan.Module{URL: f.URL, Args: f.Args})
	}
	for _, i := range r.Items {
		d.addLabel(plan.Label{Name: i.Name, Display: i.Text, Initrds: []string{}})
	}
}

// Script is the URL of iPXE's boot file, in whose name iPXE expands settings
// (usr/autoboot.c).
func (m *Machine) Script() (string, error) {
	file := m.Lease.BootFile
	switch {
	case m.First != nil && IsIPXE(file):
		return "", errLoop
	case file == "":
		return "", errors.New("DHCP names no boot file to iPXE")
	}
	x := script{machine: *m}
	guest := x.guest()
	file, err := ipxe.Expand(guest, file)
	return ipxe.FileURL(m.Lease.NextServer, file), err
}

// guest is the machine as iPXE sees it: what hvmloader would say of a Xen guest.
func (x *script) guest() ipxe.Machine {
	m := &x.machine
	l := &m.Lease
	g := ipxe.Machine{
		MAC: m.MAC, Arch: "i386", Version: ipxe.Version, Manufacturer: "Xen", Product: "HVM domU", Serial: m.UUID, Set: m.Set,
		Lease: packet(&l.Reply),
	}
	if len(l.Boot) > 0 {
		g.Proxy = packet(&l.Boot[0])
	}
	switch m.Arch { // RFC 4578, section 2.1
	case 7, 9, 16:
		g.Arch, g.EFI = "x86_64", true
	case 6:
		g.EFI = true
	case 11, 19:
		g.Arch, g.EFI = "arm64", true
	}
	if b, err := hex.DecodeString(strings.ReplaceAll(m.UUID, "-", "")); err == nil {
		copy(g.UUID[:], b)
	}
	g.Lease.Address = l.Address.Addr()
	if !g.Lease.NextServer.IsValid() && !g.Proxy.NextServer.IsValid() {
		g.Lease.NextServer = l.NextServer
	}
	if l.Reply.Options != nil {
		return g
	}
	// No one said more than the lease.
	g.Lease.File, g.Lease.Options = l.BootFile, map[uint8][]byte{}
	option := func(code uint8, value []byte) {
		if len(value) > 0 {
			g.Lease.Options[code] = value
		}
	}
	if l.Address.IsValid() {
		mask := netip.PrefixFrom(netip.AddrFrom4([4]byte{255, 255, 255, 255}), l.Address.Bits()).Masked().Addr()
		option(1, mask.AsSlice())
	}
	addresses := func(code uint8, list []netip.Addr) {
		var b []byte
		for _, a := range list {
			b = append(b, a.AsSlice()...)
		}
		option(code, b)
	}
	addresses(3, l.Routers)
	addresses(6, l.DNS)
	addresses(54, []netip.Addr{cmp.Or(l.ServerID, l.NextServer)}) // of a lease without DHCP the server that is named
	option(12, []byte(l.HostName))
	option(15, []byte(l.Domain))
	option(209, []byte(l.ConfigFile))
	option(210, []byte(l.PathPrefix))
	if l.MTU > 0 {
		option(26, []byte{byte(l.MTU >> 8), byte(l.MTU)})
	}
	return g
}

// packet is a DHCP server's message as iPXE keeps it.
func packet(r *dhcpclient.Reply) ipxe.Packet {
	return ipxe.Packet{Address: r.Address, NextServer: r.NextServer, File: r.BootFile, Options: r.Options}
}

// env is what a script can use.
func (x *script) env() ipxe.Env {
	return ipxe.Env{Open: x.read, Post: x.post(), Lookup: x.machine.Lookup, Verified: x.machine.Verified, Now: time.Now, Sleep: sleep}
}

// read opens a file once, and keeps what is read of it for another entry.
func (x *script) read(ctx context.Context, url string) (io.ReadCloser, error) {
	return x.once(url, func() (io.ReadCloser, error) { return x.open(ctx, url) })
}

// post is read with a form; nil where none can be sent.
func (x *script) post() func(ctx context.Context, url, form string) (io.ReadCloser, error) {
	if x.machine.Post == nil {
		return nil
	}
	return func(ctx context.Context, url, form string) (io.ReadCloser, error) {
		return x.once(url+"#"+form, func() (io.ReadCloser, error) { return x.machine.Post(ctx, url, form) })
	}
}

// once keeps what open has, by what it was asked for.
func (x *script) once(asked string, open func() (io.ReadCloser, error)) (io.ReadCloser, error) {
	k, ok := x.kept[asked]
	if !ok {
		f, err := open()
		if errors.Is(err, pxelinux.ErrNotFound) {
			return nil, missing{err}
		}
		if err != nil {
			if !errors.Is(err, pxelinux.ErrTooLarge) {
				x.unanswered = err
			}
			return nil, err
		}
		defer f.Close()
		if at, ok := f.(interface{ URL() string }); ok {
			k.at = at.URL()
		}
		if k.content, err = ipxe.ReadHead(f); err != nil {
			return nil, err
		}
		x.kept[asked] = k
	}
	return NewFile(k.content, k.at), nil
}

// file is one that was read, and where it came from.
type file struct {
	*bytes.Reader
	at string
}

// missing is a file that is not there, in the words of the server.
type missing struct{ error }

func (m missing) Error() string {
	return strings.TrimPrefix(m.error.Error(), pxelinux.ErrNotFound.Error()+": ")
}

func (m missing) Unwrap() error { return m.error }

func (missing) Is(target error) bool { return target == fs.ErrNotExist }

// NewFile is what an Opener returns of a file that has been read: a script's names
// are seen from where it is after redirects.
func NewFile(content []byte, at string) io.ReadCloser { return &file{bytes.NewReader(content), at} }

func (f *file) URL() string { return f.at }

func (f *file) Close() error { return nil }

// headOf is the beginning of the boot file.
func headOf(ctx context.Context, m Machine, open Opener) []byte {
	f, err := open(ctx, ipxe.FileURL(m.Lease.NextServer, m.Lease.BootFile))
	if err != nil {
		return nil
	}
	defer f.Close()
	head := make([]byte, 1024)
	n, _ := io.ReadFull(f, head)
	return head[:n]
}

// unnamedIPXE is the error of a boot file that is iPXE by its first message only
// (arch/x86/prefix/pxeprefix.S): DHCP was not asked again as that iPXE, which has to
// be known before.
func unnamedIPXE(file string, err error) error {
	return &Error{Stage: plan.StageConfig, Err: fmt.Errorf("%w; the boot file %s is iPXE by its content, and has a name that says nothing of that: call it undionly.kpxe, and DHCP is asked as iPXE", err, file)}
}

// IsText tells a script or a configuration, which is wanted whole, from what boots.
func IsText(head []byte) bool { return !bytes.Contains(head, []byte{0}) }

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
