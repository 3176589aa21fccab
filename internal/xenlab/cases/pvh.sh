# A PVH guest PXE boots, and gets all of a command line that no PV guest can
# have; for a PV guest it is refused.
long=$(printf 'long=%01100d' 0)
cfg 'type = "pvh"' 'memory = 32' # 16 are too few for xl 4.20
pxe "$long" then=poweroff
create
started_with "$booted $long then=poweroff"

guest pv
pxe "$long" then=poweroff
create_fails
has "$output" "exited with error status 5"
bootlog | grep -q '^gopxeboot: .* bytes' || fail "the bootloader's log does not say how long the command line is"
