package boot

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/fetch"
)

const (
	maxHeld = 8               // of the 64 descriptors that the child may have
	heldFor = 3 * time.Second // TFTP servers send a block again for 5 s and more

	// A server that serves one file at a time answers no other while one is held.
	heldAlone = time.Second
)

// holds are files that a script has looked at, by their URLs. Their transfers go on
// where they boot, so that they are asked for once.
type holds struct {
	mu    sync.Mutex
	files map[string]held // nil keeps none
}

type held struct {
	*fetch.File
	cancel context.CancelFunc
	since  time.Time
}

// Close ends the transfer.
func (h held) Close() error {
	defer h.cancel()
	return h.File.Close()
}

// add keeps a file that may boot, if there is room.
func (s *holds) add(url string, h held, may bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, twice := s.files[url]; !may || twice || s.files == nil || len(s.files) >= maxHeld {
		h.Close()
		return
	}
	s.files[url] = h
}

// take is the file of a URL, for as long as ctx lasts; nil where it has to be asked
// for.
func (s *holds) take(ctx context.Context, url string) source {
	s.mu.Lock()
	defer s.mu.Unlock()
	h, ok := s.files[url]
	delete(s.files, url)
	switch {
	case !ok:
		return nil
	case time.Since(h.since) > heldFor:
		h.Close()
		return nil
	}
	context.AfterFunc(ctx, h.cancel)
	return h
}

// stop closes all, and keeps no more.
func (s *holds) stop() {
	s.keep()
	s.mu.Lock()
	s.files = nil
	s.mu.Unlock()
}

// keep closes all but those URLs.
func (s *holds) keep(urls ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for url, h := range s.files {
		if !slices.Contains(urls, url) {
			h.Close()
			delete(s.files, url)
		}
	}
}
