# Labs that hand out iPXE: dnsmasq names undionly.kpxe to the ROM and a script to
# iPXE, which it knows by option 175 or by its user class. The script comes by
# TFTP or by HTTP.
cat >/srv/tftp/boot.ipxe <<'END'
#!ipxe
kernel kernel by=${filename} mac=${net0/mac} then=poweroff || goto failed
initrd ramdisk
boot
:failed
END

in_lab() {
	guest "ipxe$1"
	rm "$pxelinux"
	vlan_servers servers eth0 "$1" "192.168.$1" '--dhcp-boot=tag:!ipxe,undionly.kpxe' --dhcp-boot="tag:ipxe,$2" "$3"
	cfg "bootloader_args = ['$vif', '--vlan=$1']"
	create
	started_with "by=$2 mac=$mac then=poweroff"
	is "requests of $mac in VLAN $1" "$(grep -c "DHCPREQUEST.* $mac" "$work/vlan$1.log")" 2
}
in_lab 20 boot.ipxe --dhcp-match=set:ipxe,175
ip netns exec servers busybox httpd -f -p 80 -h /srv/tftp &
at_end "kill $!"
in_lab 30 http://192.168.30.254/boot.ipxe --dhcp-userclass=set:ipxe,iPXE
