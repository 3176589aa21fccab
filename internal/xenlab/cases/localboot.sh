# LOCALBOOT hands over to pygrub, which boots the kernel on the guest's disk.
truncate -s 8M "$work/$name.img"
disk=$(losetup -f)
losetup "$disk" "$work/$name.img"
mke2fs "$disk"
mkdir "$work/disk"
mount -t ext2 "$disk" "$work/disk"
mkdir -p "$work/disk/boot/grub"
cp /srv/tftp/kernel /srv/tftp/ramdisk "$work/disk/boot/"
cat >"$work/disk/boot/grub/menu.lst" <<END
default 0
timeout 1
title disk
  kernel /boot/kernel fromdisk then=poweroff
  initrd /boot/ramdisk
END
umount "$work/disk"
losetup -d "$disk"
printf 'DEFAULT disk\nLABEL disk\n  LOCALBOOT 0\n' >"$pxelinux"
create
started_with "fromdisk then=poweroff"
