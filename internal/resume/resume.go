// Package resume writes a file once that comes in pieces, of which some come
// again.
package resume

import (
	"hash/crc32"
	"io"
)

// sums tell a file that was changed meanwhile, which is an accident: who wants to
// mislead can send another file at once. CPUs have an instruction for this one.
var sums = crc32.MakeTable(crc32.Castagnoli)

// Writer stands between a file that may have to be asked for once more and who
// takes it. What comes again is compared, and not written again.
type Writer struct {
	w       io.Writer
	changed error
	overlap int

	n    int64  // bytes written
	sum  uint32 // of all of them
	last []byte // of them, overlap at most

	left        int64 // to compare
	again, want uint32
}

// New is a Writer to w that fails with that error where what comes again is not
// what was there. A file may come again from its beginning, or from so many bytes
// before its end.
func New(w io.Writer, overlap int, changed error) *Writer {
	return &Writer{w: w, overlap: overlap, changed: changed}
}

// Written is how many bytes w has.
func (r *Writer) Written() int64 { return r.n }

// From is where the file may be asked for again.
func (r *Writer) From() int64 { return r.n - int64(len(r.last)) }

// Restart is told where the bytes begin that come now: at 0, or at From.
func (r *Writer) Restart(begin int64) {
	r.left, r.again, r.want = r.n-begin, 0, r.sum
	if begin > 0 {
		r.want = crc32.Update(0, sums, r.last)
	}
}

func (r *Writer) Write(p []byte) (written int, err error) {
	if r.left > 0 {
		written = int(min(r.left, int64(len(p))))
		r.again = crc32.Update(r.again, sums, p[:written])
		r.left -= int64(written)
		p = p[written:]
		if r.left == 0 && r.again != r.want {
			return written, r.changed
		}
	}
	if len(p) == 0 {
		return written, nil
	}
	n, err := r.w.Write(p)
	r.n += int64(n)
	r.sum = crc32.Update(r.sum, sums, p[:n])
	last := p[max(0, n-r.overlap):n]
	kept := copy(r.last, r.last[max(0, len(r.last)+len(last)-r.overlap):])
	r.last = append(r.last[:kept], last...)
	return written + n, err
}

// Again says whether bytes that came before are still to come again. At the end
// of the file it is shorter then than it was.
func (r *Writer) Again() bool { return r.left > 0 }
