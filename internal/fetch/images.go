package fetch

import (
	"context"
	"errors"
	"io"
	"sync"

	"github.com/gopxeboot/gopxeboot/internal/image"
)

// Images are disk images that are open, so that each is opened and understood
// once, however many files are read out of it. It may be used by several
// goroutines.
type Images struct {
	ctx context.Context

	mu         sync.Mutex
	containers map[string]*container // by URL
	closed     bool
}

// NewImages keeps images open until Close. The context rules all reading from
// them.
func NewImages(ctx context.Context) *Images {
	return &Images{ctx: ctx, containers: map[string]*container{}}
}

// Close closes the images. Files that are read out of them end with an error.
func (m *Images) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	var errs []error
	for _, k := range m.containers {
		errs = append(errs, k.close())
	}
	m.containers = nil
	return errors.Join(errs...)
}

// container is an image with the file that it is in.
type container struct {
	mu     sync.Mutex // one goroutine at a time may use an image
	opened bool
	file   readerAt
	image  *image.Image
	err    error // of opening, for all who ask
}

func (k *container) close() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.opened, k.err = true, errImagesClosed
	if k.file == nil {
		return nil
	}
	return k.file.Close()
}

var errImagesClosed = errors.New("the image is closed")

// container is the image with that URL.
func (m *Images) container(url string) (*container, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, errImagesClosed
	}
	k := m.containers[url]
	if k == nil {
		k = new(container)
		m.containers[url] = k
	}
	return k, nil
}

// find opens a file in the image, and before it, the first time, the image.
func (k *container) find(name string, open func() (readerAt, error)) (*image.File, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.opened {
		k.opened = true
		if k.file, k.err = open(); k.err == nil {
			k.image, k.err = image.Open(k.file, k.file.Size())
		}
	}
	if k.err != nil {
		return nil, k.err
	}
	return k.image.Open(name)
}

func (c *Client) openInImage(ctx context.Context, at location, name string) (_ source, err error) {
	f := &imageFile{ctx: ctx}
	images := c.Images
	if images == nil {
		images = NewImages(ctx)
		f.own = images
	}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	if f.in, err = images.container(at.String()); err != nil {
		return nil, err
	}
	f.File, err = f.in.find(name, func() (readerAt, error) { return c.openRandom(images.ctx, at) })
	if err != nil {
		return nil, fromImage(err)
	}
	return f, nil
}

type imageFile struct {
	*image.File
	ctx context.Context
	in  *container
	own *Images // when no other file's
}

func (f *imageFile) WriteTo(w io.Writer) (int64, error) {
	n, err := copyAll(f.ctx, w, f)
	return n, fromImage(err)
}

func (f *imageFile) Read(p []byte) (int, error) {
	f.in.mu.Lock()
	defer f.in.mu.Unlock()
	return f.File.Read(p)
}

func (f *imageFile) Close() error {
	if f.own != nil {
		return f.own.Close()
	}
	return nil
}

// fromImage gives the errors of an image their kinds.
func fromImage(err error) error {
	switch {
	case errors.Is(err, image.ErrNotFound):
		return as(ErrNotFound, err)
	case errors.Is(err, image.ErrNotRegular), errors.Is(err, image.ErrDamaged):
		return as(ErrRefused, err)
	case errors.Is(err, image.ErrUnsupported):
		return as(ErrUnsupported, err)
	}
	return err
}
