# A boot that fails: xl says where to look, and there is what was tried.
rm "$pxelinux"
create_fails
has "$output" "bootloader failed - consult logfile /var/log/xen/bootloader."
has "$output" "exited with error status 4"
bootlog | grep -q '^gopxeboot: .*pxelinux.cfg' || fail "the bootloader's log does not say what was tried"
gone || fail "the domain is still there"
