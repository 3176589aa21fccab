# What the cases are written with. Runs the case that it is given, with -e: a
# command that fails is a case that fails.

fail() {
	echo "$*"
	exit 1
}
trap 'echo "line $LINENO: $BASH_COMMAND" >&2' ERR

# guest NAME: all that follows is about this guest. It has a MAC of its own,
# boots "then=poweroff" by PXE, and powers off.
guest() {
	guest_again "$1"
	truncate -s 1M "$work/$name.img"
	cat >"$config" <<END
name = "$name"
memory = 16
vif = ["$vif"]
disk = ["$work/$name.img,raw,xvda,rw"]
bootloader = "/usr/bin/gopxeboot"
bootloader_args = ["$vif"]
END
	pxe then=poweroff
}

# guest_again NAME: all that follows is about this guest, which is there.
guest_again() {
	name=$1
	mac=00:16:3e:$(printf %s "$name" | md5sum | sed 's/\(..\)\(..\)\(..\).*/\1:\2:\3/')
	vif="mac=$mac,bridge=xenbr0"
	config=$work/$name.cfg
	output=$work/$name.xl.log
	console=/var/log/xen/console/guest-$name.log
	pxelinux=/srv/tftp/pxelinux.cfg/01-${mac//:/-}
}

# pxe WORDS: what the guest's PXELINUX configuration appends. The kernel is the
# lab's own, which starts in no time.
pxe() {
	cat >"$pxelinux" <<END
DEFAULT linux
LABEL linux
  KERNEL kernel
  APPEND initrd=ramdisk $*
END
}

# what pxe's guest is started with, before the words
booted="BOOT_IMAGE=kernel initrd=ramdisk"

# cfg LINE...: more lines of the guest's configuration; the last one wins.
cfg() { printf '%s\n' "$@" >>"$config"; }

# create: xl create, which has to work.
create() {
	timeout 200 xl create "$@" "$config" >"$output" 2>&1 || fail "xl create: exit status $?"
}

# create_fails: xl create, which must not.
create_fails() {
	! timeout 200 xl create "$@" "$config" >"$output" 2>&1 || fail "xl create works, and should not"
}

# creating: xl create goes on, as process $create, while the case does.
creating() {
	timeout 200 xl create "$config" >"$output" 2>&1 &
	create=$!
}

# attended: the same with xl create -c on a terminal, where what is written to
# descriptor 5 is typed.
attended() {
	mkfifo "$work/$name.keys"
	exec 5<>"$work/$name.keys"
	timeout 280 script -qfec "xl create -c $config" "$output" <&5 >/dev/null &
	create=$!
}

# wait_created: what creating began has to work.
wait_created() { wait $create || fail "xl create: exit status $?"; }

# now: milliseconds since dom0 started.
now() { awk '{ print int(1000 * $1) }' /proc/uptime; }

# within SECONDS COMMAND...: waits for the command to be true.
within() {
	local seconds=$1 end=$((SECONDS + $1)) -
	shift
	set +x
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || fail "not within $seconds s: $*"
		sleep 0.1
	done
}

# started_with WORDS: the guest is up, and this is its whole command line.
started_with() {
	within 60 grep -qa 'GUEST-UP\|panic' "$console"
	is "the guest's command line" "$(grep -a GUEST-UP "$console" | tail -n 1 | tr -d '\r' | sed 's/^.*GUEST-UP //')" "$*"
}

gone() { ! xl domid "$name" >/dev/null 2>&1; }

# linux: the guest is Linux, with 128 MB. Its kernel is 15 MB, which takes longer
# than gopxeboot's 110 s where other work keeps the processor busy.
linux() {
	sed -i 's/KERNEL kernel/KERNEL vmlinuz/; s/initrd=ramdisk/initrd=initrd.img console=hvc0 quiet/' "$pxelinux"
	booted="BOOT_IMAGE=vmlinuz initrd=initrd.img console=hvc0 quiet"
	cfg 'memory = 128' "bootloader_args = ['$vif', '--timeout', '250']"
}

# initrd SIZE: the guest's initrd is this large. In the emulated machine TFTP
# takes a second for 1M to 4M; 100M are the middle of a download for long.
initrd() {
	truncate -s "$1" "/srv/tftp/$1.img"
	sed -i "s/initrd=ramdisk/initrd=$1.img/" "$pxelinux"
}

# downloading: a megabyte is there. (The files have no names before all is.)
downloading() {
	local pid
	pid=$(child)
	[ -n "$pid" ] && [ "$(awk '/^wchar:/ { print $2 }' "/proc/$pid/io")" -gt 1000000 ]
}

# served: what the servers said since the case began.
served() { tail -n "+$(($(cat "$work/servers.begin") + 1))" /run/servers.log; }

# leased: the guest's address.
leased() { served | sed -n "s/.*DHCPACK(eth0) \([0-9.]*\) $mac.*/\1/p" | tail -n 1; }

# bootlog: what the last bootloader said, as libxl wrote it down.
bootlog() { ls -t /var/log/xen/bootloader.*.log | head -n 1 | xargs cat; }

# libxl_files: those that libxl makes for a bootloader, in /run before Xen 4.17.
libxl_files() { ls -d /var/lib/xen/bootloader.* /run/xen/bootloader.* 2>/dev/null || true; }

# is WHAT GOT WANT
is() { [ "$2" = "$3" ] || fail "$1: got \"$2\", want \"$3\""; }

# has FILE TEXT
has() { grep -qaF -- "$2" "$1" || fail "no \"$2\" in ${1##*/}"; }

# at_end COMMAND: runs when the case ends, the last one first.
at_end() {
	ending="$1
$ending"
	trap 'set +e; eval "$ending"' EXIT
}

# address: dom0 has an address on the bridge until the case ends.
address() {
	ip address add 192.168.77.1/24 dev xenbr0
	at_end 'ip address del 192.168.77.1/24 dev xenbr0'
}

# vlan_servers NAMESPACE INTERFACE VLAN NET OPTION...: DHCP and TFTP of a network
# of their own in a VLAN, at NET.254, until the case ends them; VLAN 0 is untagged.
# The options are dnsmasq's.
vlan_servers() {
	local interface=$2 log=$work/vlan$3.log
	if [ "$3" != 0 ]; then
		interface=$2.$3
		ip -n "$1" link add link "$2" name "$interface" type vlan id "$3"
		ip -n "$1" link set "$interface" up
		at_end "ip -n $1 link del $interface"
	fi
	ip -n "$1" address add "$4.254/24" dev "$interface"
	ip netns exec "$1" dnsmasq --keep-in-foreground --port=0 --interface="$interface" --bind-interfaces --user=root \
		--leasefile-ro --no-ping --log-facility=- --dhcp-range="$4.100,$4.200,1h" --pid-file="$work/vlan$3.pid" \
		--dhcp-boot="pxelinux.0,servers,$4.254" --enable-tftp --tftp-root=/srv/tftp "${@:5}" >"$log" 2>&1 &
	within 20 grep -q 'TFTP root' "$log"
	at_end "ip netns exec $1 kill $(cat "$work/vlan$3.pid")"
}

# openvswitch: a bridge ovsbr0 of Open vSwitch until the case ends, with servers
# behind a trunk port: untagged ones at 192.168.78.254, and 192.168.20.254 in VLAN 20.
openvswitch() {
	mkdir -p /run/openvswitch /etc/openvswitch /var/log/openvswitch
	ovsdb-tool create /etc/openvswitch/conf.db /usr/share/openvswitch/vswitch.ovsschema
	ovsdb-server --remote=punix:/run/openvswitch/db.sock --pidfile --detach --no-chdir
	ovs-vsctl --no-wait init
	/usr/lib/openvswitch-*/ovs-vswitchd --pidfile --detach --no-chdir
	at_end 'ip link del ovsservers; ovs-vsctl del-br ovsbr0
		ovs-appctl -t ovs-vswitchd exit --cleanup; ovs-appctl -t ovsdb-server exit; rm -rf /etc/openvswitch'
	ovs-vsctl add-br ovsbr0
	ip link set ovsbr0 up
	ip link add ovsservers type veth peer name eth1 netns servers
	ip link set ovsservers up
	ip -n servers link set eth1 up
	ovs-vsctl add-port ovsbr0 ovsservers
	vlan_servers servers eth1 0 192.168.78
	vlan_servers servers eth1 20 192.168.20
}

# libvirtd_runs: it does, until the case ends.
libvirtd_runs() {
	# The emulated processor has no virtual 8086 mode, so it is less than the
	# least that libvirt knows.
	sed -i '/vme/d' /usr/share/libvirt/cpu_map/x86_486.xml
	mkdir -p /run/libvirt
	echo 'auth_unix_rw = "none"' >/etc/libvirt/libvirtd.conf
	libvirtd --config /etc/libvirt/libvirtd.conf >"$work/libvirtd.log" 2>&1 &
	at_end "kill $!"
	within 60 virsh -c xen:///system version
}

# virsh_creates TYPE SOURCE [ON_POWEROFF]: the guest, which is of that <type> and
# has an interface with that <source>.
virsh_creates() {
	cat >"$work/guest.xml" <<END
<domain type='xen'>
  <name>$name</name>
  <memory unit='MiB'>32</memory>
  <bootloader>/usr/bin/gopxeboot</bootloader>
  <bootloader_args>--net guest --mac $mac</bootloader_args>
  <os>$1</os>
  <on_poweroff>${3:-destroy}</on_poweroff>
  <devices>
    <disk type='file' device='disk'>
      <driver name='phy'/>
      <source file='$work/$name.img'/>
      <target dev='xvda' bus='xen'/>
    </disk>
    <interface type='bridge'>
      <mac address='$mac'/>
      $2
    </interface>
    <console type='pty'/>
  </devices>
</domain>
END
	virsh -c xen:///system create "$work/guest.xml" || fail "virsh create: exit status $?"
}

# boots_from NET OPTIONS...: gopxeboot, by itself, gets a lease and the guest's
# files from the servers of that network.
boots_from() {
	local net=$1 dir=$work/boot
	shift
	mkdir -p "$dir"
	timeout 100 gopxeboot --mac "$mac" --timeout 60 --output-format=simple --output="$dir/answer" --output-directory="$dir" "$@" \
		>"$dir.log" 2>&1 || fail "gopxeboot $*: exit status $?: $(tail -n 1 "$dir.log")"
	grep -q "dhcp: $net\.[0-9]*/24 from $net.254 .*next-server $net.254" "$dir.log" || fail "gopxeboot $*: $(grep dhcp: "$dir.log")"
	cmp /srv/tftp/kernel "$(sed -n 's/^kernel //p' "$dir/answer")" || fail "gopxeboot $*: not the kernel of the server"
	rm -r "$dir"
}

# leases_from NET OPTIONS...: gopxeboot gets a lease of that network. What
# comes then is not looked at: dom0 may have no way to the TFTP server.
leases_from() {
	local net=$1
	shift
	timeout 100 gopxeboot plan --mac "$mac" --timeout 60 "$@" >"$work/plan.json" 2>"$work/plan.log" || true
	grep -q "\"address\": *\"$net\.[0-9]*/24\"" "$work/plan.json" || fail "gopxeboot plan $*: $(tail -n 1 "$work/plan.log")"
}

# no_lease OPTIONS...: nobody there offers gopxeboot a lease.
no_lease() {
	local status=0
	timeout 100 gopxeboot plan --mac "$mac" --timeout 60 --dhcp-timeout 1s "$@" >"$work/plan.json" 2>"$work/plan.log" || status=$?
	is "exit status of gopxeboot plan $*" $status 3
}

# verdict CODE OPTIONS...: that is what gopxeboot check finds first.
verdict() {
	local code=$1
	shift
	timeout 100 gopxeboot check --json --mac "$mac" --timeout 60 --wait 3s "$@" >"$work/check.json" 2>"$work/check.log" || true
	grep -q "\"code\": *\"$code\"" "$work/check.json" || fail "gopxeboot check $*: $(grep -m 3 -e '"code"' -e '"summary"' -e '"evidence"' "$work/check.json") $(tail -n 1 "$work/check.log")"
}

# ours: the processes of the program under test. parent is the one that libxl
# started, child the one that reads from the network. (One ls: a process for
# each would take seconds.)
ours() { ls -l /proc/[0-9]*/exe 2>/dev/null | sed -n 's|.* /proc/\([0-9]*\)/exe -> .*/gopxeboot$|\1|p'; }
parent() { of_ours --output=; }
child() { of_ours gopxeboot-guest; }
of_ours() { ours | sed 's|.*|/proc/&/cmdline|' | xargs -r grep -l -e "$1" | cut -d / -f 3; }
no_process() { [ -z "$(ours)" ]; }

# child_is UID: the child is this user's, and has no way back.
child_is() {
	[ "$(awk '/^(Uid|CapPrm|NoNewPrivs):/ { $1 = $1; print }' "/proc/$(child)/status")" = "Uid: $1 $1 $1 $1
CapPrm: 0000000000000000
NoNewPrivs: 1" ]
}

case=${1##*/}
guest "${case%.sh}"
PS4='+$SECONDS s: '
set -x
. "$1"
