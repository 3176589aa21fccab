package dhcpclient

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

var (
	guestMAC  = net.HardwareAddr{0x00, 0x16, 0x3e, 0x12, 0x34, 0x56}
	serverMAC = net.HardwareAddr{0x52, 0x54, 0x00, 0x00, 0x00, 0x01}
)

const guestUUID = "00112233-4455-6677-8899-aabbccddeeff"

// wire is an Ethernet in memory with a client on one end and servers on the
// other. Run it in a synctest bubble: all its time is the bubble's.
type wire struct {
	servers []*server
	// stations answer ARP, besides the servers.
	stations map[string]net.HardwareAddr
	// fault, when set, says what becomes of a frame: none, itself, several.
	fault func(frame []byte, toServer bool) [][]byte

	begin   time.Time
	journal []string    // what the client sent, and when
	arps    []string    // the same of ARP
	arrived chan []byte // at the client
	waiting [][]byte    // for the client to answer ARP

	suffering, serving sync.Mutex // for one frame at a time

	mu       sync.Mutex
	deadline time.Time
	moved    chan struct{} // closed when the deadline changes
}

func newWire(servers ...*server) *wire {
	return &wire{
		servers: servers, begin: time.Now(),
		arrived: make(chan []byte, 256), moved: make(chan struct{}),
	}
}

func (w *wire) String() string { return "wire0" }

func (w *wire) SetReadDeadline(t time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.deadline = t
	close(w.moved)
	w.moved = make(chan struct{})
	return nil
}

func (w *wire) Read(b []byte) (int, error) {
	for {
		w.mu.Lock()
		deadline, moved := w.deadline, w.moved
		w.mu.Unlock()
		if deadline.IsZero() { // none
			deadline = time.Now().Add(time.Hour)
		}
		if !time.Now().Before(deadline) {
			return 0, os.ErrDeadlineExceeded
		}
		timer := time.NewTimer(time.Until(deadline))
		select {
		case frame := <-w.arrived:
			timer.Stop()
			return copy(b, frame), nil
		case <-timer.C:
		case <-moved:
			timer.Stop()
		}
	}
}

func (w *wire) Write(frame []byte) (int, error) {
	if p, ok := parseARP(frame); ok {
		w.hear(p)
		return len(frame), nil
	}
	to, request := parseRequest(frame)
	line := fmt.Sprintf("%s %s", time.Since(w.begin), request.MessageType())
	if server := request.ServerIdentifier(); server != nil && to.Port() == serverPort {
		line += fmt.Sprintf(" %s of %s", request.RequestedIPAddress(), server)
	}
	if !request.ClientIPAddr.IsUnspecified() {
		line += fmt.Sprintf(" from %s to %s", request.ClientIPAddr, to)
	}
	w.journal = append(w.journal, line)
	for _, frame := range w.faulty(frame, true) {
		w.serve(frame)
	}
	return len(frame), nil
}

// serve takes a frame to the servers.
func (w *wire) serve(frame []byte) {
	w.serving.Lock()
	defer w.serving.Unlock()
	if to, request := parseRequest(frame); request != nil {
		for _, s := range w.servers {
			s.handle(w, to, request)
		}
	}
}

// hear is what the other stations do with the client's ARP.
func (w *wire) hear(p arpPacket) {
	kind := "is at " + p.senderMAC.String()
	if p.operation == arpRequest {
		kind = "who has " + p.target.String()
	}
	w.arps = append(w.arps, fmt.Sprintf("%s %s %s", time.Since(w.begin), p.sender, kind))
	if p.operation == arpReply {
		frames := w.waiting
		w.waiting = nil
		for _, frame := range frames {
			w.deliver(frame)
		}
		return
	}
	mac := w.stations[p.target.String()]
	for _, s := range w.servers {
		if s.id == p.target.String() && !s.noARP {
			mac = serverMAC
		}
	}
	if mac != nil {
		w.deliver(arpPacket{operation: arpReply, senderMAC: mac, sender: p.target, targetMAC: p.senderMAC, target: p.sender}.frame())
	}
}

// deliver takes a frame to the client. Like a socket, the client's end loses
// what it has no room for.
func (w *wire) deliver(frame []byte) {
	for _, frame := range w.faulty(frame, false) {
		select {
		case w.arrived <- frame:
		default:
		}
	}
}

func (w *wire) faulty(frame []byte, toServer bool) [][]byte {
	if w.fault == nil {
		return [][]byte{frame}
	}
	w.suffering.Lock()
	defer w.suffering.Unlock()
	return w.fault(frame, toServer)
}

// parseRequest is a client's message, and where it goes; nil when it is none.
func parseRequest(frame []byte) (netip.AddrPort, *dhcpv4.DHCPv4) {
	if len(frame) < 6 {
		return netip.AddrPort{}, nil
	}
	d, ok := parseFrame(frame, net.HardwareAddr(frame[:6]))
	if !ok || d.source.Port() != clientPort {
		return netip.AddrPort{}, nil
	}
	m, err := dhcpv4.FromBytes(d.payload)
	if err != nil {
		return netip.AddrPort{}, nil
	}
	return d.destination, m
}

// server is a scripted DHCP server.
type server struct {
	id, address string // of the server and of what it gives; "" makes it a proxy
	bootFile    string
	after       time.Duration              // how late it answers
	edit        func(reply *dhcpv4.DHCPv4) // what is special about its answers
	naks        int                        // how many REQUESTs it refuses first
	deaf        bool                       // to REQUEST
	mute        bool                       // to everything but pxe
	noARP       bool
	declined    string                 // what it gives after a DECLINE; "" the same
	seen        []dhcpv4.TransactionID // of DISCOVERs

	// pxe answers a REQUEST from a client that has an address; nil is silence.
	pxe func(request *dhcpv4.DHCPv4) (reply *dhcpv4.DHCPv4)
}

func (s *server) handle(w *wire, to netip.AddrPort, request *dhcpv4.DHCPv4) {
	if to.Port() == pxePort || !request.ClientIPAddr.IsUnspecified() {
		s.handlePXE(w, to, request)
		return
	}
	if s.mute {
		return
	}
	kind := dhcpv4.MessageTypeOffer
	switch request.MessageType() {
	case dhcpv4.MessageTypeDiscover:
		s.seen = append(s.seen, request.TransactionID)
	case dhcpv4.MessageTypeRequest:
		kind = dhcpv4.MessageTypeAck
		if s.deaf || !request.ServerIdentifier().Equal(ip(s.id)) {
			return
		}
		if s.naks > 0 {
			s.naks--
			kind = dhcpv4.MessageTypeNak
		}
	case dhcpv4.MessageTypeDecline:
		if request.ServerIdentifier().Equal(ip(s.id)) && s.declined != "" {
			s.address = s.declined
		}
		return
	}
	frame := replyFrame(s.reply(request.TransactionID, kind))
	if s.after == 0 {
		w.deliver(frame)
		return
	}
	time.AfterFunc(s.after, func() { w.deliver(frame) })
}

// handlePXE answers the way back of a client that has an address: to that
// address, for which it has to answer ARP first.
func (s *server) handlePXE(w *wire, to netip.AddrPort, request *dhcpv4.DHCPv4) {
	if s.pxe == nil || to.Port() == pxePort && !to.Addr().IsMulticast() && to.Addr() != netip.MustParseAddr(s.id) {
		return
	}
	answer := s.pxe(request)
	if answer == nil {
		return
	}
	client, _ := netip.AddrFromSlice(request.ClientIPAddr)
	w.waiting = append(w.waiting, datagram{
		source:      netip.AddrPortFrom(netip.MustParseAddr(s.id), pxePort),
		destination: netip.AddrPortFrom(client, clientPort),
		payload:     answer.ToBytes(),
	}.frame(serverMAC, guestMAC))
	w.deliver(arpPacket{operation: arpRequest, senderMAC: serverMAC, sender: netip.MustParseAddr(s.id),
		targetMAC: make(net.HardwareAddr, 6), target: client}.frame())
}

// reply is the server's message of a kind.
func (s *server) reply(xid dhcpv4.TransactionID, kind dhcpv4.MessageType) *dhcpv4.DHCPv4 {
	m := &dhcpv4.DHCPv4{
		OpCode: dhcpv4.OpcodeBootReply, HWType: 1, TransactionID: xid,
		ClientHWAddr: guestMAC, YourIPAddr: ip(s.address), BootFileName: s.bootFile,
		Options: dhcpv4.OptionsFromList(dhcpv4.OptMessageType(kind), dhcpv4.OptServerIdentifier(ip(s.id))),
	}
	switch {
	case kind == dhcpv4.MessageTypeNak:
		m.YourIPAddr, m.BootFileName = nil, ""
		m.UpdateOption(dhcpv4.OptMessage("not\x1b[2Jyours"))
		return m
	case s.address == "":
		m.UpdateOption(dhcpv4.OptClassIdentifier("PXEClient"))
	default:
		m.UpdateOption(dhcpv4.OptSubnetMask(net.CIDRMask(24, 32)))
	}
	if s.edit != nil {
		s.edit(m)
	}
	return m
}

// replyFrame is a broadcast frame with m, from a server's address that does not
// matter.
func replyFrame(m *dhcpv4.DHCPv4) []byte { return payloadFrame(m.ToBytes()) }

func payloadFrame(payload []byte) []byte {
	return datagram{
		source:      netip.MustParseAddrPort("10.0.0.250:67"),
		destination: netip.MustParseAddrPort("255.255.255.255:68"),
		payload:     payload,
	}.frame(serverMAC, ethernetBroadcast)
}

// ip is nil for "".
func ip(s string) net.IP { return net.ParseIP(s).To4() }

// pxe is how a PXE server answers, with what edit adds.
func pxe(id string, edit func(m *dhcpv4.DHCPv4)) func(*dhcpv4.DHCPv4) *dhcpv4.DHCPv4 {
	return func(request *dhcpv4.DHCPv4) *dhcpv4.DHCPv4 {
		m := (&server{id: id}).reply(request.TransactionID, dhcpv4.MessageTypeAck)
		edit(m)
		return m
	}
}

// steady is randomness without jitter, and with xids that count.
type steady struct{ n uint64 }

func (s *steady) Uint64() uint64 {
	s.n++
	return s.n<<53 | 1<<52
}

func testClient(t *testing.T, conn FrameConn) *Client {
	t.Helper()
	return &Client{Conn: conn, MAC: guestMAC, UUID: guestUUID, Rand: &steady{}, ProbeWait: -1}
}
