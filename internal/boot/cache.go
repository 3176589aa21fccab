package boot

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
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

// openOrCached opens a file that is handed over. Keep says that the cache waits for it.
func (p *pipeline) openOrCached(ctx context.Context, url string, want *verify.Want) (f source, keep bool, err error) {
	if want != nil && p.cached && !slices.Contains(p.unusable, want.Digest) {
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
	if held := p.held.Take(ctx, url); held != nil {
		return held, keep, nil
	}
	f, err = p.files.Open(ctx, url)
	return f, keep, err
}

// whileBusy asks again while another boot downloads the file, for two thirds of
// the time that is left: a boot that is slow, or was taken over, must not cost this
// one all of it. It asks more rarely the longer it waits, so that what it waits
// in excess is a small part of that.
func whileBusy(ctx context.Context, ask func() (*os.File, error)) (*os.File, error) {
	begin, patience, longest := time.Now(), time.Minute, time.Second
	if end, ok := ctx.Deadline(); ok {
		patience = time.Until(end) * 2 / 3
		longest = max(longest, patience/50) // a child may ask for 256 files in all
	}
	for {
		file, err := ask()
		waited := time.Since(begin)
		if !errors.Is(err, syscall.EAGAIN) || waited >= patience {
			return file, err
		}
		select {
		case <-time.After(min(max(20*time.Millisecond, waited/8), longest, patience-waited)):
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
	return &cachedFile{File: file, digest: d, size: info.Size()}, nil
}

// cachedFile is a file of the cache, which may have become another.
type cachedFile struct {
	*os.File
	url    string
	digest verify.Digest // that it has to have
	size   int64
}

func (f *cachedFile) URL() string        { return "(cache) " + f.url }
func (f *cachedFile) Size() int64        { return f.size }
func (f *cachedFile) Stats() fetch.Stats { return fetch.Stats{} }

// staleError is a file of the cache that has become another.
type staleError struct{ digest, got verify.Digest }

func (e *staleError) Error() string {
	return fmt.Sprintf("%s has become %s, and is not taken", e.digest, e.got)
}

// WriteTo reads once, for the copy and its digest: what is written is what that is
// of. The error is a *staleError for another digest, whatever else there was.
func (f *cachedFile) WriteTo(w io.Writer) (int64, error) {
	n, got, err := f.copy(w)
	if err != nil { // which may be about content that is not the file's
		_, got, _ = f.copy(io.Discard)
	}
	if got != f.digest {
		return n, &staleError{f.digest, got}
	}
	return n, err
}

// copy also computes the digest. What it reads at once stays in a processor's cache
// until it is written: 64 guests that come together have 2 CPUs for that.
//
// It is no reflink (FICLONE, or copy_file_range on XFS and btrfs): the digest has to
// be that of what is handed over, and a clone has no page of its source's in memory.
// To verify it each guest would read it from the disk: of 32 MiB on XFS in memory
// 28 to 55 ms for 27 to 33, with 22 to 25 ms of CPU for 25 to 29.
func (f *cachedFile) copy(w io.Writer) (int64, verify.Digest, error) {
	sum := sha256.New()
	n, err := io.CopyBuffer(io.MultiWriter(sum, w), io.NewSectionReader(f.File, 0, f.size), make([]byte, 256<<10))
	return n, verify.Digest(sum.Sum(nil)), err
}

// orStale is err, unless f is a file of the cache that has become another: then that
// is why.
func orStale(f source, err error) error {
	if c, ok := f.(*cachedFile); ok {
		if _, other := c.WriteTo(io.Discard); other != nil {
			return other
		}
	}
	return err
}

// removeStale has the parent remove a file that has become another. It looks at each
// once: what is still there then can't be removed, and is not asked for again.
func (p *pipeline) removeStale(d verify.Digest) {
	if _, err := (cacheRequest{Digest: d, Check: true}).ask(p); !errors.Is(err, syscall.ENOENT) {
		p.unusable = append(p.unusable, d)
	}
}
