package dhcpclient

import (
	"errors"
	"net/netip"
	"time"
)

// The kinds of failure that a caller decides on. Test with errors.Is.
var (
	ErrNoOffer = errors.New("no DHCP server answered")
	ErrNoAck   = errors.New("no DHCP server confirmed its offer")
	ErrNak     = errors.New("DHCP server refused the address it offered")
)

// Lease is what DHCP gave the guest.
type Lease struct {
	Address  netip.Prefix
	Router   netip.Addr   // first router of option 3
	Routers  []netip.Addr // all of option 3
	DNS      []netip.Addr
	Domain   string
	MTU      int // option 26; 0 when absent
	Duration time.Duration
	ServerID netip.Addr // option 54

	NextServer netip.Addr // siaddr, else 66 or sname when they are addresses, else ServerID
	ServerName string     // 66 or sname when NextServer could not be read from them because they are a name
	BootFile   string     // the header's file field, else option 67; NUL and 0xff trimmed
	ConfigFile string     // option 209
	PathPrefix string     // option 210
	RebootTime time.Duration // option 211

	Offers int // how many servers offered
}
