package kernel

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/ulikunitz/xz/lzma"
)

// Compression is how a kernel is packed.
type Compression string

// What Linux can be packed with, and the domain builder of Xen unpacks; but
// see Info.NeedsXen.
const (
	None  Compression = ""
	Gzip  Compression = "gzip"
	Bzip2 Compression = "bzip2"
	LZMA  Compression = "lzma"
	XZ    Compression = "xz"
	LZO   Compression = "lzo"
	LZ4   Compression = "lz4"
	Zstd  Compression = "zstd"
)

// compressionOf tells by the first bytes, as boot.rst lists them.
func compressionOf(head []byte) Compression {
	for _, c := range []struct {
		magic string
		Compression
	}{
		{"\x1f\x8b", Gzip}, {"BZh", Bzip2}, {"\x5d\x00\x00", LZMA}, {xzMagic, XZ},
		{"\x89LZO", LZO}, {"\x02\x21\x4c\x18", LZ4}, {"\x28\xb5\x2f\xfd", Zstd},
	} {
		if bytes.HasPrefix(head, []byte(c.magic)) {
			return c.Compression
		}
	}
	return None
}

var errTooLarge = fmt.Errorf("%w: %d MiB", errLimit, maxUnpacked>>20)

// unpacked is what is in a compressed file. It is read best from the front to
// the back: to go back is to unpack again, which is done a few times only.
type unpacked struct {
	packed      *io.SectionReader
	compression Compression
	size        int64 // of what is inside, 0 if not known
	window      int64 // of xz and LZMA, once it is opened

	stream io.Reader
	at     int64
	opened int
}

// ReadAt reads at any place of the unpacked file.
func (u *unpacked) ReadAt(p []byte, offset int64) (int, error) {
	if offset+int64(len(p)) > maxUnpacked {
		return 0, errTooLarge
	}
	if u.stream == nil || offset < u.at {
		if u.opened++; u.opened > 4 {
			return 0, fmt.Errorf("%w: its parts are in no order", errLimit)
		}
		u.at = 0
		var err error
		if u.stream, err = u.open(); err != nil {
			return 0, err
		}
	}
	skipped, err := io.CopyN(io.Discard, u.stream, offset-u.at)
	u.at += skipped
	if err != nil {
		return 0, err
	}
	n, err := io.ReadFull(u.stream, p)
	u.at += int64(n)
	if err == io.ErrUnexpectedEOF {
		err = io.EOF // of ReaderAt
	}
	return n, err
}

func (u *unpacked) open() (io.Reader, error) {
	r := bufio.NewReaderSize(io.NewSectionReader(u.packed, 0, u.packed.Size()), 64<<10)
	switch u.compression {
	case None:
		return r, nil
	case Gzip:
		z, err := gzip.NewReader(r)
		if err == nil {
			z.Multistream(false) // what follows is no one's, as for zlib
		}
		return z, err
	case Bzip2:
		return bzip2.NewReader(r), nil
	case LZMA:
		return u.lzma(r)
	case XZ:
		return u.xz(r)
	case LZO:
		return newLZO(r)
	case LZ4:
		return lz4.NewReader(r), nil
	case Zstd:
		d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, err
		}
		return d, nil
	}
	return nil, fmt.Errorf("unknown compression %q", u.compression)
}

// lzma reads the format that there was before xz: properties, dictionary
// size, unpacked size (all ones: not known), stream.
func (u *unpacked) lzma(r io.Reader) (io.Reader, error) {
	header := make([]byte, 13)
	if _, err := io.ReadFull(r, header); err != nil {
		return nil, err
	}
	dictionary, err := u.dictionary(int64(binary.LittleEndian.Uint32(header[1:])))
	if err != nil {
		return nil, err
	}
	binary.LittleEndian.PutUint32(header[1:], uint32(dictionary))
	return lzma.NewReader(io.MultiReader(bytes.NewReader(header), r))
}

// dictionary is the size of a dictionary that is enough: nothing refers to
// what is before the beginning, so it needs not be larger than what is packed.
func (u *unpacked) dictionary(size int64) (int, error) {
	if size > maxWindow {
		return 0, fmt.Errorf("a dictionary of %d MiB is more than %d", size>>20, maxWindow>>20)
	}
	u.window = size
	if u.size > 0 {
		size = min(size, u.size)
	}
	return int(max(size, lzma.MinDictCap)), nil
}
