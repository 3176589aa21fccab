package install

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/gopxeboot/gopxeboot/internal/guest"
)

// LocalFiles opens files of dom0's for the child, which may have been
// taken over: those below the directory that the location names, and those that
// were named themselves. What a server says, or an
// image, or a .treeinfo, names none.
type LocalFiles struct {
	dir   string
	root  *os.Root // at dir; nil for none
	exact []string
}

// LocalFiles is nil where the repository names no file of dom0's.
func (r *Repository) LocalFiles() (*LocalFiles, error) {
	l := &LocalFiles{}
	at := r.Location
	for _, u := range r.URLs() {
		switch file := localFile(u); {
		case file == "":
		case u == at.Base && !at.Image:
			root, err := os.OpenRoot(file)
			if err != nil {
				return nil, err
			}
			l.dir, l.root = file, root
		default:
			if _, err := os.Stat(file); err != nil {
				return nil, err
			}
			l.exact = append(l.exact, file)
		}
	}
	if l.root == nil && l.exact == nil {
		return nil, nil
	}
	return l, nil
}

// Open is a guest.Spec's Open. A symbolic link in the directory is followed as
// far as it stays there; one that a user named leads where it leads.
func (l *LocalFiles) Open(name string) (*os.File, error) {
	if !path.IsAbs(name) || path.Clean(name) != name {
		return nil, fmt.Errorf("%q is no clean path (%w)", name, syscall.EACCES)
	}
	if slices.Contains(l.exact, name) {
		return os.OpenFile(name, guest.OpenFlags, 0)
	}
	if l.root == nil {
		return nil, fmt.Errorf("no location is there (%w)", syscall.EACCES)
	}
	below, err := filepath.Rel(l.dir, name)
	if err != nil || below == ".." || strings.HasPrefix(below, "../") {
		return nil, fmt.Errorf("it is not below %s (%w)", l.dir, syscall.EACCES)
	}
	f, err := l.root.OpenFile(below, guest.OpenFlags, 0)
	if e, ok := errors.AsType[*os.PathError](err); ok {
		if _, isErrno := errors.AsType[syscall.Errno](e.Err); !isErrno {
			return nil, fmt.Errorf("it leads out of %s (%w)", l.dir, syscall.EACCES)
		}
		return nil, e.Err
	}
	return f, err
}

// Close ends that.
func (l *LocalFiles) Close() {
	if l.root != nil {
		l.root.Close()
	}
}

func isDirectory(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}
