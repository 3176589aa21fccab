package image

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Image is an opened disk image. One goroutine at a time may use it and its
// files.
type Image struct {
	volumes []volume
}

// volume is a file system, and where it lies.
type volume struct {
	disk *disk
	root node
}

// node is a file, a directory or a link of a file system.
type node interface {
	kind() kind
	// size is that of the contents; negative in damaged images.
	size() int64
	// lookup finds an entry of a directory, other than "." and "..".
	lookup(name string) (node, error)
	// contents reads a file, or the target of a link, from its start. It may end
	// before size in damaged images, and go on after it.
	contents() (io.Reader, error)
}

// orNone is a node of a file system's own type, or none with an error.
func orNone[N node](n N, err error) (node, error) {
	if err != nil {
		return nil, err
	}
	return n, nil
}

type kind int

const (
	other kind = iota // a device, a socket, a pipe
	regular
	directory
	link
)

// kindOf translates st_mode, which all Unix file systems store.
func kindOf(mode uint16) kind {
	switch mode & 0o170000 {
	case 0o100000:
		return regular
	case 0o040000:
		return directory
	case 0o120000:
		return link
	}
	return other
}

// formats are the file systems. Each returns a nil node for a disk without its
// magic. FAT stands last, since it has hardly any.
var formats = []func(*disk) (node, error){openSquashfs, openXFS, openExt, openISO9660, openFAT}

// Open finds the file systems of an image of size bytes: the one that the image
// is, or else those of its partitions. Without any it is ErrUnsupported, or
// ErrDamaged when there would be one.
func Open(r io.ReaderAt, size int64) (m *Image, err error) {
	defer rescue(&err)
	whole := &disk{device: &device{r: r, size: size}, size: size}
	whole.refill()
	if m, err = openAll(whole); whole.err != nil {
		return nil, whole.err // what can't be read is not without a file system
	}
	return m, err
}

func openAll(whole *disk) (*Image, error) {
	root, err := openVolume(whole)
	if root != nil {
		return &Image{[]volume{{whole, root}}}, nil
	}
	m := new(Image)
	for _, sector := range []int64{512, 4096} {
		for _, part := range partitions(whole, sector) {
			root, partErr := openVolume(part)
			if root != nil {
				m.volumes = append(m.volumes, volume{part, root})
			}
			if err == nil {
				err = partErr
			}
		}
		if len(m.volumes) > 0 {
			return m, nil
		}
	}
	if err != nil {
		return nil, err
	}
	return nil, unsupported("no ISO 9660, ext, FAT, squashfs or XFS in it")
}

// openVolume returns the root of the file system on d, nil without one.
func openVolume(d *disk) (node, error) {
	var first error
	for _, open := range formats {
		root, err := open(d)
		if root != nil && err == nil {
			return root, nil
		}
		first = cmp.Or(first, err)
	}
	return nil, first
}

// Open opens a file by its path, with or without a leading slash. With several
// file systems in the image, it is the first one's that has such a file.
func (m *Image) Open(name string) (f *File, err error) {
	defer rescue(&err)
	m.volumes[0].disk.refill() // and with it that of all, since they are of one device
	for _, v := range m.volumes {
		file, fileErr := v.open(name)
		if fileErr == nil {
			return file, nil
		}
		// Why a file that is there can't be read says more than that another
		// partition has none.
		if err == nil || errors.Is(err, ErrNotFound) {
			err = fileErr
		}
	}
	return nil, fmt.Errorf("%.200q: %w", name, err)
}

func (v volume) open(name string) (*File, error) {
	n, err := v.walk(name)
	if err != nil {
		return nil, err
	}
	if n.kind() != regular {
		return nil, ErrNotRegular
	}
	if n.size() < 0 {
		return nil, damaged("a size of %d bytes", n.size())
	}
	r, err := n.contents()
	if err != nil {
		return nil, err
	}
	return &File{r: r, disk: v.disk, size: n.size()}, nil
}

// As Linux has it: MAXSYMLINKS and PATH_MAX.
const (
	maxLinks  = 40
	maxTarget = 4096
)

// walk follows a path from the root. It goes down only to what a directory
// lists and up only the way that it came, so that nothing leads outside.
func (v volume) walk(name string) (node, error) {
	way := []node{v.root}
	rest := strings.Split(name, "/")
	for links := 0; len(rest) > 0; {
		part, here := rest[0], way[len(way)-1]
		rest = rest[1:]
		switch {
		case part == "":
			continue
		case here.kind() != directory:
			return nil, ErrNotFound
		case part == ".":
			continue
		case part == "..":
			way = way[:max(1, len(way)-1)]
			continue
		}
		next, err := here.lookup(part)
		if err != nil {
			return nil, err
		}
		if next.kind() != link {
			way = append(way, next)
			continue
		}
		if links++; links > maxLinks {
			return nil, fmt.Errorf("%w: more than %d symbolic links on the way", ErrNotFound, maxLinks)
		}
		target, err := readLink(next)
		if err != nil {
			return nil, err
		}
		if strings.HasPrefix(target, "/") {
			way = way[:1]
		}
		rest = append(strings.Split(target, "/"), rest...)
	}
	return way[len(way)-1], nil
}

func readLink(n node) (string, error) {
	if n.size() <= 0 || n.size() > maxTarget {
		return "", damaged("a symbolic link of %d bytes", n.size())
	}
	r, err := n.contents()
	if err != nil {
		return "", err
	}
	target := make([]byte, n.size())
	if _, err := io.ReadFull(r, target); err != nil {
		return "", short(err)
	}
	return string(target), nil
}
