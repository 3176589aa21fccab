package image

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"unicode/utf16"
)

// isoSector is what volume descriptors and directories are counted in (ECMA-119
// 6.1.2), whatever the size of the logical blocks that extents are counted in.
const isoSector = 2048

// iso is an ISO 9660 volume, read as Linux mounts it: with the names of Rock
// Ridge, else those of Joliet, else its plain ones.
type iso struct {
	disk      *disk
	block     int64
	rockRidge bool
	joliet    bool
	skip      int // bytes before the first system use entry of a record (SUSP 5.3)
}

func openISO9660(d *disk) (node, error) {
	if !d.has("CD001", 16*isoSector+1) {
		return nil, nil
	}
	var primary, joliet []byte
	for sector := int64(16); sector < 16+64; sector++ {
		b, err := d.bytes(sector*isoSector, isoSector)
		if err != nil {
			return nil, err
		}
		if string(b[1:6]) != "CD001" || b[0] == 255 {
			break
		}
		switch escape := string(b[88:91]); {
		case b[0] == 1 && primary == nil:
			primary = b
		case b[0] == 2 && (escape == "%/@" || escape == "%/C" || escape == "%/E"): // UCS-2 levels 1 to 3
			joliet = b
		}
	}
	if primary == nil {
		return nil, damaged("ISO 9660 without a primary volume descriptor")
	}
	fs, root := isoVolume(d, primary)
	if fs.block == 0 {
		return nil, damaged("ISO 9660 blocks of 0 bytes")
	}
	if err := fs.findRockRidge(root); err != nil {
		return nil, err
	}
	if joliet != nil && !fs.rockRidge {
		if other, root := isoVolume(d, joliet); other.block != 0 {
			other.joliet = true
			return root, nil
		}
	}
	return root, nil
}

func isoVolume(d *disk, descriptor []byte) (*iso, *isoNode) {
	fs := &iso{disk: d, block: int64(le.Uint16(descriptor[128:]))}
	root := isoRecord(descriptor[156:190])
	return fs, &isoNode{fs: fs, mode: directory, extents: []extent{fs.extent(root)}}
}

// findRockRidge looks at the root's record of itself: an SP entry says that
// there are system use entries, and PX that these are Rock Ridge.
func (fs *iso) findRockRidge(root *isoNode) error {
	self, err := fs.self(root.extents[0].at)
	if err != nil {
		return err
	}
	area := self.systemUse()
	for _, skip := range []int{0, 14} { // CD-ROM XA has 14 bytes of its own first
		if len(area) < skip+7 || string(area[skip:skip+2]) != "SP" || area[skip+4] != 0xbe || area[skip+5] != 0xef {
			continue
		}
		fs.skip = int(area[skip+6])
		return fs.entries(area[skip:], func(signature string, _ []byte) error {
			fs.rockRidge = fs.rockRidge || signature == "PX"
			return nil
		})
	}
	return nil
}

// self is the first record of the directory at an offset, its own.
func (fs *iso) self(at int64) (isoRecord, error) {
	b, err := fs.disk.bytes(at, isoSector)
	if err != nil {
		return nil, err
	}
	r := isoRecord(b[:b[0]])
	if !r.valid() || !bytes.Equal(r.name(), []byte{0}) {
		return nil, damaged("an ISO 9660 directory that does not begin with itself")
	}
	return r, nil
}

// isoRecord is a directory record (ECMA-119 9.1).
type isoRecord []byte

func (r isoRecord) valid() bool         { return len(r) >= 34 && 33+int(r[32]) <= len(r) }
func (r isoRecord) name() []byte        { return r[33 : 33+int(r[32])] }
func (r isoRecord) isDirectory() bool   { return r[25]&0x02 != 0 }
func (r isoRecord) isContinued() bool   { return r[25]&0x80 != 0 } // the next record is the same file's
func (r isoRecord) isInterleaved() bool { return r[26] != 0 }

// systemUse is the area after the name, which is padded to an even length.
func (r isoRecord) systemUse() []byte {
	end := 33 + int(r[32])
	return r[min(end+end%2, len(r)):]
}

func (fs *iso) systemUse(r isoRecord) []byte {
	area := r.systemUse()
	return area[min(fs.skip, len(area)):]
}

// extent is where the contents are, after the extended attributes.
func (fs *iso) extent(r isoRecord) extent {
	return extent{(int64(le.Uint32(r[2:])) + int64(r[1])) * fs.block, int64(le.Uint32(r[10:]))}
}

// entries calls visit for each system use entry of an area and of the areas
// that it continues in (SUSP 4.1, 5.1), with the bytes after its header.
func (fs *iso) entries(area []byte, visit func(signature string, data []byte) error) error {
	for range 64 { // continuation areas
		var next []byte
		for len(area) >= 4 {
			length := int(area[2])
			if length < 4 || string(area[:2]) == "ST" {
				break // the end, or padding
			}
			if length > len(area) {
				return damaged("a system use entry of %d bytes in %d", length, len(area))
			}
			signature, data := string(area[:2]), area[4:length]
			area = area[length:]
			if signature == "CE" && len(data) >= 24 {
				next = data
			} else if err := visit(signature, data); err != nil {
				return err
			}
		}
		if next == nil {
			return nil
		}
		size := int64(le.Uint32(next[16:]))
		if size > isoSector*16 {
			return damaged("a system use area of %d bytes", size)
		}
		var err error
		area, err = fs.disk.bytes(int64(le.Uint32(next))*fs.block+int64(le.Uint32(next[8:])), size)
		if err != nil {
			return err
		}
	}
	return damaged("system use areas without end")
}

// isoNode is what one or more directory records say of a file.
type isoNode struct {
	fs      *iso
	mode    kind
	extents []extent
	target  string // of a link
	odd     error  // why it can't be read, if so
}

func (n *isoNode) kind() kind { return n.mode }

func (n *isoNode) size() (sum int64) {
	if n.mode == link {
		return int64(len(n.target))
	}
	for _, e := range n.extents {
		sum += e.length
	}
	return sum
}

func (n *isoNode) contents() (io.Reader, error) {
	switch {
	case n.odd != nil:
		return nil, n.odd
	case n.mode == link:
		return strings.NewReader(n.target), nil
	}
	return &mapped{disk: n.fs.disk, next: inOrder(n.extents)}, nil
}

// lookup takes the name as it is before another one that differs only in case:
// plain ISO 9660 names are in capitals, and Linux shows them in small letters.
func (n *isoNode) lookup(name string) (node, error) {
	if n.odd != nil {
		return nil, n.odd
	}
	var exact, folded []isoRecord
	err := n.each(func(found string, records []isoRecord) bool {
		switch {
		case found == name:
			exact = records
		case folded == nil && !n.fs.rockRidge && strings.EqualFold(found, name):
			folded = records
		}
		return exact != nil
	})
	switch {
	case err != nil:
		return nil, err
	case exact == nil:
		exact = folded
	}
	if exact == nil {
		return nil, ErrNotFound
	}
	return orNone(n.fs.node(exact))
}

// each calls visit for the files of a directory until it returns true, with the
// record of each extent; records of a file with several stand in a row.
func (n *isoNode) each(visit func(name string, records []isoRecord) bool) error {
	var name string
	var records []isoRecord
	for _, e := range n.extents {
		for at := int64(0); at < e.length; at += isoSector {
			sector, err := n.fs.disk.bytes(e.at+at, min(isoSector, e.length-at))
			if err != nil {
				return err
			}
			for len(sector) > 0 && sector[0] != 0 { // no record crosses sectors
				length := int(sector[0])
				if length > len(sector) || !isoRecord(sector[:length]).valid() {
					return damaged("a directory record of %d bytes in %d", length, len(sector))
				}
				record := isoRecord(sector[:length])
				sector = sector[length:]
				if raw := record.name(); len(raw) == 1 && raw[0] <= 1 {
					continue // the directory itself and its parent
				}
				before := name
				if name, err = n.fs.name(record); err != nil {
					return err
				}
				if len(records) > 0 && name != before {
					return damaged("the last extent of a file is missing")
				}
				records = append(records, record)
				if record.isContinued() {
					continue
				}
				if visit(name, records) {
					return nil
				}
				records = nil
			}
		}
	}
	if len(records) > 0 {
		return damaged("the last extent of a file is missing")
	}
	return nil
}

var errStop = errors.New("seen enough")

// name is what a record calls its file: NM entries of Rock Ridge (RRIP 4.1.4)
// or the name itself. It looks no further, since what is wrong with one file
// must not hide the others: genisoimage writes nonsense for long targets.
func (fs *iso) name(r isoRecord) (string, error) {
	if fs.joliet {
		return plainName(ucs2(r.name(), be.Uint16)), nil
	}
	if !fs.rockRidge {
		return plainName(string(r.name())), nil
	}
	var name string
	err := fs.entries(fs.systemUse(r), func(signature string, data []byte) error {
		if signature != "NM" || len(data) < 1 {
			return nil
		}
		const more, special = 0x01, 0x06 // "." and ".."
		if data[0]&special == 0 {
			name += string(data[1:])
		}
		if data[0]&more == 0 || len(name) > maxTarget {
			return errStop
		}
		return nil
	})
	if err != nil && err != errStop {
		return "", err
	}
	if name == "" {
		name = plainName(string(r.name()))
	}
	return name, nil
}

func (fs *iso) node(records []isoRecord) (*isoNode, error) {
	r := records[0]
	n := &isoNode{fs: fs, mode: regular}
	if r.isDirectory() {
		n.mode = directory
	}
	for _, r := range records {
		n.extents = append(n.extents, fs.extent(r))
		if r.isInterleaved() {
			n.odd = unsupported("an interleaved file")
		}
	}
	if !fs.rockRidge {
		return n, nil
	}
	return n, n.rockRidge(r)
}

// plainName is a name without its version and without the dot of an empty
// extension.
func plainName(s string) string {
	s, _, _ = strings.Cut(s, ";")
	return strings.TrimSuffix(s, ".")
}

func ucs2(b []byte, order func([]byte) uint16) string {
	u := make([]uint16, len(b)/2)
	for i := range u {
		u[i] = order(b[2*i:])
	}
	return string(utf16.Decode(u))
}

// rockRidge reads the POSIX side of a record (RRIP 4.1).
func (n *isoNode) rockRidge(r isoRecord) error {
	var target isoTarget
	err := n.fs.entries(n.fs.systemUse(r), func(signature string, data []byte) error {
		switch {
		case signature == "PX" && len(data) >= 8:
			if k := kindOf(le.Uint16(data)); k == link || k == other {
				n.mode = k
			}
		case signature == "SL" && len(data) >= 1:
			return target.add(data[1:])
		case signature == "CL" && len(data) >= 8:
			// The directory lies elsewhere, and only there is its size (4.1.5.1).
			self, err := n.fs.self(int64(le.Uint32(data)) * n.fs.block)
			if err != nil {
				return err
			}
			n.mode, n.extents = directory, []extent{n.fs.extent(self)}
		case signature == "ZF":
			n.odd = unsupported("a file compressed with zisofs")
		case signature == "SF":
			n.odd = unsupported("a sparse file of Rock Ridge")
		}
		return nil
	})
	n.target = target.text
	return err
}

// isoTarget puts the target of a link together (RRIP 4.1.3.1).
type isoTarget struct {
	text string
	open bool // the next component goes on where this one ended
}

func (t *isoTarget) add(components []byte) error {
	for len(components) > 0 {
		if len(components) < 2 || len(components) < 2+int(components[1]) {
			return damaged("a symbolic link with half a component")
		}
		flags, text := components[0], string(components[2:2+components[1]])
		components = components[2+components[1]:]
		switch {
		case flags&0x02 != 0:
			text = "."
		case flags&0x04 != 0:
			text = ".."
		case flags&0x08 != 0: // the root; xorriso writes it for "//" too
			t.text += "/"
			continue
		}
		if t.text != "" && !t.open && !strings.HasSuffix(t.text, "/") {
			t.text += "/"
		}
		t.text += text
		t.open = flags&0x01 != 0
		if len(t.text) > maxTarget {
			return damaged("a symbolic link of more than %d bytes", maxTarget)
		}
	}
	return nil
}
