package image

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

var (
	le = binary.LittleEndian
	be = binary.BigEndian
)

// device is the image. It keeps the pages that were read last, which may have
// come over a network, and counts what is read: a chain that leads in circles
// ends when the budget does.
type device struct {
	r      io.ReaderAt
	size   int64
	pages  map[int64][]byte
	budget int64
	err    error // the last of r
}

const (
	pageSize = 16 << 10
	maxPages = 64
	budget   = 64 << 20 // for opening a file: a directory of half a million entries
	overhead = 64       // of a read, whatever its size
)

// refill gives the next step its budget.
func (d *device) refill() { d.budget = budget }

func (d *device) charge(n int64) error {
	if d.budget -= n + overhead; d.budget < 0 {
		return damaged("more than %d MiB of directories and tables, or a circle in them", budget>>20)
	}
	return nil
}

// disk is the image or a partition of it.
type disk struct {
	*device
	start, size int64
}

// part is a piece of a disk, as much of it as there is.
func (d *disk) part(start, size int64) *disk {
	if start < 0 || start > d.size {
		start = d.size
	}
	return &disk{d.device, d.start + start, max(0, min(size, d.size-start))}
}

// read fills p with what is at an offset of the disk.
func (d *disk) read(p []byte, at int64) error {
	if at < 0 || at > d.size-int64(len(p)) {
		return damaged("%d bytes at %d, where the file system or the image has ended", len(p), at)
	}
	if err := d.charge(int64(len(p))); err != nil {
		return err
	}
	at += d.start
	if len(p) >= pageSize {
		return d.fill(p, at)
	}
	for len(p) > 0 {
		page, err := d.page(at / pageSize)
		if err != nil {
			return err
		}
		n := copy(p, page[at%pageSize:])
		p, at = p[n:], at+int64(n)
	}
	return nil
}

func (d *device) page(number int64) ([]byte, error) {
	if page, ok := d.pages[number]; ok {
		return page, nil
	}
	page := make([]byte, min(pageSize, d.size-number*pageSize))
	if err := d.fill(page, number*pageSize); err != nil {
		return nil, err
	}
	if d.pages == nil || len(d.pages) == maxPages {
		d.pages = make(map[int64][]byte, maxPages)
	}
	d.pages[number] = page
	return page, nil
}

func (d *device) fill(p []byte, at int64) error {
	n, err := d.r.ReadAt(p, at)
	switch {
	case n == len(p):
		return nil
	case err == nil || errors.Is(err, io.EOF):
		return damaged("the image ends at %d, before its end", at+int64(n))
	}
	d.err = fmt.Errorf("read the image at %d: %w", at, err)
	return d.err
}

func (d *disk) bytes(at, n int64) ([]byte, error) {
	p := make([]byte, n)
	return p, d.read(p, at)
}

// has tells whether a magic is at an offset.
func (d *disk) has(magic string, at int64) bool {
	p, err := d.bytes(at, int64(len(magic)))
	return err == nil && string(p) == magic
}

// extent is a piece of a file: length bytes from an offset of the disk on, or
// as many zeros.
type extent struct {
	at, length int64
}

// hole is the at of an extent that is stored nowhere.
const hole = -1

// mapped reads what lies in extents.
type mapped struct {
	disk   *disk
	offset int64
	rest   extent // of the one that offset is in
	// next is asked for the extent at each offset where the one before ended. It
	// returns io.EOF at the end.
	next func(offset int64) (extent, error)
}

func (m *mapped) Read(p []byte) (int, error) {
	if m.rest.length == 0 {
		e, err := m.next(m.offset)
		if err != nil {
			return 0, err
		}
		if e.length <= 0 {
			return 0, damaged("an extent of %d bytes", e.length)
		}
		m.rest = e
	}
	n := min(int64(len(p)), m.rest.length)
	var err error
	if m.rest.at == hole {
		clear(p[:n])
		err = m.disk.charge(n)
	} else {
		err = m.disk.read(p[:n], m.rest.at)
		m.rest.at += n
	}
	if err != nil {
		return 0, err
	}
	m.rest.length -= n
	m.offset += n
	return int(n), nil
}

// inOrder is mapped.next for extents that follow each other.
func inOrder(extents []extent) func(int64) (extent, error) {
	return func(int64) (extent, error) {
		for len(extents) > 0 {
			e := extents[0]
			extents = extents[1:]
			if e.length != 0 {
				return e, nil
			}
		}
		return extent{}, io.EOF
	}
}
