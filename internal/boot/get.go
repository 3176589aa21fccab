package boot

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/console"
	"github.com/gopxeboot/gopxeboot/internal/fault"
	"github.com/gopxeboot/gopxeboot/internal/fetch"
	"github.com/gopxeboot/gopxeboot/internal/session"
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
		s.Files, s.MaxFile, s.Hosts = files, t.MaxSize, append(s.Hosts, hosts(urls)...)
		a, err := o.run(ctx, s, tasks{Get: t}, con)
		return checkDownloads(a.Downloads, urls, files, err)
	}
	p := &pipeline{say: session.Print(con)}
	p.files = fetch.Client{Resolve: session.Resolve, Proxy: http.ProxyFromEnvironment, Warn: con.Warn, RootCAs: systemRoots()}
	if err := t.Transfer.apply(&p.files); err != nil {
		return nil, fault.New(fault.Usage, "get", err, "")
	}
	err := t.download(ctx, p, func(i int) *os.File { return files[i] })
	return p.Downloads, err
}

// checkDownloads checks what the child says against the files. It may have been
// taken over by what it read.
func checkDownloads(claims []session.Download, urls []string, files []*os.File, err error) ([]session.Download, error) {
	done := make([]session.Download, len(files))
	for i, f := range files {
		if i < len(claims) {
			done[i] = claims[i]
		} else {
			done[i].Error = "not tried"
		}
		d := &done[i]
		d.URL, d.File = urls[i], f.Name()
		if info, statErr := f.Stat(); d.Error == "" && statErr == nil && info.Mode().IsRegular() && info.Size() != d.Bytes {
			d.Error = fmt.Sprintf("%d bytes were written, %d announced", info.Size(), d.Bytes)
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
	if err := p.fetchAsPXELINUX(&t.Firmware, &t.Transfer, lease); err != nil {
		return err
	}
	return t.download(ctx, p, p.child.File)
}

func (t *getTask) download(ctx context.Context, p *pipeline, file func(int) *os.File) (first error) {
	for i, url := range t.URLs {
		d, err := p.getOne(ctx, url, t.MaxSize, file(i))
		p.Downloads = append(p.Downloads, d)
		if first == nil {
			first = err
		}
	}
	return first
}

func (p *pipeline) getOne(ctx context.Context, url string, most int64, file *os.File) (d session.Download, err error) {
	d.URL, d.File = url, file.Name()
	d.Protocol, _, _ = strings.Cut(url, "://")
	job := &job{p: p, begin: time.Now()}
	m := job.image("get", file, most, "--max-size")
	defer job.show(ctx)()
	defer func() {
		if err != nil {
			d.Error = errors.Unwrap(err).Error() // of an *Error, without the stage and the advice
			file.Truncate(0)                     // a part is no file; a pipe's reader is told by the exit code
		}
	}()
	f, err := p.files.Open(ctx, url)
	if err != nil {
		return d, m.failed(ctx, err)
	}
	defer f.Close()
	if err := m.reserve(max(f.Size(), 0), f.Size() >= 0); err != nil {
		return d, err
	}
	sum := sha256.New()
	d.Bytes, err = f.WriteTo(&limited{hashed{file, sum}, m.limit, &m.done})
	d.Seconds = time.Since(job.begin).Seconds()
	s := f.Stats()
	d.BlockSize, d.WindowSize, d.Retransmits = s.BlockSize, s.WindowSize, s.Retransmits
	if err != nil {
		return d, m.failed(ctx, err)
	}
	d.SHA256 = hex.EncodeToString(sum.Sum(nil))
	p.say.Stage("get: %s, %s%s", f.URL(), rate(d.Bytes, time.Since(job.begin)), agreed(s))
	return d, nil
}

// hashed writes and hashes.
type hashed struct {
	w   io.Writer
	sum hash.Hash
}

func (h hashed) Write(p []byte) (int, error) {
	n, err := h.w.Write(p)
	h.sum.Write(p[:n])
	return n, err
}
