package domain

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
)

// maxFile is the size in bytes that no configuration of a guest comes near.
const maxFile = 1 << 20

// Host is the dom0 that is asked.
type Host struct {
	Root fs.FS // dom0's file system from / on, with /proc

	// Run runs a program and returns what it wrote to standard output. It
	// bounds the program's time and output. The error begins with its name.
	Run func(ctx context.Context, name string, args ...string) ([]byte, error)

	Parent int // process id of the toolstack
}

// ThisHost is the host that this process runs in, started by the toolstack.
func ThisHost() *Host {
	return &Host{Root: os.DirFS("/"), Run: dom0.run, Parent: os.Getppid()}
}

// read returns a file of the host, named by its absolute path. Whatever is
// not a regular file is refused: reading a FIFO would never end.
func (h *Host) read(name string) (string, error) {
	data, err := h.readRegular(strings.TrimPrefix(path.Clean(name), "/"))
	if err != nil {
		if e, ok := errors.AsType[*fs.PathError](err); ok {
			err = e.Err // the path in it is not absolute
		}
		return "", fmt.Errorf("%s: %w", name, err)
	}
	return string(data), nil
}

func (h *Host) readRegular(name string) ([]byte, error) {
	info, err := fs.Stat(h.Root, name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	f, err := h.Root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("longer than %d bytes", maxFile)
	}
	return data, err
}

// process is a program as it was started; it is empty when nothing is known
// about it.
type process struct {
	pid  int
	argv []string
}

// parent is the toolstack.
func (h *Host) parent() process {
	cmdline, err := h.read(fmt.Sprintf("/proc/%d/cmdline", h.Parent))
	if err != nil || cmdline == "" {
		return process{pid: h.Parent}
	}
	return process{h.Parent, strings.Split(strings.TrimSuffix(cmdline, "\x00"), "\x00")}
}

func (p process) isXL() bool { return p.is("xl") }

// isLibvirt: libvirt's libxl driver is in a daemon of its own since 5.6.
func (p process) isLibvirt() bool { return p.is("libvirtd", "virtxend") }

func (p process) is(programs ...string) bool {
	return len(p.argv) > 0 && slices.Contains(programs, path.Base(p.argv[0]))
}
