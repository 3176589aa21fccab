# What libxl's log of the bootloader has of a long download: lines, ten at most.
# slow: 10m
initrd 50M
cfg 'memory = 112' "bootloader_args = ['$vif', '--timeout', '400']"
timeout 500 xl create "$config" >"$output" 2>&1 || fail "xl create: exit status $?"
started_with "BOOT_IMAGE=kernel initrd=50M.img then=poweroff"
bootlog | grep 'gopxeboot: initrd: .* 50\.0 MiB in'
lines=$(bootlog | grep -c '^gopxeboot: .* of 50\.0 MiB, ')
echo "$lines lines of progress"
[ $lines -ge 1 ] && [ $lines -le 10 ] || fail "$lines lines of progress"
! bootlog | grep -q $'\r[^\r]' || fail "a line of the log was written over"
