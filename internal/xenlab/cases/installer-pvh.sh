# Debian 12's own netboot tree, unmodified, boots as a PVH guest: its console shows
# the installer's first dialog.
# slow: 30m
rm "$pxelinux"
ln -sfn /usr/lib/debian-installer/images/12/amd64/text /srv/tftp/debian
cfg 'memory = 768' 'type = "pvh"' "bootloader_args = ['$vif', '--bootfile', 'debian/pxelinux.0', '--timeout', '600']"
timeout 900 xl create "$config" >"$output" 2>&1 || fail "xl create: exit status $?"
within 1200 grep -qaE 'low memory mode|Select a language' "$console"
xl destroy "$name"
