# Without --net the guest gets its own port; root= and extra= of the guest's
# configuration come after what PXELINUX says.
cfg 'root = "/dev/xvda1 ro"' 'extra = "one two=3"'
create
started_with "$booted then=poweroff root=/dev/xvda1 ro one two=3"
served | grep -q "sent /srv/tftp/ramdisk to $(leased)\$" || fail "the initrd was not sent to $(leased)"
