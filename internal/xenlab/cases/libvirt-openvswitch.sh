# A PVH guest of libvirt on Open vSwitch: gopxeboot boots in the VLAN that
# libvirt puts the guest into.
# slow: 5m
openvswitch
libvirtd_runs
virsh_creates "<type arch='x86_64' machine='xenpvh'>xenpvh</type>" \
	"<source bridge='ovsbr0'/><virtualport type='openvswitch'/><vlan><tag id='20'/></vlan>" preserve
started_with "$booted then=poweroff"
bootlog | grep -q "dhcp: 192\.168\.20\.[0-9]*/24" || fail "$(bootlog | grep dhcp:)"
is "the vif's tag" "$(ovs-vsctl get port "vif$(xl domid "$name").0" tag)" 20
virsh -c xen:///system destroy "$name"
