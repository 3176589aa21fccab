package boot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/console"
	"github.com/gopxeboot/gopxeboot/internal/fault"
	"github.com/gopxeboot/gopxeboot/internal/fetch"
	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/internal/verify"
)

// Download is one file that was asked for by its URL: what `get --json`
// prints. Keys are added, never renamed.
type Download struct {
	URL         string  `json:"url"`
	File        string  `json:"file"`
	Bytes       int64   `json:"bytes"`
	Seconds     float64 `json:"seconds"`
	Protocol    string  `json:"protocol"`
	BlockSize   int     `json:"blksize"`    // TFTP's; 0 with other protocols
	WindowSize  int     `json:"windowsize"` // TFTP's; 0 with other protocols
	Retransmits int64   `json:"retransmits"`
	SHA256      string  `json:"sha256"` // of a complete file
	Error       string  `json:"error"`
}

// Get downloads files, one after the other: as the guest when r.MAC says who
// that is, else as dom0. A file that can't be had stays empty, and does not
// keep the next one from being tried; the error is that of the first.
func Get(ctx context.Context, r Request, t Transfer, urls []string, files []*os.File, con *console.Console) ([]Download, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, r.Timeout, context.DeadlineExceeded)
	defer cancel()
	if r.MAC != nil {
		r.URLs, r.Transfer = urls, t
		began := make([]int64, len(files)) // standard output may have something
		for i, f := range files {
			began[i], _ = sizeOf(f)
		}
		a, err := asGuest(ctx, r, con, nil, files...)
		return believe(a.Downloads, urls, files, began, err)
	}
	p := &pipeline{task: r.task(), plan: plan.New(), say: func(l line) { l.print(con) }}
	p.files.Resolve, p.files.Proxy = resolveAsDom0, http.ProxyFromEnvironment
	p.files.Warn, p.files.Servers = con.Warn, new(fetch.Servers)
	p.files.RootCAs = systemRoots()
	p.task.Transfer = t
	if err := t.apply(&p.files); err != nil {
		return nil, fault.New(fault.Usage, "get", err, "")
	}
	return p.get(ctx, urls, func(i int) *os.File { return files[i] })
}

// believe checks what the child says against the files, of which it is told
// where each began. The child may have been taken over by what it read.
func believe(said []Download, urls []string, files []*os.File, began []int64, err error) ([]Download, error) {
	done := make([]Download, len(files))
	for i, f := range files {
		if i < len(said) {
			done[i] = said[i]
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

// sizeOf is how long a file is; a pipe and a device are none.
func sizeOf(f *os.File) (size int64, regular bool) {
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return 0, false
	}
	return info.Size(), true
}

func resolveAsDom0(ctx context.Context, host string) (netip.Addr, error) {
	list, err := net.DefaultResolver.LookupNetIP(ctx, "ip4", host)
	if err != nil {
		return netip.Addr{}, err
	}
	return list[0].Unmap(), nil
}

func (p *pipeline) get(ctx context.Context, urls []string, file func(int) *os.File) (done []Download, first error) {
	for i, url := range urls {
		d, err := p.getOne(ctx, url, file(i))
		done = append(done, d)
		if first == nil {
			first = err
		}
	}
	return done, first
}

func (p *pipeline) getOne(ctx context.Context, url string, file *os.File) (d Download, err error) {
	d.URL, d.File = url, file.Name()
	d.Protocol, _, _ = strings.Cut(url, "://")
	job := &job{p: p, begin: time.Now()}
	m := job.image("get", file, p.task.MaxInitrd, "--max-size")
	defer job.show(ctx)()
	began, regular := sizeOf(file)
	defer func() {
		if err != nil {
			d.Error = errors.Unwrap(err).Error() // of an *Error, without the stage and the advice
			file.Truncate(began)                 // a part is no file; a pipe's reader is told by the exit code
		}
	}()
	f, err := p.files.Open(ctx, url)
	if err != nil {
		return d, m.failed(ctx, err)
	}
	defer f.Close()
	if regular {
		if err := m.reserve(max(f.Size(), 0), f.Size() >= 0); err != nil {
			return d, err
		}
	}
	var to io.Writer = file
	if p.task.Transfer.Digests {
		sum := verify.NewHasher()
		to = io.MultiWriter(file, sum)
		defer func() {
			if digest := sum.Sum(); err == nil {
				d.SHA256 = digest.String()
			}
		}()
	}
	d.Bytes, err = f.WriteTo(&limited{to, m.limit, &m.done})
	d.Seconds = time.Since(job.begin).Seconds()
	s := f.Stats()
	d.BlockSize, d.WindowSize, d.Retransmits = s.BlockSize, s.WindowSize, s.Retransmits
	if err != nil {
		return d, m.failed(ctx, err)
	}
	p.stage("get: %s, %s%s", f.URL(), rate(d.Bytes, time.Since(job.begin)), agreed(s))
	return d, nil
}
