package tftpget

import (
	"errors"
	"hash/maphash"
	"io"
)

// errChanged is the end of a file that came in two versions.
var errChanged = errors.New("the file changed meanwhile")

// resumed is a writer for a file that may have to be asked for once more, from
// its beginning: TFTP has no other. What was written already is compared then,
// and not written again.
type resumed struct {
	w       io.Writer
	written int64
	sum     maphash.Hash // of that
	again   maphash.Hash // of as much of what came again
	left    int64        // bytes that are still to come again
}

func (r *resumed) Write(p []byte) (int, error) {
	old := p[:min(r.left, int64(len(p)))]
	if len(old) > 0 {
		r.again.Write(old)
		if r.left -= int64(len(old)); r.left == 0 && r.again.Sum64() != r.sum.Sum64() {
			return 0, errChanged
		}
	}
	n, err := r.w.Write(p[len(old):])
	r.sum.Write(p[len(old):][:n])
	r.written += int64(n)
	return len(old) + n, err
}

// restart is said before the file comes again.
func (r *resumed) restart() {
	r.again.SetSeed(r.sum.Seed())
	r.left = r.written
}
