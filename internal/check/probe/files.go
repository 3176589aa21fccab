package probe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/check"
	"github.com/gopxeboot/gopxeboot/internal/fetch"
	"github.com/gopxeboot/gopxeboot/internal/kernel"
	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/internal/program"
	"github.com/gopxeboot/gopxeboot/pxelinux"
)

// maxLook bounds how much of a kernel is read to look into it, in bytes.
// Those of distributions have 5 to 20 MiB.
const maxLook = 64 << 20

// config looks for the configuration as the boot program does, reads it, and
// says what boots; nil when nothing does.
func (o *observer) config(ctx context.Context) *program.Decision {
	o.machine.Post = func(ctx context.Context, link, form string) (io.ReadCloser, error) {
		return o.note(ctx, link, func() ([]byte, string, error) { return o.look(ctx, link, form) })
	}
	o.machine.Head = func(ctx context.Context, link string) (io.ReadCloser, error) { return o.machine.Post(ctx, link, "") }
	o.machine.Lookup = o.files.Lookup
	d, err := o.task.Decide(ctx, o.machine, o.openAndNote)
	o.plan.Config, o.plan.Boot = d.Config, d.Boot
	o.facts.Search = Search(d.Config.Tried, func(link string) plan.Try { return o.tries[link] })
	o.meant(ctx)
	o.facts.Decided(o.plan)
	if err != nil {
		return nil
	}
	return d
}

// Search is what servers did when a boot program tried those names; of told, one has
// no Result where it is not known.
func Search(tried []plan.Try, told func(link string) plan.Try) (list []plan.Try) {
	for _, t := range tried {
		try := told(t.URL)
		try.URL, try.Millis = t.URL, t.Millis
		if try.Result == "" || t.Result == plan.Found || t.Result == plan.Empty {
			try.Result = t.Result
		}
		list = append(list, try)
	}
	return list
}

// Asked is what a server did with a request, by its error.
func Asked(link string, err error, took time.Duration) plan.Try {
	t := plan.Try{URL: link, Result: result(err), Millis: plan.Millis(took)}
	if err != nil {
		t.Message, t.Reason = message(err), ReasonOf(err)
	}
	if e, ok := errors.AsType[*fetch.Redirected](err); ok {
		t.At = e.To
	}
	return t
}

// openAndNote is openURL, and records what came of it.
func (o *observer) openAndNote(ctx context.Context, link string) (io.ReadCloser, error) {
	return o.note(ctx, link, func() ([]byte, string, error) { return o.ask(ctx, link) })
}

// note records what comes of asking for a file.
func (o *observer) note(ctx context.Context, link string, ask func() (content []byte, at string, err error)) (io.ReadCloser, error) {
	began := time.Now()
	content, at, err := ask()
	t := o.asking(ctx, link, err, time.Since(began))
	o.tries[link] = t
	// A name of the search path that is not there is no failure.
	o.requested(began, link, t.Result, t.Result != plan.Found && !t.Result.Missing())
	if errors.Is(err, fetch.ErrNotFound) || errors.Is(err, fetch.ErrRefused) {
		return nil, fmt.Errorf("%w: %w", pxelinux.ErrNotFound, err)
	}
	if err != nil {
		return nil, err
	}
	return program.NewFile(content, at), nil
}

// asking is Asked, and looks why no file came.
func (o *observer) asking(ctx context.Context, link string, err error, took time.Duration) plan.Try {
	t := Asked(link, err, took)
	if err != nil {
		t.Rejected = rejected(ctx, link, err)
	}
	if errors.Is(err, fetch.ErrTimeout) && strings.HasPrefix(link, "tftp:") {
		if reason, says := WhyStopped(ctx, link); reason != "" {
			t.Reason, t.Message = reason, says
		} else {
			t.Reason, t.Blocks = "", o.blocks(ctx, link)
		}
	}
	return t
}

// requested records that a URL was asked for.
func (o *observer) requested(began time.Time, link string, result plan.Result, failed bool) {
	scheme, path, _ := strings.Cut(link, "://")
	host, name, _ := strings.Cut(path, "/")
	kind := strings.ToUpper(scheme)
	if scheme == "tftp" {
		kind = "RRQ"
	}
	o.event(began, kind, host, name+": "+string(result), failed)
}

// result is what an error means for a file.
func result(err error) plan.Result {
	switch {
	case err == nil:
		return plan.Found
	case errors.Is(err, fetch.ErrNotFound):
		return plan.NotFound
	case errors.Is(err, fetch.ErrRefused):
		return plan.Refused
	case errors.Is(err, fetch.ErrTimeout), errors.Is(err, context.DeadlineExceeded):
		return plan.Silent
	case errors.Is(err, fetch.ErrShort):
		return plan.Short
	case errors.Is(err, fetch.ErrEmpty):
		return plan.Empty
	case errors.Is(err, fetch.ErrTooBig):
		return plan.TooLarge
	case errors.Is(err, fetch.ErrNoServer), isUnreachable(err), errors.Is(err, fetch.ErrPortClosed):
		return plan.Unreachable
	}
	return plan.Failed
}

// ReasonOf is what an error tells of why there is no file; "" for no more than
// its result.
func ReasonOf(err error) plan.Reason {
	for _, of := range []struct {
		kind error
		plan.Reason
	}{
		{fetch.ErrPortClosed, plan.PortClosed}, {fetch.ErrCertExpired, plan.CertExpired}, {fetch.ErrUnknownCA, plan.UnknownCA},
		{fetch.ErrCertName, plan.CertName}, {fetch.ErrNoTLS, plan.NoTLS}, {fetch.ErrLogin, plan.NoLogin}, {fetch.ErrHangs, plan.Hangs},
		{fetch.ErrUnheard, plan.DataBlocked}, {fetch.ErrLossy, plan.Lossy}, {fetch.ErrFails, plan.Fails}, {fetch.ErrRedirect, plan.Redirect}, {fetch.ErrEncoding, plan.Encoding},
	} {
		if errors.Is(err, of.kind) {
			return of.Reason
		}
	}
	return ""
}

// message is an error without the URL, which is known.
func message(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return "no answer in the time that was left"
	}
	if e, ok := errors.AsType[*fetch.Error](err); ok {
		return e.Err.Error()
	}
	return err.Error()
}

// lookedUp records a name once: it is asked for anew with each file.
func (o *observer) lookedUp(l fetch.Lookup) {
	const most = 50
	if len(o.facts.Names) >= most || slices.ContainsFunc(o.facts.Names, func(n check.Name) bool { return n.Name == l.Name }) {
		return
	}
	o.facts.Names = append(o.facts.Names, NameOf(l))
}

// NameOf is the record of a look-up.
func NameOf(l fetch.Lookup) check.Name {
	n := check.Name{Name: l.Name, Address: l.Address, Millis: plan.Millis(l.Took)}
	for _, s := range l.Failed {
		n.Failed = append(n.Failed, check.NameServer{Address: s.Address, Silent: s.Silent(), Message: s.Err.Error()})
	}
	return n
}

// meant asks for names that PXELINUX does not ask for, but that an administrator may
// have thought so. A configuration of the guest's own was found without.
func (o *observer) meant(ctx context.Context) {
	if n := len(o.facts.Search); n > 0 {
		if last := o.facts.Search[n-1].Result; last != plan.Found && last != plan.Refused && !last.Missing() {
			return // the server has gone
		}
	}
	if o.machine.RunsIPXE() || o.machine.Program == plan.GRUB {
		return // which ask for other names
	}
	mac := "01-" + strings.ReplaceAll(o.task.Machine.MAC.String(), ":", "-")
	if found := o.plan.Config.URL; found != "" && !isGeneral(found) {
		return
	}
	dir := strings.TrimRight(o.machine.ConfigDir, "/")
	if dir == "" {
		dir = "pxelinux.cfg"
	}
	plain := strings.TrimPrefix(mac, "01-")
	type name struct{ name, why string }
	names := []name{
		{dir + "/01-" + strings.ToUpper(plain), "upper case"},
		{dir + "/" + plain, "without 01-"},
		{dir + "/" + strings.ToUpper(plain), "without 01-, upper case"},
		{dir + "/01:" + strings.ReplaceAll(plain, "-", ":"), "colons for dashes"},
		{dir + "/" + strings.ReplaceAll(plain, "-", ":"), "colons for dashes, without 01-"},
		{dir + "/01" + strings.ReplaceAll(plain, "-", ""), "without dashes"},
		{dir + "/01-" + strings.ReplaceAll(plain, "-", ""), "without dashes behind 01-"},
		{dir + "/" + strings.ReplaceAll(plain, "-", ""), "without dashes and 01-"},
		{dir + "/" + mac + ".cfg", "with .cfg behind it"},
		{dir + "/" + mac + ".txt", "with .txt behind it"},
		{strings.ToUpper(dir) + "/" + mac, "directory in upper case"},
		{strings.ToUpper(dir[:1]) + dir[1:] + "/" + mac, "directory in upper case"},
		{mac, "not in " + dir},
	}
	for _, t := range o.facts.Search {
		if id := t.URL[strings.LastIndexByte(t.URL, '/')+1:]; len(id) == len("00000000-0000-0000-0000-000000000000") && id != strings.ToUpper(id) {
			names = append(names, name{dir + "/" + strings.ToUpper(id), "the UUID in upper case"})
		}
	}
	if a := o.lease.Address.Addr(); a.Is4() {
		hex := fmt.Sprintf("%x", a.AsSlice())
		if hex != strings.ToUpper(hex) {
			names = append(names, name{dir + "/" + hex, "the address in lower case"})
		}
		names = append(names, name{dir + "/" + a.String(), "the address not in hexadecimal"})
	}
	if o.plan.Config.URL == "" {
		names = append(names,
			name{dir + "/Default", "upper case"}, name{dir + "/DEFAULT", "upper case"},
			name{dir + "/default.cfg", "with .cfg behind it"}, name{dir + "/default.txt", "with .txt behind it"},
			name{strings.ToUpper(dir) + "/default", "directory in upper case"},
			name{strings.ToUpper(dir[:1]) + dir[1:] + "/default", "directory in upper case"},
			name{dir, fileForDirectory}, name{"pxelinux.conf/default", "not in " + dir}, name{"default", "not in " + dir},
			name{"pxelinux/default", "not in " + dir}, name{"::" + dir + "/" + mac, check.MeantRoot},
			name{"::" + dir + "/default", check.MeantRoot})
	}
	host := o.machine.Host()
	for _, n := range names {
		link, err := host.Resolve(n.name)
		if n.why == fileForDirectory && !strings.HasPrefix(link, "tftp:") {
			continue // a web server gives an index of the directory
		}
		if err != nil || ctx.Err() != nil || slices.ContainsFunc(o.facts.Search, func(t plan.Try) bool { return t.URL == link }) {
			continue
		}
		began := time.Now()
		_, _, err = o.ask(ctx, link) // to its end, as some servers begin to send a directory, too
		t := Asked(link, err, time.Since(began))
		t.Meant = n.why
		o.facts.Search = append(o.facts.Search, t)
		if errors.Is(err, fetch.ErrTimeout) {
			return
		}
	}
}

// fileForDirectory is Try.Meant where the directory of configurations is one.
const fileForDirectory = "a file where a directory should be"

// isGeneral says whether a configuration is for more guests than one: its name
// is default, or a part of an address.
func isGeneral(link string) bool {
	name := link[strings.LastIndexByte(link, '/')+1:]
	return name == "default" || len(name) < 8 && strings.Trim(name, "0123456789ABCDEF") == ""
}

// bootFiles asks for the kernel and the initrds, and looks into the kernel.
func (o *observer) bootFiles(ctx context.Context, d *program.Decision) {
	o.files.TFTP.Retries = 4 // large blocks are given up for smaller ones meanwhile
	boot := &d.Boot
	o.held.Keep(append(slices.Clone(boot.Initrds), boot.Kernel)...)
	k := o.kernel(ctx, boot.Kernel)
	if k.Result == plan.NotFound && o.machine.Kernel == "" {
		k.There = There(ctx, &o.files, o.plan, k.Role, k.URL)
	}
	o.facts.Files = append(o.facts.Files, k)
	o.seen()
	for _, link := range boot.Initrds {
		f := o.initrd(ctx, link)
		if f.Result == plan.Found && f.Bytes > 0 && k.Rate > 0 && sameServer(link, boot.Kernel) {
			f.Rate, f.Seconds = k.Rate, float64(f.Bytes)/k.Rate
		}
		if f.Result == plan.NotFound && o.machine.Ramdisk == "" {
			f.There = There(ctx, &o.files, o.plan, f.Role, f.URL)
		}
		o.facts.Files = append(o.facts.Files, f)
	}
	o.facts.Instead(ctx, d)
}

func sameServer(a, b string) bool {
	u, err := url.Parse(a)
	v, other := url.Parse(b)
	return err == nil && other == nil && u.Scheme == v.Scheme && u.Host == v.Host
}

// longestLook bounds how long a file is read, so that there is time for the
// others where the way is slow. What was read then tells the rate.
const longestLook = 20 * time.Second

// errEnough ends a download of which the beginning was wanted only.
var errEnough = errors.New("that is enough")

// head keeps the first bytes of what is written to it.
type head struct {
	bytes.Buffer
	most  int
	until time.Time
}

func (h *head) Write(p []byte) (int, error) {
	if room := h.most - h.Len(); room < len(p) {
		h.Buffer.Write(p[:max(room, 0)])
		return 0, errEnough
	}
	if n, err := h.Buffer.Write(p); err != nil || h.until.IsZero() || time.Now().Before(h.until) {
		return n, err
	}
	return len(p), errEnough
}

// initrd asks for an initrd, and reads of it what a boot looks at.
func (o *observer) initrd(ctx context.Context, link string) check.File {
	f, read := o.begin(ctx, "initrd", link, kernel.InitrdHead)
	if f.Result == plan.Found {
		info, misfit := kernel.InspectInitrd(read.Bytes())
		f.Kind, f.Misfit = check.NewKind(info), check.NewMisfit(misfit)
	}
	return f
}

// begin asks for a file and reads up to so many bytes of it.
func (o *observer) begin(ctx context.Context, role, link string, most int) (f check.File, read *head) {
	f = check.File{Role: role, URL: link, Bytes: -1}
	patience := longestLook
	if end, ok := ctx.Deadline(); ok {
		patience = min(patience, time.Until(end)/3)
	}
	read = &head{most: most, until: time.Now().Add(patience)}
	began := time.Now()
	// Of a transfer that goes so slowly that it writes nothing until then the count
	// of its blocks tells the rate.
	short, cancel := context.WithTimeout(ctx, patience+time.Second)
	defer cancel()
	var err error
	file := o.held.Take(short, link)
	if file == nil {
		file, err = o.files.Open(short, link)
	}
	f.Millis = plan.Millis(time.Since(began))
	before, cut := 0, false
	if err == nil {
		f.Bytes = file.Size()
		before = file.Stats().BlockSize
		reading := time.Now()
		_, err = file.WriteTo(read)
		if took := time.Since(reading).Seconds(); read.Len() > 256<<10 && took > 0 {
			f.Rate = float64(read.Len()) / took
		}
		after := file.Stats().BlockSize
		if after > 0 {
			f.Packets, f.Lost = int(file.Stats().Blocks), int(file.Stats().Lost)
		}
		file.Close()
		if errors.Is(err, errEnough) {
			err = nil
		} else if err == nil && read.Len() == 0 {
			f.Result = plan.Empty
		}
		f.Read = int64(read.Len())
		over := errors.Is(err, context.DeadlineExceeded) || short.Err() != nil && errors.Is(err, context.Canceled) // of one that was held
		if cut = over && ctx.Err() == nil && f.Packets > 0; cut {
			err = nil
			f.Rate = max(f.Rate, float64(f.Packets*after)/time.Since(reading).Seconds())
		}
		if strings.HasPrefix(link, "tftp:") && err == nil && after == leastBlock && file.Stats().Retransmits > 0 {
			if why, says := WhyStopped(ctx, link); why == plan.NoOACK {
				f.Reason, f.Message = why, says
			}
		}
		if f.Reason == "" && err == nil && after > 0 && after < before && before <= wholeFrame {
			f.Blocks = o.blocks(ctx, link)
		}
	}
	if f.Result == "" {
		f.Result = result(err)
	}
	if err != nil {
		t := o.asking(ctx, link, err, 0)
		f.Message, f.Reason, f.At, f.Rejected, f.Blocks = t.Message, t.Reason, t.At, t.Rejected, t.Blocks
	}
	if f.Bytes < 0 && err == nil && !cut && read.Len() < most {
		f.Bytes = f.Read // it was all
	}
	o.requested(began, link, f.Result, f.Result != plan.Found)
	return f, read
}

// kernel asks for the kernel and looks into it.
func (o *observer) kernel(ctx context.Context, link string) check.File {
	most := maxLook
	const headOnly = 64 << 10 // tells the format
	if o.task.Quick {
		most = headOnly
	}
	f, read := o.begin(ctx, "kernel", link, most)
	if f.Rate > 0 && f.Bytes > 0 {
		f.Seconds = float64(f.Bytes) / f.Rate
	}
	if f.Result != plan.Found || f.Read == 0 {
		return f
	}
	whole := f.Bytes >= 0 && f.Read == f.Bytes
	info, err := kernel.Inspect(bytes.NewReader(read.Bytes()), f.Read)
	k := check.NewKernel(info)
	switch {
	case info.Xen != nil:
	case errors.Is(err, kernel.ErrTruncated) && whole:
		f.Result, f.Message = plan.Short, err.Error()
		if info.Length > f.Bytes {
			f.Message = fmt.Sprintf("it has %d bytes, and by its own header %d", f.Bytes, info.Length)
		}
	}
	if f.Misfit = check.NewMisfit(o.task.Gate.Judge(info, f.Bytes, err)); !whole {
		// What is missing is not the file's fault.
		f.Misfit = check.NewMisfit(o.task.Gate.Refuses(bytes.NewReader(read.Bytes()), f.Bytes))
		k.Wants = 0 // f.Bytes is not known, or more than was read
		if f.Bytes >= 0 {
			k.Wants = info.Length
		}
	}
	f.Kernel = k
	return f
}

// leastBlock is that of TFTP without options.
const leastBlock = 512

// wholeFrame is the largest TFTP block in one Ethernet frame of the usual size.
const wholeFrame = 1468
