package image

import (
	"bytes"
	"errors"
	"io"
)

const (
	maxSquashBlock = 1 << 20
	squashMetadata = 8 << 10 // size of a block of inodes, directories or tables
	noFragment     = 1<<32 - 1
)

// squashfs is a squashfs 4.0 file system (Documentation/filesystems/squashfs.rst).
type squashfs struct {
	disk        *disk
	decompress  decompressor
	block       int64
	inodes      int64 // offsets of the tables
	directories int64
	fragments   int64
	fragmentsIn uint32 // how many

	metadata map[int64]squashBlock // what was decompressed last, by offset
}

type squashBlock struct {
	data []byte
	next int64 // offset of the block after it
}

func openSquashfs(d *disk) (node, error) {
	if !d.has("hsqs", 0) {
		return nil, nil
	}
	super, err := d.bytes(0, 96)
	if err != nil {
		return nil, err
	}
	if major, minor := le.Uint16(super[28:]), le.Uint16(super[30:]); major != 4 || minor != 0 {
		return nil, unsupported("squashfs %d.%d", major, minor)
	}
	fs := &squashfs{
		disk:        d,
		block:       int64(le.Uint32(super[12:])),
		fragmentsIn: le.Uint32(super[16:]),
		inodes:      int64(le.Uint64(super[64:])),
		directories: int64(le.Uint64(super[72:])),
		fragments:   int64(le.Uint64(super[80:])),
	}
	if fs.block < 4096 || fs.block > maxSquashBlock || fs.block != 1<<le.Uint16(super[22:]) {
		return nil, damaged("squashfs with blocks of %d bytes", fs.block)
	}
	if fs.decompress, err = decompressorOf(le.Uint16(super[20:])); err != nil {
		return nil, err
	}
	return orNone(fs.inode(le.Uint64(super[32:])))
}

// squashStream reads metadata, over the borders of its blocks.
type squashStream struct {
	fs   *squashfs
	next int64 // offset of the block after rest
	rest []byte
}

// stream begins at an offset within the block at another.
func (fs *squashfs) stream(block int64, offset uint16) (*squashStream, error) {
	s := &squashStream{fs: fs, next: block}
	_, err := s.take(int(offset))
	return s, err
}

// take reads n bytes, 64 KiB at most, which are not to be changed.
func (s *squashStream) take(n int) ([]byte, error) {
	if n <= len(s.rest) {
		p := s.rest[:n]
		s.rest = s.rest[n:]
		return p, nil
	}
	p := make([]byte, n)
	for done := 0; done < n; {
		if len(s.rest) == 0 {
			block, err := s.fs.metadataBlock(s.next)
			if err != nil {
				return nil, err
			}
			s.rest, s.next = block.data, block.next
		}
		m := copy(p[done:], s.rest)
		s.rest = s.rest[m:]
		done += m
	}
	return p, nil
}

func (fs *squashfs) metadataBlock(at int64) (squashBlock, error) {
	if err := fs.disk.charge(squashMetadata); err != nil {
		return squashBlock{}, err
	}
	if b, ok := fs.metadata[at]; ok {
		return b, nil
	}
	header, err := fs.disk.bytes(at, 2)
	if err != nil {
		return squashBlock{}, err
	}
	size := int64(le.Uint16(header) &^ 0x8000)
	raw := le.Uint16(header)&0x8000 != 0
	data, err := fs.unpack(at+2, size, raw, squashMetadata)
	if err == nil && len(data) == 0 {
		err = damaged("an empty block of metadata")
	}
	if err != nil {
		return squashBlock{}, err
	}
	if fs.metadata == nil || len(fs.metadata) == 64 {
		fs.metadata = make(map[int64]squashBlock)
	}
	b := squashBlock{data, at + 2 + size}
	fs.metadata[at] = b
	return b, nil
}

// unpack reads size bytes, which are at most limit when decompressed.
func (fs *squashfs) unpack(at, size int64, raw bool, limit int64) ([]byte, error) {
	if size > limit {
		return nil, damaged("%d bytes for a block of %d", size, limit)
	}
	data, err := fs.disk.bytes(at, size)
	if err != nil || raw {
		return data, err
	}
	data, err = fs.decompress(data, int(limit))
	switch {
	case errors.Is(err, ErrUnsupported):
		return nil, err
	case err != nil:
		return nil, damaged("decompress the block at %d: %v", at, err)
	}
	return data, nil
}

type squashNode struct {
	fs     *squashfs
	mode   kind
	length int64
	start  int64 // of the data, or of the block with the listing
	offset uint16
	rest   *squashStream // behind the inode: block sizes, a link's target

	fragment       uint32 // number of the block with the file's end
	fragmentOffset int64
}

func (n *squashNode) kind() kind  { return n.mode }
func (n *squashNode) size() int64 { return n.length }

// inode reads the inode that a reference points at: an offset in the table of
// inodes, and one in the block there.
func (fs *squashfs) inode(reference uint64) (*squashNode, error) {
	at := int64(reference>>16&0xffffffff) + fs.inodes
	s, err := fs.stream(at, uint16(reference))
	if err != nil {
		return nil, err
	}
	header, err := s.take(16)
	if err != nil {
		return nil, err
	}
	n := &squashNode{fs: fs, rest: s}
	sizes := map[uint16]int{1: 16, 2: 16, 3: 8, 8: 24, 9: 40, 10: 8} // of what follows
	number := le.Uint16(header)
	b, err := s.take(sizes[number])
	if err != nil {
		return nil, err
	}
	switch number {
	case 1: // a directory; its listing counts 3 bytes for "." and ".."
		n.mode = directory
		n.start, n.length, n.offset = int64(le.Uint32(b)), int64(le.Uint16(b[8:]))-3, le.Uint16(b[10:])
	case 8: // a large one
		n.mode = directory
		n.length, n.start, n.offset = int64(le.Uint32(b[4:]))-3, int64(le.Uint32(b[8:])), le.Uint16(b[18:])
	case 2: // a file
		n.mode = regular
		n.start, n.fragment = int64(le.Uint32(b)), le.Uint32(b[4:])
		n.fragmentOffset, n.length = int64(le.Uint32(b[8:])), int64(le.Uint32(b[12:]))
	case 9: // a large one
		n.mode = regular
		n.start, n.length = int64(le.Uint64(b)), int64(le.Uint64(b[8:]))
		n.fragment, n.fragmentOffset = le.Uint32(b[28:]), int64(le.Uint32(b[32:]))
	case 3, 10:
		n.mode = link
		n.length = int64(le.Uint32(b[4:]))
	}
	return n, nil
}

func (n *squashNode) contents() (io.Reader, error) {
	rest := *n.rest // a node may be read more than once
	if n.mode == link {
		target, err := rest.take(int(n.length)) // which readLink has bounded
		return bytes.NewReader(target), err
	}
	return &squashReader{node: n, sizes: &rest, at: n.start, left: n.length}, nil
}

// squashReader reads the blocks of a file and the fragment at its end.
type squashReader struct {
	node  *squashNode
	sizes *squashStream // of the blocks to come
	at    int64         // of the next one
	left  int64         // what is not in block yet
	block []byte
}

func (r *squashReader) Read(p []byte) (int, error) {
	if len(r.block) == 0 {
		if r.left == 0 {
			return 0, io.EOF
		}
		if err := r.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.block)
	r.block = r.block[n:]
	return n, nil
}

func (r *squashReader) fill() (err error) {
	fs := r.node.fs
	want := min(fs.block, r.left)
	if want < fs.block && r.node.fragment != noFragment {
		r.block, err = r.node.end(want)
	} else {
		var word []byte
		if word, err = r.sizes.take(4); err != nil {
			return err
		}
		size := int64(le.Uint32(word) &^ (1 << 24))
		if size == 0 {
			r.block = make([]byte, want)
		} else {
			r.block, err = fs.unpack(r.at, size, le.Uint32(word)&(1<<24) != 0, fs.block)
		}
		r.at += size
	}
	if err == nil && int64(len(r.block)) != want {
		err = damaged("a block of %d bytes instead of %d", len(r.block), want)
	}
	r.left -= want
	return err
}

// end is the last bytes of a file, in a block that it shares with others. The
// table of these has 512 entries a block, and is found by a list of its blocks.
func (n *squashNode) end(size int64) ([]byte, error) {
	fs := n.fs
	if n.fragment >= fs.fragmentsIn {
		return nil, damaged("fragment %d of %d", n.fragment, fs.fragmentsIn)
	}
	pointer, err := fs.disk.bytes(fs.fragments+int64(n.fragment/512)*8, 8)
	if err != nil {
		return nil, err
	}
	s, err := fs.stream(int64(le.Uint64(pointer)), uint16(n.fragment%512*16))
	if err != nil {
		return nil, err
	}
	entry, err := s.take(16)
	if err != nil {
		return nil, err
	}
	word := le.Uint32(entry[8:])
	block, err := fs.unpack(int64(le.Uint64(entry)), int64(word&^(1<<24)), word&(1<<24) != 0, fs.block)
	if err != nil {
		return nil, err
	}
	if n.fragmentOffset+size > int64(len(block)) {
		return nil, damaged("a fragment of %d bytes at %d of %d", size, n.fragmentOffset, len(block))
	}
	return block[n.fragmentOffset : n.fragmentOffset+size], nil
}

// lookup reads a listing: headers, each with up to 256 entries whose inodes are
// in one block.
func (n *squashNode) lookup(name string) (node, error) {
	if n.length <= 0 {
		return nil, ErrNotFound
	}
	s, err := n.fs.stream(n.start+n.fs.directories, n.offset)
	if err != nil {
		return nil, err
	}
	for left := n.length; left > 0; {
		header, err := s.take(12)
		if err != nil {
			return nil, err
		}
		left -= 12
		count := le.Uint32(header)
		if count >= 256 {
			return nil, damaged("%d entries under one header", count)
		}
		for range count + 1 {
			entry, err := s.take(8)
			if err != nil {
				return nil, err
			}
			text, err := s.take(int(le.Uint16(entry[6:])) + 1)
			if err != nil {
				return nil, err
			}
			left -= 8 + int64(len(text))
			if left < 0 {
				return nil, damaged("a directory longer than its size")
			}
			if string(text) != name {
				continue
			}
			return orNone(n.fs.inode(uint64(le.Uint32(header[4:]))<<16 | uint64(le.Uint16(entry))))
		}
	}
	return nil, ErrNotFound
}
