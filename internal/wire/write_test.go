package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// udp makes a frame of so many bytes.
func udp(size int, from, to uint16, tagged bool) []byte {
	b := make([]byte, 0, size)
	b = append(b, toAll+guest...)
	if tagged {
		b = append(b, 0x81, 0, 0, 7)
	}
	b = append(b, 8, 0, 0x45, 0)
	b = append(b, make([]byte, 7)...)
	b = append(b, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2)
	b = binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(b, from), to)
	return append(b, make([]byte, size-len(b))...)
}

// A large transfer is cut behind its beginning, and another one begins whole.
func TestWriterCuts(t *testing.T) {
	for _, tagged := range []bool{false, true} {
		var file bytes.Buffer
		w, err := NewWriter(&file, MaxFile)
		if err != nil {
			t.Fatal(err)
		}
		w.whole -= wholeFile // as after a large kernel
		write := func(frame []byte) {
			if err := w.Write(began, frame); err != nil {
				t.Fatal(err)
			}
		}
		for range 50 {
			write(udp(1500, 69, 2000, tagged))
		}
		write(udp(1500, 69, 2001, tagged))
		write([]byte(arp))
		var got []int
		for p, err := range ReadCapture(&readerAt{file.Bytes()}) {
			if err != nil {
				t.Fatal(err)
			}
			if n := len(got); n >= 2 && got[n-2] == len(p.Data) {
				got[n-1]++
				continue
			}
			got = append(got, len(p.Data), 1)
			if p.Length != 1500 && p.Length != 18 {
				t.Errorf("a length of %d", p.Length)
			}
		}
		// Pairs of size and count.
		if diff := cmp.Diff([]int{1500, 44, 256, 6, 1500, 1, 18, 1}, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

// The file ends in time, and says so.
func TestWriterIsBounded(t *testing.T) {
	var file countingWriter
	w, err := NewWriter(&file, MaxFile)
	if err != nil {
		t.Fatal(err)
	}
	frame := bytes.Repeat([]byte{1}, 64<<10)
	const more = 5
	for range MaxFile/len(frame) + more - 1 {
		if err := w.Write(began, frame); err != nil {
			t.Fatal(err)
		}
	}
	if file > MaxFile || file < MaxFile-2*countingWriter(len(frame)) {
		t.Errorf("%d bytes are written", file)
	}
	if w.Lost() != more {
		t.Errorf("%d frames are lost, want %d", w.Lost(), more)
	}
}

func TestWriterFails(t *testing.T) {
	if _, err := NewWriter(brokenWriter{}, MaxFile); !errors.Is(err, errBroken) {
		t.Errorf("error %v", err)
	}
	w := &Writer{w: brokenWriter{}, room: MaxFile, flows: map[flow]int{}}
	if err := w.Write(began, []byte(arp)); !errors.Is(err, errBroken) {
		t.Errorf("error %v", err)
	}
	if err := w.Write(began, []byte(arp)); err != nil || w.Lost() != 1 {
		t.Errorf("error %v again, and %d lost", err, w.Lost())
	}
}

var errBroken = errors.New("no space left")

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

type countingWriter int

func (c *countingWriter) Write(b []byte) (int, error) {
	*c += countingWriter(len(b))
	return len(b), nil
}

type readerAt struct{ data []byte }

func (r *readerAt) ReadAt(b []byte, offset int64) (int, error) {
	return bytes.NewReader(r.data).ReadAt(b, offset)
}
