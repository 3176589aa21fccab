package replay

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/check"
	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/internal/printable"
	"github.com/gopxeboot/gopxeboot/internal/wire"
)

const (
	// maxKept is how much of a file is kept: more than a kernel has.
	maxKept = 32 << 20
	// maxKeptTogether is how much of all files is. Behind that only as much of
	// each as a configuration has.
	maxKeptTogether = 64 << 20
	keptAnyway      = 64 << 10
	// maxTransfers is how many are remembered.
	maxTransfers = 1024
)

// content is what a capture has of a file.
type content struct {
	data  []byte // its beginning, without a gap
	gap   bool   // what follows is not kept
	bytes int64  // how many came, kept or not
	size  int64  // as announced; -1 when it was not
	whole bool   // it came to its end
}

// take adds what came next: data, of which the capture may lack the end.
func (c *content) take(w *watch, data []byte, length int) {
	c.bytes += int64(length)
	if c.gap {
		return
	}
	if len(c.data)+len(data) > maxKept || w.kept+len(data) > maxKeptTogether && len(c.data) >= keptAnyway {
		c.gap = true
		return
	}
	c.data = append(c.data, data...)
	w.kept += len(data)
	c.gap = len(data) < length
}

// complete says whether all bytes are there.
func (c *content) complete() bool { return c.whole && !c.gap }

// scheme is that of a URL.
type scheme string

// What PXELINUX speaks, as far as a capture is read.
const (
	schemeTFTP scheme = "tftp"
	schemeHTTP scheme = "http"
)

// transfer is a file that the guest asks for, by TFTP or HTTP.
type transfer struct {
	content
	scheme    scheme
	server    netip.Addr
	host      string // as in the URL, with a port where it is not the usual one
	name      string // as on the wire, without the first slash of HTTP
	serverMAC string
	tftpState

	began       time.Time
	asked       int // how many times
	firstAnswer time.Time
	last        time.Time // when anything of it was seen

	accepted    bool            // the server agreed to send it
	refusal     string          // the server's no: its own words
	code        int             // TFTP's or HTTP's
	unreachable check.TFTPState // closed or unreachable, as ICMP says
	rejected    *plan.Rejected  // that
	aborted     bool            // by the guest
	event       int             // of the content's arrival in Facts.Events; -1 as long as there is none
}

// tftpState is what is needed to put DATA together.
type tftpState struct {
	blockSize int
	next      uint64            // block
	pending   map[uint16][]byte // DATA that came before another one
	lost      bool              // DATA that never came
	acked     bool              // the guest acknowledged DATA
	repeated  int               // DATA that came again
	largest   int               // of DATA that the guest acknowledged, in bytes
	lastSize  int
}

// answered says whether anything came back.
func (t *transfer) answered() bool { return !t.firstAnswer.IsZero() }

// tftp looks at a datagram.
func (w *watch) tftp(p wirePacket) {
	if len(p.data) < 4 {
		return
	}
	op := binary.BigEndian.Uint16(p.data)
	if p.sent && p.to == wire.PortTFTP && op == wire.TFTPRead {
		w.readRequest(p)
		return
	}
	port := p.to
	if p.sent {
		port = p.from
	}
	t := w.open[port]
	if t == nil || t.server != p.peer {
		return
	}
	t.last = p.at
	switch {
	case p.sent && op == wire.TFTPAck:
		if binary.BigEndian.Uint16(p.data[2:]) > 0 {
			t.acked, t.largest = true, max(t.largest, t.lastSize)
		}
	case p.sent && op == wire.TFTPError:
		t.aborted = !t.whole
		w.event(p, "ERROR", "stops the transfer of "+printable.Text(t.name)+": "+errorText(p.data[2:]))
	case p.sent:
	case op == wire.TFTPOACK:
		w.answer(t, p)
		t.accepted = true
		w.options(t, p)
	case op == wire.TFTPData:
		w.answer(t, p)
		t.accepted = true
		w.block(t, p)
	case op == wire.TFTPError && (t.aborted || t.whole): // what the guest's own end made of it
	case op == wire.TFTPError && t.refusal == "":
		if !t.accepted {
			w.answer(t, p)
			t.code = int(binary.BigEndian.Uint16(p.data[2:]))
		}
		t.refusal = errorText(p.data[2:])
		w.event(p, "ERROR", printable.Text(t.name)+": "+t.refusal).Failed = true
	}
}

func (w *watch) answer(t *transfer, p wirePacket) {
	t.serverMAC = p.peerMAC
	if !t.answered() {
		t.firstAnswer = p.at
	}
}

// errorText is "1 File not found".
func errorText(b []byte) string {
	text, _, _ := bytes.Cut(b[2:], []byte{0})
	return strings.TrimSpace(fmt.Sprintf("%d %s", binary.BigEndian.Uint16(b), printable.Text(string(text[:min(len(text), 200)]))))
}

// readRequest begins a transfer, unless it is the same question again.
func (w *watch) readRequest(p wirePacket) {
	fields := strings.Split(string(p.data[2:]), "\x00")
	if len(fields) < 2 {
		return
	}
	name := fields[0]
	if t := w.open[p.from]; t != nil && t.name == name && t.server == p.peer && !t.accepted && t.refusal == "" {
		t.asked++
		t.last = p.at
		w.event(p, "RRQ", printable.Text(name)+", again")
		return
	}
	if len(w.transfers) == maxTransfers {
		return
	}
	t := &transfer{
		scheme: schemeTFTP, server: p.peer, host: p.peer.String(), name: name, serverMAC: p.peerMAC, began: p.at, last: p.at, asked: 1, event: -1,
		content: content{size: -1}, tftpState: tftpState{blockSize: 512, next: 1, pending: make(map[uint16][]byte)},
	}
	w.transfers = append(w.transfers, t)
	w.open[p.from] = t
	e := w.event(p, "RRQ", printable.Text(name))
	for i := 2; i+1 < len(fields) && i < 20; i += 2 {
		e.Detail = append(e.Detail, printable.Text(fields[i]+" "+fields[i+1]))
	}
}

// options reads what the server agrees to (RFC 2347).
func (w *watch) options(t *transfer, p wirePacket) {
	fields := strings.Split(string(p.data[2:]), "\x00")
	var said []string
	for i := 0; i+1 < len(fields) && i < 20; i += 2 {
		n, err := strconv.ParseInt(fields[i+1], 10, 64)
		switch name := strings.ToLower(fields[i]); {
		case name == "tsize" && err == nil && n >= 0:
			t.size = n
		case name == "blksize" && err == nil && n >= 8 && n <= 65464:
			t.blockSize = int(n)
		}
		said = append(said, printable.Text(fields[i]+" "+fields[i+1]))
	}
	w.event(p, "OACK", printable.Text(t.name)+": "+strings.Join(said, ", "))
}

// maxPending is how many blocks may wait for one before them: a window's.
const maxPending = 64

// block puts DATA into its place.
func (w *watch) block(t *transfer, p wirePacket) {
	number, data, length := binary.BigEndian.Uint16(p.data[2:]), p.data[4:], p.length-4
	t.lastSize = length
	if t.event < 0 {
		t.event = len(w.facts.Events)
		w.event(p, "DATA", printable.Text(t.name))
		if len(w.facts.Events) == t.event { // there was no room
			t.event = -1
		}
	}
	switch ahead := int16(number - uint16(t.next)); {
	case t.whole || ahead < 0:
		t.repeated++
	case ahead > 0 && !t.lost:
		// Only where all of it was captured it can be put in later.
		if len(t.pending) == maxPending || len(data) < length || w.kept >= maxKeptTogether {
			t.lost, t.gap, t.pending = true, true, nil
			w.add(t, number, data, length)
			return
		}
		t.pending[number] = bytes.Clone(data)
		w.kept += len(data)
	default:
		w.add(t, number, data, length)
		for !t.whole && t.pending != nil {
			data, ok := t.pending[uint16(t.next)]
			if !ok {
				break
			}
			delete(t.pending, uint16(t.next))
			w.add(t, uint16(t.next), data, len(data))
		}
	}
}

// add takes the block that is next, or one behind a gap.
func (w *watch) add(t *transfer, number uint16, data []byte, length int) {
	t.next += 1 + uint64(number-uint16(t.next))
	t.take(w, data, length)
	t.whole = length < t.blockSize
}
