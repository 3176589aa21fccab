package tftpget

import (
	"encoding/binary"
	"errors"
	"io"
	"math/bits"
	"slices"
	"time"
)

// receiver takes a file in, in windows of blocks (RFC 7440); without that
// option a window is one block.
//
// A block that is ahead of its turn is kept. What makes us acknowledge is the
// end of a window, a gap in it, and silence; a block that was there before
// never does, so that no packet of ours begets two of theirs ("sorcerer's
// apprentice", RFC 1123 section 4.2.3.1).
type receiver struct {
	socket socket
	terms
	timeout  time.Duration // the longest wait before a packet is sent again
	patience time.Duration // how long nothing new may come

	rtt    rtt
	again  int           // how often in a row the last ACK was sent again after silence
	repeat bool          // the next block tells nothing of the round trip
	sentAt time.Time     // when it was sent
	newAt  time.Time     // when the last new block came
	pause  time.Duration // the usual time between the blocks of a window

	// Blocks count from 1, and on beyond 65535.
	next  int64 // the first that is missing
	acked int64
	last  int64 // the one that ends the file; 0 while that is not known
	skew  int64 // how many numbers the server left out when it went on from 65535 to 1
	ahead int   // blocks that came while next was missing
	gap   int64 // the block that the last ACK asked for again

	base    int64  // the block at the buffer's start
	buffer  []byte // room for a header, and then for blocks
	have    []bool // for the blocks from next on, by number modulo window
	lastLen int    // length in bytes of the last block

	trial     bool // smaller blocks could be asked for
	fragments bool // the network cuts the blocks up
	repeats   int  // of the server's first packet, while there was nothing new
	lost      int  // how often there was silence
	lostLate  int  // and how often that, or a block that the server sent again, since lateAt
	lateAt    time.Time
	cuts      int // windows whose end did not come
	cutBlocks int // and the blocks of them that did
	counts    *counts
}

// A window is given up for a smaller one within the first of them, while
// nothing was written that would have to be taken back.
const trialWindows = 4

// A server that repeats its first packet so often and for so long, while all that
// time it is acknowledged, hears nothing on the port that it sends from: a firewall
// is before that. tftpd-hpa repeats it after 1, 3 and 7 s.
const (
	unheardRepeats = 3
	unheardTime    = 6 * time.Second
)

// Reasons to ask for the file once more, on other terms.
var (
	errTooWide  = errors.New("the window is too wide for the network")
	errTooLarge = errors.New("blocks of that size do not arrive")
	errLossy    = errors.New("too many blocks of that size get lost")
)

const (
	// A block size is given up when its first block did not come for this
	// many ACKs, which is 750 ms on a LAN.
	trialACKs = 4

	// The largest blocks are given up when two of the first ones were lost.
	// With 45 fragments in each, one lost in a hundred is every third block.
	trialBlocks = 16

	// Later they are given up before this machine stops to put any together.
	// Linux keeps what came of a block for 30 s (net.ipv4.ipfrag_time), and
	// has room for the remains of some 45 of the largest (ipfrag_high_thresh,
	// 4 MiB); one frame lost in a thousand leaves them in a second.
	lateBlocks = 16
	lateTime   = 30 * time.Second
)

func newReceiver(s socket, t terms, o options, measured rtt, c *counts) *receiver {
	room := max((trialWindows+1)*t.window*t.blockSize, 128<<10)
	if t.window == 1 {
		room = max((trialBlocks+1)*t.blockSize, 128<<10)
	}
	return &receiver{
		socket: s, terms: t, timeout: o.timeout, patience: o.patience(), rtt: measured, counts: c,
		next: 1, base: 1, buffer: make([]byte, headLen+room), have: make([]bool, t.window),
	}
}

// run receives the file into w, in order. It begins with the ACK of the OACK,
// or with the first block where the server agreed to no options. The last
// block is acknowledged when w has taken it.
func (r *receiver) run(w io.Writer, first []byte) error {
	now := r.socket.now()
	r.newAt, r.sentAt = now, now
	if first == nil {
		r.ack(now)
	} else {
		r.take(1, first, now)
	}
	expected := r.next // the block that will likely come, read to where it belongs
	for {
		if r.last > 0 && r.next > r.last {
			return r.finish(w)
		}
		if r.next > r.acked+int64(r.window) { // the whole window is here
			r.ack(now)
		}
		if r.worthWriting() {
			// The server is sending meanwhile.
			if err := r.flush(w); err != nil {
				return err
			}
			now = r.writtenSince(now)
		}
		if expected < r.next || expected >= r.next+int64(r.window) || r.have[expected%int64(r.window)] {
			expected = r.next
		}
		head, payload, n, err := r.receive(expected, r.wait(now))
		now = r.socket.now()
		switch {
		case errors.Is(err, errQuiet):
			if r.wait(now) > 0 {
				continue
			}
			if err := r.silence(now); err != nil {
				return err
			}
			continue
		case err != nil:
			return err
		case n < headLen:
			continue
		}
		switch binary.BigEndian.Uint16(head[:]) {
		case opERROR:
			return parseError(append(head[2:], payload...))
		case opOACK:
			r.repeated(r.next == 1)
		case opDATA:
			if n <= headLen+r.blockSize {
				block := r.number(binary.BigEndian.Uint16(head[2:]))
				r.repeated(block == 1 && r.next == 2)
				r.take(block, payload, now)
				expected = block + 1
			}
		}
		switch {
		case r.repeats >= unheardRepeats && now.Sub(r.newAt) >= unheardTime:
			return ErrUnheard
		case r.windowTooLarge():
			return errTooWide
		case r.fragments && r.lostLate >= lateBlocks*maxBlockSize/r.blockSize:
			return errLossy
		}
	}
}

// receive reads a packet so that its payload is where that block belongs. The
// header overwrites the end of the block before for a moment.
func (r *receiver) receive(block int64, wait time.Duration) (head [headLen]byte, payload []byte, n int, err error) {
	begin := int(block-r.base) * r.blockSize
	p := r.buffer[begin : begin+headLen+r.blockSize]
	var before [headLen]byte
	copy(before[:], p)
	n, err = r.socket.receive(p, wait)
	copy(head[:], p)
	copy(p, before[:])
	return head, p[headLen:max(min(n, len(p)), headLen)], n, err
}

// number is the block that a packet's 16 bits mean.
func (r *receiver) number(wire uint16) int64 {
	block := r.next + int64(int16(wire-uint16(r.next+r.skew)))
	// Some servers have no block 0 but the first. In lock-step none can be
	// lost between two.
	if r.window == 1 && wire == 1 && r.next > 1 && uint16(r.next+r.skew) == 0 {
		r.skew++
		return r.next
	}
	return block
}

// repeated counts how often the server's first packet came again.
func (r *receiver) repeated(first bool) {
	if first {
		r.repeats++
	}
}

// place is where a block belongs.
func (r *receiver) place(block int64) []byte {
	begin := headLen + int(block-r.base)*r.blockSize
	return r.buffer[begin : begin+r.blockSize]
}

// room is how many bytes there are from the first missing block on.
func (r *receiver) room() int {
	return len(r.buffer) - headLen - int(r.next-r.base)*r.blockSize
}

// worthWriting says whether to write now what there is. It is soon done with
// little at a time, and the server need not wait for us; but the first windows
// are kept, while silence may yet make them smaller.
func (r *receiver) worthWriting() bool {
	const little = 64 << 10
	written := r.base > 1
	return r.room() < r.window*r.blockSize ||
		written && r.acked == r.next-1 && int(r.next-r.base)*r.blockSize >= little
}

// take takes a block in, if it is a new one of this window.
func (r *receiver) take(block int64, payload []byte, now time.Time) {
	if block < r.next || block >= r.next+int64(r.window) {
		return
	}
	if !r.have[block%int64(r.window)] {
		if len(payload) < r.blockSize && (r.last == 0 || block < r.last) {
			r.last, r.lastLen = block, len(payload)
		}
		copy(r.place(block), payload)
		r.have[block%int64(r.window)] = true
		r.counts.last.Store(now.UnixNano())
		r.counts.blocks.Add(1)
		r.noteDelay(now)
	}
	if block > r.next {
		r.missed(block, now)
		return
	}
	for r.have[r.next%int64(r.window)] {
		r.have[r.next%int64(r.window)] = false
		r.next++
	}
	r.ahead = 0
}

// noteDelay notes the time that an answer took, or a block of a window after the
// other.
func (r *receiver) noteDelay(now time.Time) {
	switch {
	case r.newAt.After(r.sentAt):
		r.pause += (now.Sub(r.newAt) - r.pause) / 8
	case !r.repeat: // else it may answer either (Karn)
		r.rtt.sample(now.Sub(r.sentAt))
	}
	if r.again == 0 && now.Sub(r.sentAt) >= max(leastWait*3/4, 2*r.rtt.smooth) {
		r.lostBlock(now) // the server has sent it again by itself, see terms
	}
	r.again = 0
	r.newAt = now
}

// missed asks again for a block that others have overtaken: three of them, as
// TCP has it, since networks change the order of packets; or the window's
// last, after which no other will. It does so once, for the server sends all
// from there on.
func (r *receiver) missed(block int64, now time.Time) {
	r.ahead++
	if r.gap != r.next && (r.ahead >= 3 || block == r.acked+int64(r.window)) {
		r.askAgain(now)
	}
}

func (r *receiver) askAgain(now time.Time) {
	r.counts.retransmits.Add(1)
	if r.gap != r.next {
		r.counts.lost.Add(1)
	}
	r.gap = r.next
	r.ack(now)
	r.repeat = true
}

// wait is how long there is until the network has been silent for too long.
//
// The rest of a window follows at once, or never. To ask for it too early costs
// one ACK, and no more than once a window, as the probe for a lost tail does in
// RFC 8985; to wait for the end of patience would cost more than the window.
// But what comes within a round trip of an ACK may be left of the window before.
func (r *receiver) wait(now time.Time) time.Duration {
	if r.window == 1 || !r.newAt.After(r.sentAt) {
		return r.sentAt.Add(r.rtt.patience(r.again, r.timeout)).Sub(now)
	}
	most := r.rtt.patience(0, r.timeout)
	least := leastPause
	if r.base == 1 {
		least = trialPause
	}
	until := r.newAt.Add(min(max(8*r.pause, least), most))
	if answer := r.sentAt.Add(min(2*r.rtt.smooth, most)); until.Before(answer) {
		until = answer
	}
	return until.Sub(now)
}

func (r *receiver) silence(now time.Time) error {
	r.lost++
	switch {
	case now.Sub(r.newAt) >= r.patience:
		return ErrTimeout
	case r.trial && r.again >= trialACKs && (r.fragments || r.next == 1 && r.ahead == 0):
		return errTooLarge // also later: this machine may have stopped to put any together
	case r.fragments && r.blockSize > mediumBlock && r.base == 1 && r.next > 1 && r.lost >= 2:
		return errLossy
	}
	if r.again == 0 {
		r.lostBlock(now)
	}
	if r.newAt.After(r.sentAt) && r.ahead == 0 {
		r.cuts++
		r.cutBlocks += int(r.next - 1 - r.acked)
	}
	r.again++
	r.askAgain(now)
	return nil
}

// lostBlock counts those of the last lateTime, roughly.
func (r *receiver) lostBlock(now time.Time) {
	if now.Sub(r.lateAt) >= lateTime {
		r.lateAt, r.lostLate = now, 0
	}
	r.lostLate++
}

// windowTooLarge tells whether a smaller window would do better: each time so far,
// its end was lost, as in a switch that has no room for that many packets. What
// is lost here and there is better made up for in a large window, where what
// follows shows it.
func (r *receiver) windowTooLarge() bool {
	return r.window > 1 && r.base == 1 && r.cuts > trialWindows/2 && r.narrower() < r.window
}

// narrower is a window that would have come through whole.
func (r *receiver) narrower() int {
	return 1 << (bits.Len(uint(max(r.cutBlocks/r.cuts, 1))) - 1)
}

func (r *receiver) ack(now time.Time) {
	r.acked = r.next - 1
	r.sentAt = now
	r.ahead = 0
	r.repeat = false
	// What can't be sent is a packet lost; the network's own words, if there
	// are any, come with the next receive.
	_ = r.socket.send(ackPacket(r.acked + r.skew))
}

// flush writes what there is in order.
func (r *receiver) flush(w io.Writer) error {
	n := int(r.next-r.base) * r.blockSize
	if n == 0 {
		return nil
	}
	blocks := r.buffer[headLen:]
	if err := r.write(w, blocks[:n]); err != nil {
		return err
	}
	if slices.Contains(r.have, true) {
		copy(blocks, blocks[n:min(n+r.window*r.blockSize, len(blocks))])
	}
	r.base = r.next
	return nil
}

// writtenSince stops the clocks for as long as the writer took: the server has
// not been silent meanwhile, only not heard. How long its answer took, no one
// knows then.
func (r *receiver) writtenSince(begin time.Time) (now time.Time) {
	now = r.socket.now()
	took := now.Sub(begin)
	r.repeat = r.repeat || took > leastPause
	r.sentAt, r.newAt = r.sentAt.Add(took), r.newAt.Add(took)
	return now
}

// write repeats the last ACK for as long as w takes. A disk can be busy for
// longer than a server has patience, and with windows we ask it to have little.
func (r *receiver) write(w io.Writer, p []byte) error {
	if r.window > 1 {
		defer r.socket.repeat(ackPacket(r.acked+r.skew), windowTimeout/2)()
	}
	_, err := w.Write(p)
	return err
}

func (r *receiver) finish(w io.Writer) error {
	if n := int(r.last-r.base)*r.blockSize + r.lastLen; n > 0 {
		if err := r.write(w, r.buffer[headLen:headLen+n]); err != nil {
			return err
		}
	}
	r.ack(r.socket.now())
	return nil
}
