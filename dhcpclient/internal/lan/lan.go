// Package lan is an Ethernet in memory for tests, with scripted DHCP servers.
package lan

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/wire"
	"github.com/insomniacslk/dhcp/dhcpv4"
)

// The stations.
var (
	GuestMAC  = net.HardwareAddr{0x00, 0x16, 0x3e, 0x12, 0x34, 0x56}
	ServerMAC = net.HardwareAddr{0x52, 0x54, 0x00, 0x00, 0x00, 0x01}
)

// GuestUUID is the guest's.
const GuestUUID = "00112233-4455-6677-8899-aabbccddeeff"

// LAN is an Ethernet in memory with a client on one end and servers on the
// other. Run it in a synctest bubble: all its time is the bubble's.
type LAN struct {
	Servers []*Server
	// Stations answer ARP, besides the servers.
	Stations map[string]net.HardwareAddr
	// Fault, when set, says what becomes of a frame: none, itself, several.
	Fault func(frame []byte, toServer bool) [][]byte

	Begin   time.Time
	Journal []string    // what the client sent, and when
	ARPs    []string    // the same of ARP
	arrived chan []byte // at the client
	waiting [][]byte    // for the client to answer ARP

	suffering, serving sync.Mutex // for one frame at a time

	mu       sync.Mutex
	deadline time.Time
	moved    chan struct{} // closed when the deadline changes
}

// New is a LAN with these servers.
func New(servers ...*Server) *LAN {
	return &LAN{
		Servers: servers, Begin: time.Now(),
		arrived: make(chan []byte, 256), moved: make(chan struct{}),
	}
}

func (w *LAN) String() string { return "wire0" }

func (w *LAN) SetReadDeadline(t time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.deadline = t
	close(w.moved)
	w.moved = make(chan struct{})
	return nil
}

func (w *LAN) Read(b []byte) (int, error) {
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
		select {
		case frame := <-w.arrived:
			return copy(b, frame), nil
		case <-time.After(time.Until(deadline)):
		case <-moved:
		}
	}
}

func (w *LAN) Write(frame []byte) (int, error) {
	f, _ := wire.ParseFrame(frame)
	if p, ok := wire.ParseARP(f); ok {
		w.receivedARP(p)
		return len(frame), nil
	}
	to, request := ParseRequest(frame)
	line := fmt.Sprintf("%s %s", time.Since(w.Begin), request.MessageType())
	if server := request.ServerIdentifier(); server != nil && to.Port() == wire.PortDHCPServer {
		line += fmt.Sprintf(" %s of %s", request.RequestedIPAddress(), server)
	}
	if !request.ClientIPAddr.IsUnspecified() {
		line += fmt.Sprintf(" from %s to %s", request.ClientIPAddr, to)
	}
	w.Journal = append(w.Journal, line)
	for _, frame := range w.faulty(frame, true) {
		w.Serve(frame)
	}
	return len(frame), nil
}

// Serve takes a frame to the servers.
func (w *LAN) Serve(frame []byte) {
	w.serving.Lock()
	defer w.serving.Unlock()
	if to, request := ParseRequest(frame); request != nil {
		for _, s := range w.Servers {
			s.handle(w, to, request)
		}
	}
}

// receivedARP is what the other stations do with the client's ARP.
func (w *LAN) receivedARP(p wire.ARP) {
	kind := "is at " + p.SenderMAC.String()
	if p.Operation == wire.ARPRequest {
		kind = "who has " + p.Target.String()
	}
	w.ARPs = append(w.ARPs, fmt.Sprintf("%s %s %s", time.Since(w.Begin), p.Sender, kind))
	if p.Operation == wire.ARPReply {
		frames := w.waiting
		w.waiting = nil
		for _, frame := range frames {
			w.Deliver(frame)
		}
		return
	}
	mac := w.Stations[p.Target.String()]
	for _, s := range w.Servers {
		if s.ID == p.Target.String() && !s.NoARP {
			mac = ServerMAC
		}
	}
	if mac != nil {
		w.Deliver(wire.ARP{Operation: wire.ARPReply, SenderMAC: mac, Sender: p.Target, TargetMAC: p.SenderMAC, Target: p.Sender}.Frame())
	}
}

// Deliver takes a frame to the client. Like a socket, the client's end loses
// what it has no room for.
func (w *LAN) Deliver(frame []byte) {
	for _, frame := range w.faulty(frame, false) {
		select {
		case w.arrived <- frame:
		default:
		}
	}
}

func (w *LAN) faulty(frame []byte, toServer bool) [][]byte {
	if w.Fault == nil {
		return [][]byte{frame}
	}
	w.suffering.Lock()
	defer w.suffering.Unlock()
	return w.Fault(frame, toServer)
}

// ParseRequest is a client's message, and where it goes; nil when it is none.
func ParseRequest(frame []byte) (netip.AddrPort, *dhcpv4.DHCPv4) {
	f, _ := wire.ParseFrame(frame)
	d, ok := wire.ParseDatagram(f)
	if !ok || d.Source.Port() != wire.PortDHCPClient {
		return netip.AddrPort{}, nil
	}
	m, err := dhcpv4.FromBytes(d.Payload)
	if err != nil {
		return netip.AddrPort{}, nil
	}
	return d.Destination, m
}

// Server is a scripted DHCP server.
type Server struct {
	ID, Address string // of the server and of what it gives; "" makes it a proxy
	BootFile    string
	After       time.Duration              // how late it answers
	Edit        func(reply *dhcpv4.DHCPv4) // what is special about its answers
	NAKs        int                        // how many REQUESTs it refuses first
	Deaf        bool                       // to REQUEST
	Mute        bool                       // to everything but PXE
	NoARP       bool
	Declined    string                 // what it gives after a DECLINE; "" the same
	Seen        []dhcpv4.TransactionID // of DISCOVERs

	// PXE answers a REQUEST from a client that has an address; nil is silence.
	PXE func(request *dhcpv4.DHCPv4) (reply *dhcpv4.DHCPv4)
}

func (s *Server) handle(w *LAN, to netip.AddrPort, request *dhcpv4.DHCPv4) {
	if to.Port() == wire.PortPXE || !request.ClientIPAddr.IsUnspecified() {
		s.handlePXE(w, to, request)
		return
	}
	if s.Mute {
		return
	}
	kind := dhcpv4.MessageTypeOffer
	switch request.MessageType() {
	case dhcpv4.MessageTypeDiscover:
		s.Seen = append(s.Seen, request.TransactionID)
	case dhcpv4.MessageTypeRequest:
		kind = dhcpv4.MessageTypeAck
		if s.Deaf || !request.ServerIdentifier().Equal(IP(s.ID)) {
			return
		}
		if s.NAKs > 0 {
			s.NAKs--
			kind = dhcpv4.MessageTypeNak
		}
	case dhcpv4.MessageTypeDecline:
		if request.ServerIdentifier().Equal(IP(s.ID)) && s.Declined != "" {
			s.Address = s.Declined
		}
		return
	}
	frame := Broadcast(s.Reply(request.TransactionID, kind))
	if s.After == 0 {
		w.Deliver(frame)
		return
	}
	time.AfterFunc(s.After, func() { w.Deliver(frame) })
}

// handlePXE answers the way back of a client that has an address: to that
// address, for which it has to answer ARP first.
func (s *Server) handlePXE(w *LAN, to netip.AddrPort, request *dhcpv4.DHCPv4) {
	if s.PXE == nil || to.Port() == wire.PortPXE && !to.Addr().IsMulticast() && to.Addr() != netip.MustParseAddr(s.ID) {
		return
	}
	answer := s.PXE(request)
	if answer == nil {
		return
	}
	client, _ := netip.AddrFromSlice(request.ClientIPAddr)
	w.waiting = append(w.waiting, wire.Datagram{
		Source:      netip.AddrPortFrom(netip.MustParseAddr(s.ID), wire.PortPXE),
		Destination: netip.AddrPortFrom(client, wire.PortDHCPClient),
		Payload:     answer.ToBytes(),
	}.Frame(ServerMAC, GuestMAC))
	w.Deliver(wire.ARP{Operation: wire.ARPRequest, SenderMAC: ServerMAC, Sender: netip.MustParseAddr(s.ID),
		TargetMAC: make(net.HardwareAddr, 6), Target: client}.Frame())
}

// Reply is the server's message of a kind.
func (s *Server) Reply(xid dhcpv4.TransactionID, kind dhcpv4.MessageType) *dhcpv4.DHCPv4 {
	m := &dhcpv4.DHCPv4{
		OpCode: dhcpv4.OpcodeBootReply, HWType: 1, TransactionID: xid,
		ClientHWAddr: GuestMAC, YourIPAddr: IP(s.Address), BootFileName: s.BootFile,
		Options: dhcpv4.OptionsFromList(dhcpv4.OptMessageType(kind), dhcpv4.OptServerIdentifier(IP(s.ID))),
	}
	switch {
	case kind == dhcpv4.MessageTypeNak:
		m.YourIPAddr, m.BootFileName = nil, ""
		m.UpdateOption(dhcpv4.OptMessage("not\x1b[2Jyours"))
		return m
	case s.Address == "":
		m.UpdateOption(dhcpv4.OptClassIdentifier("PXEClient"))
	default:
		m.UpdateOption(dhcpv4.OptSubnetMask(net.CIDRMask(24, 32)))
	}
	if s.Edit != nil {
		s.Edit(m)
	}
	return m
}

// Broadcast is a broadcast frame with m, from a server's address that does not
// matter.
func Broadcast(m *dhcpv4.DHCPv4) []byte { return BroadcastOf(m.ToBytes()) }

func BroadcastOf(payload []byte) []byte {
	return wire.Datagram{
		Source:      netip.MustParseAddrPort("10.0.0.250:67"),
		Destination: netip.MustParseAddrPort("255.255.255.255:68"),
		Payload:     payload,
	}.Frame(ServerMAC, wire.Broadcast)
}

// IP is nil for "".
func IP(s string) net.IP { return net.ParseIP(s).To4() }

// PXE is how a PXE server answers, with what edit adds.
func PXE(id string, edit func(m *dhcpv4.DHCPv4)) func(*dhcpv4.DHCPv4) *dhcpv4.DHCPv4 {
	return func(request *dhcpv4.DHCPv4) *dhcpv4.DHCPv4 {
		m := (&Server{ID: id}).Reply(request.TransactionID, dhcpv4.MessageTypeAck)
		edit(m)
		return m
	}
}

// Steady is randomness without jitter, and with xids that count.
type Steady struct{ n uint64 }

func (s *Steady) Uint64() uint64 {
	s.n++
	return s.n<<53 | 1<<52
}
