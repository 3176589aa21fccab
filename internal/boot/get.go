package boot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/console"
	"github.com/gopxeboot/gopxeboot/internal/fault"
	"github.com/gopxeboot/gopxeboot/internal/fetch"
	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/internal/program"
	"github.com/gopxeboot/gopxeboot/internal/session"
	"github.com/gopxeboot/gopxeboot/internal/verify"
	"golang.org/x/sys/unix"
)

// Get downloads files, one after the other: as the guest when o.MAC says who
// that is, else as dom0. A file that can't be had stays empty, and does not
// keep the next one from being tried; the error is that of the first.
func Get(ctx context.Context, o Options, urls []string, files []*os.File, con *console.Console) ([]session.Download, error) {
	ctx, cancel := o.inTime(ctx)
	defer cancel()
	t := &getTask{o.firmware(), o.Transfer, urls, o.MaxInitrd}
	if o.MAC != nil {
		s := o.session()
		s.Files, s.Hosts = files, append(s.Hosts, hosts(urls)...)
		began := make([]int64, len(files)) // standard output may have something
		for i, f := range files {
			began[i], _ = sizeOf(f)
			s.MaxFile = max(s.MaxFile, began[i]+o.MaxInitrd)
		}
		defer keepFlags(files)()
		a, err := o.run(ctx, s, tasks{Get: t}, con)
		return checkDownloads(a.Downloads, urls, files, began, err)
	}
	p := &pipeline{say: session.Print(con)}
	p.files = fetch.Client{Resolve: session.Resolve, Proxy: http.ProxyFromEnvironment, Warn: con.Warn, Servers: new(fetch.Servers), RootCAs: systemRoots()}
	if err := t.Transfer.apply(&p.files); err != nil {
		return nil, fault.New(fault.Usage, "get", err, "")
	}
	if err := p.verifyAs(&t.Transfer); err != nil {
		return nil, err
	}
	done := make(chan error, 1)
	go func() { done <- t.download(ctx, p, func(i int) *os.File { return files[i] }) }()
	select {
	case err := <-done:
		return p.Downloads, err
	case <-ctx.Done():
	}
	const rest = 2 * time.Second // for the words of what the context has ended
	select {
	case err := <-done:
		return p.Downloads, err
	case <-time.After(rest): // it writes to a pipe
		return nil, fault.In(ctx, fault.OutOfTime, "get", errors.New("what reads the output takes no more"), "")
	}
}

// keepFlags returns what gives files the flags that they have now (O_NONBLOCK): a
// standard output is a shell's, too, and a child that was taken over can change
// them (fcntl(2), F_SETFL).
func keepFlags(files []*os.File) (restore func()) {
	flags := make([]int, len(files))
	for i, f := range files {
		flags[i] = -1
		control(f, func(fd uintptr) { flags[i], _ = unix.FcntlInt(fd, unix.F_GETFL, 0) })
	}
	return func() {
		for i, f := range files {
			if flags[i] >= 0 {
				control(f, func(fd uintptr) { _, _ = unix.FcntlInt(fd, unix.F_SETFL, flags[i]) })
			}
		}
	}
}

// control does something with a file's descriptor, and leaves its mode as it is,
// which Fd does not.
func control(f *os.File, do func(fd uintptr)) {
	if raw, err := f.SyscallConn(); err == nil {
		_ = raw.Control(do)
	}
}

// checkDownloads checks what the child says against the files, of which it is
// told where each began. The child may have been taken over by what it read.
func checkDownloads(claims []session.Download, urls []string, files []*os.File, began []int64, err error) ([]session.Download, error) {
	done := make([]session.Download, len(files))
	for i, f := range files {
		if i < len(claims) {
			done[i] = claims[i]
		} else {
			done[i].Error = "not tried"
		}
		d := &done[i]
		d.URL, d.File = urls[i], f.Name()
		if size, regular := sizeOf(f); d.Error == "" && regular && size-began[i] != d.Bytes {
			d.Error = fmt.Sprintf("%d bytes were written, %d announced", size-began[i], d.Bytes)
		}
		if d.Error != "" && err == nil {
			err = fault.New(fault.NotFetched, "get", errors.New(d.Error), "")
		}
	}
	return done, err
}

func (t *getTask) run(ctx context.Context, p *pipeline) error {
	lease, err := p.lease(ctx, &t.Firmware, false)
	if err != nil {
		return err
	}
	m := t.Firmware.machine(lease, program.Wanted{Program: plan.PXELINUX})
	if err := p.fetchAsProgram(&t.Firmware, &t.Transfer, &m); err != nil {
		return err
	}
	return t.download(ctx, p, p.child.File)
}

func (t *getTask) download(ctx context.Context, p *pipeline, file func(int) *os.File) (first error) {
	for i, url := range t.URLs {
		d, err := p.getOne(ctx, t, url, file(i))
		p.Downloads = append(p.Downloads, d)
		if first == nil {
			first = err
		}
	}
	if first == nil {
		if err := p.check.Unused(); err != nil {
			return p.notVerified("get", err)
		}
	}
	return first
}

// sizeOf is how long a file is; a pipe and a device are none.
func sizeOf(f *os.File) (size int64, regular bool) {
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return 0, false
	}
	return info.Size(), true
}

func (p *pipeline) getOne(ctx context.Context, t *getTask, url string, file *os.File) (d session.Download, err error) {
	d.URL, d.File = url, file.Name()
	d.Protocol, _, _ = strings.Cut(url, "://")
	job := &job{p: p, begin: time.Now()}
	m := job.image("get", file, t.MaxSize, "--max-size")
	defer job.show(ctx)()
	began, regular := sizeOf(file)
	defer func() {
		if err != nil {
			d.Error = errors.Unwrap(err).Error() // of an *Error, without the stage and the advice
			file.Truncate(began)                 // a part is no file; a pipe's reader is told by the exit code
		}
	}()
	if err := p.verifyIn(ctx, directory(url)); err != nil {
		return d, err
	}
	want, err := p.check.Want(url, true)
	if err != nil {
		return d, m.failed(ctx, err)
	}
	f, err := p.files.Open(ctx, url)
	if err != nil {
		return d, m.failed(ctx, err)
	}
	defer f.Close()
	if regular {
		if err := m.reserve(f.URL(), max(f.Size(), 0), f.Size() >= 0); err != nil {
			return d, err
		}
	}
	var to io.Writer = file
	if t.Transfer.Digests {
		sum := verify.NewHasher()
		to = io.MultiWriter(file, sum)
		defer func() {
			if digest := sum.Sum(); err == nil {
				d.SHA256 = digest.String()
			}
		}()
	}
	d.Bytes, err = writeTo(f, &limited{to, m.limit, &m.done}, url, want)
	d.Seconds = time.Since(job.begin).Seconds()
	s := f.Stats()
	d.BlockSize, d.WindowSize, d.Retransmits = s.BlockSize, s.WindowSize, s.Retransmits
	if err != nil {
		return d, m.failed(ctx, err)
	}
	p.say.Stage("get: %s, %s%s", f.URL(), rate(d.Bytes, time.Since(job.begin)), agreed(s))
	return d, nil
}
