package dhcpclient

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/wire"
	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/iana"
)

// reply is a server's message to the guest.
type reply struct {
	*dhcpv4.DHCPv4
	source netip.AddrPort  // of the packet: the server's, or a relay's
	in     map[uint8]Field // the field that each option began in, as Origin.In
}

// parseReply reads a frame. It is nil unless the frame is a BOOTP or DHCP
// server's message to mac.
func parseReply(f wire.Frame, mac net.HardwareAddr) *reply {
	r, err := readReply(f, mac)
	if err != nil {
		return nil
	}
	return r
}

var errNotOurs = errors.New("not a server's message to the guest")

// readReply is parseReply, and says why.
func readReply(f wire.Frame, mac net.HardwareAddr) (*reply, error) {
	d, ok := wire.ParseDatagram(f)
	if !ok || d.Destination.Port() != wire.PortDHCPClient || !bytes.Equal(f.To, mac) && !bytes.Equal(f.To, wire.Broadcast) {
		return nil, errNotOurs
	}
	normal, in, err := normalise(d.Payload)
	if err != nil {
		return nil, err
	}
	message, err := dhcpv4.FromBytes(normal)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", errMalformed, err)
	case message.OpCode != dhcpv4.OpcodeBootReply || !bytes.Equal(message.ClientHWAddr, mac):
		return nil, errNotOurs
	case message.HWType != iana.HWTypeEthernet:
		return nil, fmt.Errorf("%w: hardware type %d is not Ethernet's", errMalformed, message.HWType)
	}
	return &reply{message, d.Source, in}, nil
}

// asSent is the reply for who wants to read it.
func (r *reply) asSent() Reply {
	s := Reply{Address: r.yourAddress(), NextServer: address(r.ServerIPAddr), Options: map[uint8][]byte{}}
	s.BootFile, _, _ = strings.Cut(r.BootFileName, "\x00")
	for code, value := range r.Options {
		s.Options[code] = bytes.Clone(value)
	}
	return s
}

// fromPXE says whether it is a PXE server's answer to a REQUEST what to boot. It
// comes from port 4011, where it was asked, or at least gives no address.
func (r *reply) fromPXE() bool {
	return r.source.Port() == wire.PortPXE || r.MessageType() == dhcpv4.MessageTypeAck && r.YourIPAddr.IsUnspecified()
}

// bootp says whether it is a BOOTP reply, which needs no REQUEST (RFC 1534).
func (r *reply) bootp() bool { return !r.Options.Has(dhcpv4.OptionDHCPMessageType) }

// pxe says whether the server knows PXE clients. Only such a server, and no
// other, may leave the address to somebody else (PXE 2.1 §2.2.1).
func (r *reply) pxe() bool {
	return strings.HasPrefix(string(r.Options.Get(dhcpv4.OptionClassIdentifier)), "PXEClient")
}

// server tells servers apart: option 54, else siaddr, else where the packet
// came from.
func (r *reply) server() netip.Addr {
	server, _ := r.serverIn()
	return server
}

// serverIn is server, and where it says so.
func (r *reply) serverIn() (server netip.Addr, from Origin) {
	if id := address(r.Options.Get(dhcpv4.OptionServerIdentifier)); id.IsValid() {
		return id, inOption(dhcpv4.OptionServerIdentifier)
	}
	if next := address(r.ServerIPAddr); next.IsValid() {
		return next, inField(FieldSIAddr)
	}
	return r.source.Addr(), inField(FieldSource)
}

// yourAddress is the address given to the guest; invalid when there is none.
func (r *reply) yourAddress() netip.Addr { return address(r.YourIPAddr) }

// nextServer is siaddr, else option 66 or the sname field where they hold an
// address. When they hold a name, name is it. from is where it says so.
func (r *reply) nextServer() (next netip.Addr, name string, from Origin) {
	if next = address(r.ServerIPAddr); next.IsValid() {
		return next, "", inField(FieldSIAddr)
	}
	for _, given := range []struct {
		from  Origin
		value []byte
	}{
		{inOption(dhcpv4.OptionTFTPServerName), r.Options.Get(dhcpv4.OptionTFTPServerName)},
		{inField(FieldSName), []byte(r.ServerHostName)},
	} {
		s := wire.Text(given.value)
		if a, err := netip.ParseAddr(s); err == nil {
			if a = address(a.AsSlice()); a.IsValid() {
				return a, "", given.from
			}
		} else if name == "" {
			if name = hostName(s); name != "" {
				from = given.from
			}
		}
	}
	return netip.Addr{}, name, from
}

// bootFile is the header's file field, else option 67: PXELINUX's order. Either
// may be filled up with NUL or, from some servers, 0xff.
func (r *reply) bootFile() string {
	file, _ := r.bootFileIn()
	return file
}

// bootFileIn is bootFile, and where it says so.
func (r *reply) bootFileIn() (file string, from Origin) {
	if file := wire.Text([]byte(r.BootFileName)); file != "" {
		return file, inField(FieldFile)
	}
	return wire.Text(r.Options.Get(dhcpv4.OptionBootfileName)), inOption(dhcpv4.OptionBootfileName)
}

// pxelinux is an option of PXELINUX's own, 209 to 211 (RFC 5071). It may also
// stand inside option 43.
func (r *reply) pxelinux(code dhcpv4.OptionCode) (value []byte, from Origin) {
	if value := r.Options.Get(code); value != nil {
		return value, inOption(code)
	}
	return r.encapsulated().Get(code), Origin{Option: dhcpv4.OptionVendorSpecificInformation.Code(), Inside: code.Code()}
}

// address reads one address that a machine can have. PXELINUX refuses the same
// ones as next-server: 0.x, 127.x, multicast and broadcast.
func address(b []byte) netip.Addr {
	if len(b) != 4 || b[0] == 0 || b[0] == 127 || b[0]&0xf0 == 224 || bytes.Equal(b, net.IPv4bcast.To4()) {
		return netip.Addr{}
	}
	return netip.AddrFrom4([4]byte(b))
}

// addresses reads a list; nil when it is not one.
func addresses(b []byte) []netip.Addr {
	if len(b)%4 != 0 {
		return nil
	}
	var list []netip.Addr
	for ; len(b) > 0; b = b[4:] {
		list = append(list, netip.AddrFrom4([4]byte(b[:4])))
	}
	return list
}

// seconds reads a time; zero when it is not one.
func seconds(b []byte) time.Duration {
	if len(b) != 4 {
		return 0
	}
	return time.Duration(binary.BigEndian.Uint32(b)) * time.Second
}

// hostName is s where it can be a name of the DNS, else "".
func hostName(s string) string {
	const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._"
	if len(s) > 253 || strings.Trim(s, allowed) != "" {
		return ""
	}
	return s
}
