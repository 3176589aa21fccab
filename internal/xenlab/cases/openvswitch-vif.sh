# Guests of xl in VLANs of Open vSwitch: where gopxeboot boots is where Xen's
# vif-openvswitch puts the guest.
# slow: 5m
openvswitch
on_vif() {
	guest "$1"
	cfg "vif = ['mac=$mac,bridge=$2,script=vif-openvswitch']" 'bootloader_args = []' 'on_poweroff = "preserve"'
	create
	started_with "$booted then=poweroff"
	bootlog | grep -q "dhcp: 192\.168\.20\.[0-9]*/24" || fail "$2: $(bootlog | grep dhcp:)"
	is "tag of $2" "$(ovs-vsctl get port "vif$(xl domid "$name").0" tag trunks | tr -d '\n')" "$3"
	xl destroy "$name"
}
on_vif access ovsbr0.20 '20[]'
on_vif trunk ovsbr0.20:30:40 '20[30, 40]'
