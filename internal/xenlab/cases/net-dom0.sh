# A PV guest PXE boots through dom0's own network: DHCP has the guest's MAC,
# TFTP comes from dom0's address.
address
cfg "bootloader_args = ['$vif', '--net', 'dom0']"
create
started_with "$booted then=poweroff"
served | grep -q "DHCPACK.* $mac" || fail "no DHCPACK for $mac"
served | grep -q 'sent /srv/tftp/ramdisk to 192.168.77.1$' || fail "the initrd was not sent to dom0"
