package dhcpclient

import (
	"net"
	"net/netip"

	"github.com/gopxeboot/gopxeboot/internal/wire"
	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/iana"
)

// everybody is the address of a broadcast.
var everybody = netip.AddrFrom4([4]byte{255, 255, 255, 255})

const (
	// maxMessage is the largest message that we say we take, iPXE's.
	maxMessage = 1472
	// minMessage is the size of a BOOTP message (RFC 951); relays and servers
	// drop shorter ones.
	minMessage = 300
	// broadcastFlag asks for broadcast answers. The guest's MAC is not that of
	// the bridge, so that a unicast one may not come by.
	broadcastFlag = 0x8000
)

// parameters is option 55: what an Intel PXE ROM asks for, and PXELINUX's own
// options, which servers send only when asked.
var parameters = []byte{
	1, 2, 3, 4, 5, 6, 11, 12, 13, 15, 16, 17, 18, 22, 23, 28, 40, 41, 42, 43, 50, 51, 54, 58, 59, 60, 66, 67,
	128, 129, 130, 131, 132, 133, 134, 135,
	208, 209, 210, 211,
}

// message is what is different from one message of a client to the next.
type message struct {
	kind    dhcpv4.MessageType
	xid     dhcpv4.TransactionID
	secs    uint16
	client  netip.Addr // ciaddr, the address that the guest has; none when zero
	address netip.Addr // option 50; none when zero
	server  netip.Addr // option 54; none when zero
	item    *menuItem  // option 43, to a boot server; nil for none
}

// bytes is the message as it goes over UDP. The options are those of a BIOS PXE
// ROM in iPXE's order. There is no option 77 unless the caller has one, and no
// 175: sites know iPXE by them, and answer it with an iPXE script instead of
// PXELINUX.
func (id identity) bytes(m message) []byte {
	header := dhcpv4.DHCPv4{
		OpCode:        dhcpv4.OpcodeBootRequest,
		HWType:        iana.HWTypeEthernet,
		TransactionID: m.xid,
		NumSeconds:    m.secs,
		ClientHWAddr:  id.mac,
	}
	switch {
	case m.client.IsValid():
		header.ClientIPAddr = m.client.AsSlice()
	case !id.unicast:
		header.Flags = broadcastFlag
	}
	// Package dhcpv4 would sort the options.
	b := header.ToBytes()[:wire.DHCPHeader]
	option := func(code dhcpv4.OptionCode, value ...byte) {
		b = appendOption(b, code.Code(), value)
	}
	option(dhcpv4.OptionDHCPMessageType, byte(m.kind))
	if m.kind != dhcpv4.MessageTypeDecline && m.kind != dhcpv4.MessageTypeRelease {
		for _, o := range id.options {
			b = appendOption(b, o.code, o.value)
		}
	} else if o, ok := id.option(dhcpv4.OptionClientIdentifier); ok {
		// RFC 2131, table 5: these say who they are from, and no more.
		b = appendOption(b, o.code, o.value)
	}
	if m.item != nil {
		option(dhcpv4.OptionVendorSpecificInformation, m.item.option()...)
	}
	if m.server.IsValid() {
		option(dhcpv4.OptionServerIdentifier, m.server.AsSlice()...)
	}
	if m.address.IsValid() {
		option(dhcpv4.OptionRequestedIPAddress, m.address.AsSlice()...)
	}
	b = append(b, dhcpv4.OptionEnd.Code())
	if short := minMessage - len(b); short > 0 {
		b = append(b, make([]byte, short)...)
	}
	return b
}

// appendOption adds an option, in parts when it is too long for one (RFC 3396).
func appendOption(b []byte, code uint8, value []byte) []byte {
	for {
		part := value[:min(len(value), 255)]
		b = append(append(b, code, byte(len(part))), part...)
		if value = value[len(part):]; len(value) == 0 {
			return b
		}
	}
}

// broadcast is the frame that takes the message to every server.
func (id identity) broadcast(m message) []byte {
	return id.frame(m, netip.AddrPortFrom(everybody, wire.PortDHCPServer), wire.Broadcast)
}

// frame is the frame that takes the message to a server, by way of the station
// with that MAC. It comes from the address that the guest has.
func (id identity) frame(m message, to netip.AddrPort, by net.HardwareAddr) []byte {
	from := m.client
	if !from.IsValid() {
		from = netip.IPv4Unspecified()
	}
	return wire.Datagram{
		Source:      netip.AddrPortFrom(from, wire.PortDHCPClient),
		Destination: to,
		Payload:     id.bytes(m),
	}.Frame(id.mac, by)
}
