package image

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/ulikunitz/xz/lzma"
)

// decompressor decompresses one block of squashfs. It takes no more memory than
// some MiB whatever src says, and fails rather than return more than limit bytes.
type decompressor func(src []byte, limit int) ([]byte, error)

var errLimit = errors.New("larger than its block")

func decompressorOf(id uint16) (decompressor, error) {
	switch id {
	case 1:
		return gunzip, nil
	case 4:
		return unxz, nil
	case 5:
		return unlz4, nil
	case 6:
		d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxMemory(maxSquashBlock), zstd.WithDecoderMaxWindow(maxSquashBlock))
		if err != nil {
			return nil, err
		}
		return func(src []byte, limit int) ([]byte, error) {
			dst, err := d.DecodeAll(src, make([]byte, 0, limit))
			if len(dst) > limit {
				return nil, errLimit
			}
			return dst, err
		}, nil
	}
	return nil, unsupported("squashfs compressed by its method %d", id)
}

func gunzip(src []byte, limit int) ([]byte, error) {
	r, err := zlib.NewReader(bytes.NewReader(src))
	if err != nil {
		return nil, err
	}
	return readAll(r, limit)
}

func unlz4(src []byte, limit int) ([]byte, error) {
	dst := make([]byte, limit)
	n, err := lz4.UncompressBlock(src, dst)
	return dst[:max(0, n)], err
}

// readAll reads to the end, which makes r compare its checksum.
func readAll(r io.Reader, limit int) ([]byte, error) {
	dst := make([]byte, limit)
	n, err := io.ReadFull(r, dst)
	if err == nil {
		var more [1]byte
		switch m, err := io.ReadFull(r, more[:]); {
		case m > 0:
			return nil, errLimit
		case err != io.EOF:
			return nil, err
		}
	}
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		err = nil
	}
	return dst[:n], err
}

var errXZ = errors.New("not what xz writes")

// unxz decompresses an .xz file of one block with a CRC32, which is what
// squashfs has. Package xz would do more, but takes whatever memory the headers
// of blocks ask for.
func unxz(src []byte, limit int) ([]byte, error) {
	const streamHeader, footer = 12, 12
	if len(src) < streamHeader+footer+8 || string(src[:8]) != "\xfd7zXZ\x00\x00\x01" {
		return nil, errXZ
	}
	index := (int64(le.Uint32(src[len(src)-8:])) + 1) * 4
	header := src[streamHeader:]
	size := (int(header[0]) + 1) * 4
	check := int64(len(src)-footer) - index - 4
	if check < int64(streamHeader+size) {
		return nil, errXZ
	}
	// Flags, sizes that the flags announce, filters, padding and a CRC32.
	flags, rest := header[1], header[2:size]
	for bit := byte(0x40); bit != 0; bit <<= 1 {
		if flags&bit != 0 {
			_, n := binary.Uvarint(rest)
			rest = rest[max(0, n):]
		}
	}
	switch {
	case len(rest) < 3+4:
		return nil, errXZ
	case flags&0x3f != 0: // more than the last filter: for the machine code of a processor
		return nil, unsupported("squashfs made with -Xbcj")
	case rest[0] != 0x21 || rest[1] != 1:
		return nil, errXZ
	}
	// A dictionary larger than what comes out is of no use, whatever it says.
	r, err := lzma.Reader2Config{DictCap: max(limit, lzma.MinDictCap)}.NewReader2(bytes.NewReader(src[streamHeader+size : check]))
	if err != nil {
		return nil, err
	}
	dst, err := readAll(r, limit)
	if err == nil && crc32.ChecksumIEEE(dst) != le.Uint32(src[check:]) {
		err = errors.New("wrong checksum")
	}
	return dst, err
}
