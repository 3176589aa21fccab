package boot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/fetch"
	"github.com/gopxeboot/gopxeboot/pxelinux"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// maxDetours bounds how often a missing file may lead to another entry.
const maxDetours = 8

// download fetches what boots. When the server does not have it, PXELINUX
// goes on with what the configuration says for that case, such as ONERROR.
func (p *pipeline) download(ctx context.Context, boot *pxelinux.Boot, kernel, ramdisk *os.File) error {
	tried := map[string]bool{}
	for range maxDetours {
		tried[boot.Kernel] = true
		err := p.fetchBoth(ctx, boot, kernel, ramdisk)
		if !errors.Is(err, fetch.ErrNotFound) && !errors.Is(err, errEmpty) {
			return err
		}
		next, nextErr := boot.NotFound(ctx)
		if nextErr != nil || next.Err != nil || next.Kernel == "" || tried[next.Kernel] {
			return err
		}
		p.say(line{Warn: true, Text: err.Error()})
		p.stage("boot: instead, %s%s", labelled(next.Label), next.Args)
		if err := errors.Join(kernel.Truncate(0), ramdisk.Truncate(0)); err != nil {
			return fail(ctx, NoOutput, "output", err, "")
		}
		boot = next
		p.plan.setBoot(boot)
	}
	return &Error{NotBootable, "boot", errors.New("one missing file leads to the next"), "see ONERROR in " + p.plan.Config.URL}
}

// fetchBoth fetches the kernel and the initrds side by side.
func (p *pipeline) fetchBoth(ctx context.Context, boot *pxelinux.Boot, kernel, ramdisk *os.File) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		return p.image("kernel", kernel, p.task.Request.MaxKernel, "--max-kernel").fetch(ctx, []string{boot.Kernel})
	})
	if len(boot.Initrds) > 0 {
		group.Go(func() error {
			return p.image("initrd", ramdisk, p.task.Request.MaxInitrd, "--max-initrd").fetch(ctx, boot.Initrds)
		})
	}
	return group.Wait()
}

// image is one file that the toolstack gets, made of one or more downloads.
type image struct {
	p     *pipeline
	stage string
	file  *os.File
	limit int64  // bytes
	raise string // the option that sets the limit
}

func (p *pipeline) image(stage string, file *os.File, limit int64, raise string) *image {
	return &image{p, stage, file, limit, raise}
}

// fetch lays the downloads out one after the other, each but the last padded
// with zeros to 4 bytes, as PXELINUX hands several initrds to a kernel
// (initramfs_archive.c). Where one begins is known as soon as the sizes of
// those before it are, and from then on they run side by side.
func (m *image) fetch(ctx context.Context, urls []string) error {
	group, ctx := errgroup.WithContext(ctx)
	var offset int64
	for _, url := range urls {
		f, err := m.p.files.Open(ctx, url)
		if err != nil {
			return errors.Join(m.failed(ctx, err), group.Wait())
		}
		begin := (offset + 3) &^ 3
		if err := m.checkSpace(begin + max(f.Size(), 0)); err != nil {
			f.Close()
			return errors.Join(err, group.Wait())
		}
		if f.Size() >= 0 {
			offset = begin + f.Size()
			group.Go(func() error {
				_, err := m.copy(ctx, f, begin)
				return err
			})
			continue
		}
		n, err := m.copy(ctx, f, begin)
		if err != nil {
			return errors.Join(err, group.Wait())
		}
		offset = begin + n
	}
	return group.Wait()
}

// copy downloads one file to its place.
func (m *image) copy(ctx context.Context, f *fetch.File, offset int64) (int64, error) {
	defer f.Close()
	begin := time.Now()
	n, err := f.WriteTo(&limited{io.NewOffsetWriter(m.file, offset), m.limit - offset})
	if err == nil && n == 0 {
		// PXELINUX takes an empty file as not there (pxe.c), and libxl can't
		// map it.
		err = fmt.Errorf("%s: %w", f.URL(), errEmpty)
	}
	if err != nil {
		return n, m.failed(ctx, err)
	}
	m.p.stage("%s: %s, %s", m.stage, f.URL(), rate(n, time.Since(begin)))
	return n, nil
}

var errEmpty = errors.New("the file is empty")

// failed puts the blame: on space of ours, on a limit of ours, or on the
// server.
func (m *image) failed(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT), errors.Is(err, unix.EFBIG):
		return fail(ctx, NoOutput, m.stage, err, "make room, or name a larger --output-directory")
	case errors.Is(err, errTooBig), errors.Is(err, fetch.ErrTooBig):
		return fail(ctx, NotFetched, m.stage, err, "raise "+m.raise+" if that is right")
	case errors.Is(err, fetch.ErrNotFound):
		return fail(ctx, NotFetched, m.stage, err, "see that the file is there and that the server may read it")
	case errors.Is(err, fetch.ErrTimeout):
		return fail(ctx, NotFetched, m.stage, err, "see that the server is up and can be reached as the guest")
	}
	return fail(ctx, NotFetched, m.stage, err, "")
}

// checkSpace refuses what can't end well before the first byte is moved.
func (m *image) checkSpace(size int64) error {
	if size > m.limit {
		return &Error{NotFetched, m.stage, fmt.Errorf("%s announced, %s allowed: %w", bytesText(size), bytesText(m.limit), errTooBig), "raise " + m.raise + " if that is right"}
	}
	var fs unix.Statfs_t
	if err := unix.Fstatfs(int(m.file.Fd()), &fs); err != nil {
		return nil // no figure is no reason not to try
	}
	if free := int64(fs.Bavail) * fs.Bsize; size > free {
		return &Error{NoOutput, m.stage, fmt.Errorf("%s needed in the output directory, %s free", bytesText(size), bytesText(free)), "make room, or name a larger --output-directory"}
	}
	return nil
}

var errTooBig = errors.New("larger than allowed")

// limited lets no more than the limit through.
type limited struct {
	w    io.Writer
	left int64
}

func (l *limited) Write(p []byte) (int, error) {
	if int64(len(p)) > l.left {
		return 0, errTooBig
	}
	n, err := l.w.Write(p)
	l.left -= int64(n)
	return n, err
}

// bytesText is a size for people.
func bytesText(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%d bytes", n)
}

func rate(n int64, d time.Duration) string {
	return fmt.Sprintf("%s in %.1f s (%.1f MB/s)", bytesText(n), d.Seconds(), float64(n)/1e6/max(d.Seconds(), 1e-6))
}
