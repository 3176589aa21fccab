package survey

import (
	"bytes"
	"context"
	"encoding/binary"
	"math/rand/v2"
	"net"
	"net/netip"
	"time"

	"github.com/gopxeboot/gopxeboot/dhcpclient"
	"github.com/gopxeboot/gopxeboot/internal/wire"
	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/iana"
)

const maxFrame = 2048 // as dhcpclient reads it

// Holder asks by ARP who has the target, as the machine with that MAC and that
// own address, until a station says so, for a second at most. It is nil when none
// does.
func Holder(ctx context.Context, conn dhcpclient.FrameConn, mac net.HardwareAddr, own, target netip.Addr) net.HardwareAddr {
	question := wire.WhoHas(target, mac, own).Frame()
	buffer := make([]byte, maxFrame)
	for try := 0; try < 4 && ctx.Err() == nil; try++ {
		if _, err := conn.Write(question); err != nil {
			return nil
		}
		conn.SetReadDeadline(time.Now().Add(250 * time.Millisecond))
		for {
			n, err := conn.Read(buffer)
			if err != nil {
				break
			}
			f, _ := wire.ParseFrame(buffer[:n])
			if p, ok := wire.ParseARP(f); ok && p.Sender == target && !bytes.Equal(p.SenderMAC, mac) {
				return bytes.Clone(p.SenderMAC)
			}
		}
	}
	return nil
}

// Inform asks for something else than an address, within wait: what a server
// tells a machine that has one (INFORM), and whether it minds an address of no
// network (REQUEST, which an authoritative server answers with NAK). A server
// that has nothing to offer still answers that.
//
// The INFORM comes from idle, which must be an address of that network that no
// station has; an invalid one, or one that a station has after all, leaves it
// out. It gives the server that answers first, an invalid one for none, and how
// long that took.
func Inform(ctx context.Context, conn dhcpclient.FrameConn, mac net.HardwareAddr, idle netip.Addr, wait time.Duration) (server netip.Addr, took time.Duration) {
	if idle.IsValid() && Holder(ctx, conn, mac, netip.IPv4Unspecified(), idle) != nil {
		idle = netip.Addr{}
	}
	xid := rand.Uint32()
	frames := [][]byte{question(mac, xid, dhcpv4.MessageTypeRequest, netip.Addr{}, nowhere)}
	if idle.IsValid() {
		frames = append(frames, question(mac, xid, dhcpv4.MessageTypeInform, idle, netip.Addr{}))
	}
	began := time.Now()
	buffer := make([]byte, maxFrame)
	for try := 0; try < 2 && ctx.Err() == nil; try++ {
		for _, frame := range frames {
			if _, err := conn.Write(frame); err != nil {
				return server, time.Since(began)
			}
		}
		conn.SetReadDeadline(began.Add(wait * time.Duration(try+1) / 2))
		for time.Since(began) < wait {
			n, err := conn.Read(buffer)
			if err != nil {
				break
			}
			f, _ := wire.ParseFrame(buffer[:n])
			if p, ok := wire.ParseARP(f); ok && p.Operation == wire.ARPRequest && p.Target == idle {
				_, _ = conn.Write(wire.ARP{
					Operation: wire.ARPReply, SenderMAC: mac, Sender: idle, TargetMAC: p.SenderMAC, Target: p.Sender,
				}.Frame())
			}
			m, err := Decode(buffer[:n])
			if err != nil || m.XID != xid || m.Op != uint8(dhcpv4.OpcodeBootReply) || !bytes.Equal(m.CHAddr, mac) {
				continue
			}
			server = m.From.Addr()
			if id := m.Option(dhcpv4.OptionServerIdentifier.Code()); len(id) == 4 {
				server = netip.AddrFrom4([4]byte(id))
			}
			return server, time.Since(began)
		}
	}
	return server, time.Since(began)
}

// nowhere is an address that no network has (RFC 5737).
var nowhere = netip.AddrFrom4([4]byte{203, 0, 113, 254})

// question is a broadcast to DHCP servers: from a machine that has an address, or
// one that wants that one.
func question(mac net.HardwareAddr, xid uint32, kind dhcpv4.MessageType, has, wants netip.Addr) []byte {
	m := dhcpv4.DHCPv4{OpCode: dhcpv4.OpcodeBootRequest, HWType: iana.HWTypeEthernet, ClientHWAddr: mac, Options: dhcpv4.Options{}}
	binary.BigEndian.PutUint32(m.TransactionID[:], xid)
	m.UpdateOption(dhcpv4.OptMessageType(kind))
	source := netip.IPv4Unspecified()
	if has.IsValid() {
		source, m.ClientIPAddr = has, has.AsSlice()
	} else {
		m.SetBroadcast()
	}
	if wants.IsValid() {
		m.UpdateOption(dhcpv4.OptRequestedIPAddress(wants.AsSlice()))
	}
	m.UpdateOption(dhcpv4.OptParameterRequestList(dhcpv4.OptionSubnetMask, dhcpv4.OptionRouter, dhcpv4.OptionBootfileName))
	return wire.Datagram{
		Source:      netip.AddrPortFrom(source, wire.PortDHCPClient),
		Destination: netip.AddrPortFrom(netip.AddrFrom4([4]byte{255, 255, 255, 255}), wire.PortDHCPServer),
		Payload:     m.ToBytes(),
	}.Frame(mac, wire.Broadcast)
}
