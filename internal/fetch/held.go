package fetch

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"sync"
)

// Hold downloads the first bytes of a file, most at most, and all of it where more
// says so of them: limit bytes then. The transfer waits for WriteTo, which has the
// file from its beginning, or for Close.
func (f *File) Hold(most int, more func(head []byte) bool, limit int64) ([]byte, error) {
	h := &held{ctx: f.ctx, most: most, more: more, limit: limit, full: make(chan struct{}), to: make(chan io.Writer, 1), ended: make(chan struct{})}
	f.held = h
	go func() {
		defer close(h.ended)
		h.n, h.err = f.download(h)
	}()
	select {
	case <-h.full:
		return h.head.Bytes(), nil
	case <-h.ended:
		h.whole = h.err == nil
		return h.head.Bytes(), h.err
	}
}

// held stands between a download and who may want it.
type held struct {
	ctx   context.Context
	most  int
	more  func(head []byte) bool // says that all of it is wanted; nil never does
	limit int64                  // bytes then

	head  bytes.Buffer
	whole bool           // the head is all there is
	full  chan struct{}  // closed when there is more than the head
	to    chan io.Writer // who takes it; closed for no one
	drops sync.Once
	w     io.Writer // that was in to

	ended chan struct{} // the download has
	n     int64
	err   error
}

// Write is the download's.
func (h *held) Write(p []byte) (int, error) {
	if h.w != nil {
		return h.w.Write(p)
	}
	if h.more != nil && h.head.Len()+len(p) >= h.most && h.more(append(bytes.Clone(h.head.Bytes()), p...)) {
		h.most, h.more = math.MaxInt, nil
	}
	if h.most == math.MaxInt && h.limit > 0 && int64(h.head.Len()+len(p)) > h.limit {
		return 0, fmt.Errorf("%w: more than %d bytes", ErrTooBig, h.limit)
	}
	n, _ := h.head.Write(p[:min(len(p), h.most-h.head.Len())])
	if h.head.Len() < h.most {
		return n, nil
	}
	close(h.full)
	select {
	case h.w = <-h.to:
	case <-h.ctx.Done():
		return n, h.ctx.Err()
	}
	if h.w == nil {
		return n, context.Canceled
	}
	if _, err := h.w.Write(h.head.Bytes()); err != nil {
		return n, err
	}
	rest, err := h.w.Write(p[n:])
	return n + rest, err
}

// release lets the download go on into w.
func (h *held) release(w io.Writer) (int64, error) {
	if h.whole {
		n, err := w.Write(h.head.Bytes())
		return int64(n), err
	}
	h.to <- w
	<-h.ended
	return h.n, h.err
}

// drop ends the download.
func (h *held) drop() {
	h.drops.Do(func() { close(h.to) })
	<-h.ended
}
