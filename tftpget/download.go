package tftpget

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/resume"
)

const (
	// wholeFrame is the block that fills an Ethernet frame, and pxelinuxBlock
	// PXELINUX's own, which leaves room for tunnels.
	wholeFrame    = DefaultBlockSize
	pxelinuxBlock = 1408

	// largeBlock is what a server without windows is asked for when the file
	// is worth it: it then takes 1/45 of the round trips. Each block is cut
	// into fragments, and the first one shows whether they arrive: all blocks
	// make the same burst. mediumBlock is for where they do, but not well: six
	// fragments are lost less often together, and leave less behind.
	largeBlock  = maxBlockSize
	mediumBlock = 8192
	worthIt     = 1 << 20 // bytes
)

// download is a transfer with a receiver of our own.
type download struct {
	ctx     context.Context
	open    func() (requestSocket, error)
	name    string
	options options

	socket requestSocket
	asked  terms
	terms  terms  // as agreed
	first  []byte // the first block, where the server sent it instead of an OACK
	rtt    rtt
	took   time.Duration // from the first of the last requests to the answer

	counts *counts
}

func newDownload(ctx context.Context, server netip.AddrPort, name string, o options, counted *counts) *download {
	open := func() (requestSocket, error) { return dial(ctx, server, o.localAddr) }
	return &download{ctx: ctx, open: open, name: name, options: o, counts: counted}
}

// start asks for the file, on the best terms that the server agrees to.
func (d *download) start() error {
	o := d.options
	t := terms{blockSize: o.blockSize, window: o.window, size: -1, resend: firstResend}
	if t.window == 1 {
		t.resend = 0
		return d.ask(t)
	}
	if err := d.ask(t); err != nil {
		return err
	}
	for try := 0; try < mostMeasured && d.terms.resend > 0 && d.terms.window == 1 && d.rtt.smooth == 0; try++ {
		d.abort() // of a request or its answer that got lost
		if err := d.ask(t); err != nil {
			return err
		}
	}
	large := o.chooseBlock && d.first == nil && d.terms.window == 1 && d.terms.size >= worthIt && d.terms.blockSize == t.blockSize
	if !large && !d.resendsSooner() {
		return nil
	}
	d.abort()
	if t.resend = 0; d.terms.window == 1 { // it does not know windows
		t.window, t.resend = 1, time.Second
		if d.rtt.smooth > 0 {
			t.resend = d.rtt.patience(0, time.Second)
		}
	}
	if large {
		asked := t
		asked.blockSize = largeBlock
		err := d.ask(asked)
		if err == nil && d.terms.blockSize >= 2*t.blockSize {
			return nil
		}
		// It has a limit of its own. Two fragments for a block that is hardly
		// larger would be a bad deal.
		if err == nil {
			d.abort()
		}
	}
	return d.ask(t)
}

// mostMeasured is how often a server is asked again to know how quick it is: which of
// two requests was answered is not known. With one packet lost in ten, a file in 150
// is slow after that, for want of a measurement.
const mostMeasured = 2

// resendsSooner says whether the server agreed to send a block again sooner than our
// answer can be there, or a window, for which it needs a time of its own.
func (d *download) resendsSooner() bool {
	return d.terms.resend > 0 && (d.terms.window > 1 || d.rtt.smooth == 0 || d.rtt.smooth > d.terms.resend/2)
}

// ask sends the request until the server has agreed to something.
//
// A server that is silent may have thrown a request away whose options it does
// not know. So after two of each kind the next has fewer options: first the
// window goes, which PXE ROMs don't ask for, then all.
func (d *download) ask(asked terms) (err error) {
	if d.socket, err = d.open(); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			d.socket.close()
		}
	}()
	d.socket.fit(&asked)
	d.asked, d.first, d.rtt = asked, nil, rtt{}
	kinds := []terms{asked, {blockSize: asked.blockSize, window: 1, size: -1}, plainTerms}
	begin := d.socket.now()
	packet := make([]byte, 1500)
	for try := 0; ; try++ {
		sent := d.socket.now()
		if (try > d.options.retries || d.options.rarely()) && sent.Sub(begin) >= d.options.patience() {
			return ErrTimeout
		}
		if try > 0 {
			d.counts.retransmits.Add(1)
		}
		if err := d.socket.send(readRequest(d.name, kinds[min(try/2, len(kinds)-1)])); err != nil {
			return err
		}
		until := sent.Add(d.pause(try))
		if end := begin.Add(d.options.patience()); d.options.rarely() && until.After(end) {
			until = end
		}
		for now := sent; now.Before(until); now = d.socket.now() {
			n, err := d.socket.receive(packet, until.Sub(now))
			if errors.Is(err, errQuiet) {
				continue
			}
			if err != nil {
				return d.ctxErr(err)
			}
			answered, err := d.answer(packet[:min(n, len(packet))])
			if answered {
				d.took = d.socket.now().Sub(begin)
			}
			if answered && try == 0 {
				d.rtt.sample(d.took)
			}
			if answered || err != nil {
				return err
			}
		}
	}
}

// pause is how long to wait for an answer to a request. A server that we have
// long patience with may have all of our requests in a queue, and begin a
// transfer for each. So those come rarely, and when chance has it.
func (d *download) pause(try int) time.Duration {
	if !d.options.rarely() {
		pause := d.rtt.patience(try, d.options.timeout)
		if try == 0 { // so that it is known which request a server answers that is as late as before
			pause = max(pause, min(d.took+leastWait, 2*d.options.timeout))
		}
		return pause
	}
	pause := max(min(d.options.timeout<<min(try, 10), longestPause), d.options.timeout)
	return pause - rand.N(pause/4+1)
}

// longestPause is between two requests for the same file.
const longestPause = 8 * time.Second

// answer reads what may be the answer to a request.
func (d *download) answer(p []byte) (answered bool, err error) {
	if len(p) < 4 {
		return false, nil
	}
	switch binary.BigEndian.Uint16(p) {
	case opERROR:
		return false, parseError(p[2:])
	case opDATA:
		if binary.BigEndian.Uint16(p[2:]) != 1 || len(p)-4 > plainTerms.blockSize {
			return false, nil
		}
		d.terms, d.first = plainTerms, p[4:]
	case opOACK:
		if d.terms, err = parseOACK(p[2:], d.asked); err != nil {
			d.socket.connect()
			d.socket.send(errorPacket(8, err.Error()))
			return false, err
		}
	default:
		return false, nil
	}
	return true, d.socket.connect()
}

func (d *download) Size() int64                 { return d.terms.size }
func (d *download) agreed() (block, window int) { return d.terms.blockSize, d.terms.window }

// errChanged is the end of a file that came in two versions.
var errChanged = errors.New("the file changed meanwhile")

// WriteTo returns at once when the context ends. TFTP has no file but from its
// beginning.
func (d *download) WriteTo(w io.Writer) (int64, error) {
	size := d.terms.size
	file := resume.New(w, 0, errChanged)
	for {
		r := newReceiver(d.socket, d.terms, d.options, d.rtt, d.counts)
		r.trial = d.smallerBlock(false) > 0
		r.fragments = r.trial && d.terms.window == 1 && d.terms.blockSize > d.options.blockSize
		to := w
		if d.terms.window == 1 || file.Written() > 0 {
			to = file
		}
		err := r.run(to, d.first)
		if err == nil && file.Again() {
			err = errChanged
		}
		again := d.terms
		switch {
		case errors.Is(err, errTooWide):
			again.window = r.narrower()
		case errors.Is(err, errLossy):
			again.blockSize = d.smallerBlock(true)
		case errors.Is(err, errTooLarge):
			again.blockSize = d.smallerBlock(false)
		case errors.Is(err, ErrNoServer) && d.terms.resend > 0 && d.terms.resend < time.Second:
			// It gave us up, as tftp-hpa's does after 63 times as long, while w
			// took its time or the network was away.
			again.resend = time.Second
		default:
			if _, replied := errors.AsType[*serverError](err); err != nil && !replied {
				d.socket.send(errorPacket(0, errStopped.Error()))
			}
			d.socket.close()
			if errors.Is(err, ErrNoServer) {
				err = fmt.Errorf("%w: the server ended the transfer", ErrShort)
			}
			return 0, d.ctxErr(err)
		}
		d.abort()
		file.Restart(0)
		if err := d.ask(again); err != nil {
			if file.Written() > 0 { // whatever it says now, it had the file
				err = fmt.Errorf("%w: asked for it once more: %w", ErrShort, err)
			}
			return 0, err
		}
		switch {
		case d.terms.size >= 0 && size >= 0 && d.terms.size != size:
			d.abort()
			return 0, errChanged
		case d.terms.blockSize > again.blockSize: // it would never end
			d.abort()
			return 0, errBadOptions
		}
		d.terms.size = size
	}
}

// smallerBlock is the block size to try when the one agreed on does not come
// through, or only sometimes; 0 when there is none.
func (d *download) smallerBlock(sometimes bool) int {
	if !d.options.chooseBlock {
		return 0
	}
	largest := 0
	for _, size := range []int{mediumBlock, d.options.blockSize, wholeFrame, pxelinuxBlock, plainTerms.blockSize} {
		fits := size <= d.options.blockSize
		if size == mediumBlock {
			fits = sometimes
		}
		if fits && size < d.terms.blockSize {
			largest = max(largest, size)
		}
	}
	return largest
}

// abort tells the server that the rest is not wanted.
func (d *download) abort() {
	d.socket.send(errorPacket(0, errStopped.Error()))
	d.socket.close()
}

func (d *download) Close() error {
	d.abort()
	return nil
}

// ctxErr is the context's error where it was that which ended the wait.
func (d *download) ctxErr(err error) error {
	if errors.Is(err, errHungUp) {
		return d.ctx.Err()
	}
	return err
}
