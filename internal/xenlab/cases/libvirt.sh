# libvirt's xen driver starts a PV guest with <bootloader>.
libvirtd_runs
virsh_creates "<type arch='x86_64' machine='xenpv'>linux</type>" "<source bridge='xenbr0'/>"
started_with "$booted then=poweroff"
within 60 gone
