package kernel

import (
	"encoding/binary"
	"errors"
	"io"

	"github.com/anchore/go-lzo"
)

// lzoBlock is the largest block that lzop makes, and that Linux unpacks.
const lzoBlock = 256 << 10

var errLZO = errors.New("broken lzop header")

// lzop reads a file of the program lzop: a header, and blocks that are packed
// each for itself.
type lzop struct {
	r     io.Reader
	flags uint32
	block []byte // what is left of the current one
	err   error
}

// Flags of lzop: which checksums there are, and a filter.
const (
	lzoAdlerUnpacked = 0x1
	lzoAdlerPacked   = 0x2
	lzoCRCUnpacked   = 0x100
	lzoCRCPacked     = 0x200
	lzoFilter        = 0x800
)

func newLZO(r io.Reader) (*lzop, error) {
	z := &lzop{r: r}
	z.skip(9) // the magic
	version := z.number(2)
	z.skip(2) // version of the library
	if version >= 0x940 {
		z.skip(2) // version that is needed
	}
	z.skip(1) // method
	if version >= 0x940 {
		z.skip(1) // level
	}
	z.flags = z.number(4)
	if z.flags&lzoFilter != 0 {
		z.skip(4)
	}
	z.skip(8) // mode and time
	if version >= 0x940 {
		z.skip(4) // more of the time
	}
	z.skip(int64(z.number(1))) // name
	z.skip(4)                  // checksum
	return z, z.err
}

func (z *lzop) Read(p []byte) (int, error) {
	for len(z.block) == 0 {
		if z.next(); z.err != nil {
			return 0, z.err
		}
	}
	n := copy(p, z.block)
	z.block = z.block[n:]
	return n, nil
}

// next reads a block: its size, the size that it is packed to, checksums, and
// the data, which is not packed where that would not make it smaller.
func (z *lzop) next() {
	size := z.number(4)
	if z.err == nil && size == 0 {
		z.err = io.EOF
	}
	if z.err != nil {
		return
	}
	packed := z.number(4)
	for _, flag := range []uint32{lzoAdlerUnpacked, lzoCRCUnpacked} {
		if z.flags&flag != 0 {
			z.skip(4)
		}
	}
	if packed < size {
		for _, flag := range []uint32{lzoAdlerPacked, lzoCRCPacked} {
			if z.flags&flag != 0 {
				z.skip(4)
			}
		}
	}
	if z.err == nil && (size > lzoBlock || packed > size || packed == 0) {
		z.err = errLZO
	}
	if z.err != nil {
		return
	}
	data := make([]byte, packed)
	if _, z.err = io.ReadFull(z.r, data); z.err != nil {
		return
	}
	if packed == size {
		z.block = data
		return
	}
	z.block = make([]byte, size)
	var n int
	if n, z.err = lzo.Decompress(data, z.block); z.err == nil && n != len(z.block) {
		z.err = errLZO
	}
}

// number is the next of the header's numbers, of one, two or four bytes.
func (z *lzop) number(bytes int) uint32 {
	var b [4]byte
	if z.err == nil {
		_, z.err = io.ReadFull(z.r, b[4-bytes:])
	}
	return binary.BigEndian.Uint32(b[:])
}

func (z *lzop) skip(bytes int64) {
	if z.err == nil {
		_, z.err = io.CopyN(io.Discard, z.r, bytes)
	}
}
