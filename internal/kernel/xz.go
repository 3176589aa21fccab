package kernel

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/ulikunitz/xz/lzma"
)

const xzMagic = "\xfd7zXZ\x00"

// Filters of a block (xz-file-format.txt, section 5.3).
const (
	filterX86   = 0x04
	filterLZMA2 = 0x21
)

// xz reads the first block of an xz file, which is all of a kernel: Linux
// packs itself in one. The library has no filter for x86 code, which kernels
// are always packed with; so the frame is read here, and the library gets
// what is inside. Checksums are left to the domain builder.
func (u *unpacked) xz(r io.Reader) (io.Reader, error) {
	// Magic, flags and their checksum, then the size of the block's header.
	var start [12 + 1]byte
	if _, err := io.ReadFull(r, start[:]); err != nil {
		return nil, err
	}
	if start[12] == 0 {
		return bytes.NewReader(nil), nil // an index and no block
	}
	header := make([]byte, 4*int(start[12])+3)
	if _, err := io.ReadFull(r, header); err != nil {
		return nil, err
	}
	fields := bytes.NewReader(header[1 : len(header)-4])
	for _, given := range []byte{0x40, 0x80} { // packed and unpacked size
		if header[0]&given != 0 {
			if _, err := binary.ReadUvarint(fields); err != nil {
				return nil, errXZ
			}
		}
	}
	isX86, start32, last := false, uint32(0), int(header[0]&3)
	for i := 0; i <= last; i++ {
		filter, err := binary.ReadUvarint(fields)
		length, err2 := binary.ReadUvarint(fields)
		if err != nil || err2 != nil || length > uint64(fields.Len()) {
			return nil, errXZ
		}
		properties := make([]byte, length)
		fields.Read(properties)
		switch {
		case filter == filterX86 && i < last && !isX86:
			isX86 = true
			if length == 4 {
				start32 = binary.LittleEndian.Uint32(properties)
			}
		case filter == filterLZMA2 && i == last && length == 1:
			size, err := lzma.DecodeDictCap(properties[0])
			if err != nil {
				return nil, errXZ
			}
			dictionary, err := u.dictionary(size)
			if err != nil {
				return nil, err
			}
			r, err = lzma.Reader2Config{DictCap: dictionary}.NewReader2(r)
			if err != nil {
				return nil, err
			}
		default:
			return nil, fmt.Errorf("unknown xz filter %#x", filter)
		}
	}
	if isX86 {
		return &x86{r: r, at: start32, buf: make([]byte, 0, 64<<10)}, nil
	}
	return r, nil
}

var errXZ = errors.New("broken xz header")
