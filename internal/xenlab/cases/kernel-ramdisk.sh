# kernel= and ramdisk= of the guest's configuration name files in the lab, and
# override the label's.
mkdir -p /srv/tftp/other
ln -f /srv/tftp/kernel /srv/tftp/other/linux
ln -f /srv/tftp/ramdisk /srv/tftp/other/ramdisk
cfg 'kernel = "other/linux"' 'ramdisk = "other/ramdisk"'
create
within 60 grep -qa 'GUEST-UP .* then=poweroff' "$console"
served | grep -q "sent /srv/tftp/other/linux to" || fail "other/linux was not sent"
served | grep -q "sent /srv/tftp/other/ramdisk to" || fail "other/ramdisk was not sent"
