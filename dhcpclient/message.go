package dhcpclient

import (
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/iana"
)

const (
	// maxMessage is the largest message that we say we take, iPXE's.
	maxMessage = 1472
	// minMessage is the size of a BOOTP message (RFC 951); relays and servers
	// drop shorter ones.
	minMessage = 300
	// broadcastFlag asks for broadcast answers. The guest's MAC is not that of
	// the bridge, so that a unicast one may not come by.
	broadcastFlag = 0x8000
	// vendorClass is a BIOS PXE ROM's with UNDI 2.1. Servers look at its first
	// nine characters, and at the architecture.
	vendorClass = "PXEClient:Arch:00000:UNDI:002001"
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
	address netip.Addr // option 50; none when zero
	server  netip.Addr // option 54; none when zero
}

// identity is what every message of a client says about itself. RFC 4578 §2:
// DISCOVER and REQUEST say the same.
type identity struct {
	mac  net.HardwareAddr
	uuid []byte // option 97's last 16 bytes; nil when unknown
}

// newIdentity checks what the caller said.
func newIdentity(mac net.HardwareAddr, uuid string) (identity, error) {
	id := identity{mac: mac}
	if len(mac) != 6 || mac[0]&1 != 0 || slices.Equal(mac, make([]byte, 6)) {
		return id, fmt.Errorf("%q is not the MAC of an Ethernet card", mac)
	}
	if uuid == "" {
		return id, nil
	}
	b, err := hex.DecodeString(strings.ReplaceAll(uuid, "-", ""))
	if err != nil || len(b) != 16 {
		return id, fmt.Errorf("%q is not a UUID", uuid)
	}
	// The SMBIOS of a real machine has the first three fields little-endian,
	// and PXE clients send those bytes.
	slices.Reverse(b[0:4])
	slices.Reverse(b[4:6])
	slices.Reverse(b[6:8])
	id.uuid = b
	return id, nil
}

// bytes is the message as it goes over UDP. The options are those of a BIOS PXE
// ROM in iPXE's order. There is no option 77 and no 175: sites know iPXE by
// them, and answer it with an iPXE script instead of PXELINUX.
func (id identity) bytes(m message) []byte {
	header := dhcpv4.DHCPv4{
		OpCode:        dhcpv4.OpcodeBootRequest,
		HWType:        iana.HWTypeEthernet,
		TransactionID: m.xid,
		NumSeconds:    m.secs,
		Flags:         broadcastFlag,
		ClientHWAddr:  id.mac,
	}
	// Package dhcpv4 would sort the options.
	b := header.ToBytes()[:optionsOffset]
	option := func(code dhcpv4.OptionCode, value ...byte) {
		b = append(b, code.Code(), byte(len(value)))
		b = append(b, value...)
	}
	option(dhcpv4.OptionDHCPMessageType, byte(m.kind))
	option(dhcpv4.OptionMaximumDHCPMessageSize, maxMessage>>8, maxMessage&0xff)
	option(dhcpv4.OptionClientSystemArchitectureType, 0, 0)        // x86 BIOS
	option(dhcpv4.OptionClientNetworkInterfaceIdentifier, 1, 2, 1) // UNDI 2.1
	option(dhcpv4.OptionClassIdentifier, []byte(vendorClass)...)
	option(dhcpv4.OptionParameterRequestList, parameters...)
	// The key of the lease is the one that most guests' own DHCP clients use.
	option(dhcpv4.OptionClientIdentifier, append([]byte{byte(iana.HWTypeEthernet)}, id.mac...)...)
	if id.uuid != nil {
		option(dhcpv4.OptionClientMachineIdentifier, append([]byte{0}, id.uuid...)...)
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

// broadcast is the frame that takes the message to every server.
func (id identity) broadcast(m message) []byte {
	return datagram{
		source:      netip.AddrPortFrom(netip.IPv4Unspecified(), clientPort),
		destination: netip.AddrPortFrom(netip.AddrFrom4([4]byte{255, 255, 255, 255}), serverPort),
		payload:     id.bytes(m),
	}.frame(id.mac, ethernetBroadcast)
}
