package pxelinux

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"path"
	"strings"

	"github.com/gopxeboot/gopxeboot/internal/percent"
)

// OpenFS returns an Opener for a TFTP server at an address, usually
// Host.Server, that serves the files of fsys: os.DirFS("/srv/tftp"), an
// embed.FS or a fstest.MapFS. What is on other servers, is no regular file or
// can't be opened is not found. ".." does not lead out of fsys; os.DirFS
// follows symbolic links that do.
func OpenFS(fsys fs.FS, server netip.Addr) Opener {
	prefix := "tftp://" + ip4(server).String() + "/"
	return func(ctx context.Context, link string) (io.ReadCloser, error) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		escaped, ours := strings.CutPrefix(link, prefix)
		if !ours {
			return nil, fmt.Errorf("%w: it is on another server", ErrNotFound)
		}
		name := strings.TrimPrefix(path.Clean("/"+percent.Unescape(escaped)), "/")
		// Stat goes first: to open a FIFO would block.
		info, err := fs.Stat(fsys, name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, ErrNotFound
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrNotFound, err)
		}
		if !info.Mode().IsRegular() {
			return nil, fmt.Errorf("%w: it is no file", ErrNotFound)
		}
		f, err := fsys.Open(name)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrNotFound, err)
		}
		return f, nil
	}
}
