package install

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gopxeboot/gopxeboot/internal/fetch"
)

// Repository is what boots where no PXELINUX configuration says it: an
// installer, from a location or from full URLs.
type Repository struct {
	Location Location // its zero value with full URLs
	Wanted   Wanted
	Args     string // after the installer's own, before the toolstack's
}

// NewRepository looks at what a user or XAPI wrote: a location, which may be
// "" when the kernel is a full URL. What it refuses is wrong in every network.
func NewRepository(text string, wanted Wanted) (*Repository, error) {
	r := &Repository{Wanted: wanted}
	if err := wanted.Check(); err != nil {
		return nil, err
	}
	if text != "" {
		var err error
		if r.Location, err = Parse(text, isDirectory); err != nil {
			return nil, err
		}
	}
	return r, errors.Join(r.named("--kernel", wanted.Kernel), r.named("--ramdisk", wanted.Ramdisk))
}

func (r *Repository) named(option, name string) error {
	if name == "" {
		return nil
	}
	if _, err := r.Location.File(name); err != nil {
		return fmt.Errorf("%s %w", option, err)
	}
	return nil
}

// URLs are those that were written down: of the location, and of the files.
func (r *Repository) URLs() (list []string) {
	if r.Location.Base != "" {
		list = append(list, r.Location.Base)
	}
	for _, name := range []string{r.Wanted.Kernel, r.Wanted.Ramdisk} {
		if name == "" || !IsFullURL(name) {
			continue
		}
		if u, err := r.Location.File(name); err == nil {
			list = append(list, u)
		}
	}
	return list
}

// OnNetwork says whether any of it is on a server.
func (r *Repository) OnNetwork() bool {
	return slices.ContainsFunc(r.URLs(), func(u string) bool { return !strings.HasPrefix(u, "file://") })
}

// Directory is the location's URL, or that of the directory of a kernel which
// has none.
func (r *Repository) Directory() string {
	if r.Location.Base != "" {
		return r.Location.Base
	}
	url, err := r.Location.File(r.Wanted.Kernel)
	if err != nil {
		return ""
	}
	return url[:strings.LastIndexByte(url, '/')+1]
}

// A Look says what is wrong with a file by its first bytes, and its size, which
// may be -1; nil for nothing.
type Look func(head []byte, size int64, of Part) error

// A Take is told what was found: see Site.
type Take func(context.Context, Found) error

// Find finds what boots there.
func (r *Repository) Find(ctx context.Context, files fetch.Client, look Look, take Take) (Found, error) {
	return r.Location.Search(ctx, r.Wanted, servers{files, look, take})
}

// servers are a Site.
type servers struct {
	fetch.Client
	look Look
	take Take
}

func (s servers) Take(ctx context.Context, f Found) error { return s.take(ctx, f) }

// headSize is how much of a file is looked at, in bytes.
const headSize = 16 << 10

// Has reads a file's beginning. One that is not what it is to be is as good as
// refused: a server may have a page for each name that it does not know.
func (s servers) Has(ctx context.Context, url string, of Part) (bool, error) {
	s.TFTP.WindowSize = 1 // else much of the file would be under way
	f, err := s.Open(ctx, url)
	if err != nil {
		err = s.NotThere(url, err)
	}
	switch {
	case errors.Is(err, fetch.ErrNotFound):
		return false, nil
	case err != nil:
		return false, err
	}
	defer f.Close()
	head, err := f.Head(headSize)
	if err != nil {
		return true, nil // the download will say what is wrong with it
	}
	if len(head) == 0 {
		return false, fmt.Errorf("%s: %w", f.URL(), fetch.ErrEmpty)
	}
	if err := s.look(head, f.Size(), of); err != nil {
		return false, &unfit{fmt.Errorf("%s: %w", f.URL(), err)}
	}
	return true, nil
}

// unfit is a file that is not what it was to be.
type unfit struct{ error }

func (u *unfit) Unwrap() error { return u.error }

func (s servers) Read(ctx context.Context, url string) ([]byte, error) {
	text, err := s.ReadAll(ctx, url, maxTreeinfo)
	if errors.Is(err, fetch.ErrNotFound) {
		return nil, nil
	}
	return text, err
}

// isOfOneFile says whether an error is a server's answer to one name. A login that
// it refuses is for all names.
func isOfOneFile(err error) bool {
	if _, ok := errors.AsType[*unfit](err); ok {
		return true
	}
	return errors.Is(err, fetch.ErrRefused) && !errors.Is(err, fetch.ErrLogin) || errors.Is(err, fetch.ErrEmpty) || errors.Is(err, fetch.ErrTooBig)
}
