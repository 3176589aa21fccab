package oracle

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Typed is what is typed on the machine's serial line once a text has been shown
// there since the keys before.
type Typed struct{ After, Keys string }

// quiet is how long the machine has to have written nothing before keys are
// typed: it loses some of those that come while it writes.
const quiet = 300 * time.Millisecond

// serialFile is the socket of the machine's serial line.
func serialFile(dir string) string { return filepath.Join(dir, "serial") }

// typist is who sits at the serial line.
type typist struct {
	conn net.Conn
	mu   sync.Mutex
	left []Typed
	seen bytes.Buffer // since the last keys
}

// sitDown has the case's keys typed on the machine's serial line, until the
// machine is gone.
func (m *machine) sitDown(typed []Typed) (*typist, error) {
	conn, err := net.Dial("unix", serialFile(m.dir))
	if err != nil {
		return nil, err
	}
	t := &typist{conn: conn, left: typed}
	go t.work()
	return t, nil
}

func (t *typist) work() {
	defer t.conn.Close()
	buffer := make([]byte, 4096)
	for {
		t.conn.SetReadDeadline(time.Now().Add(quiet))
		n, err := t.conn.Read(buffer)
		t.mu.Lock()
		t.seen.Write(buffer[:n])
		t.mu.Unlock()
		if err == nil {
			continue
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return
		}
		if _, err := t.conn.Write([]byte(t.next())); err != nil {
			return
		}
	}
}

// next are the keys that are due.
func (t *typist) next() (keys string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.left) == 0 || !strings.Contains(t.seen.String(), t.left[0].After) {
		return ""
	}
	keys = t.left[0].Keys
	t.left = t.left[1:]
	t.seen.Reset()
	return keys
}

// waiting is an error where a text that keys wait for was not shown.
func (t *typist) waiting() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.left) == 0 {
		return nil
	}
	return fmt.Errorf("%q was not shown on the serial line; it shows %q", t.left[0].After, t.seen.String())
}
