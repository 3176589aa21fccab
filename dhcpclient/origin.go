package dhcpclient

import (
	"fmt"
	"net/netip"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// Origin says where a value of a Lease comes from; it is zero where there is no
// value.
type Origin struct {
	Server  netip.Addr // who said it, as in Offer.Server
	Message string     // in which message: "ACK", "OFFER", "BOOTP reply"
	// Field is "yiaddr", "siaddr", "file" or "sname", "option 67", "option 43.209" for one
	// inside option 43, "source address" of the packet, or "address class" for
	// a netmask that nobody gave.
	Field string
	In    string // "file" or "sname", where that option stands there (option 52)
}

// String is "option 67 (in file) of 192.168.1.166's OFFER"; "" of no value.
func (o Origin) String() string {
	if o == (Origin{}) {
		return ""
	}
	field := o.Field
	if o.In != "" {
		field += " (in " + o.In + ")"
	}
	return fmt.Sprintf("%s of %s's %s", field, o.Server, o.Message)
}

// Origins say where a Lease has its values from. Each has the name of the
// field that it is about; Netmask is the length of Address, and Routers is
// Router's, too.
type Origins struct {
	Address, Netmask, Routers, DNS, Domain, MTU, Duration, ServerID Origin

	NextServer, ServerName, BootFile, ConfigFile, PathPrefix, RebootTime Origin
}

// origin is a field of r.
func (r *reply) origin(field string) Origin {
	o := Origin{Server: r.server(), Field: field, Message: "BOOTP reply"}
	if !r.bootp() {
		o.Message = r.MessageType().String()
	}
	var code uint8
	if n, _ := fmt.Sscanf(field, "option %d", &code); n == 1 && r.message != nil {
		o.In = r.message.in(code)
	}
	return o
}

// optionField is an option's name in Origin.Field.
func optionField(code dhcpv4.OptionCode) string { return fmt.Sprintf("option %d", code.Code()) }
