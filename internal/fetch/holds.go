package fetch

import (
	"context"
	"slices"
	"sync"
	"time"
)

const (
	maxHeld = 8               // of the 64 descriptors that a boot's child may have
	heldFor = 3 * time.Second // TFTP servers send a block again for 5 s and more

	// A server that serves one file at a time answers no other while one is held.
	heldAlone = time.Second
)

// Holds are files that a script has looked at, by their URLs. Their transfers go on
// where they boot, so that they are asked for once.
type Holds struct {
	mu    sync.Mutex
	files map[string]hold // nil keeps none
}

type hold struct {
	*File
	since time.Time
}

// Begin has some kept; before it, none is.
func (s *Holds) Begin() { s.files = map[string]hold{} }

// ReadHead is the client's, and keeps a file of which may says so by its content.
func (s *Holds) ReadHead(ctx context.Context, c *Client, link string, most int, more func(head []byte) bool, limit int64, may func(content []byte) bool) (content []byte, at string, err error) {
	ctx, cancel := context.WithCancel(ctx)
	unanswered := time.AfterFunc(heldAlone, s.stop)
	f, content, at, err := c.Hold(ctx, link, most, more, limit)
	unanswered.Stop()
	if err != nil {
		cancel()
		return content, at, err
	}
	f.cancel = cancel
	s.add(at, f, may(content))
	return content, at, nil
}

// add keeps a file that may boot, if there is room.
func (s *Holds) add(url string, f *File, may bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, twice := s.files[url]; !may || twice || s.files == nil || len(s.files) >= maxHeld {
		f.Close()
		return
	}
	s.files[url] = hold{f, time.Now()}
}

// Take is the file of a URL, for as long as ctx lasts; nil where it has to be asked
// for.
func (s *Holds) Take(ctx context.Context, url string) *File {
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
	return h.File
}

// stop closes all, and keeps no more.
func (s *Holds) stop() {
	s.Keep()
	s.mu.Lock()
	s.files = nil
	s.mu.Unlock()
}

// Keep closes all but those URLs.
func (s *Holds) Keep(urls ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for url, h := range s.files {
		if !slices.Contains(urls, url) {
			h.Close()
			delete(s.files, url)
		}
	}
}
