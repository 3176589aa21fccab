# libvirt's xen driver starts a guest with <bootloader>.
# The emulated processor has no virtual 8086 mode, so it is less than the least
# that libvirt knows.
sed -i '/vme/d' /usr/share/libvirt/cpu_map/x86_486.xml
mkdir -p /run/libvirt
echo 'auth_unix_rw = "none"' >/etc/libvirt/libvirtd.conf
libvirtd --config /etc/libvirt/libvirtd.conf >"$work/libvirtd.log" 2>&1 &
trap 'kill $!' EXIT
cat >"$work/guest.xml" <<END
<domain type='xen'>
  <name>$name</name>
  <memory unit='MiB'>16</memory>
  <bootloader>/usr/bin/gopxeboot</bootloader>
  <bootloader_args>$vif --net guest</bootloader_args>
  <os><type arch='x86_64' machine='xenpv'>linux</type></os>
  <on_poweroff>destroy</on_poweroff>
  <devices>
    <disk type='file' device='disk'>
      <driver name='phy'/>
      <source file='$work/$name.img'/>
      <target dev='xvda' bus='xen'/>
    </disk>
    <interface type='bridge'>
      <mac address='$mac'/>
      <source bridge='xenbr0'/>
    </interface>
    <console type='pty'/>
  </devices>
</domain>
END
within 60 virsh -c xen:///system version
virsh -c xen:///system create "$work/guest.xml" || fail "virsh create: exit status $?"
started_with "$booted then=poweroff"
within 20 gone
