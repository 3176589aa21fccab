package xenout

import (
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/gopxeboot/gopxeboot/internal/nearest"
)

// VIF is what a bootloader needs of a guest's network interface: its address,
// and the keys that choose its network, as they were written. [VIF.Place] says
// where that is.
type VIF struct {
	MAC     net.HardwareAddr // nil when the string names none
	Bridge  string           // "" when the string names none; xenbr0.20 and br0.20:30 stay whole
	VLAN    string           // terms as [ParsePVID] reads them
	Backend string           // the domain that has the bridge; "" is dom0
	Script  string           // that plugs the interface in; "" is vif-bridge
	Gateway string           // gatewaydev=, the interface that vif-route routes by
	IP      string           // the addresses that the guest may have, with blanks between them; "" for any

	Unknown []UnknownKey // what no toolstack knows, in its order
}

// An UnknownKey is a word of a vif string that no toolstack knows.
type UnknownKey struct {
	Key  string
	Near string // the key that may be meant; "" for none
}

func (k UnknownKey) String() string {
	text := fmt.Sprintf("%q is no key of a vif: it is ignored", k.Key)
	if k.Near != "" {
		text += "; did you mean " + k.Near + "=?"
	}
	return text
}

// A MACError is returned for an address that no guest can have.
type MACError struct {
	MAC     string // as it was written
	Problem string
}

func (e *MACError) Error() string {
	return fmt.Sprintf("MAC address %q: %s", e.MAC, e.Problem)
}

// ParseMAC reads a guest's MAC address, six octets with colons or dashes in
// either case. Its error is a *MACError.
func ParseMAC(s string) (net.HardwareAddr, error) {
	mac, err := net.ParseMAC(s)
	switch {
	case err != nil || len(mac) != 6:
		return nil, &MACError{s, "not six octets such as 00:16:3e:72:79:e3"}
	case mac[0]&1 != 0:
		return nil, &MACError{s, "a multicast address, which no interface can have"}
	case slices.Max(mac) == 0:
		return nil, &MACError{s, "all zeros"}
	}
	return mac, nil
}

// vifKeys are the keys of xm's create.py and of xl-network-configuration(5),
// and xl's words without a value.
var vifKeys = []string{
	"accel", "backend", "backendtype", "bridge", "devid", "gatewaydev", "ip", "label", "mac", "model", "mtu", "netdev", "policy", "rate",
	"script", "trusted", "type", "untrusted", "vifname", "vlan",
}

// vifKey matches the start of text that can only go on with a value of a vif
// string.
var vifKey = regexp.MustCompile(`^(` + strings.Join(vifKeys, "|") + `)=`)

// ParseVIF reads an interface as xm's and xl's vif= write it, such as
// "mac=00:16:3e:72:79:e3, bridge=xenbr0". Keys come in any order, blanks
// around keys, values and commas mean nothing, nor does a comma at either
// end, and what a bootloader has no use for is skipped. Of a key written
// twice the last counts, as in xm and xl. The error is a *MACError.
func ParseVIF(s string) (VIF, error) {
	var vif VIF
	for element := range strings.SplitSeq(s, ",") {
		key, value, _ := strings.Cut(element, "=")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		switch key {
		case "":
		case "mac":
			mac, err := ParseMAC(value)
			if err != nil {
				return VIF{}, err
			}
			vif.MAC = mac
		case "bridge":
			vif.Bridge = value
		case "vlan":
			vif.VLAN = value
		case "backend":
			vif.Backend = value
		case "script":
			vif.Script = value
		case "gatewaydev", "netdev":
			vif.Gateway = value
		case "ip":
			vif.IP = value
		default:
			// xl's keys for COLO are many.
			if !slices.Contains(vifKeys, key) && !strings.HasPrefix(key, "colo_") && !strings.HasPrefix(key, "coloft_") {
				vif.Unknown = append(vif.Unknown, UnknownKey{key, nearest.Word(key, vifKeys)})
			}
		}
	}
	return vif, nil
}

// MayHave says whether the guest may have this address on the interface, as far
// as ip= says so: vif-bridge lets no other one through where dom0 filters
// (vif-common.sh, handle_iptable). It is no lease, and DHCP decides.
func (v VIF) MayHave(address netip.Addr) bool {
	var some bool
	for word := range strings.FieldsSeq(v.IP) {
		prefix, err := netip.ParsePrefix(word)
		if a, err2 := netip.ParseAddr(word); err2 == nil {
			prefix, err = netip.PrefixFrom(a, a.BitLen()), nil
		}
		if err == nil && prefix.Contains(address) {
			return true
		}
		some = some || err == nil && prefix.Addr().Is4()
	}
	return !some // what is no address, or an IPv6 one, forbids none
}

// vifStart matches what a piece of a vif string begins with. Keys we do not
// know count too: toolstacks grow new ones.
var vifStart = regexp.MustCompile(`^[\s,]*([A-Za-z_][A-Za-z0-9_-]*\s*=|$)`)
