# vlan= in the vif, on a bridge that filters VLANs: where gopxeboot boots is
# where vif-bridge puts the guest, with vif-post.d/vlan.hook of
# docs/toolstacks.md. Debian's own vif-bridge does not look at it, and gopxeboot
# warns.
# xen: 4.20
vlan_servers servers eth0 10 192.168.10
at_end 'rm -r /etc/xen/scripts/vif-post.d; ip link set xenbr0 type bridge vlan_filtering 0'
ip link set xenbr0 type bridge vlan_filtering 1
bridge vlan add dev servers vid 10

in_vlan() {
	guest "$1"
	cfg "vif = ['$vif,vlan=$2']" 'bootloader_args = []' 'on_poweroff = "preserve"'
	create
	started_with "$booted then=poweroff"
	bootlog | grep -q "dhcp: 192\.168\.10\.[0-9]*/24" || fail "vlan=$2: $(bootlog | grep dhcp:)"
	is "VLANs of the vif with vlan=$2" "$(bridge vlan show dev "vif$(xl domid "$name").0" | sed '1d; s/^[^ \t]*[ \t]*//' | tr '\n' ',')" "$3"
	xl destroy "$name"
}
in_vlan without 10 '1 PVID Egress Untagged,'
bootlog | grep -q '^gopxeboot: warning: vlan=10: ' || fail "no warning"
install -D -m 755 /lab/vlan.hook /etc/xen/scripts/vif-post.d/vlan.hook
in_vlan one 10 '10 PVID Egress Untagged,'
in_vlan two 10p/20 '10 PVID Egress Untagged,20,'
