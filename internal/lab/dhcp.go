package lab

import (
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv4/server4"
	"github.com/vishvananda/netlink"
)

// DHCP is what a DHCP server of the lab gives: one subnet, that of the host it
// runs on.
type DHCP struct {
	// Fixed addresses by MAC, as net.HardwareAddr prints it. Another client
	// gets the next free one of First to Last; none, and no answer, when those
	// are zero.
	Fixed       map[string]netip.Addr
	First, Last netip.Addr

	Router     netip.Addr      // none when zero
	NextServer netip.Addr      // siaddr; zero when zero
	BootFile   string          // the header's file field, at most 127 bytes
	Options    []dhcpv4.Option // more options for every answer
}

// leaseTime is long enough that no lease of a lab ever ends.
const leaseTime = time.Hour

// dhcpServer answers for one subnet. Its answers depend on the request and on
// the leases given so far only.
type dhcpServer struct {
	DHCP
	subnet netip.Prefix // with the server's own address

	mu     sync.Mutex
	leases map[string]netip.Addr // of the range, by MAC
}

// ServeDHCP starts an embedded DHCP server on the host.
func (h *Host) ServeDHCP(config DHCP) error {
	if len(config.BootFile) > 127 {
		return fmt.Errorf("serve DHCP: boot file name of %d bytes, the header has room for 127", len(config.BootFile))
	}
	server := &dhcpServer{DHCP: config, subnet: h.Address, leases: make(map[string]netip.Addr)}
	var conn *net.UDPConn
	err := h.Do(func() (err error) {
		conn, err = server4.NewIPv4UDPConn(HostInterface, &net.UDPAddr{Port: dhcpv4.ServerPort})
		return err
	})
	if err != nil {
		return fmt.Errorf("serve DHCP: %w", err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		packet := make([]byte, 1<<16)
		for {
			n, _, err := conn.ReadFrom(packet)
			if err != nil {
				return // closed
			}
			request, err := dhcpv4.FromBytes(packet[:n])
			if err != nil {
				continue
			}
			if reply := server.answer(request); reply != nil {
				h.replyDHCP(conn, request, reply)
			}
		}
	}()
	h.OnClose(func() {
		_ = conn.Close()
		<-ended
	})
	return nil
}

// answer is the reply to a request, nil for none (RFC 2131 section 4.3).
func (s *dhcpServer) answer(request *dhcpv4.DHCPv4) *dhcpv4.DHCPv4 {
	if request.OpCode != dhcpv4.OpcodeBootRequest {
		return nil
	}
	self := s.subnet.Addr()
	address := s.addressFor(request.ClientHWAddr)
	var kind dhcpv4.MessageType
	switch request.MessageType() {
	case dhcpv4.MessageTypeDiscover:
		if !address.IsValid() {
			return nil
		}
		kind = dhcpv4.MessageTypeOffer
	case dhcpv4.MessageTypeRequest:
		if id := request.ServerIdentifier(); id != nil && !id.Equal(self.AsSlice()) {
			return nil // the client took another server's offer
		}
		wanted := request.RequestedIPAddress()
		if wanted == nil {
			wanted = request.ClientIPAddr
		}
		kind = dhcpv4.MessageTypeAck
		if !address.IsValid() || !wanted.Equal(address.AsSlice()) {
			kind = dhcpv4.MessageTypeNak
		}
	case dhcpv4.MessageTypeInform:
		address = netip.Addr{}
		kind = dhcpv4.MessageTypeAck
	default:
		return nil
	}

	modifiers := []dhcpv4.Modifier{
		dhcpv4.WithMessageType(kind),
		dhcpv4.WithOption(dhcpv4.OptServerIdentifier(self.AsSlice())),
	}
	if kind != dhcpv4.MessageTypeNak {
		modifiers = append(modifiers, dhcpv4.WithNetmask(net.CIDRMask(s.subnet.Bits(), 32)))
		if address.IsValid() {
			modifiers = append(modifiers, dhcpv4.WithYourIP(address.AsSlice()), dhcpv4.WithLeaseTime(uint32(leaseTime.Seconds())))
		}
		if s.Router.IsValid() {
			modifiers = append(modifiers, dhcpv4.WithRouter(s.Router.AsSlice()))
		}
		if s.NextServer.IsValid() {
			modifiers = append(modifiers, dhcpv4.WithServerIP(s.NextServer.AsSlice()))
		}
		for _, option := range s.Options {
			modifiers = append(modifiers, dhcpv4.WithOption(option))
		}
	}
	reply, err := dhcpv4.NewReplyFromRequest(request, modifiers...)
	if err != nil {
		return nil
	}
	if kind == dhcpv4.MessageTypeNak {
		// RFC 2131 section 4.3.2: to a client behind a relay that may not
		// have an address, so the relay must broadcast it.
		if !isZero(request.GatewayIPAddr) {
			reply.SetBroadcast()
		}
	} else {
		reply.BootFileName = s.BootFile
	}
	if kind == dhcpv4.MessageTypeAck {
		reply.ClientIPAddr = request.ClientIPAddr
	}
	return reply
}

// addressFor is the client's address: the fixed one, the one it has, or the
// next free one.
func (s *dhcpServer) addressFor(mac net.HardwareAddr) netip.Addr {
	if fixed, ok := s.Fixed[mac.String()]; ok {
		return fixed
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if leased, ok := s.leases[mac.String()]; ok {
		return leased
	}
	taken := make(map[netip.Addr]bool)
	for _, a := range s.Fixed {
		taken[a] = true
	}
	for _, a := range s.leases {
		taken[a] = true
	}
	for a := s.First; a.IsValid() && a.Compare(s.Last) <= 0; a = a.Next() {
		if !taken[a] && a != s.subnet.Addr() {
			s.leases[mac.String()] = a
			return a
		}
	}
	return netip.Addr{}
}

func (h *Host) replyDHCP(conn net.PacketConn, request, reply *dhcpv4.DHCPv4) {
	r := Request{Host: h.Name, Service: "dhcp", MAC: request.ClientHWAddr, Asked: request.MessageType().String()}
	if address, ok := netip.AddrFromSlice(reply.YourIPAddr.To4()); ok && !address.IsUnspecified() {
		r.Address = address
	}
	answered := h.lab.journal.asked(r)
	result := reply.MessageType().String()
	if err := h.sendDHCP(conn, request, reply); err != nil {
		result += ": " + err.Error()
	}
	answered(result, 0)
}

// sendDHCP sends the reply where RFC 2131 section 4.1 wants it.
func (h *Host) sendDHCP(conn net.PacketConn, request, reply *dhcpv4.DHCPv4) error {
	to := &net.UDPAddr{IP: net.IPv4bcast, Port: dhcpv4.ClientPort}
	switch {
	case !isZero(request.GatewayIPAddr):
		to.IP, to.Port = request.GatewayIPAddr, dhcpv4.ServerPort
	case reply.MessageType() == dhcpv4.MessageTypeNak:
	case !isZero(request.ClientIPAddr):
		to.IP = request.ClientIPAddr
	case !request.IsBroadcast():
		// The client does not answer ARP yet, so the kernel is told its MAC.
		err := h.handle.NeighSet(&netlink.Neigh{
			LinkIndex:    h.eth0.Attrs().Index,
			State:        netlink.NUD_STALE,
			IP:           reply.YourIPAddr,
			HardwareAddr: request.ClientHWAddr,
		})
		if err != nil {
			return fmt.Errorf("note the client's MAC: %w", err)
		}
		to.IP = reply.YourIPAddr
	}
	_, err := conn.WriteTo(reply.ToBytes(), to)
	return err
}

func isZero(ip net.IP) bool {
	return len(ip) == 0 || ip.Equal(net.IPv4zero)
}
