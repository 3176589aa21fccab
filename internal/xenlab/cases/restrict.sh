# In restricted mode libxl asks for another user (--runas): the process that
# reads from the network is that user's, and the guest boots.
# xen: 4.17
if compgen -G '/usr/lib/xen-4.17/bin/xl'; then
	export LIBXL_BOOTLOADER_RESTRICT=1 LIBXL_BOOTLOADER_USER=bootloader
else
	cfg 'bootloader_restrict = 1' 'bootloader_user = "bootloader"'
fi
initrd 6M
cfg 'memory = 32'
creating
within 60 child_is 60001
wait_created
started_with "BOOT_IMAGE=kernel initrd=6M.img then=poweroff"
