# A guest that reboots is a new domain, and the bootloader runs again for it:
# what the lab says by then is what boots.
cfg 'on_reboot = "restart"'
pxe then=reboot
create
within 60 grep -qa "GUEST-UP $booted then=reboot" "$console"
pxe again then=poweroff
within 120 grep -qa "GUEST-UP $booted again then=poweroff" "$console"
