# libvirt hands all its <bootloader_args> over as one word.
cfg "bootloader_args = ['mac=$mac,bridge=xenbr0 --net guest']"
create
started_with "$booted then=poweroff"
