package image

import (
	"bytes"
	"io"
)

// Features that change how a file is read (fs/ext4/ext4.h); those beside them
// only matter to whoever writes, or are refused.
const (
	extFileType   = 0x2
	extRecover    = 0x4 // the journal has more; it is not replayed
	extExtents    = 0x40
	ext64Bit      = 0x80
	extMMP        = 0x100
	extFlexGroups = 0x200
	extEAInode    = 0x400
	extSeed       = 0x2000
	extLargeDir   = 0x4000
	extInlineData = 0x8000
	extEncrypt    = 0x10000 // read as far as a file is not encrypted
	extCaseFold   = 0x20000

	extReadable = extFileType | extRecover | extExtents | ext64Bit | extMMP | extFlexGroups |
		extEAInode | extSeed | extLargeDir | extInlineData | extEncrypt | extCaseFold
)

// ext is an ext2, ext3 or ext4 file system.
type ext struct {
	disk           *disk
	block          int64
	descriptors    int64 // offset of the group descriptors
	descriptorSize int64
	wide           bool // 64 bits: descriptors have upper halves
	inodes         uint32
	inodesPerGroup uint32
	inodeSize      int64
}

const extRoot = 2 // inode of the root

func openExt(d *disk) (node, error) {
	if !d.has("\x53\xef", 1024+56) {
		return nil, nil
	}
	super, err := d.bytes(1024, 1024)
	if err != nil {
		return nil, err
	}
	fs := &ext{
		disk: d, descriptorSize: 32, inodeSize: 128,
		inodes: le.Uint32(super), inodesPerGroup: le.Uint32(super[40:]),
	}
	shift := le.Uint32(super[24:])
	if shift > 6 || fs.inodesPerGroup == 0 || fs.inodes < extRoot {
		return nil, damaged("an ext superblock that can't be")
	}
	fs.block = 1024 << shift
	fs.descriptors = (1024/fs.block + 1) * fs.block // after the superblock's
	if le.Uint32(super[76:]) > 0 {                  // a revision with features
		features := le.Uint32(super[96:])
		if unknown := features &^ extReadable; unknown != 0 {
			return nil, unsupported("ext4 with feature %#x", unknown)
		}
		fs.inodeSize = int64(le.Uint16(super[88:]))
		if fs.wide = features&ext64Bit != 0; fs.wide {
			fs.descriptorSize = int64(le.Uint16(super[254:]))
		}
	}
	if fs.inodeSize < 128 || fs.inodeSize > fs.block || fs.descriptorSize < 32 || fs.wide && fs.descriptorSize < 64 {
		return nil, damaged("an ext superblock that can't be")
	}
	return orNone(fs.inode(extRoot))
}

type extInode struct {
	fs  *ext
	raw []byte
}

func (fs *ext) inode(number uint32) (*extInode, error) {
	if number == 0 || number > fs.inodes {
		return nil, damaged("inode %d of %d", number, fs.inodes)
	}
	group, index := (number-1)/fs.inodesPerGroup, (number-1)%fs.inodesPerGroup
	descriptor, err := fs.disk.bytes(fs.descriptors+int64(group)*fs.descriptorSize, min(64, fs.descriptorSize))
	if err != nil {
		return nil, err
	}
	table := int64(le.Uint32(descriptor[8:]))
	if fs.wide {
		table |= int64(le.Uint32(descriptor[40:])) << 32
	}
	at, err := fs.at(table)
	if err != nil {
		return nil, err
	}
	raw, err := fs.disk.bytes(at+int64(index)*fs.inodeSize, fs.inodeSize)
	return &extInode{fs, raw}, err
}

// at is the offset of a block.
func (fs *ext) at(block int64) (int64, error) {
	if block < 0 || block > fs.disk.size/fs.block {
		return 0, damaged("block %d is outside", block)
	}
	return block * fs.block, nil
}

func (n *extInode) kind() kind    { return kindOf(le.Uint16(n.raw)) }
func (n *extInode) flags() uint32 { return le.Uint32(n.raw[32:]) }
func (n *extInode) pointers() []byte {
	return n.raw[40:100] // i_block: block numbers, an extent tree or the contents
}

func (n *extInode) size() int64 {
	size := int64(le.Uint32(n.raw[4:]))
	if n.kind() == regular || n.kind() == directory && n.flags()&extFlagExtents != 0 {
		size |= int64(le.Uint32(n.raw[108:])) << 32
	}
	return size
}

const (
	extFlagCompressed = 0x4
	extFlagEncrypted  = 0x800
	extFlagExtents    = 0x80000
	extFlagInline     = 0x10000000
)

func (n *extInode) contents() (io.Reader, error) {
	flags := n.flags()
	switch {
	case flags&extFlagEncrypted != 0:
		return nil, unsupported("an encrypted file")
	case flags&extFlagCompressed != 0:
		return nil, unsupported("a file compressed by e2compr")
	case flags&extFlagInline != 0:
		return io.MultiReader(bytes.NewReader(n.pointers()), bytes.NewReader(n.inlineRest())), nil
	case n.kind() == link && n.size() < 60:
		return bytes.NewReader(n.pointers()), nil
	case flags&extFlagExtents != 0:
		return &mapped{disk: n.fs.disk, next: n.extentAt}, nil
	}
	return &mapped{disk: n.fs.disk, next: n.blocksAt}, nil
}

// inlineRest is what of inline data did not fit into i_block: the attribute
// "data" of name space "system", within the inode.
func (n *extInode) inlineRest() []byte {
	if len(n.raw) < 132 {
		return nil
	}
	start := 128 + int(le.Uint16(n.raw[128:]))
	if start+4 > len(n.raw) || le.Uint32(n.raw[start:]) != 0xea020000 {
		return nil
	}
	values := n.raw[start+4:] // entries, and the values behind them
	for entry := values; len(entry) >= 16 && le.Uint32(entry) != 0; {
		length := int(entry[0])
		offset, size := int64(le.Uint16(entry[2:])), int64(le.Uint32(entry[8:]))
		if length > len(entry)-16 {
			return nil
		}
		if entry[1] == 7 && string(entry[16:16+length]) == "data" && le.Uint32(entry[4:]) == 0 && offset+size <= int64(len(values)) {
			return values[offset : offset+size]
		}
		entry = entry[min(len(entry), 16+(length+3)&^3):]
	}
	return nil
}

// extentAt goes down the extent tree in i_block. Levels count down to 0, where
// the extents are.
func (n *extInode) extentAt(offset int64) (extent, error) {
	const entrySize, maxLevel = 12, 5
	block := offset / n.fs.block
	within := offset % n.fs.block
	end := int64(1) << 32 // of what this part of the tree speaks of
	tree := n.pointers()
	for above := maxLevel + 1; ; {
		entries, level := int(le.Uint16(tree[2:])), int(le.Uint16(tree[6:]))
		if le.Uint16(tree) != 0xf30a || level >= above || entries > len(tree)/entrySize-1 {
			return extent{}, damaged("an extent tree that is none")
		}
		above = level
		// The last one that does not start after block.
		var entry []byte
		for i := range entries {
			next := tree[entrySize*(i+1):]
			if first := int64(le.Uint32(next)); first > block {
				end = min(end, first)
				break
			}
			entry = next
		}
		switch {
		case entry == nil:
			return extent{hole, (end-block)*n.fs.block - within}, nil
		case level > 0:
			at, err := n.fs.at(int64(le.Uint32(entry[4:])) | int64(le.Uint16(entry[8:]))<<32)
			if err != nil {
				return extent{}, err
			}
			if tree, err = n.fs.disk.bytes(at, n.fs.block); err != nil {
				return extent{}, err
			}
			continue
		}
		first, count := int64(le.Uint32(entry)), int64(le.Uint16(entry[4:]))
		unwritten := count > 32768
		if unwritten {
			count -= 32768
		}
		if block >= first+count {
			return extent{hole, (end-block)*n.fs.block - within}, nil
		}
		length := (first+count-block)*n.fs.block - within
		if unwritten {
			return extent{hole, length}, nil
		}
		at, err := n.fs.at(int64(le.Uint32(entry[8:])) | int64(le.Uint16(entry[6:]))<<32)
		return extent{at + (block-first)*n.fs.block + within, length}, err
	}
}

// blocksAt finds the block at an offset by the numbers in i_block, and how many
// after it lie in a row.
func (n *extInode) blocksAt(offset int64) (extent, error) {
	const most = 256
	block, within := offset/n.fs.block, offset%n.fs.block
	first, err := n.blockAt(block)
	if err != nil {
		return extent{}, err
	}
	count := int64(1)
	for first != 0 && count < most {
		next, err := n.blockAt(block + count)
		if err != nil || next != first+count {
			break // an error comes again, if it matters
		}
		count++
	}
	if first == 0 {
		return extent{hole, n.fs.block - within}, nil
	}
	at, err := n.fs.at(first)
	return extent{at + within, count*n.fs.block - within}, err
}

// blockAt is the number of a file's block, 0 for a hole. The first 12 are in
// i_block, the others behind it by one, two or three steps.
func (n *extInode) blockAt(block int64) (int64, error) {
	const direct = 12
	if block < direct {
		return int64(le.Uint32(n.pointers()[4*block:])), nil
	}
	block -= direct
	perBlock := n.fs.block / 4
	reach := perBlock
	for step := range 3 {
		if block >= reach {
			block -= reach
			reach *= perBlock
			continue
		}
		number := int64(le.Uint32(n.pointers()[4*(direct+step):]))
		for reach > 1 && number != 0 {
			reach /= perBlock
			at, err := n.fs.at(number)
			if err != nil {
				return 0, err
			}
			p, err := n.fs.disk.bytes(at+block/reach*4, 4)
			if err != nil {
				return 0, err
			}
			number = int64(le.Uint32(p))
			block %= reach
		}
		return number, nil
	}
	return 0, damaged("a file larger than block numbers reach")
}

// lookup reads all of a directory: the first block of an index looks like a
// directory, and its other blocks like one without entries.
func (n *extInode) lookup(name string) (node, error) {
	r, err := n.contents()
	if err != nil {
		return nil, err
	}
	block := n.fs.block
	rest := n.size()
	if n.flags()&extFlagInline != 0 {
		// The parent's number, entries to the end of i_block; entries again.
		if _, err := io.CopyN(io.Discard, r, 4); err != nil {
			return nil, short(err)
		}
		block, rest = 56, rest-4
	}
	for rest > 0 {
		b := make([]byte, min(block, rest))
		if _, err := io.ReadFull(r, b); err != nil {
			return nil, short(err)
		}
		number, err := extFind(b, name)
		if err != nil {
			return nil, err
		}
		if number != 0 {
			return orNone(n.fs.inode(number))
		}
		rest -= int64(len(b))
		block = n.fs.block
	}
	return nil, ErrNotFound
}

// extFind returns the inode of a name in a block of a directory, 0 without.
func extFind(b []byte, name string) (uint32, error) {
	for len(b) >= 8 {
		length := int(le.Uint16(b[4:]))
		if length == 0 && len(b) == 1<<16 {
			length = len(b)
		}
		if length < 8 || length > len(b) || 8+int(b[6]) > length {
			return 0, damaged("a directory entry of %d bytes in %d", length, len(b))
		}
		number := le.Uint32(b)
		if number != 0 && string(b[8:8+int(b[6])]) == name {
			return number, nil
		}
		b = b[length:]
	}
	return 0, nil
}
