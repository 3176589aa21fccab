package check

import (
	"strconv"
	"strings"

	"github.com/gopxeboot/gopxeboot/dhcpclient"
)

// Origin is where a value comes from: a DHCP option or a field, or in Field an
// option of ours. In JSON it is text: "67", "43.6", "67 in file", "siaddr",
// "--server". It has no Server and no Message.
type Origin dhcpclient.Origin

// What decides instead of a server, as Origin.Field.
const (
	OurAddress  dhcpclient.Field = "--address"
	OurRouter   dhcpclient.Field = "--router"
	OurServer   dhcpclient.Field = "--server"
	OurBootFile dhcpclient.Field = "--bootfile"
	OurOption   dhcpclient.Field = "--option"
)

// originOf is that of a lease's value.
func originOf(o dhcpclient.Origin) Origin {
	return Origin{Option: o.Option, Inside: o.Inside, In: o.In, Field: o.Field}
}

func (o Origin) String() string {
	text := string(o.Field)
	if o.Option != 0 {
		text = strconv.Itoa(int(o.Option))
	}
	if o.Inside != 0 {
		text += "." + strconv.Itoa(int(o.Inside))
	}
	if o.In != "" {
		text += " in " + string(o.In)
	}
	return text
}

// Label is "siaddr", "option 67", "option 67 in file".
func (o Origin) Label() string {
	if o.Option != 0 {
		return "option " + o.String()
	}
	return o.String()
}

// MarshalText is String.
func (o Origin) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalText is the reverse. What begins with no number of an option is a
// field.
func (o *Origin) UnmarshalText(text []byte) error {
	number, in, _ := strings.Cut(string(text), " in ")
	option, inside, _ := strings.Cut(number, ".")
	code, err := strconv.ParseUint(option, 10, 8)
	if err != nil || code == 0 {
		*o = Origin{Field: dhcpclient.Field(text)}
		return nil
	}
	below, _ := strconv.ParseUint(inside, 10, 8) // 0 where there is none
	*o = Origin{Option: uint8(code), Inside: uint8(below), In: dhcpclient.Field(in)}
	return nil
}
