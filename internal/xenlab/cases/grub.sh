# A lab that speaks GRUB: --bootfile stands for what its DHCP server would say.
# The guest has a grub.cfg of its own, and no configuration of PXELINUX.
rm "$pxelinux"
mkdir -p /srv/tftp/boot/grub/i386-pc
cat >"/srv/tftp/boot/grub/grub.cfg-01-${mac//:/-}" <<'END'
set timeout=5
function load {
	linux (tftp)/kernel "$@" mac=$net_default_mac
}
menuentry 'Guest' --id guest {
	load then=poweroff "a b"
	initrd /ramdisk
}
END
cfg "bootloader_args = [\"--bootfile=boot/grub/i386-pc/core.0\", \"$vif\"]"
create
started_with "BOOT_IMAGE=(tftp)/kernel then=poweroff \"a b\" mac=$mac"
served | grep -q "sent /srv/tftp/ramdisk to $(leased)\$" || fail "the initrd was not sent to $(leased)"
