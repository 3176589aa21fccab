package boot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/cache"
	"github.com/gopxeboot/gopxeboot/internal/fetch"
	"github.com/gopxeboot/gopxeboot/internal/printable"
	"github.com/gopxeboot/gopxeboot/internal/verify"
)

// cacheScheme is what the names begin with by which the child asks its parent for
// files of the cache: JSON of a cacheRequest follows.
const cacheScheme = "cache:"

// cacheRequest gets a file of the cache, puts one there that is a part of a
// result file, or has one checked that is not what it should be.
type cacheRequest struct {
	Digest verify.Digest
	Put    *part `json:",omitempty"`
	Check  bool  `json:",omitempty"`
}

// part is of one of the files that the child has.
type part struct {
	File         int
	Offset, Size int64
}

// opener answers the child: files of the cache, and what local opens, which may
// be nil. What a child that was taken over asks for is bounded by the policy:
// files that it lists, or that other guests with the same key had. And by what a
// boot may cost: one keeps at most what it hands over, twice where a user
// chooses something else, and has each file looked at once.
func (o *Options) opener(files []*os.File, local func(string) (*os.File, error)) func(string) (*os.File, error) {
	space := o.Transfer.Policy.Spaces()
	room := 2 * (o.MaxKernel + o.MaxInitrd)
	checked := make(map[verify.Digest]bool)
	return func(name string) (*os.File, error) {
		text, cached := strings.CutPrefix(name, cacheScheme)
		switch {
		case !cached && local != nil:
			return local(name)
		case !cached:
			return nil, fmt.Errorf("%q was not named: %w", name, syscall.EACCES)
		}
		var r cacheRequest
		if err := json.Unmarshal([]byte(text), &r); err != nil {
			return nil, err
		}
		if r.Digest == (verify.Digest{}) {
			return nil, fmt.Errorf("which file of the cache? %w", syscall.EINVAL)
		}
		space, ok := space(r.Digest)
		switch {
		case !ok:
			return nil, fmt.Errorf("%s is not for this guest: %w", r.Digest, syscall.EACCES)
		case r.Check && checked[r.Digest]:
			return nil, syscall.EACCES
		case r.Check:
			checked[r.Digest] = true
			o.Cache.Check(space, r.Digest)
			return nil, cache.ErrMiss
		case r.Put == nil:
			return o.Cache.Get(space, r.Digest)
		case r.Put.File < 0 || r.Put.File >= len(files) || r.Put.Offset < 0 || r.Put.Size <= 0:
			return nil, syscall.EINVAL
		case r.Put.Size > room:
			return nil, fmt.Errorf("this boot has kept enough: %w", syscall.EACCES)
		}
		room -= r.Put.Size
		return o.Cache.Put(space, r.Digest, files[r.Put.File], r.Put.Offset, r.Put.Size)
	}
}

// ask asks the parent.
func (r cacheRequest) ask(p *pipeline) (*os.File, error) {
	text, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	return p.child.Open(cacheScheme + string(text))
}

// source is where a file comes from: a server, or the cache.
type source interface {
	URL() string
	Size() int64
	Stats() fetch.Stats
	io.WriterTo
	io.Closer
}

// open opens a file that is handed over. Keep says that the cache waits for it.
func (p *pipeline) openOrCached(ctx context.Context, url string, want *verify.Want) (f source, keep bool, err error) {
	if want != nil && p.cached {
		file, err := p.fromCache(ctx, want.Digest)
		switch {
		case err == nil:
			file.url = url
			return file, false, nil
		case ctx.Err() != nil:
			return nil, false, ctx.Err()
		case errors.Is(err, syscall.ENOENT):
			keep = true
		case errors.Is(err, syscall.EAGAIN):
			p.say.Warn(fmt.Sprintf("cache: another boot takes too long to download %s: it is downloaded here, too", printable.Redacted(url)))
		default:
			p.say.Warn(fmt.Sprintf("cache: %v", err))
		}
	}
	if f = p.held.take(ctx, url); f != nil {
		return f, keep, nil
	}
	f, err = p.files.Open(ctx, url)
	return f, keep, err
}

// whileBusy asks again while another boot downloads the file, for two thirds of
// the time that is left: a boot that is slow, or was taken over, must not cost this
// one all of it.
func whileBusy(ctx context.Context, ask func() (*os.File, error)) (*os.File, error) {
	patience := time.Minute
	if end, ok := ctx.Deadline(); ok {
		patience = time.Until(end) * 2 / 3
	}
	enough := time.Now().Add(patience)
	// A child may ask for 256 files in all.
	for pause, most := 20*time.Millisecond, max(time.Second, patience/50); ; pause = min(2*pause, most) {
		file, err := ask()
		if !errors.Is(err, syscall.EAGAIN) || time.Now().After(enough) {
			return file, err
		}
		select {
		case <-time.After(min(pause, time.Until(enough)+time.Millisecond)):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// fromCache gets a file of the cache, and waits for who downloads it.
func (p *pipeline) fromCache(ctx context.Context, d verify.Digest) (*cachedFile, error) {
	file, err := whileBusy(ctx, func() (*os.File, error) { return cacheRequest{Digest: d}.ask(p) })
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err != nil {
		file.Close()
		return nil, err
	}
	f := &cachedFile{File: file, digest: d, size: info.Size()}
	sum := verify.NewHasher()
	_, err = f.WriteTo(sum)
	if got := sum.Sum(); err == nil && got != d {
		cacheRequest{Digest: d, Check: true}.ask(p)
		err = fmt.Errorf("%s has become %s, and is not taken", d, got)
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return f, nil
}

// cachedFile is a file of the cache, whose content is what it has to be.
type cachedFile struct {
	*os.File
	url    string
	digest verify.Digest
	size   int64
}

func (f *cachedFile) URL() string        { return "(cache) " + f.url }
func (f *cachedFile) Size() int64        { return f.size }
func (f *cachedFile) Stats() fetch.Stats { return fetch.Stats{} }

// WriteTo can be called more than once.
func (f *cachedFile) WriteTo(w io.Writer) (int64, error) {
	return io.CopyBuffer(w, io.NewSectionReader(f.File, 0, f.size), make([]byte, 1<<20))
}
