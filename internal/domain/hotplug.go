package domain

import (
	"io/fs"
	"path"
	"strings"

	"github.com/gopxeboot/gopxeboot/xenout"
)

// IgnoresVLAN says whether Xen will plug the vif into its bridge without its
// VLAN: libxl hands vlan= to the script vif-bridge, which may not look at it. So
// it is with Debian 13's, and with all before Xen 4.19. Of another script, or on
// Open vSwitch, nothing is known.
func (h *Host) IgnoresVLAN(vif xenout.VIF) bool {
	if script := path.Base(vif.Script); vif.VLAN == "" || vif.Bridge == "" || vif.Script != "" && script != "vif-bridge" {
		return false
	}
	if _, err := fs.Stat(h.Root, path.Join("sys/class/net", vif.Bridge, "bridge")); err != nil {
		return false
	}
	const scripts = "/etc/xen/scripts/"
	if _, err := h.read(scripts + "vif-bridge"); err != nil {
		return false
	}
	hooks, _ := fs.Glob(h.Root, scripts[1:]+"vif-post.d/*.hook") // the pattern is good
	for _, name := range append(hooks, scripts+"vif-bridge", scripts+"vif-common.sh", scripts+"xen-network-common.sh") {
		if text, err := h.read("/" + name); err == nil && strings.Contains(text, "vlan") {
			return false
		}
	}
	return true
}
