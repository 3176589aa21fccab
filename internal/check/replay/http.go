package replay

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/console"
	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/internal/printable"
)

// stream is a TCP connection of the guest's to a port where HTTP is spoken.
type stream struct {
	server    netip.AddrPort
	serverMAC string
	up, down  half
	requests  []*transfer
	questions int            // bytes of up that were read as requests
	other     bool           // it is not HTTP
	rejected  *plan.Rejected // what the network says to its first segment
}

// half is what one side says, put into its order.
type half struct {
	begun   bool
	next    uint32 // sequence number
	pending map[uint32]segment
	content
	firstAt, lastAt time.Time
	// marks say when what came up to there was there.
	marks []mark
}

type mark struct {
	bytes int64
	at    time.Time
}

type segment struct {
	data   []byte
	length int
}

const (
	// maxStreams is how many connections are followed.
	maxStreams = 1024
	// maxHead bounds the head of a request or response.
	maxHead = 16 << 10
)

// tcp looks at a segment. Of a connection whose beginning is not in the capture
// nothing is made.
func (w *watch) tcp(p wirePacket) {
	header := int(p.data[12]>>4) * 4
	if header < 20 || header > len(p.data) {
		return
	}
	const fin, syn, rst = 1, 2, 4
	flags, sequence := p.data[13], binary.BigEndian.Uint32(p.data[4:])
	data, length := p.data[header:], p.length-header
	// The guest's own port tells its connections with one server apart; a peer
	// has the other one.
	guest, server := p.to, p.from
	if p.sent {
		guest, server = p.from, p.to
	}
	key := tcpKey{netip.AddrPortFrom(p.peer, server), guest}
	s := w.flows[key]
	if flags&syn != 0 && p.sent && (s == nil || s.up.next != sequence+1) && len(w.streams) < maxStreams {
		s = &stream{server: key.server}
		w.flows[key] = s
		w.streams = append(w.streams, s)
	}
	if s == nil {
		return
	}
	h := &s.down
	if p.sent {
		h = &s.up
	} else {
		s.serverMAC = p.peerMAC
	}
	if flags&syn != 0 {
		h.begun, h.next = true, sequence+1
		h.size = -1
		return
	}
	if flags&rst != 0 && !p.sent && !s.down.begun {
		w.event(p, "HTTP", fmt.Sprintf("nothing listens on port %d", server)).Failed = true
		return
	}
	if !h.begun || s.other {
		return
	}
	if h.firstAt.IsZero() && length > 0 {
		h.firstAt = p.at
	}
	h.add(w, p.at, sequence, data, length)
	if flags&fin != 0 && sequence+uint32(length) == h.next {
		h.whole = true
	}
	if p.sent {
		w.requests(s, p)
	}
}

// tcpKey is a connection.
type tcpKey struct {
	server netip.AddrPort
	port   uint16 // the guest's
}

// maxSegments is how many may wait for one before them.
const maxSegments = 256

// add puts a segment into its place.
func (h *half) add(w *watch, at time.Time, sequence uint32, data []byte, length int) {
	if length <= 0 {
		return
	}
	ahead := int32(sequence - h.next)
	if ahead > 0 {
		if h.pending == nil {
			h.pending = make(map[uint32]segment)
		}
		if len(h.pending) < maxSegments && w.kept < maxKeptTogether {
			w.kept += len(data)
			h.pending[sequence] = segment{bytes.Clone(data), length}
		}
		return
	}
	// What is known already is left out.
	known := int(-ahead)
	if known >= length {
		return
	}
	h.next += uint32(length - known)
	h.take(w, data[min(known, len(data)):], length-known)
	h.lastAt = at
	if n := len(h.marks); n < 1<<12 {
		h.marks = append(h.marks, mark{h.bytes, at})
	}
	if s, ok := h.pending[h.next]; ok {
		delete(h.pending, h.next)
		h.add(w, at, h.next, s.data, s.length)
	}
}

// at is when so many bytes had come.
func (h *half) at(n int64) time.Time {
	for _, m := range h.marks {
		if m.bytes >= n {
			return m.at
		}
	}
	return h.lastAt
}

// requests reads what the guest asks for, as far as it is there.
func (w *watch) requests(s *stream, p wirePacket) {
	for {
		rest := s.up.data[min(s.questions, len(s.up.data)):]
		end := bytes.Index(rest, []byte("\r\n\r\n"))
		if end < 0 || end > maxHead || len(w.transfers) == maxTransfers {
			s.other = len(rest) > maxHead
			return
		}
		s.questions += end + 4
		request, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(rest[:end+4])))
		if err != nil {
			s.other = true
			return
		}
		host := request.Host
		if host == "" {
			host = s.server.Addr().String()
			if s.server.Port() != portHTTP {
				host = s.server.String()
			}
		}
		t := &transfer{
			scheme: schemeHTTP, server: s.server.Addr(), host: strings.TrimSuffix(host, ":80"),
			name: strings.TrimPrefix(request.RequestURI, "/"), serverMAC: p.peerMAC,
			began: p.at, last: p.at, asked: 1, event: -1, content: content{size: -1},
		}
		s.requests = append(s.requests, t)
		w.transfers = append(w.transfers, t)
		e := w.event(p, "HTTP", printable.Text(request.Method+" "+request.RequestURI))
		e.Detail = append(e.Detail, "host "+printable.Text(host))
		if agent := request.UserAgent(); agent != "" {
			e.Detail = append(e.Detail, "user agent "+printable.Text(agent))
		}
	}
}

// responses reads what servers said, at the end of the capture.
func (w *watch) responses() {
	for _, s := range w.streams {
		counted := &countingReader{r: bytes.NewReader(s.down.data)}
		r := bufio.NewReader(counted)
		for i, t := range s.requests {
			begin := counted.n - int64(r.Buffered())
			if begin >= int64(len(s.down.data)) {
				break
			}
			response, err := http.ReadResponse(r, &http.Request{Method: "GET"})
			if err != nil {
				break
			}
			head := counted.n - int64(r.Buffered())
			t.firstAnswer, t.last, t.serverMAC, t.code = s.down.at(begin+1), s.down.lastAt, s.serverMAC, response.StatusCode
			t.accepted = response.StatusCode == http.StatusOK || response.StatusCode == http.StatusPartialContent
			t.size = response.ContentLength
			t.data, err = io.ReadAll(io.LimitReader(response.Body, maxKept))
			t.bytes = int64(len(t.data))
			// Without a length, the end of the connection is the file's.
			t.whole = err == nil && (t.size >= 0 || response.TransferEncoding != nil || s.down.whole && !s.down.gap)
			if !t.whole && i == len(s.requests)-1 {
				t.gap = true
				t.bytes = s.down.bytes - head
				t.whole = t.size >= 0 && t.bytes >= t.size
			}
			summary := response.Status + ", " + printable.Text(t.name)
			if t.accepted && t.size >= 0 {
				summary += ", " + console.Size(t.size)
			}
			e := w.event(wirePacket{at: t.firstAnswer, peer: t.server, peerMAC: t.serverMAC}, "HTTP", printable.Text(summary))
			e.Took = plan.Millis(t.last.Sub(t.firstAnswer))
			if !t.accepted {
				t.refusal = printable.Text(response.Status)
				e.Failed = true
			}
		}
	}
}

// countingReader counts what was read.
type countingReader struct {
	r io.Reader
	n int64
}

func (c *countingReader) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += int64(n)
	return n, err
}
