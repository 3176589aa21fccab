# A PV guest PXE boots from a port of its own on the bridge, where dom0 has no
# address: the server sees the guest's MAC and address only.
cfg "bootloader_args = ['$vif', '--net', 'guest']"
create
started_with "$booted then=poweroff"
served | grep -q "DHCPACK.* $mac" || fail "no DHCPACK for $mac"
served | grep -q "sent /srv/tftp/ramdisk to $(leased)\$" || fail "the initrd was not sent to $(leased)"
