# Without bootloader_args the MAC and the bridge are found in the
# configuration that xl create was given.
cfg 'bootloader_args = []'
create
started_with "$booted then=poweroff"
