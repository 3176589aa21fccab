# Two guests boot at once, each with its own configuration.
guest one
pxe first then=poweroff
creating
guest two
pxe second then=poweroff
create
started_with "$booted second then=poweroff"
guest_again one
wait_created
started_with "$booted first then=poweroff"
