package oracle_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gopxeboot/gopxeboot/internal/oracle"
	"github.com/gopxeboot/gopxeboot/pxelinux"
)

// A result is what the real PXELINUX and ours are compared by.
type result struct {
	Requests []string
	Outcome  string
	Waits    bool
	Args     []string // the kernel's, and those of Multiboot modules
	Ramdisk  *oracle.Content
}

// TestGolden compares the package pxelinux with the real PXELINUX's answers.
func TestGolden(t *testing.T) { compareAll(t, tree, "PXELINUX", compare) }

// compareAll compares every case below dir with the real program's kept answer,
// and returns the cases.
func compareAll(t *testing.T, dir, program string, compare func(*testing.T, *oracle.Case, *oracle.Answer)) map[string]*oracle.Case {
	t.Helper()
	all := cases(t, dir)
	agree, declared := 0, 0
	for _, name := range slices.Sorted(maps.Keys(all)) {
		c := all[name]
		if t.Run(name, func(t *testing.T) { compare(t, c, golden(t, dir, name)) }) {
			if agree++; len(c.Differences) > 0 {
				declared++
			}
		}
	}
	t.Logf("%d of %d cases agree with the real %s, %d of them but for a difference that is declared", agree, len(all), program, declared)
	return all
}

// compare checks that we answer a case as PXELINUX does.
func compare(t *testing.T, c *oracle.Case, answer *oracle.Answer) {
	t.Helper()
	ours, err := boot(t.Context(), c, answer)
	if err != nil {
		t.Fatal(err)
	}
	want := theirs(answer, ours.waitedFirst)
	if n := len(want.Requests); answer.Outcome == oracle.Circles && len(ours.Requests) > n {
		ours.Requests = ours.Requests[:n]
	}
	for _, d := range c.Differences {
		if err := reconcile(d, want, &ours.result); err != nil {
			t.Errorf("differs: %s: %s: %v", d.Field, d.Value, err)
		}
	}
	if diff := cmp.Diff(*want, ours.result); diff != "" {
		t.Errorf("%s\n(-PXELINUX +ours):\n%s", c.About, diff)
	}
}

// theirs takes the real PXELINUX's answer for comparison. Where it waited and
// nothing booted in the end, what the Enter key had it ask again does not
// count, unless it had asked nothing before.
func theirs(a *oracle.Answer, waitedFirst bool) *result {
	r := &result{Outcome: string(a.Outcome), Waits: a.Waits, Ramdisk: a.Ramdisk}
	requests := a.Requests
	switch a.Outcome {
	case oracle.Linux:
		r.Args = []string{a.Args}
	case oracle.Multiboot:
		r.Args = []string{a.Args}
		for _, m := range a.Modules {
			r.Args = append(r.Args, m.Args)
		}
	case oracle.Prompt, oracle.Stuck, oracle.Circles, oracle.Reset, oracle.PowerOff:
		r.Outcome, r.Waits = "nothing", false
		if !waitedFirst && a.Outcome != oracle.Circles {
			requests = requests[:len(requests)-a.Later]
		}
	}
	for _, q := range requests {
		if q.Result == oracle.Moved {
			q.Result = oracle.Found
		}
		if !module(q.File) {
			r.Requests = append(r.Requests, q.Result+" "+q.File)
		}
	}
	return r
}

// module reports whether a file is one of PXELINUX's own modules, which we
// bring along.
func module(name string) bool {
	switch base := path.Base(name); {
	case strings.HasSuffix(base, "ldlinux.c32"):
		return true
	default:
		return slices.Contains([]string{
			"cat.c32", "chain.c32", "cmd.c32", "config.c32", "ifcpu.c32", "ifcpu64.c32", "libcom32.c32", "libgpl.c32", "libmenu.c32",
			"libutil.c32", "linux.c32", "mboot.c32", "menu.c32", "poweroff.c32", "pxechn.c32", "reboot.c32", "vesamenu.c32", "whichsys.c32",
		}, base)
	}
}

// reconcile takes a declared difference into account: theirs becomes what is
// expected of us. It is an error when there is no such difference.
func reconcile(d oracle.Difference, theirs, ours *result) error {
	before := fmt.Sprint(*theirs, *ours)
	switch d.Field {
	case "outcome":
		theirs.Outcome = d.Value
	case "waits":
		theirs.Waits = d.Value == "true"
	case "args":
		theirs.Args = []string{d.Value}
	case "ramdisk":
		content := strings.ReplaceAll(d.Value, `\n`, "\n")
		if theirs.Ramdisk = nil; d.Value != "none" {
			theirs.Ramdisk = oracle.Describe(len(content), []byte(content))
		}
	case "requests": // +NAME only we ask for, -NAME only PXELINUX asks for
		for _, word := range strings.Fields(d.Value) {
			list := &ours.Requests
			if word[0] == '-' {
				list = &theirs.Requests
			}
			i := slices.IndexFunc(*list, func(q string) bool { return strings.HasSuffix(q, " "+word[1:]) })
			if i < 0 {
				return fmt.Errorf("%s is not asked for", word[1:])
			}
			*list = slices.Delete(*list, i, i+1)
		}
	default:
		return errors.New("unknown field")
	}
	if fmt.Sprint(*theirs, *ours) == before {
		return errors.New("there is no difference")
	}
	return nil
}

// ours is what the package pxelinux makes of a case.
type ours struct {
	result
	waitedFirst bool // PXELINUX waits before it tries anything
}

// A server gives the files of a case to the package pxelinux, and writes the
// requests down as the oracle does.
type server struct {
	c        *oracle.Case
	modules  map[string]bool // the modules that the real one found
	requests []string
}

// stub is what our server has in the place of a kernel.
const stub = "a program"

// get returns a file, or ErrNotFound.
func (s *server) get(address string) ([]byte, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	name, file := strings.Replace(address, ":80/", "/", 1), u.Path
	if u.User != nil { // which is no part of what the server is asked for
		name = strings.Replace(name, u.User.String()+"@", "", 1)
	}
	if u.Scheme == "tftp" {
		name = strings.TrimPrefix(u.Path, "/")
		file = strings.ReplaceAll(name, `\`, "/") // as dnsmasq does
		host := u.Hostname()
		if known := s.c.Names[host]; known != "" {
			host = known
		} else if _, err := netip.ParseAddr(host); err != nil {
			host = s.c.Server().String()
		}
		if host != s.c.Server().String() {
			name = host + "::" + name
		}
	}
	data, ok := s.c.Files[strings.TrimPrefix(path.Clean("/"+file), "/")]
	if data == nil && ok || s.modules[name] {
		data, ok = []byte(stub), true
	}
	result := oracle.Found
	switch {
	case !ok:
		result = oracle.Absent
	case len(data) == 0:
		result = oracle.Empty
	}
	if !module(name) {
		s.requests = append(s.requests, result+" "+name)
	}
	if len(data) == 0 {
		return nil, fmt.Errorf("%s: %s: %w", address, result, pxelinux.ErrNotFound)
	}
	return data, nil
}

func (s *server) open(_ context.Context, address string) (io.ReadCloser, error) {
	data, err := s.get(address)
	return io.NopCloser(bytes.NewReader(data)), err
}

// host is the machine of a case as the package pxelinux wants it, on the
// oracle's network.
func host(c *oracle.Case) pxelinux.Host {
	h := pxelinux.Host{
		MAC: c.MAC, UUID: c.UUID, DMI: oracle.DMI,
		Address: netip.PrefixFrom(c.IP, 24), Router: c.Server(), Server: c.Server(),
		BootFile: c.BootFile,
	}
	for _, o := range c.Options {
		number, value, _ := strings.Cut(strings.TrimPrefix(o, "vendor:PXEClient,"), ",") // inside option 43 they are the same
		switch number {
		case "3":
			h.Router, _ = netip.ParseAddr(value) // two are none
		case "209":
			h.ConfigFile = value
		case "210":
			h.PathPrefix = value
		}
	}
	return h
}

// boot does what gopxeboot does with a case, down to the files.
func boot(ctx context.Context, c *oracle.Case, answer *oracle.Answer) (*ours, error) {
	s := &server{c: c, modules: map[string]bool{}}
	for _, q := range answer.Requests {
		if module(q.File) && q.Result == oracle.Found {
			s.modules[q.File] = true
		}
	}
	o := &ours{result: result{Outcome: "nothing"}}
	config, err := pxelinux.Find(ctx, host(c), s.open)
	if errors.Is(err, pxelinux.ErrNoConfig) {
		o.Requests = s.requests
		return o, nil
	}
	if err != nil {
		return nil, err
	}
	var b *pxelinux.Boot
	if typed := strings.TrimSuffix(c.Keys, "\r"); typed != "" {
		b, err = config.BootLabel(ctx, typed)
		if err == nil {
			b.Waits = true // for what was typed
		}
	} else {
		b, err = config.Boot(ctx)
	}
	for first := true; err == nil; first = false {
		var files []string
		switch b.Outcome {
		case pxelinux.Linux:
			files = append([]string{b.Kernel}, b.Initrds...)
		case pxelinux.Multiboot:
			for _, m := range b.Modules {
				files = append(files, m.URL)
			}
		case pxelinux.ChainBoot, pxelinux.COM32:
			files = []string{b.Kernel}
		}
		if first {
			o.waitedFirst = b.Waits && len(files) > 0
		}
		contents, complete := s.getAll(files)
		if complete {
			o.take(b, contents)
			break
		}
		last := b
		if b, err = b.NotFound(ctx); b == last {
			break
		}
	}
	o.Requests = s.requests
	if o.Outcome == "nothing" && b != nil && b.Err == nil {
		return nil, fmt.Errorf("%s boots nothing, and does not say why", b.Outcome)
	}
	return o, err
}

// getAll asks for the files up to the first that is not there.
func (s *server) getAll(urls []string) (contents [][]byte, complete bool) {
	for _, u := range urls {
		data, err := s.get(u)
		if err != nil {
			return contents, false
		}
		contents = append(contents, data)
	}
	return contents, true
}

// take makes a result of what boots.
func (o *ours) take(b *pxelinux.Boot, contents [][]byte) {
	outcome, ok := map[pxelinux.Outcome]oracle.Outcome{
		pxelinux.Linux: oracle.Linux, pxelinux.Multiboot: oracle.Multiboot,
		pxelinux.ChainBoot: oracle.Chain, pxelinux.LocalBoot: oracle.Disk,
	}[b.Outcome]
	if !ok {
		return
	}
	o.Outcome, o.Waits = string(outcome), b.Waits
	switch b.Outcome {
	case pxelinux.Linux:
		o.Args = []string{oracle.Text([]byte(b.Args))}
		if len(contents) > 1 {
			ramdisk := pad(contents[1:])
			o.Ramdisk = oracle.Describe(len(ramdisk), ramdisk[:min(len(ramdisk), oracle.Head)])
		}
	case pxelinux.Multiboot:
		for _, m := range b.Modules {
			o.Args = append(o.Args, oracle.Text([]byte(m.Args)))
		}
	}
}

// pad puts initrds together as PXELINUX does: each begins at a multiple of 4.
func pad(initrds [][]byte) []byte {
	var all []byte
	for _, initrd := range initrds {
		for len(all)%4 != 0 {
			all = append(all, 0)
		}
		all = append(all, initrd...)
	}
	return all
}
