package lab

import (
	"fmt"
	"net"
	"net/netip"
	"sync"
)

// Request is what somebody asked of an embedded server, and what came of it.
type Request struct {
	Host    string           // the server's host
	Service string           // "dhcp", "tftp" or "http"
	MAC     net.HardwareAddr // who asked; nil when not known
	Address netip.Addr       // who asked; for DHCP the address it is given, zero when none
	Asked   string           // "DISCOVER", "REQUEST", ...; else the file, as it was asked for
	Result  string           // "OFFER", "ACK" or "NAK"; else "sent", or why not; "" as long as it lasts
	Bytes   int64            // of the file that were sent
}

// String is the request as one line of a server's log.
func (r Request) String() string {
	line := r.Service + " " + r.Asked
	if r.MAC != nil {
		line += " from " + r.MAC.String()
	}
	if r.Address.IsValid() {
		line += " (" + r.Address.String() + ")"
	}
	if r.Result != "" {
		line += ": " + r.Result
	}
	if r.Bytes > 0 {
		line += fmt.Sprintf(" %d bytes", r.Bytes)
	}
	return line
}

// journal keeps the requests in the order in which they came.
type journal struct {
	onRequest func(Request)

	mu       sync.Mutex
	requests []*Request
}

// asked notes a request, and returns what notes its end. A client that has its
// answer finds its request noted, though perhaps not yet its end.
func (j *journal) asked(r Request) (answered func(result string, bytes int64)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.requests = append(j.requests, &r)
	return func(result string, bytes int64) {
		j.mu.Lock()
		r.Result, r.Bytes = result, bytes
		ended := r
		j.mu.Unlock()
		if j.onRequest != nil {
			j.onRequest(ended)
		}
	}
}

// Requests returns what the embedded servers were asked so far, in the order
// in which it came.
func (l *Lab) Requests() []Request {
	l.journal.mu.Lock()
	defer l.journal.mu.Unlock()
	var requests []Request
	for _, r := range l.journal.requests {
		requests = append(requests, *r)
	}
	return requests
}
