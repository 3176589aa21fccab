package dhcpclient

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
	"slices"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/wire"
	"github.com/insomniacslk/dhcp/dhcpv4"
)

// maxDNS is how many DNS servers PXELINUX takes.
const maxDNS = 4

// Lease is what DHCP gave the guest. Where the server's confirmation leaves
// something out, it is what the offer says.
//
// Strings are as the server sent them, and may hold any byte but NUL, unless
// it says otherwise here.
type Lease struct {
	Address  netip.Prefix // with the length of option 1, else of the address's class
	Router   netip.Addr   // first router of option 3
	Routers  []netip.Addr // all of option 3
	DNS      []netip.Addr // the first four usable ones of option 6
	Domain   string       // option 15; "" when it is no domain name
	HostName string       // option 12
	MTU      int          // option 26; 0 when absent
	Duration time.Duration
	ServerID netip.Addr // option 54, else siaddr or where the packet came from

	NextServer netip.Addr    // siaddr, else 66 or sname when they are addresses, else ServerID
	ServerName string        // 66 or sname when NextServer could not be read from them because they are a name
	Option66   string        // an address or a name, where NextServer is siaddr and another one; no ROM asks there
	BootFile   string        // the header's file field, else option 67; NUL and 0xff trimmed
	ConfigFile string        // option 209
	PathPrefix string        // option 210
	RebootTime time.Duration // option 211; 0 when absent

	// What a PXE boot menu led to; zero when there was none.
	MenuItem  string // the text of the first line, which a machine takes by itself
	LocalBoot bool   // that line means the machine's own disk, and BootFile says nothing

	Offers int // how many servers offered an address, as far as they were waited for

	// Reply is what confirmed the lease, as the server sent it, and Boot are what PXE
	// servers say about booting, the last one asked first.
	Reply Reply
	Boot  []Reply
}

// Reply is a server's message as it was sent: its options hold any bytes.
type Reply struct {
	Address, NextServer netip.Addr // yiaddr and siaddr; invalid where they are no machine's
	BootFile            string     // the header's file field, up to its first NUL
	Options             map[uint8][]byte
}

// newLease puts together what the replies say: the first that has something
// says what it is. Of a BOOTP server, offer and ack are the same reply. What
// PXE servers say about booting, the last one asked first, wins over both, as
// PXELINUX takes the last reply's.
func newLease(offer, ack *reply, boot ...*reply) *Lease {
	l, _ := merge(offer, ack, boot...)
	return l
}

// merge is newLease, and tells where it has each value from.
func merge(offer, ack *reply, boot ...*reply) (*Lease, *Origins) {
	replies := []*reply{ack, offer}
	from := new(Origins)
	// option is the first value that is valid.
	option := func(code dhcpv4.OptionCode, from *Origin, valid func([]byte) bool) []byte {
		for _, r := range replies {
			if b := r.Options.Get(code); valid(b) {
				*from = r.origin(inOption(code))
				return b
			}
		}
		return nil
	}
	isList := func(b []byte) bool { return len(b) > 0 && len(b)%4 == 0 }
	isNumber := func(b []byte) bool { return len(b) == 4 }

	l := &Lease{Reply: ack.asSent()}
	for _, r := range boot {
		l.Boot = append(l.Boot, r.asSent())
	}
	var origin Origin
	l.ServerID, origin = ack.serverIn()
	from.ServerID = ack.origin(origin)

	given := ack.yourAddress()
	from.Address, from.Netmask = ack.origin(inField(FieldYIAddr)), ack.origin(inField(FieldClass))
	length := classLength(given)
	if mask := option(dhcpv4.OptionSubnetMask, &from.Netmask, isMask); mask != nil {
		length = bits.OnesCount32(binary.BigEndian.Uint32(mask))
	}
	l.Address = netip.PrefixFrom(given, length)

	l.Routers = addresses(option(dhcpv4.OptionRouter, &from.Routers, isList))
	if len(l.Routers) > 0 {
		l.Router = address(l.Routers[0].AsSlice())
	}
	for _, a := range addresses(option(dhcpv4.OptionDomainNameServer, &from.DNS, isList)) {
		if a = address(a.AsSlice()); a.IsValid() && len(l.DNS) < maxDNS {
			l.DNS = append(l.DNS, a)
		}
	}
	l.Domain = hostName(wire.Text(option(dhcpv4.OptionDomainName, &from.Domain, func(b []byte) bool { return hostName(wire.Text(b)) != "" })))
	l.HostName = wire.Text(option(dhcpv4.OptionHostName, &Origin{}, func(b []byte) bool { return wire.Text(b) != "" }))
	// RFC 2132 §5.1: 68 is the least that IPv4 allows.
	isMTU := func(b []byte) bool { return len(b) == 2 && binary.BigEndian.Uint16(b) >= 68 }
	if mtu := option(dhcpv4.OptionInterfaceMTU, &from.MTU, isMTU); mtu != nil {
		l.MTU = int(binary.BigEndian.Uint16(mtu))
	}
	l.Duration = seconds(option(dhcpv4.OptionIPAddressLeaseTime, &from.Duration, isNumber))

	for i, r := range slices.Concat(boot, replies) {
		next, name, nextFrom := r.nextServer()
		file, fileFrom := r.bootFileIn()
		if i < len(boot) && file != "" && !next.IsValid() && name == "" {
			next, nextFrom = r.serverIn() // who knows the file has it
		}
		if !l.NextServer.IsValid() && next.IsValid() {
			l.NextServer, from.NextServer = next, r.origin(nextFrom)
		}
		if l.ServerName == "" && name != "" {
			l.ServerName, from.ServerName = name, r.origin(nextFrom)
		}
		if l.BootFile == "" && file != "" {
			l.BootFile, from.BootFile = file, r.origin(fileFrom)
		}
		for _, own := range []struct {
			code  dhcpv4.OptionCode
			value *string
			from  *Origin
		}{
			{dhcpv4.OptionPXELinuxConfigFile, &l.ConfigFile, &from.ConfigFile},
			{dhcpv4.OptionPXELinuxPathPrefix, &l.PathPrefix, &from.PathPrefix},
		} {
			if b, from := r.pxelinux(own.code); *own.value == "" && wire.Text(b) != "" {
				*own.value, *own.from = wire.Text(b), r.origin(from)
			}
		}
		if b, origin := r.pxelinux(dhcpv4.OptionPXELinuxRebootTime); l.RebootTime == 0 && seconds(b) != 0 {
			l.RebootTime, from.RebootTime = seconds(b), r.origin(origin)
		}
	}
	if l.NextServer.IsValid() {
		l.ServerName, from.ServerName = "", Origin{}
	} else {
		l.NextServer, from.NextServer = l.ServerID, from.ServerID
	}
	if from.NextServer.Field == FieldSIAddr {
		l.Option66 = otherName(l.NextServer, slices.Concat(boot, replies))
	}
	return l, from
}

// otherName is the first option 66 that leads elsewhere; "" for none.
func otherName(next netip.Addr, replies []*reply) string {
	for _, r := range replies {
		if name := hostName(wire.Text(r.Options.Get(dhcpv4.OptionTFTPServerName))); name != "" && name != next.String() {
			return name
		}
	}
	return ""
}

// isMask says whether b is a netmask: ones, then zeros.
func isMask(b []byte) bool {
	if len(b) != 4 {
		return false
	}
	mask := binary.BigEndian.Uint32(b)
	return mask != 0 && bits.LeadingZeros32(^mask) == bits.OnesCount32(mask)
}

// classLength is the prefix length that an address had before there were
// netmasks (RFC 791 §2.3).
func classLength(a netip.Addr) int {
	switch first := a.As4()[0]; {
	case first < 128:
		return 8
	case first < 192:
		return 16
	default:
		return 24
	}
}
