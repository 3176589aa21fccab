# libvirt's xen driver starts a PVH guest with <bootloader>.
# slow: 5m
libvirtd_runs
virsh_creates "<type arch='x86_64' machine='xenpvh'>xenpvh</type>" "<source bridge='xenbr0'/>"
started_with "$booted then=poweroff"
within 60 gone
