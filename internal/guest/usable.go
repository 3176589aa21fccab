package guest

import "net/netip"

// Usable says whether a machine can have the address: IPv4, and neither
// 0.0.0.0/8, nor loopback, nor from 224.0.0.0 on, which is multicast,
// reserved and broadcast (RFC 6890).
func Usable(a netip.Addr) bool {
	if !a.Is4() {
		return false
	}
	first := a.As4()[0]
	return first != 0 && first != 127 && first < 224
}
