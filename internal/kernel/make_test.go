package kernel

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/gopxeboot/gopxeboot/internal/kernel/fake"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"github.com/klauspost/compress/zstd"
)

var linuxNotes = fake.Notes(true, true)

var linuxXen = &Xen{
	Entry: fake.Entry, Entry32: fake.Entry32, Version: "xen-3.0", PAE: "yes",
}

// code is what looks like x86 code to a filter: many calls and jumps, some
// of them in each other's operands.
func code(size int) []byte {
	rnd := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, size)
	for i := range b {
		if b[i] = byte(rnd.IntN(16)); b[i] > 3 {
			b[i] = []byte{0, 0xff, 0xe8, 0xe9}[b[i]&3]
		}
	}
	return b
}

// pack packs as the build of Linux does, with the unpacked size behind it.
func pack(t testing.TB, c Compression, data []byte) []byte {
	t.Helper()
	var packed []byte
	switch c {
	case None:
		return data
	case Gzip:
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		w.Write(data)
		w.Close()
		return b.Bytes()
	case Bzip2:
		packed = run(t, data, "bzip2", "-9")
	case LZMA:
		packed = run(t, data, "xz", "--format=lzma", "-0")
	case XZ:
		packed = run(t, data, "xz", "--check=crc32", "--x86", "--lzma2=dict=1MiB")
	case LZO:
		packed = packLZO(data)
	case LZ4:
		packed = run(t, data, "lz4", "-l", "-9", "-c")
	case Zstd:
		w, err := zstd.NewWriter(nil, zstd.WithWindowSize(zstd.MaxWindowSize>>2))
		if err != nil {
			t.Fatal(err)
		}
		packed = w.EncodeAll(data, nil)
	}
	return binary.LittleEndian.AppendUint32(packed, uint32(len(data)))
}

// run is what a program makes of its input.
func run(t testing.TB, input []byte, name string, args ...string) []byte {
	t.Helper()
	cmd := labtest.Program(t, name, args...)
	cmd.Stdin = bytes.NewReader(input)
	output, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v", name, strings.Join(args, " "), err)
	}
	return output
}

// packLZO is what lzop could write: a block that is as it was, and then
// blocks of literals, whose end is one byte that is repeated by a match.
func packLZO(data []byte) []byte {
	b := []byte("\x89LZO\x00\r\n\x1a\n")
	b = append(b, 0x10, 0x30, 0x20, 0xa0, 0x09, 0x40, 3, 9)
	b = append(b, 0, 0, 0, lzoAdlerUnpacked|lzoAdlerPacked)
	b = append(b, make([]byte, 12)...)
	b = append(b, 2, 'v', 'm', 0, 0, 0, 0)
	block := func(size int, packed []byte) {
		b = binary.BigEndian.AppendUint32(b, uint32(size))
		b = binary.BigEndian.AppendUint32(b, uint32(len(packed)))
		b = append(b, 0, 0, 0, 0)
		if len(packed) < size {
			b = append(b, 0, 0, 0, 0)
		}
		b = append(b, packed...)
	}
	first := min(len(data), lzoBlock)
	block(first, data[:first])
	for rest := data[first:]; len(rest) > 0; {
		n := min(len(rest), lzoBlock)
		if packed := literals(rest[:n]); len(packed) < n {
			block(n, packed)
		} else {
			block(n, rest[:n])
		}
		rest = rest[n:]
	}
	return append(b, 0, 0, 0, 0)
}

// literals packs with LZO1X what ends with the same byte many times.
func literals(data []byte) []byte {
	last := data[len(data)-1]
	plain := bytes.TrimRight(data, string([]byte{last}))
	plain = data[:len(plain)+1] // the one that is repeated
	repeat := len(data) - len(plain)
	if repeat < 600 || len(plain) < 300 {
		return data
	}
	number := func(b []byte, n int) []byte {
		for ; n > 255; n -= 255 {
			b = append(b, 0)
		}
		return append(b, byte(n))
	}
	b := number([]byte{0}, len(plain)-18) // literals: 3 and 15 more than this
	b = append(b, plain...)
	b = number(append(b, 0x20), repeat-2-31) // a match, one byte back
	return append(b, 0, 0, 0x11, 0, 0)
}
