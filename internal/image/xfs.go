package image

import (
	"bytes"
	"errors"
	"io"
)

// xfs is an XFS file system, of version 4 or 5 (XFS Algorithms & Data
// Structures, 3rd edition).
type xfs struct {
	disk        *disk
	block       int64
	groups      uint64 // allocation groups
	groupBlocks uint64
	groupShift  uint // bits of a block's number within its group
	inodeSize   int64
	perBlock    uint  // bits of an inode's number within its block
	dirBlock    int64 // size of a directory's blocks
	version5    bool
	fileType    bool // directory entries have one
}

// xfsReadable is which incompatible features of version 5 change nothing here
// or are known: file types, sparse inodes, another uuid in metadata, times,
// large counts of extents, exchanged ranges and parent pointers.
const xfsReadable = 0x1 | 0x2 | 0x4 | 0x8 | 0x20 | 0x40 | 0x80

func openXFS(d *disk) (node, error) {
	if !d.has("XFSB", 0) {
		return nil, nil
	}
	super, err := d.bytes(0, 512)
	if err != nil {
		return nil, err
	}
	version := be.Uint16(super[100:]) & 0xf
	fs := &xfs{
		disk:        d,
		block:       int64(be.Uint32(super[4:])),
		groups:      uint64(be.Uint32(super[88:])),
		groupBlocks: uint64(be.Uint32(super[84:])),
		groupShift:  uint(super[124]),
		inodeSize:   int64(be.Uint16(super[104:])),
		perBlock:    uint(super[123]),
		version5:    version == 5,
		fileType:    version == 5 || be.Uint32(super[200:])&0x200 != 0,
	}
	shift, dirShift := super[120], super[192]
	switch features := be.Uint32(super[216:]); {
	case version != 4 && version != 5:
		return nil, unsupported("XFS of version %d", version)
	case fs.version5 && features&^xfsReadable != 0:
		return nil, unsupported("XFS with feature %#x", features&^xfsReadable)
	case shift < 9 || shift > 16 || fs.block != 1<<shift || dirShift > 16-shift ||
		fs.inodeSize < 256 || fs.inodeSize > fs.block || fs.inodeSize<<fs.perBlock != fs.block ||
		fs.groupShift > 31 || fs.groupBlocks > 1<<fs.groupShift:
		return nil, damaged("an XFS superblock that can't be")
	}
	fs.dirBlock = fs.block << dirShift
	return fs.node(be.Uint64(super[56:]))
}

func (fs *xfs) node(number uint64) (node, error) { return orNone(fs.inode(number)) }

// at is the offset of a block, whose number has its group in the upper bits.
func (fs *xfs) at(block uint64) (int64, error) {
	group, within := block>>fs.groupShift, block&(1<<fs.groupShift-1)
	if group >= fs.groups || within >= fs.groupBlocks {
		return 0, damaged("block %d is outside", block)
	}
	return int64(group*fs.groupBlocks+within) * fs.block, nil
}

type xfsInode struct {
	fs  *xfs
	raw []byte
}

func (fs *xfs) inode(number uint64) (*xfsInode, error) {
	at, err := fs.at(number >> fs.perBlock)
	if err != nil {
		return nil, err
	}
	raw, err := fs.disk.bytes(at+int64(number&(1<<fs.perBlock-1))*fs.inodeSize, fs.inodeSize)
	if err != nil {
		return nil, err
	}
	n := &xfsInode{fs, raw}
	if string(raw[:2]) != "IN" {
		return nil, damaged("inode %d is none", number)
	}
	return n, nil
}

func (n *xfsInode) kind() kind  { return kindOf(be.Uint16(n.raw[2:])) }
func (n *xfsInode) size() int64 { return int64(be.Uint64(n.raw[56:])) }

// fork is the data fork: the contents, the extents or the root of their tree.
// The attributes are behind it.
func (n *xfsInode) fork() []byte {
	start := 100
	if n.raw[4] >= 3 {
		start = 176
	}
	fork := n.raw[start:]
	if length := int(n.raw[82]) * 8; length > 0 {
		fork = fork[:min(length, len(fork))]
	}
	return fork
}

// Where the data is.
const (
	xfsLocal = 1 + iota
	xfsExtents
	xfsTree
)

func (n *xfsInode) format() byte { return n.raw[5] }

func (n *xfsInode) contents() (io.Reader, error) {
	realtime := be.Uint16(n.raw[90:])&1 != 0
	switch {
	case realtime && n.kind() == regular:
		return nil, unsupported("a file on XFS's realtime device")
	case n.format() == xfsLocal:
		return bytes.NewReader(n.fork()), nil
	case n.format() != xfsExtents && n.format() != xfsTree:
		return nil, damaged("an inode of format %d", n.format())
	}
	r := &mapped{disk: n.fs.disk, next: n.extentAt}
	if n.kind() == link && n.fs.version5 {
		return &xfsTarget{r: r, block: n.fs.block, left: n.size()}, nil
	}
	return r, nil
}

// xfsTarget reads the target of a link in blocks of its own, which have headers
// in version 5.
type xfsTarget struct {
	r     io.Reader
	block int64
	left  int64
	rest  []byte
}

func (t *xfsTarget) Read(p []byte) (int, error) {
	const header = 56
	if len(t.rest) == 0 {
		if t.left <= 0 {
			return 0, io.EOF
		}
		b := make([]byte, t.block)
		if _, err := io.ReadFull(t.r, b); err != nil {
			return 0, short(err)
		}
		if string(b[:4]) != "XSLM" {
			return 0, damaged("the target of a symbolic link without its magic")
		}
		t.rest = b[header:min(t.block, header+t.left)]
		t.left -= int64(len(t.rest))
	}
	n := copy(p, t.rest)
	t.rest = t.rest[n:]
	return n, nil
}

var errXFSTree = damaged("a tree of extents that is none")

const xfsRecord = 16 // size of an extent, and of a key with a pointer

// extentAt finds the extent at an offset: in the inode, or in the leaves of a
// tree whose root is there.
func (n *xfsInode) extentAt(offset int64) (extent, error) {
	fork := n.fork()
	if n.format() == xfsExtents {
		count := uint64(be.Uint32(n.raw[76:]))
		if n.raw[4] >= 3 && be.Uint64(n.raw[120:])&0x10 != 0 { // di_flags2: 64 bits of count
			count = be.Uint64(n.raw[24:])
		}
		if count > uint64(len(fork)/xfsRecord) {
			return extent{}, damaged("%d extents in an inode", count)
		}
		return n.fs.inLeaf(fork[:count*xfsRecord], offset, 1<<62)
	}
	return n.inTree(fork, offset)
}

// inTree goes down a tree of extents. Its root is like the other blocks, but
// for a header of level and count only.
func (n *xfsInode) inTree(tree []byte, offset int64) (extent, error) {
	header, childHeader, magic := 4, 24, "BMAP"
	if n.fs.version5 {
		childHeader, magic = 72, "BMA3"
	}
	if len(tree) < header {
		return extent{}, errXFSTree
	}
	level, count, end := be.Uint16(tree), int(be.Uint16(tree[2:])), int64(1)<<62
	for {
		most := (len(tree) - header) / xfsRecord
		if count > most {
			return extent{}, errXFSTree
		}
		if level == 0 {
			return n.fs.inLeaf(tree[header:header+count*xfsRecord], offset, end)
		}
		child := -1
		for i := range count {
			first := be.Uint64(tree[header+8*i:])
			if first >= 1<<46 {
				return extent{}, errXFSTree
			}
			if at := int64(first) * n.fs.block; at > offset {
				end = min(end, at)
				break
			}
			child = i
		}
		if child < 0 {
			return extent{hole, end - offset}, nil
		}
		at, err := n.fs.at(be.Uint64(tree[header+8*most+8*child:]))
		if err != nil {
			return extent{}, err
		}
		if tree, err = n.fs.disk.bytes(at, n.fs.block); err != nil {
			return extent{}, err
		}
		if string(tree[:4]) != magic || be.Uint16(tree[4:]) != level-1 {
			return extent{}, errXFSTree
		}
		level, count, header = level-1, int(be.Uint16(tree[6:])), childHeader
	}
}

// inLeaf finds the extent at an offset in a list of them; the list speaks of
// nothing from end on.
func (fs *xfs) inLeaf(records []byte, offset, end int64) (extent, error) {
	for ; len(records) > 0; records = records[xfsRecord:] {
		// Bits: 1 unwritten, 54 offset, 52 block, 21 count.
		high, low := be.Uint64(records), be.Uint64(records[8:])
		first, count := int64(high&^(1<<63)>>9), int64(low&(1<<21-1))
		if first >= 1<<46 { // 2^62 bytes in the largest blocks
			return extent{}, damaged("an extent at block %d of a file", first)
		}
		first, count = first*fs.block, count*fs.block
		switch {
		case offset < first:
			return extent{hole, min(first, end) - offset}, nil
		case offset >= first+count:
			continue
		case high>>63 != 0:
			return extent{hole, first + count - offset}, nil
		}
		at, err := fs.at(high&(1<<9-1)<<43 | low>>21)
		return extent{at + offset - first, first + count - offset}, err
	}
	return extent{hole, end - offset}, nil
}

// lookup reads the entries of a directory in the order that they are stored,
// without the index.
func (n *xfsInode) lookup(name string) (node, error) {
	if n.format() == xfsLocal {
		return n.lookupLocal(name)
	}
	r, err := n.contents()
	if err != nil {
		return nil, err
	}
	b := make([]byte, n.fs.dirBlock)
	for range n.size() / n.fs.dirBlock {
		if _, err := io.ReadFull(r, b); err != nil {
			return nil, short(err)
		}
		number, err := n.fs.findIn(b, name)
		if !errors.Is(err, ErrNotFound) {
			if err != nil {
				return nil, err
			}
			return n.fs.node(number)
		}
	}
	return nil, ErrNotFound
}

// findIn returns the inode of a name in a block of a directory.
func (fs *xfs) findIn(b []byte, name string) (uint64, error) {
	header := 16
	if fs.version5 {
		header = 64
	}
	switch string(b[:4]) {
	case "\x00\x00\x00\x00":
		return 0, ErrNotFound // a hole
	case "XD2D", "XDD3":
	case "XD2B", "XDB3": // the only block, with the index at its end
		index := int64(be.Uint32(b[len(b)-8:])) * 8
		if index > int64(len(b)-header-8) {
			return 0, damaged("a directory with an index of %d bytes", index)
		}
		b = b[:int64(len(b))-8-index]
	default:
		return 0, damaged("a block of a directory without its magic")
	}
	for b = b[header:]; len(b) > 0; {
		if len(b) < 8 {
			return 0, damaged("half a directory entry")
		}
		if be.Uint16(b) == 0xffff { // unused
			length := int(be.Uint16(b[2:]))
			if length < 8 || length > len(b) {
				return 0, damaged("%d unused bytes in a directory", length)
			}
			b = b[length:]
			continue
		}
		if len(b) < 9 {
			return 0, damaged("half a directory entry")
		}
		end := 9 + int(b[8])
		length := end + 2 // where the entry is in the block
		if fs.fileType {
			length++
		}
		length = (length + 7) &^ 7
		if length > len(b) {
			return 0, damaged("half a directory entry")
		}
		if string(b[9:end]) == name {
			return be.Uint64(b), nil
		}
		b = b[length:]
	}
	return 0, ErrNotFound
}

// lookupLocal looks into a directory that is within its inode.
func (n *xfsInode) lookupLocal(name string) (node, error) {
	b := n.fork()
	b = b[:max(0, min(n.size(), int64(len(b))))]
	if len(b) < 6 {
		return nil, damaged("a directory of %d bytes", len(b))
	}
	count, width := int(b[0]), 4 // of inode numbers
	if b[1] > 0 {
		width = 8
	}
	b = b[min(len(b), 2+width):] // counts and the parent
	for range count {
		if len(b) < 3 {
			return nil, damaged("half a directory entry")
		}
		end := 3 + int(b[0]) // length and place
		length := end + width
		if n.fs.fileType {
			length++
		}
		if length > len(b) {
			return nil, damaged("half a directory entry")
		}
		if string(b[3:end]) != name {
			b = b[length:]
			continue
		}
		number := b[length-width : length]
		if width == 4 {
			return n.fs.node(uint64(be.Uint32(number)))
		}
		return n.fs.node(be.Uint64(number))
	}
	return nil, ErrNotFound
}
