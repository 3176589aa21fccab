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

	Option uint8 // the option's code; 0 where it is none
	Inside uint8 // the code inside option 43, where Option is that; else 0
	In     Field // FieldFile or FieldSName, where that option stands there (option 52)
	Field  Field // "" of an option
}

// Field is where a value stands that is in no option.
type Field string

// The fields of a message, and what else there is.
const (
	FieldYIAddr Field = "yiaddr"
	FieldSIAddr Field = "siaddr"
	FieldSName  Field = "sname"
	FieldFile   Field = "file"
	FieldSource Field = "source address" // the packet's
	FieldClass  Field = "address class"  // a netmask that no server gave
)

// String is "option 67 (in file) of 192.168.1.166's OFFER"; "" of no value.
func (o Origin) String() string {
	if o == (Origin{}) {
		return ""
	}
	field := string(o.Field)
	if o.Option != 0 {
		field = fmt.Sprintf("option %d", o.Option)
	}
	if o.Inside != 0 {
		field += fmt.Sprintf(".%d", o.Inside)
	}
	if o.In != "" {
		field += " (in " + string(o.In) + ")"
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

// origin is a field or an option of r.
func (r *reply) origin(o Origin) Origin {
	o.Server, o.Message = r.server(), "BOOTP reply"
	if !r.bootp() {
		o.Message = r.MessageType().String()
	}
	o.In = r.in[o.Option]
	return o
}

// inField is the Origin of a header's field, and inOption that of an option.
func inField(name Field) Origin { return Origin{Field: name} }

func inOption(code dhcpv4.OptionCode) Origin { return Origin{Option: code.Code()} }
