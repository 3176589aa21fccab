package tftpget

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"
	"time"
)

// atftpd sends as the server of that name does, version 0.8.0: it looks for an
// ACK after each block, and when ACKs do not name the end of a window it pauses
// after each block. That makes it the server for which loss is dearest.
type atftpd struct {
	most time.Duration // of the pause: its timeout / 1000 / the window

	pause  time.Duration
	sent   int64 // the last block sent
	acked  int64
	blocks int // sent of this window
	early  int // ACKs since the end of the last window
	asleep bool
}

// selectSlack is how much longer than asked for Linux lets it pause.
const selectSlack = 55 * time.Microsecond

// next sends a block, when there is time for it.
func (a *atftpd) next(n *network) {
	if a.asleep { // its patience has ended
		a.sent, a.blocks = a.acked, 0
	}
	a.sent++
	a.blocks++
	n.sendBlock(a.sent, n.clock)
	if a.asleep = a.blocks >= n.terms.window || a.sent == n.blocks(); a.asleep {
		n.wait()
		return
	}
	a.rest(n)
}

func (a *atftpd) rest(n *network) {
	if a.pause > 0 {
		n.pause(max(a.pause+selectSlack, n.block))
	} else {
		n.pause(n.block)
	}
}

func (a *atftpd) acknowledged(n *network, p []byte) {
	if binary.BigEndian.Uint16(p) != opACK {
		return
	}
	block := a.sent + int64(int16(binary.BigEndian.Uint16(p[2:])-uint16(a.sent)))
	if a.asleep || a.sent == 0 {
		if a.pause > 0 && a.early == 0 {
			a.pause -= time.Microsecond
		}
		a.early = 0
	} else {
		a.early++
	}
	switch {
	case a.acked > block || a.early > 1:
		// It means to overlook this ACK, but reads the number of the block
		// to send next from the buffer that now holds the ACK. The window
		// does not begin anew.
		if !a.asleep {
			a.sent = block
			a.rest(n)
		}
		return
	case a.acked+int64(n.terms.window) != block && a.sent > 0 && a.sent < n.blocks() && a.pause < a.most:
		a.pause += 10 * time.Microsecond
	}
	a.acked, a.sent, a.blocks, a.asleep = block, block, 0, false
	if block < n.blocks() {
		a.next(n)
	}
}

// What loss costs, as a multiple of the time that it takes without. A good
// server begins again at the block that was lost: half a window each time.
func TestCostOfLoss(t *testing.T) {
	t.Parallel()
	content := pattern(4 << 20)
	took := func(t *testing.T, rtt time.Duration, lose float64, slow bool) (total time.Duration) {
		for seed := range uint64(3) {
			n := newNetwork(content, terms{blockSize: 1468, window: 64, size: -1}, seed)
			n.delay, n.lose, n.block = rtt/2, lose, 40*time.Microsecond // as on the wire of internal/bench
			if slow {
				n.atftpd = &atftpd{most: windowTimeout / 1000 / 64}
			}
			if got, err := run(t, n, patient); err != nil || !bytes.Equal(got, content) {
				t.Fatalf("%d bytes, %v", len(got), err)
			}
			total += n.clock.Sub(time.Unix(0, 0))
		}
		return total
	}
	for _, tt := range []struct {
		rtt          time.Duration
		lose         float64
		good, atftpd float64 // at most
	}{
		{100 * time.Microsecond, 0.001, 1.2, 2},
		{100 * time.Microsecond, 0.01, 1.6, 3},
		{time.Millisecond, 0.001, 1.2, 2},
		{time.Millisecond, 0.01, 1.6, 3},
		{10 * time.Millisecond, 0.001, 1.2, 1.5},
		{10 * time.Millisecond, 0.01, 1.6, 2},
	} {
		t.Run(fmt.Sprintf("%v, %g%%", tt.rtt, 100*tt.lose), func(t *testing.T) {
			for _, slow := range []bool{false, true} {
				most := tt.good
				if slow {
					most = tt.atftpd
				}
				cost := float64(took(t, tt.rtt, tt.lose, slow)) / float64(took(t, tt.rtt, 0, slow))
				t.Logf("atftpd %v: %.2f times", slow, cost)
				if cost > most {
					t.Errorf("atftpd %v: loss costs %.2f times the time without, want %v", slow, cost, most)
				}
			}
		})
	}
}

// While a writer takes its time, the server hears from us.
func TestSlowWriter(t *testing.T) {
	t.Parallel()
	const size = 1 << 20
	content := pattern(size)
	heard := make(chan struct{})
	s := serve(t, func(s *session) {
		s.oack("tsize", fmt.Sprint(size), "blksize", "1468", "windowsize", "64")
		last := uint16(65535)
		again, closed := 0, false
		for {
			p, err := s.next()
			if err != nil || binary.BigEndian.Uint16(p) != opACK {
				return
			}
			block := binary.BigEndian.Uint16(p[2:])
			if again++; block != last {
				again = 0
			}
			if last = block; again == 2 && !closed {
				close(heard)
				closed = true
			}
			if again > 0 {
				continue
			}
			for i := int(block); i < int(block)+64 && i <= size/1468; i++ {
				s.data(i+1, content[i*1468:min((i+1)*1468, size)])
			}
		}
	})
	f, err := (&Client{BlockSize: 1468}).Open(t.Context(), s.addr, "x")
	if err != nil {
		t.Fatal(err)
	}
	w := &slowWriter{until: heard}
	if _, err := f.WriteTo(w); err != nil || !bytes.Equal(w.Bytes(), content) {
		t.Errorf("%d bytes, %v", w.Len(), err)
	}
}

// slowWriter waits once.
type slowWriter struct {
	bytes.Buffer
	until <-chan struct{}
}

func (w *slowWriter) Write(p []byte) (int, error) {
	<-w.until
	return w.Buffer.Write(p)
}
