# Debian 12's own netboot tree, unmodified, boots as a PVH guest: its console shows
# the installer's first dialog. Linux takes a PVH guest's console when it is
# told to only, and a PV guest's by itself (xen_pvh_init, xen_start_kernel).
# slow: 30m
rm "$pxelinux"
ln -sfn /usr/lib/debian-installer/images/12/amd64/text /srv/tftp/debian
cfg 'memory = 768' 'type = "pvh"' 'extra = "console=hvc0"' "bootloader_args = ['$vif', '--bootfile', 'debian/pxelinux.0', '--timeout', '600']"
timeout 900 xl create "$config" >"$output" 2>&1 || fail "xl create: exit status $?"
within 1200 grep -qaE 'low memory mode|Select a language' "$console"
xl destroy "$name"
