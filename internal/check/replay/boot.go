package replay

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/gopxeboot/gopxeboot/internal/check"
	"github.com/gopxeboot/gopxeboot/internal/kernel"
	"github.com/gopxeboot/gopxeboot/internal/percent"
	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/internal/program"
	"github.com/gopxeboot/gopxeboot/pxelinux"
	"github.com/gopxeboot/gopxeboot/xenout"
)

// reading makes sense of the files that were asked for.
type reading struct {
	*watch
	machine program.Machine
	plan    *plan.Plan
	open    program.Opener
	lacking []string // names that the capture does not tell of
	unasked string   // one that iPXE asks for, and that is not in the capture; "" for none
}

// find fills in the search, the configuration, what boots and its files.
func (r *reading) find() {
	if r.findGRUB() || r.findIPXE() {
		return
	}
	path := r.searchPath()
	for _, t := range r.transfers {
		link, ok := r.searched(t, path)
		result := r.result(t)
		if !ok || result == "" {
			continue
		}
		if result == plan.Unreachable || result == plan.Short {
			result = plan.Failed
		}
		r.try(plan.Try{URL: link, Result: result, Message: t.message(), Millis: t.took(), Blocks: r.blocks(t), Rejected: t.rejected})
		if result == plan.Found {
			r.config(t, link)
			break
		}
	}
	for _, t := range r.transfers {
		_, ok := r.searched(t, path)
		if result := r.result(t); !ok && result != "" && r.meant(t.name) {
			r.try(plan.Try{URL: t.url(), Result: result, Message: t.message(), Millis: t.took(), Meant: "another spelling"})
		}
	}
}

// findGRUB is find for a guest that GRUB boots.
func (r *reading) findGRUB() bool {
	if !program.NamesGRUB(r.machine.Lease.BootFile) {
		return false
	}
	d, _ := program.GRUB(context.Background(), r.machine, r.open)
	r.tried(d)
	if d.Config.URL == "" {
		return false
	}
	r.config(r.seen(d.Config.URL), d.Config.URL)
	return true
}

// tried records the names that a boot program asks for, as far as the guest did.
func (r *reading) tried(d *program.Decision) {
	for _, try := range d.Config.Tried {
		if t := r.seen(try.URL); t != nil {
			r.try(plan.Try{URL: try.URL, Result: r.result(t), Message: t.message(), Millis: t.took(), Blocks: r.blocks(t), Rejected: t.rejected})
		}
	}
}

// try records one name, once for each thing that came of it.
func (r *reading) try(t plan.Try) {
	if !slices.ContainsFunc(r.facts.Search, func(o plan.Try) bool { return o.URL == t.URL && o.Result == t.Result }) {
		r.facts.Search = append(r.facts.Search, t)
	}
}

// meant says whether a name is one that an administrator may expect
// PXELINUX asks for: a check that was captured has asked for some.
func (r *reading) meant(name string) bool {
	plain := strings.NewReplacer("-", "", ":", "").Replace(strings.ToLower(name))
	if strings.Contains(plain, fmt.Sprintf("%x", []byte(r.mac))) || strings.HasPrefix(path.Base(plain), "default") {
		return true
	}
	a := r.machine.Lease.Address.Addr()
	return a.Is4() && (path.Base(name) == a.String() || path.Base(name) == fmt.Sprintf("%x", a.AsSlice()))
}

// took is how long the server needed to say yes or no.
func (t *transfer) took() float64 {
	if !t.answered() {
		return plan.Millis(t.last.Sub(t.began))
	}
	return plan.Millis(t.firstAnswer.Sub(t.began))
}

// searchPath is what the guest may ask for to find its configuration. Where it
// was started by something else than the offer's boot file, as by iPXE, the
// names that it asked for show in which directory it looks.
func (r *reading) searchPath() []string {
	rom := r.machine
	rom.Lease = *cmp.Or(rom.First, &rom.Lease)
	path := pxelinux.SearchPath(rom.Host())
	dir := r.configDir()
	for _, t := range r.transfers {
		if _, ok := r.searched(t, path); ok {
			return path
		}
	}
	for _, t := range r.transfers {
		if i := strings.LastIndex(t.name, dir); i >= 0 {
			r.machine.First = nil
			r.machine.Lease.NextServer, r.machine.Lease.PathPrefix, r.machine.Lease.BootFile = t.server, t.name[:i], "pxelinux.0"
			if t.scheme != schemeTFTP {
				r.machine.Lease.PathPrefix = strings.TrimSuffix(t.url(), t.name[i:])
			}
			return pxelinux.SearchPath(r.machine.Host())
		}
	}
	return path
}

// configDir is what names of PXELINUX's search have in them.
func (r *reading) configDir() string {
	return cmp.Or(strings.Trim(r.machine.ConfigDir, "/"), "pxelinux.cfg") + "/"
}

// searched says under which URL a transfer is part of the search.
func (r *reading) searched(t *transfer, path []string) (link string, ok bool) {
	i := slices.IndexFunc(path, t.is)
	if i < 0 {
		return "", false
	}
	return path[i], true
}

// is says whether a URL is this transfer's.
func (t *transfer) is(link string) bool {
	kind, rest, _ := strings.Cut(link, "://")
	host, path, _ := strings.Cut(rest, "/")
	if scheme(kind) != t.scheme || host != t.host && host != t.server.String() {
		return false
	}
	if path == t.name {
		return true
	}
	return percent.Unescape(path) == t.name
}

// url is the transfer's, as near as the capture tells it.
func (t *transfer) url() string {
	name := t.name
	if t.scheme == schemeTFTP {
		name = (&url.URL{Path: "/" + name}).EscapedPath()[1:]
	}
	return string(t.scheme) + "://" + t.host + "/" + name
}

// seen is the transfer of a URL that says most; nil when the guest did not ask
// for it.
func (r *reading) seen(link string) *transfer {
	var best *transfer
	for _, t := range r.transfers {
		if t.is(link) && (best == nil || t.complete() && !best.complete() || t.accepted && !best.accepted || t.bytes > best.bytes && !best.complete()) {
			best = t
		}
	}
	return best
}

// opener gives to package pxelinux what the capture has.
func (r *reading) opener(_ context.Context, link string) (io.ReadCloser, error) {
	t := r.seen(link)
	if t == nil || t.accepted && !t.complete() {
		r.lacking = append(r.lacking, link)
	}
	return t.open()
}

// open returns what the capture has of a transfer; nil is one that it lacks.
func (t *transfer) open() (io.ReadCloser, error) {
	switch {
	case t == nil:
		return nil, pxelinux.ErrNotFound
	case !t.accepted:
		return nil, fmt.Errorf("%w: %s", pxelinux.ErrNotFound, t.refusal)
	case !t.complete():
		return nil, fmt.Errorf("%w: the capture does not have all of it", pxelinux.ErrNotFound)
	}
	return io.NopCloser(bytes.NewReader(t.data)), nil
}

// config reads the configuration, and says what boots by it.
func (r *reading) config(t *transfer, link string) {
	f := r.facts
	r.plan.Config = plan.Config{URL: link, Bytes: cmp.Or(max(t.size, 0), t.bytes)}
	if !t.complete() {
		f.Errors = append(f.Errors, "the capture does not have all of "+link)
		config := r.plan.Config
		f.Config = &config
		return
	}
	ctx := context.Background()
	d, err := r.decide(ctx)
	if d.Config.URL == "" {
		d.Config.URL, d.Config.Error = link, err.Error()
	}
	if err != nil && r.unasked != "" {
		f.Errors = append(f.Errors, "the guest does not ask for "+r.unasked+" in this capture")
		r.plan.Config, f.Config = d.Config, &d.Config
		return
	}
	r.plan.Config, r.plan.Boot = d.Config, d.Boot
	f.Decided(r.plan)
	if err != nil || d.Boot.Kernel == "" {
		return
	}
	f.Args = check.NewArgs(xenout.SXP, f.Subject.GuestType, d.Boot.Args) // a toolstack's
	r.file("kernel", d.Boot.Kernel)
	for _, initrd := range d.Boot.Initrds {
		r.file("initrd", initrd)
	}
	f.Instead(ctx, d)
	for _, name := range r.lacking {
		// A name of the search path that is not there does no harm, nor does a
		// picture or an extension that PXELINUX did not ask for.
		searched := slices.ContainsFunc(d.Config.Tried, func(t plan.Try) bool { return t.URL == name })
		if !searched && r.seen(name) != nil {
			f.Errors = append(f.Errors, "the capture does not have all of "+name)
		}
	}
}

// maxChoices is how many labels are looked at for the one that was taken.
const maxChoices = 256

// decide is what the guest boots: the label that was named, else the one whose
// kernel it asked for, else what boots by itself.
func (r *reading) decide(ctx context.Context) (*program.Decision, error) {
	d, err := program.Decide(ctx, r.machine, r.open)
	if r.machine.Label != "" || err != nil || d.Boot.Kernel == "" || r.seen(d.Boot.Kernel) != nil {
		return d, err
	}
	for _, l := range d.Boot.Labels[:min(len(d.Boot.Labels), maxChoices)] {
		if other, err := d.Entry(ctx, l.Name); err == nil && other.Boot.Kernel != "" && r.seen(other.Boot.Kernel) != nil {
			return other, nil
		}
	}
	return d, nil
}

func (r *reading) file(role, link string) {
	t := r.seen(link)
	if rejected := r.rejected(link); t == nil && rejected != nil {
		r.facts.Files = append(r.facts.Files, check.File{
			Role: role, URL: link, Result: plan.Unreachable, Bytes: -1, Message: fmt.Sprintf("%s says: %s", rejected.By, rejected), Rejected: rejected,
		})
		return
	}
	if t == nil {
		r.facts.Errors = append(r.facts.Errors, fmt.Sprintf("the guest does not ask for the %s %s in this capture", role, link))
		return
	}
	file := check.File{Role: role, URL: link, Result: r.result(t), Bytes: t.size, Read: t.bytes, Millis: t.took(), Message: t.message(), Rejected: t.rejected}
	if file.Result == "" {
		r.facts.Errors = append(r.facts.Errors, "the capture ends before there is an answer for "+link)
		return
	}
	if file.Bytes < 0 && t.whole {
		file.Bytes = t.bytes
	}
	if seconds := t.last.Sub(t.firstAnswer).Seconds(); t.whole && seconds > 0 && t.bytes > 0 {
		file.Rate, file.Seconds = float64(t.bytes)/seconds, seconds
	}
	if t.scheme == schemeTFTP && t.accepted {
		file.Blocks = r.blocks(t)
	}
	lookInto(&file, t)
	r.facts.Files = append(r.facts.Files, file)
}

// rejected is what the network says to connections with a web server; nil for nothing.
func (r *reading) rejected(link string) *plan.Rejected {
	u, err := url.Parse(link)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" {
		return nil
	}
	port := cmp.Or(u.Port(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
	for _, s := range r.streams {
		if s.rejected != nil && s.server.String() == u.Hostname()+":"+port {
			return s.rejected
		}
	}
	return nil
}

// blocks says which sizes of DATA arrive from a transfer's server, where one of
// them does not.
func (r *reading) blocks(t *transfer) []plan.Block {
	if r.result(t) != plan.Silent {
		return nil
	}
	list := []plan.Block{{Size: t.blockSize}}
	largest := 0
	for _, o := range r.transfers {
		if o.server == t.server && o.largest < t.blockSize {
			largest = max(largest, o.largest)
		}
	}
	if largest > 0 {
		list = append(list, plan.Block{Size: largest, Arrives: true})
	}
	return list
}

// lookInto says what a file is, as far as the capture has it. The gate of a boot is
// not asked about a kernel: who boots there may be no guest of Xen's.
func lookInto(file *check.File, t *transfer) {
	head := t.data[:min(len(t.data), kernel.InitrdHead)]
	if file.Role == "initrd" && (t.complete() || len(head) == kernel.InitrdHead) {
		info, misfit := kernel.InspectInitrd(head)
		file.Kind, file.Misfit = check.NewKind(info), check.NewMisfit(misfit)
	}
	if file.Role != "kernel" || len(t.data) == 0 {
		return
	}
	info, _ := kernel.Inspect(bytes.NewReader(t.data), int64(len(t.data)))
	if info.Format == kernel.Unknown && !t.complete() {
		return // too little to tell anything
	}
	file.Kernel = check.NewKernel(info)
}
