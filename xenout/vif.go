package xenout

import (
	"fmt"
	"net"
	"regexp"
	"slices"
	"strings"
)

// VIF is what a bootloader needs of a guest's network interface.
type VIF struct {
	MAC    net.HardwareAddr // nil when the string names none
	Bridge string           // "" when the string names none; as written, so xenbr0.20 stays whole
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

// ParseVIF reads an interface as xm's and xl's vif= write it, such as
// "mac=00:16:3e:72:79:e3, bridge=xenbr0". Keys come in any order, blanks
// around keys, values and commas mean nothing, nor does a comma at either
// end, and what a bootloader has no use for is skipped. Of a key written
// twice the last counts, as in xm and xl. The error is a *MACError.
func ParseVIF(s string) (VIF, error) {
	var vif VIF
	for element := range strings.SplitSeq(s, ",") {
		key, value, _ := strings.Cut(element, "=")
		value = strings.TrimSpace(value)
		switch strings.TrimSpace(key) {
		case "mac":
			mac, err := ParseMAC(value)
			if err != nil {
				return VIF{}, err
			}
			vif.MAC = mac
		case "bridge":
			vif.Bridge = value
		}
	}
	return vif, nil
}

// vifKey matches the start of text that can only go on with a value of a vif
// string: the keys of xm's create.py and of xl-network-configuration(5).
var vifKey = regexp.MustCompile(`^(accel|backend|bridge|devid|gatewaydev|ip|mac|model|mtu|netdev|rate|script|trusted|type|vifname|vlan)=`)

// vifStart matches what a piece of a vif string begins with. Keys we do not
// know count too: toolstacks grow new ones.
var vifStart = regexp.MustCompile(`^[\s,]*([A-Za-z_][A-Za-z0-9_-]*\s*=|$)`)

// Positionals says what the words that are no options mean. Words that are
// pieces of a vif string are read as one: xm's shlex makes two of
// "mac=00:16:3e:72:79:e3, bridge=xenbr0". Of the other words the last is the
// guest's first disk, which libxl, xend and XAPI always pass; rest holds
// those before it. The error is ParseVIF's; disk and rest are right also
// when it is not nil.
func Positionals(words []string) (vif VIF, disk string, rest []string, err error) {
	var pieces []string
	for _, word := range words {
		if vifStart.MatchString(word) {
			pieces = append(pieces, word)
		} else {
			rest = append(rest, word)
		}
	}
	if last := len(rest) - 1; last >= 0 {
		disk, rest = rest[last], rest[:last]
	}
	vif, err = ParseVIF(strings.Join(pieces, ","))
	return vif, disk, rest, err
}
