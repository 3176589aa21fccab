package xenout

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A NetworkError says why a vif's network is none that a bootloader in dom0
// can be on. To boot from another one would boot another system.
type NetworkError struct {
	Key, Value string // of the vif
	Problem    string
	Try        string // what to do instead
}

func (e *NetworkError) Error() string {
	return fmt.Sprintf("the vif says %s=%s: %s", e.Key, e.Value, e.Problem)
}

// What to do about a network that can't be reached.
const (
	tryVLAN   = "write one VLAN as N or Np in the vif, or say --vlan N"
	tryBridge = "if a bridge of dom0's is on that network, name it by --bridge; or give the guest a vif on one (bridge=xenbr0) while it boots"
)

// On is the vif with what else was said of its network: a bridge takes the
// place of the vif's own, and of its backend and script; a VLAN that of its
// vlan=. "" and 0 say nothing.
func (v VIF) On(bridge string, vlan uint16) VIF {
	if bridge != "" {
		v.Bridge, v.Backend, v.Script, v.Gateway = bridge, "", "", ""
	}
	if vlan != 0 {
		v.VLAN = strconv.Itoa(int(vlan))
	}
	return v
}

// Place is the bridge, and the VLAN on it, that a guest with this vif is in
// when it sends a frame without a tag: as firmware does. The bridge is "" where
// the vif names none, and the VLAN 0 where there is none; one in the bridge's
// name, as in xenbr0.20, is left there, as a device may be called that. The
// error is a *NetworkError.
func (v VIF) Place() (bridge string, vlan uint16, err error) {
	script := path.Base(v.Script)
	switch {
	case v.Backend != "" && !slices.Contains([]string{"0", "Domain-0", "dom0"}, v.Backend):
		return "", 0, &NetworkError{"backend", v.Backend, "its bridge is in that domain, and dom0 is not on it", tryBridge}
	case strings.HasPrefix(script, "vif-route"), strings.HasPrefix(script, "vif-nat"):
		return "", 0, &NetworkError{"script", v.Script, "it has no bridge, dom0 routes for it, and no DHCP server is there", tryBridge}
	case v.Gateway != "":
		return "", 0, &NetworkError{"gatewaydev", v.Gateway, "it is routed by that interface, and no DHCP server is there", tryBridge}
	}
	bridge, trunks, isTrunk := strings.Cut(v.Bridge, ":")
	if v.VLAN != "" {
		vlan, err = ParsePVID(v.VLAN)
		return bridge, vlan, err
	}
	if isTrunk && !tagged.MatchString(bridge) && !slices.Contains(strings.Split(trunks, ":"), "0") {
		return "", 0, &NetworkError{"bridge", v.Bridge, "a trunk without a VLAN for frames that have no tag, as firmware sends them", "write the VLAN to boot in as " + bridge + ".N:" + trunks + ", or say --vlan N"}
	}
	return bridge, 0, nil
}

// tagged matches a bridge's name with the VLAN of an access port in it
// (Xen's vif-openvswitch, add_to_openvswitch).
var tagged = regexp.MustCompile(`\.[0-9]+$`)

// vlanTerm matches a term of vlan=: N, Np, Nu, A-B, A-Bu, or N+OxC, which is N
// and C-1 more, each O further.
var vlanTerm = regexp.MustCompile(`^([0-9]+)(?:([pu]?)|-([0-9]+)u?|\+([0-9]+)x([0-9]+)u?)$`)

// ParsePVID reads a vif's vlan= as xl-network-configuration(5) has it, terms
// with a "/" between them, and returns the VLAN of frames without a tag: the
// term Np, or a single N. Of several Np the last counts, as on a bridge. The
// error is a *NetworkError: for a term that is none, a VLAN that is not between
// 1 and 4094, and where no VLAN is that of frames without a tag.
func ParsePVID(text string) (pvid uint16, err error) {
	refuse := func(format string, args ...any) (uint16, error) {
		return 0, &NetworkError{"vlan", text, fmt.Sprintf(format, args...), tryVLAN}
	}
	terms := strings.Split(text, "/")
	for _, term := range terms {
		m := vlanTerm.FindStringSubmatch(term)
		if m == nil {
			return refuse("%q is none of N, Np, Nu, A-B, A-Bu and N+OxC", term)
		}
		number := func(i int) int {
			n, err := strconv.Atoi(m[i])
			if err != nil || n > 4095 {
				n = 4095 // no VLAN, and small enough to multiply
			}
			return n
		}
		first, last := number(1), number(1)
		switch {
		case m[3] != "":
			last = number(3)
		case m[4] != "":
			last = first + number(4)*(number(5)-1)
		}
		if first < 1 || last < first || last > 4094 {
			return refuse("VLANs are from 1 to 4094")
		}
		if m[2] == "p" || len(terms) == 1 && term == m[1] {
			pvid = uint16(first)
		}
	}
	if pvid == 0 {
		return refuse("none of them is that of frames without a tag, as firmware sends them")
	}
	return pvid, nil
}
