package boot

import (
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/check"
	"github.com/gopxeboot/gopxeboot/internal/check/probe"
	"github.com/gopxeboot/gopxeboot/internal/console"
	"github.com/gopxeboot/gopxeboot/internal/fault"
	"github.com/gopxeboot/gopxeboot/internal/fetch"
	"github.com/gopxeboot/gopxeboot/internal/grub"
	"github.com/gopxeboot/gopxeboot/internal/handover"
	diskimage "github.com/gopxeboot/gopxeboot/internal/image"
	"github.com/gopxeboot/gopxeboot/internal/ipxe"
	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/internal/program"
	"github.com/gopxeboot/gopxeboot/internal/room"
	"github.com/gopxeboot/gopxeboot/internal/session"
	"github.com/gopxeboot/gopxeboot/internal/verify"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// maxDetours bounds how often a missing file may lead to another entry.
const maxDetours = 8

// download fetches what boots. When the server does not have it, PXELINUX
// goes on with what the configuration says for that case, such as ONERROR.
func (p *pipeline) download(ctx context.Context, d *program.Decision, l *limits, kernel, ramdisk *os.File) error {
	tried := map[string]bool{}
	for range maxDetours {
		tried[d.Boot.Kernel] = true
		err := p.fetchBoth(ctx, &d.Boot, l, kernel, ramdisk)
		if !errors.Is(err, fetch.ErrNotFound) && !errors.Is(err, fetch.ErrEmpty) {
			return err
		}
		missing := cmp.Or(urlOf(err), d.Boot.Kernel)
		if p.check.Absent(missing) != nil { // who says so is not to choose
			return err
		}
		next, nextErr := d.NotFound(ctx, missing)
		if nextErr != nil || next.Boot.Kernel == "" || tried[next.Boot.Kernel] {
			return err
		}
		p.say.Warn(err.Error())
		p.say.Stage("boot: instead, %s%s", plan.LabelText(next.Boot.Label), next.Boot.Args)
		if err := empty(ctx, kernel, ramdisk); err != nil {
			return err
		}
		d = next
		p.Plan.Boot = d.Boot
	}
	return fault.New(fault.NotBootable, "boot", errors.New("one missing file leads to the next"), "see ONERROR in "+p.Plan.Config.URL)
}

// empty makes files anew.
func empty(ctx context.Context, files ...*os.File) error {
	for _, f := range files {
		if err := f.Truncate(0); err != nil {
			return fault.In(ctx, fault.NoOutput, "output", err, "")
		}
	}
	return nil
}

// fetchBoth fetches the kernel and the initrds side by side. The first error
// ends the rest, and is the one that is returned. What has become another in the
// cache is not taken from there: all begins once more.
func (p *pipeline) fetchBoth(ctx context.Context, boot *plan.Boot, l *limits, kernel, ramdisk *os.File) error {
	p.cached = l.Cached
	for {
		err := p.fetchOnce(ctx, boot, l, kernel, ramdisk)
		stale, ok := errors.AsType[*staleError](err)
		if !ok {
			return err
		}
		p.say.Warn(fmt.Sprintf("cache: %v", stale))
		p.removeStale(stale.digest)
		if err := empty(ctx, kernel, ramdisk); err != nil {
			return err
		}
	}
}

func (p *pipeline) fetchOnce(ctx context.Context, boot *plan.Boot, l *limits, kernel, ramdisk *os.File) error {
	p.held.Keep(slices.Concat(boot.Initrds, []string{boot.Kernel})...)
	job := &job{p: p, begin: time.Now()}
	defer job.show(ctx)()
	group, ctx := errgroup.WithContext(ctx)
	images := []*image{job.image("kernel", kernel, l.MaxKernel, "--max-kernel")}
	if boot.KernelGunzip {
		images[0].names = []plan.InitrdFile{{Gunzip: true}}
	}
	urls := [][]string{{boot.Kernel}}
	if len(boot.Initrds) > 0 {
		initrd := job.image("initrd", ramdisk, l.MaxInitrd, "--max-initrd")
		initrd.names, initrd.grub = boot.InitrdFiles, boot.Program == plan.GRUB
		images = append(images, initrd)
		urls = append(urls, boot.Initrds)
	}
	var rest sync.WaitGroup // of what the look at the kernel may take as long as
	rest.Add(len(images) - 1)
	for i, m := range images {
		group.Go(func() error {
			err := m.fetch(ctx, urls[i])
			if m.file != kernel {
				rest.Done()
				return err
			}
			if err != nil {
				return err
			}
			return p.lookAtKernel(ctx, boot.Kernel, kernel, rest.Wait)
		})
	}
	return group.Wait()
}

// job is all that is downloaded for one boot.
type job struct {
	p      *pipeline
	begin  time.Time
	images []*image
	done   atomic.Int64 // bytes written

	mu sync.Mutex // for the images' ends
}

// image is one file that the toolstack gets, made of one or more downloads.
type image struct {
	*job
	stage plan.Stage
	file  *os.File
	index int               // of the file among those that the child has
	limit int64             // bytes
	raise string            // the option that sets the limit
	names []plan.InitrdFile // of each download, iPXE's or GRUB's; nil as PXELINUX lays them
	grub  bool              // names are GRUB's
	end   int64             // bytes that it will have, as far as that is known
	whole bool              // all sizes are known
}

func (j *job) image(stage plan.Stage, file *os.File, limit int64, raise string) *image {
	m := &image{job: j, stage: stage, file: file, index: len(j.images), limit: limit, raise: raise}
	j.images = append(j.images, m)
	return m
}

// fetch lays the downloads out one after the other, each but the last padded
// with zeros to 4 bytes, as PXELINUX hands several initrds to a kernel
// (initramfs_archive.c), or with headers before those that have names: padded to
// 4096 as iPXE does (image/initrd.c), or to 4 as GRUB does (loader/linux.c). Where
// one begins is known as soon as the sizes of those before it are, and from then on
// they run side by side.
func (m *image) fetch(ctx context.Context, urls []string) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		var offset int64
		for i, url := range urls {
			want, err := m.p.check.Want(url, true)
			if err != nil {
				return m.failed(ctx, err)
			}
			f, keep, err := m.p.openOrCached(ctx, url, want)
			if err != nil {
				return m.failed(ctx, err)
			}
			size, gunzip := f.Size(), i < len(m.names) && m.names[i].Gunzip
			if gunzip {
				size, keep = -1, false
			}
			begin, err := m.begin(ctx, i, offset, size)
			if err != nil {
				f.Close()
				return err
			}
			if err := m.reserve(f.URL(), begin+max(size, 0), i == len(urls)-1 && size >= 0); err != nil {
				err = orStale(f, err)
				f.Close()
				return err
			}
			if size >= 0 {
				offset = begin + size
				group.Go(func() error {
					_, err := m.copy(ctx, f, begin, url, want, keep, false)
					return err
				})
				continue
			}
			n, err := m.copy(ctx, f, begin, url, want, keep, gunzip)
			if err != nil {
				return err
			}
			offset = begin + n
		}
		_, err := m.begin(ctx, len(urls), offset, 0)
		return err
	})
	return group.Wait()
}

// begin is where a download begins that comes after offset, behind its header;
// the one behind the last is the end.
func (m *image) begin(ctx context.Context, i int, offset, size int64) (int64, error) {
	if m.names == nil {
		return (offset + 3) &^ 3, nil
	}
	page := int64(4096)
	if m.grub {
		page = 4
	}
	offset = (offset + page - 1) &^ (page - 1)
	var name plan.InitrdFile
	if i < len(m.names) {
		name = m.names[i]
	}
	if (name.Path != "" || name.Mode != 0) && size < 0 {
		return 0, fault.New(fault.NotFetched, m.stage, fmt.Errorf("the server does not say how large the file is that is to be %s", name.Path), "have it send Content-Length or tsize")
	}
	var header []byte
	switch {
	case !m.grub:
		header = ipxe.File{Path: name.Path, Mode: name.Mode, Parents: name.Parents}.Header(size)
	case name.Path != "":
		header = grub.NewcHeader(name.Path, size)
	case i > 0 && m.names[i-1].Path != "":
		header = grub.NewcEnd()
	}
	n, err := m.file.WriteAt(header, offset)
	if err != nil {
		return 0, m.failed(ctx, err)
	}
	return offset + int64(n), nil
}

// copy downloads one file to its place, and unpacks it there.
func (m *image) copy(ctx context.Context, f source, offset int64, url string, want *verify.Want, keep, gunzip bool) (int64, error) {
	defer f.Close()
	begin := time.Now()
	to := &limited{io.NewOffsetWriter(m.file, offset), m.limit - offset, &m.done}
	n, err := int64(0), error(nil)
	if gunzip {
		unpacked := unpack(to)
		_, err = writeTo(f, unpacked, url, want)
		var wrong error
		if n, wrong = unpacked.end(err); err == nil && wrong != nil {
			err = fmt.Errorf("%s: %w", f.URL(), wrong)
		}
	} else {
		n, err = writeTo(f, to, url, want)
	}
	if err == nil && n == 0 {
		// PXELINUX takes an empty file as not there (pxe.c), and libxl can't
		// map it.
		err = fmt.Errorf("%s: %w", f.URL(), fetch.ErrEmpty)
	}
	if err != nil {
		return n, m.failed(ctx, err)
	}
	if keep {
		m.keep(want.Digest, offset, n)
	}
	if m.stage == "initrd" {
		if err := m.p.lookAtInitrd(f.URL(), io.NewSectionReader(m.file, offset, n)); err != nil {
			return n, err
		}
	}
	m.p.say.Stage("%s: %s, %s%s", m.stage, f.URL(), rate(n, time.Since(begin)), agreed(f.Stats()))
	return n, nil
}

// keep puts what was downloaded into the cache.
func (m *image) keep(d verify.Digest, offset, size int64) {
	file, err := cacheRequest{Digest: d, Put: &part{m.index, offset, size}}.ask(m.p)
	if err != nil {
		m.p.say.Warn(fmt.Sprintf("cache: %s is not kept: %v", m.stage, err))
		return
	}
	file.Close()
}

// agreed is what a TFTP server agreed to: it explains the rate.
func agreed(s fetch.Stats) string {
	switch {
	case s.BlockSize == 0:
		return ""
	case s.WindowSize > 1:
		return fmt.Sprintf(", blksize %d, windowsize %d", s.BlockSize, s.WindowSize)
	}
	return fmt.Sprintf(", blksize %d", s.BlockSize)
}

// failed puts the blame: on space of ours, on a limit of ours, or on the
// server.
func (m *image) failed(ctx context.Context, err error) error {
	switch {
	case verify.IsError(err):
		return m.p.notVerified(m.stage, err)
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT), errors.Is(err, unix.EFBIG):
		return fault.In(ctx, fault.NoOutput, m.stage, err, m.makeRoom())
	case isWrite(err):
		return fault.In(ctx, fault.NoOutput, m.stage, err, "see what reads the output")
	case errors.Is(err, fetch.ErrTooBig):
		return fault.In(ctx, fault.NotFetched, m.stage, err, m.tooLarge(0))
	}
	try, err := m.p.explain(ctx, m.stage, err)
	return fault.In(ctx, fault.NotFetched, m.stage, err, try)
}

// isWrite says whether a file could not be written: a pipe that nothing reads.
func isWrite(err error) bool {
	file, ok := errors.AsType[*fs.PathError](err)
	return ok && file.Op == "write"
}

// where is what there has to be room in.
func (m *image) where() string {
	if m.stage == "get" {
		return "for the file"
	}
	return "in the output directory"
}

// makeRoom is what to do where there is not enough.
func (m *image) makeRoom() string {
	if m.stage == "get" {
		return "make room, or name a file elsewhere: -o FILE"
	}
	return handover.MakeRoom
}

// reach is what to do where a server does not answer.
func (p *pipeline) reach() string {
	from := "from dom0"
	if p.child != nil && p.child.OwnNet {
		from = "as the guest"
	}
	return "see that the server is up and can be reached " + from
}

// tooLarge is what to do about an image of that size, 0 where it is not known.
func (m *image) tooLarge(size int64) string {
	if size == 0 {
		return fmt.Sprintf("see what that file is, or raise %s", m.raise)
	}
	return fmt.Sprintf("see what that file is, or say %s %d", m.raise, size)
}

// explain is what to do about a file that a server does not give, and the error, which
// says more where a look was taken.
func (p *pipeline) explain(ctx context.Context, role plan.Stage, err error) (try string, why error) {
	link := urlOf(err)
	asked, names := probe.Asked(link, err, 0), p.unknownName(link)
	if reason, says := p.whyStopped(ctx, link, err); reason != "" {
		asked.Reason, asked.Message = reason, says
		err = fmt.Errorf("%s: %s", link, says)
	}
	switch known := names != nil || asked.Reason != ""; {
	case strings.HasPrefix(link, "file:"), names != nil && (p.child == nil || p.child.AsDom0), !known && (asked.Result == plan.Silent || asked.Result == plan.Failed):
		return p.hint(err), err
	case p.given[role] != "" && asked.Result.Missing():
		return "put it there, or correct " + p.given[role], err
	}
	if asked.Result == plan.NotFound && p.child != nil && timeFor(ctx, probe.ThereTime) {
		asked.There = probe.There(ctx, &p.files, p.Plan, string(role), link)
	}
	if v := check.AdviseFile(p.linted(ctx), string(role), asked, names...); v != nil {
		return v.Advice, err
	}
	return p.hint(err), err
}

// urlOf is what was asked for when an error came; "" where it does not say.
func urlOf(err error) string {
	if e, ok := errors.AsType[*fetch.Error](err); ok {
		return e.URL
	}
	return ""
}

// hint is what to do where a server does not give a file.
func (p *pipeline) hint(err error) string {
	link := urlOf(err)
	if names := p.unknownName(link); names != nil {
		if p.child != nil && p.child.AsDom0 {
			return fmt.Sprintf("see dom0's DNS (/etc/resolv.conf), or write the address of %s into the URL", names[0].Name)
		}
		return check.NameHint(names[0].Name)
	}
	if text := check.Hint(probe.ReasonOf(err), link); text != "" {
		return text
	}
	switch {
	case isOnly(err, fetch.ErrUnsupported):
		return "the schemes are tftp, http, https, ftp and nfs"
	case errors.Is(err, diskimage.ErrUnsupported):
		return "name an image of ISO 9660, ext, FAT, squashfs or XFS"
	case errors.Is(err, diskimage.ErrDamaged):
		return "compare the image's size and digest with those where it was published, and download it again"
	case strings.HasPrefix(link, "file:"):
		return p.localHint(link)
	case errors.Is(err, fetch.ErrNotFound), errors.Is(err, fetch.ErrEmpty):
		return "see that the file is there and that the server may read it"
	case errors.Is(err, fetch.ErrURL):
		return "correct the URL"
	case errors.Is(err, fetch.ErrForbidden):
		return "--server names the server, so that dom0 asks it, or --net guest asks as the guest"
	case errors.Is(err, fetch.ErrNoServer):
		return check.NoTFTPHint(link)
	case errors.Is(err, fetch.ErrTimeout):
		return p.reach()
	case errors.Is(err, fetch.ErrShort), errors.Is(err, fetch.ErrLong), errors.Is(err, fetch.ErrChanged):
		return "see the server's log, and that the file is whole there"
	case errors.Is(err, fetch.ErrTooBig):
		return "see what that file is"
	case errors.Is(err, fetch.ErrTooSlow):
		return "see what the network and the server are busy with"
	case errors.Is(err, fetch.ErrRefused):
		return "see the server's log for that file, and that the server may read it"
	}
	return p.reach()
}

// localHint is what to do about a file of dom0's that can't be read.
func (p *pipeline) localHint(link string) string {
	name, inside, inImage := strings.Cut(strings.TrimPrefix(link, "file://"), "!/")
	switch {
	case p.files.Local == nil:
		return "files of dom0's are read for a --location only: put the file on the server"
	case inImage:
		return fmt.Sprintf("see that dom0 has the image %s, and that has %s", name, inside)
	}
	return "see the file in dom0: ls -lL " + name
}

// isOnly says whether an error of package fetch is that one, without more words.
func isOnly(err, kind error) bool {
	e, ok := errors.AsType[*fetch.Error](err)
	return ok && e.Err == kind
}

// reserve refuses what can't end well before the first byte is moved: an image
// that is larger than allowed, or images that there is no room for.
func (m *image) reserve(url string, end int64, whole bool) error {
	if end > m.limit {
		return fault.New(fault.NotFetched, m.stage, fmt.Errorf("%s: %s announced, %s allowed: %w", url, console.Size(end), console.Size(m.limit), fetch.ErrTooBig), m.tooLarge(end))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.end, m.whole = end, whole
	var fs unix.Statfs_t
	if err := unix.Fstatfs(int(m.file.Fd()), &fs); err != nil || fs.Blocks == 0 {
		return nil // no figure, or a pipe, is no reason not to try
	}
	var needed int64 // beside what is there already
	for _, other := range m.images {
		needed += other.end
	}
	needed -= m.done.Load()
	if free := room.Left(&fs); needed > free {
		return fault.New(fault.NoOutput, m.stage, fmt.Errorf("%s needed %s, %s free besides the reserve", console.Size(needed), m.where(), console.Size(max(free, 0))), m.makeRoom())
	}
	return nil
}

// total is how many bytes there will be, -1 while that is not known.
func (j *job) total() (n int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, m := range j.images {
		if !m.whole {
			return -1
		}
		n += m.end
	}
	return n
}

// show tells a user how far it is, twice a second, until the function that
// it returns is called. What is done within a second says so by itself.
func (j *job) show(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(500 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case now := <-tick.C:
				if took := now.Sub(j.begin); took >= time.Second {
					j.p.say(session.Line{Progress: &session.Progress{Done: j.done.Load(), Total: j.total(), Took: took}})
				}
			}
		}
	}()
	return func() {
		cancel()
		<-ended
	}
}

// unpacked takes in what gzip has packed, and writes it unpacked.
type unpacked struct {
	*io.PipeWriter
	ended chan struct{}
	n     int64
	err   error
}

func unpack(to io.Writer) *unpacked {
	in, out := io.Pipe()
	u := &unpacked{PipeWriter: out, ended: make(chan struct{})}
	go func() {
		defer close(u.ended)
		z, err := gzip.NewReader(in)
		if err == nil {
			u.n, err = io.Copy(to, z)
		}
		u.err = err
		in.CloseWithError(cmp.Or(err, io.ErrClosedPipe)) // there is no more to take
	}()
	return u
}

// end says that no more comes, err is why if that is too early.
func (u *unpacked) end(err error) (int64, error) {
	u.CloseWithError(err)
	<-u.ended
	return u.n, u.err
}

// limited lets no more than the limit through, and counts.
type limited struct {
	w    io.Writer
	left int64
	done *atomic.Int64
}

func (l *limited) Write(p []byte) (int, error) {
	if int64(len(p)) > l.left {
		return 0, fetch.ErrTooBig
	}
	n, err := l.w.Write(p)
	l.left -= int64(n)
	l.done.Add(int64(n))
	return n, err
}

func rate(n int64, d time.Duration) string {
	return fmt.Sprintf("%s in %.1f s (%.1f MiB/s)", console.Size(n), d.Seconds(), float64(n)/(1<<20)/max(d.Seconds(), 1e-6))
}
